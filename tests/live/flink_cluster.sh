# shellcheck shell=bash disable=SC2154
# A cluster of Flink on loopback for one job, as `signals deploy` has it: an application that Flink's own SqlDriver runs, and TaskManagers
# of one slot, which may be killed, and which may end themselves: a sink of Kafka that is cancelled while it sends does that to its
# TaskManager. Kubernetes would start another one, and so does whoever waits here. Sourced after flink_lib.sh. Sets rest and rpc, its ports.

fetch_jar "org.apache.flink:flink-sql-gateway:$flink" flink-opt
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
rest=$(free_port) rpc=$(free_port)
mkdir -p "$work/conf" "$work/tmp"
cat >"$work/conf/config.yaml" <<YAML
jobmanager.rpc.address: 127.0.0.1
jobmanager.rpc.port: $rpc
jobmanager.memory.process.size: 900m
rest.address: 127.0.0.1
rest.bind-address: 127.0.0.1
rest.port: $rest
taskmanager.host: 127.0.0.1
taskmanager.numberOfTaskSlots: 1
io.tmp.dirs: $work/tmp
execution.checkpointing.dir: file://$work/checkpoints
heartbeat.interval: 1000
heartbeat.timeout: 8000
parallelism.default: 2
execution.checkpointing.interval: 1s
restart-strategy.type: fixed-delay
restart-strategy.fixed-delay.attempts: 10
restart-strategy.fixed-delay.delay: 1s
execution.shutdown-on-application-finish: false
YAML
# Memory of a process, in MiB, and what a TaskManager has of it for tasks.
heap=700 task_heap=256m
# A process of the cluster; its id is then the last of pids.
launch() {
  FLINK_OPT_DIR=$cache/flink-opt FLINK_LIB_DIR=$cache/flink-sql-$flink/lib java "${opens[@]}" "-Xmx${heap}m" -XX:MaxDirectMemorySize=400m -XX:+UseSerialGC -cp "$cache/flink-sql-$flink/lib/*:$cache/$kafka_connector" \
    "org.apache.flink.$1" --configDir "$work/conf" "${@:2}" >>"$work/cluster.log" 2>&1 &
  pids+=($!)
  disown
}
managers=()
task_manager() {
  launch runtime.taskexecutor.TaskManagerRunner -D taskmanager.cpu.cores=1.0 -D taskmanager.memory.framework.heap.size=128m \
    -D taskmanager.memory.task.heap.size="$task_heap" -D taskmanager.memory.managed.size=128m \
    -D taskmanager.memory.framework.off-heap.size=128m -D taskmanager.memory.task.off-heap.size=0m \
    -D taskmanager.memory.network.min=64m -D taskmanager.memory.network.max=64m \
    -D taskmanager.memory.jvm-metaspace.size=192m -D taskmanager.memory.jvm-overhead.min=64m -D taskmanager.memory.jvm-overhead.max=64m
  managers+=("${pids[-1]}")
}
# Starts a TaskManager for each that has ended.
replace_managers() {
  local index
  for index in "${!managers[@]}"; do
    kill -0 "${managers[index]}" 2>/dev/null && continue
    unset "managers[$index]"
    task_manager
  done
}
ask() { curl -fsS -m 10 "http://127.0.0.1:$rest/$1"; }
# Asks until the answer, as `it`, is as Python demands, and leaves what that gives in `found`. Not for a subshell: it starts processes.
until_it() {
  local deadline=$((SECONDS + 180))
  while ((SECONDS < deadline)); do
    if found=$(ask "$1" 2>/dev/null | python3 -c "import json, sys; it = json.load(sys.stdin); found = $2; print(found); sys.exit(not found)" 2>/dev/null); then
      return 0
    fi
    replace_managers
    sleep 0.3
  done
  echo "$1 never had: $2" >&2
  tail -40 "$work/cluster.log" >&2
  return 1
}
# The application of a script.
application() {
  launch container.entrypoint.StandaloneApplicationClusterEntryPoint \
    --job-classname org.apache.flink.table.runtime.application.SqlDriver --script "$(cat "$1")"
}
# Waits until the job runs, and leaves its id in `job`.
until_running() {
  until_it jobs/overview '[job["jid"] for job in it["jobs"] if job["state"] == "RUNNING"][:1] and it["jobs"][0]["jid"]'
  job=$found
}
