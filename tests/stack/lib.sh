# Shared by the scripts of this folder: where things are, and how a component is started and stopped.
# shellcheck shell=bash disable=SC2034

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
KUBERNETES_VERSION=$(sed -n 's/^.*k8s.io\/kubernetes \(v[0-9.]*\).*/\1/p' "$here/go/go.mod")
KAFKA_VERSION=$(sed -n 's/.*<kafka.version>\(.*\)<.*/\1/p' "$here/kafka/pom.xml")
FLINK_VERSION=2.3.0
MOTO_VERSION=5.2.5

cache=${FLOWDECK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/flowdeck}/stack
state=${FLOWDECK_STACK_DIR:-/tmp/flowdeck-stack}

kubernetes_bin=$cache/kubernetes-$KUBERNETES_VERSION/bin
kafka_lib=$cache/kafka-$KAFKA_VERSION/lib
flink_lib=$cache/flink-$FLINK_VERSION/lib
moto_venv=$cache/moto-$MOTO_VERSION

say() { printf 'stack: %s\n' "$*" >&2; }

# fail COMPONENT REASON [LOG FILE]
fail() {
  printf 'stack: %s failed: %s\n' "$1" "$2" >&2
  if [ -n "${3:-}" ] && [ -s "$3" ]; then
    printf 'stack: last lines of %s:\n' "$3" >&2
    tail -n 25 "$3" >&2
  fi
  exit 1
}

# The name of a cache entry that depends on sources: a short hash of the files.
sources_key() { cat "$@" | sha256sum | cut -c1-16; }

helpers_bin() {
  local files
  mapfile -t files < <(find "$here/go" -name '*.go' -o -name 'go.mod' -o -name 'go.sum' | sort)
  printf '%s/helpers-%s/bin' "$cache" "$(sources_key "${files[@]}")"
}

job_jar() { printf '%s/flink-job-%s-%s.jar' "$cache" "$FLINK_VERSION" "$(sources_key "$here"/flink-job/*.java)"; }

# When the process with this id was started, in clock ticks since boot. With the id it names one process for good.
# A process that has ended but still has threads counts as there: it holds its ports until the last one is gone.
started_at() {
  local stat threads=("/proc/$1/task/"*)
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  stat=${stat##*) }
  # shellcheck disable=SC2086
  set -- $stat
  { [ "$1" != Z ] || [ ${#threads[@]} -gt 1 ]; } && printf '%s' "${20}"
}

# Is the component's recorded process still there? Prints its id.
alive() {
  local pid start
  [ -f "$state/pid/$1" ] && read -r pid start <"$state/pid/$1" && [ "$(started_at "$pid")" = "$start" ] && printf '%s' "$pid"
}

# record COMPONENT COMMAND...: how to start it. `ctl start` uses the same file again.
record() {
  local name=$1
  shift
  { printf '#!/bin/bash\nexec'; printf ' %q' "$@"; printf '\n'; } >"$state/cmd/$name"
}

# launch COMPONENT: runs the recorded command in its own session. `exec` keeps the process id.
launch() {
  local name=$1 pid
  touch "$state/log/$name.log"
  stat -c %s "$state/log/$name.log" >"$state/pid/$name.log-start"
  setsid bash "$state/cmd/$name" >>"$state/log/$name.log" 2>&1 </dev/null 9>&- &
  pid=$!
  printf '%s %s\n' "$pid" "$(started_at "$pid" || echo 0)" >"$state/pid/$name"
}

# wait_for COMPONENT SECONDS COMMAND...: polls the command until it succeeds.
wait_for() {
  local name=$1 limit=$2 deadline
  shift 2
  deadline=$((SECONDS + limit))
  until "$@" >/dev/null 2>&1; do
    if [ -f "$state/pid/$name" ] && ! alive "$name" >/dev/null; then
      fail "$name" "its process has ended" "$state/log/$name.log"
    fi
    if [ "$SECONDS" -ge "$deadline" ]; then
      fail "$name" "not ready after $limit s" "$state/log/$name.log"
    fi
    sleep 0.2
  done
}

# Where the classes of a Java component are kept ready to map: it halves the work of a start. The archive is made
# when a component that ran without one ends well.
class_archive() {
  local java
  java=$(stat -Lc %Y-%s "$(command -v java)")
  case $1 in
    kafka) printf '%s/kafka-%s.jsa' "${kafka_lib%/lib}" "$java" ;;
    flink-*) printf '%s/%s-%s.jsa' "${flink_lib%/lib}" "$1" "$java" ;;
  esac
}

# The option of java that uses the archive, or makes one.
class_archive_option() {
  local archive
  archive=$(class_archive "$1")
  if [ -f "$archive" ]; then
    printf '%s' "-XX:SharedArchiveFile=$archive"
  else
    printf '%s' "-XX:ArchiveClassesAtExit=$state/$1.jsa"
  fi
}

keep_class_archive() {
  local archive
  archive=$(class_archive "$1")
  mv "$state/$1.jsa" "$archive.$$" && mv -T "$archive.$$" "$archive"
}

# stop_component COMPONENT: ends the recorded process, by force if it takes too long.
stop_component() {
  local name=$1 patience=${2:-40} pid
  if pid=$(alive "$name"); then
    if grep -q ArchiveClassesAtExit "$state/cmd/$name"; then patience=300; fi
    kill -CONT "$pid" 2>/dev/null || true
    kill -TERM "$pid" 2>/dev/null || true
    while [ "$patience" -gt 0 ] && alive "$name" >/dev/null; do
      sleep 0.1
      patience=$((patience - 1))
    done
    if alive "$name" >/dev/null; then
      kill -KILL "$pid" 2>/dev/null || true
    elif [ -f "$state/$name.jsa" ]; then
      keep_class_archive "$name"
    fi
  fi
  rm -f "$state/pid/$name"
}

# said COMPONENT TEXT: has the present process written this to its log?
said() { tail -c "+$(($(cat "$state/pid/$1.log-start") + 1))" "$state/log/$1.log" | grep -qF "$2"; }

port_open() { (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null; }

# The checks that tell that a component answers; used at first start and by `ctl start`.
ready() {
  # shellcheck disable=SC1091
  source "$state/ports"
  case $1 in
    etcd) wait_for etcd 30 curl -fs -m 2 "http://127.0.0.1:$PORT_ETCD/health" ;;
    apiserver) wait_for apiserver 90 admin_kubectl --request-timeout=3s get --raw /readyz ;;
    controller-manager | scheduler) wait_for "$1" 60 curl -kfs -m 2 "https://127.0.0.1:$(component_port "$1")/healthz" ;;
    kubelet) wait_for kubelet 60 said kubelet 'serving on' ;;
    kafka) wait_for kafka 90 kafka_ready ;;
    flink-jm) wait_for flink-jm 90 curl -fs -m 2 "http://$FLINK_ADDRESS:8081/overview" ;;
    flink-tm) wait_for flink-tm 90 flink_has_task_manager ;;
    s3) wait_for s3 60 curl -fs -m 2 "http://127.0.0.1:$PORT_S3/" ;;
  esac
}

admin_kubectl() { "$kubernetes_bin/kubectl" --kubeconfig "$state/admin.kubeconfig" "$@"; }
component_port() { if [ "$1" = scheduler ]; then echo "$PORT_SCHEDULER"; else echo "$PORT_MANAGER"; fi; }
kafka_ready() { port_open 127.0.0.1 "$PORT_KAFKA" && port_open 127.0.0.1 "$PORT_KAFKA_SASL" && said kafka 'Kafka Server started'; }
flink_has_task_manager() { curl -fs -m 2 "http://$FLINK_ADDRESS:8081/overview" | grep -q '"taskmanagers":[1-9]'; }

kafka_user=flowdeck
kafka_password=stack-secret
kafka_java=(-cp "$kafka_lib/*" "-Dlog4j2.configurationFile=$here/kafka/log4j2.xml")

# Stops what is recorded in the state folder, the dependants first, and removes the network namespace.
stop_everything() {
  local name jobs=() prefix=
  for name in flink-tm flink-jm kafka s3 scheduler controller-manager kubelet; do
    stop_component "$name" &
    jobs+=($!)
  done
  for name in "${jobs[@]}"; do wait "$name" || true; done
  stop_component kafka-controller
  stop_component apiserver 100
  stop_component etcd
  if [ -f "$state/ports" ] && grep -q NETNS "$state/ports"; then
    prefix=$(sed -n 's/^NETNS=//p' "$state/ports")
    ip link del "fdk${prefix#flowdeck-}h" 2>/dev/null || true
    ip netns del "$prefix" 2>/dev/null || true
    sed -i '/^NETNS=/d' "$state/ports"
  fi
  rm -f "$state/env"
}
