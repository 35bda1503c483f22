# Fetches and builds what is not in the cache yet. Each function makes one entry: in a folder beside it that is
# moved into place when complete, under a lock, so that two runs cannot disturb each other.
# shellcheck shell=bash disable=SC2154

# cached ENTRY BUILD-FUNCTION: the function gets the folder to fill.
cached() {
  local entry=$1 build=$2 name begin
  [ -e "$entry" ] && return 0
  name=$(basename "$entry")
  mkdir -p "$cache/log"
  (
    flock 8
    [ -e "$entry" ] && exit 0
    begin=$SECONDS
    say "building $name (log: $cache/log/$name.log)"
    rm -rf "$entry.part"
    if ! nice -n 10 bash -c "set -euo pipefail; source '$here/lib.sh'; source '$here/build.sh'; $build '$entry.part'" \
      >"$cache/log/$name.log" 2>&1 8>&- 9>&-; then
      fail "$name" "could not be built" "$cache/log/$name.log"
    fi
    mv "$entry.part" "$entry"
    say "built $name in $((SECONDS - begin)) s"
  ) 8>"$cache/.lock-$name"
}

go_build() {
  local flags=$1 target=$2
  shift 2
  (cd "$here/go" && CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w $flags" -o "$target" "$@")
}

build_kubernetes() {
  local package=k8s.io/component-base/version minor=${KUBERNETES_VERSION#v1.}
  mkdir -p "$1/bin"
  go_build "" "$1/bin/etcd" go.etcd.io/etcd/server/v3
  go_build "-X $package.gitVersion=$KUBERNETES_VERSION -X $package.gitMajor=1 -X $package.gitMinor=${minor%%.*}" \
    "$1/bin/" k8s.io/kubernetes/cmd/{kube-apiserver,kube-controller-manager,kube-scheduler,kubectl}
}

build_helpers() {
  find "$cache" -maxdepth 1 -name 'helpers-*' -mtime +30 -exec rm -rf {} + # those of older sources
  mkdir -p "$1/bin"
  go_build "" "$1/bin/" ./kubelet ./stackctl
}

build_kafka() {
  mvn -q -B -f "$here/kafka/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$1/lib"
  local jar
  for jar in "$1"/lib/kafka-tools-"$KAFKA_VERSION".jar "$1"/lib/kafka_2.13-"$KAFKA_VERSION".jar; do
    unzip -Z1 "$jar" '*.class' | grep -v '\$'
  done | sed 's/\.class$//; s#/#.#g' >"$1/classes"
}

build_flink() {
  mkdir -p "$1/wheel" "$1/lib"
  python3 -m pip download -q --disable-pip-version-check --no-deps -d "$1/wheel" "apache-flink-libraries==$FLINK_VERSION"
  unzip -q -j "$1"/wheel/*.whl 'pyflink/lib/*.jar' -x '*table*' '*scala*' -d "$1/lib"
  rm -r "$1/wheel"
}

build_job() {
  local classes
  classes=$(mktemp -d)
  javac --release 17 -nowarn -cp "$flink_lib/*" -d "$classes" "$here"/flink-job/*.java
  jar --create --file "$1" --main-class StackJob -C "$classes" .
  rm -r "$classes"
}

build_moto() {
  # A virtual environment cannot be moved, so it is made where it will stay and the marker is what is moved.
  python3 -m venv "$moto_venv.venv"
  "$moto_venv.venv/bin/python" -m pip install -q --disable-pip-version-check "moto[s3,server]==$MOTO_VERSION"
  mkdir -p "$1"
  ln -s "$moto_venv.venv/bin" "$1/bin"
}

build_go() { cached "${kubernetes_bin%/bin}" build_kubernetes && cached "$(dirname "$(helpers_bin)")" build_helpers; }
build_flink_and_job() { cached "${flink_lib%/lib}" build_flink && cached "$(job_jar)" build_job; }

# need COMMAND DEBIAN-PACKAGE ...
install_tools() {
  local missing=()
  while [ $# -gt 0 ]; do
    command -v "$1" >/dev/null || missing+=("$2")
    shift 2
  done
  if [ ${#missing[@]} -gt 0 ]; then
    say "installing ${missing[*]}"
    mkdir -p "$cache/log"
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"; } \
      >"$cache/log/apt.log" 2>&1 || fail tools "cannot install ${missing[*]}" "$cache/log/apt.log"
  fi
}

# build_all PART...: everything these parts need, at the same time.
build_all() {
  local part job jobs=()
  install_tools curl curl openssl openssl flock util-linux unzip unzip
  for part in "$@"; do
    case $part in
      kubernetes)
        install_tools ip iproute2
        if ! command -v go >/dev/null; then fail kubernetes "there is no go command (1.26 or newer)"; fi
        ;;
      kafka) install_tools java openjdk-17-jre-headless mvn maven ;;
      flink) install_tools javac openjdk-17-jdk-headless python3 python3 pip3 python3-pip ;;
      s3) install_tools python3 python3-venv ;;
    esac
  done
  for part in "$@"; do
    case $part in
      kubernetes) build_go & ;;
      kafka) cached "${kafka_lib%/lib}" build_kafka & ;;
      flink) build_flink_and_job & ;;
      s3) cached "$moto_venv" build_moto & ;;
      controller) continue ;; # the same jars
    esac
    jobs+=($!)
  done
  for job in "${jobs[@]}"; do wait "$job" || exit 1; done
}
