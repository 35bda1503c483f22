# Makes the state folder and starts the components: the part of `up` after the builds.
# shellcheck shell=bash disable=SC2154

# Runs when `up` ends early: nothing that it started may stay.
stack_failed() {
  trap - ERR EXIT
  say "stopping what was started; logs stay in $state/log"
  stop_everything
  exit 1
}

make_state() {
  if [ -e "$state" ]; then
    if [ ! -f "$state/.flowdeck-stack" ] && [ -n "$(ls -A "$state")" ]; then
      fail up "$state is not empty and was not made by this script"
    fi
    stop_everything
    rm -rf "$state"
  fi
  mkdir -p "$state"/{cmd,pid,log,certs,data,pod-logs}
  touch "$state/.flowdeck-stack"
  # All ports are held at once while they are chosen, so that they differ.
  python3 - >"$state/ports" <<'PY'
import socket
names = "ETCD ETCD_PEER API KUBELET MANAGER SCHEDULER KAFKA KAFKA_SASL KAFKA_CONTROLLER S3".split()
held = [socket.socket() for _ in names]
for name, sock in zip(names, held):
    sock.bind(("127.0.0.1", 0))
    print(f"PORT_{name}={sock.getsockname()[1]}")
PY
  # shellcheck disable=SC1091
  source "$state/ports"
}

# A network that exists only on this machine, since the API server does not proxy to loopback addresses. The
# addresses of pods are answered in the namespace: connections are refused at once instead of leaving here.
make_network() {
  local number block
  for number in $(seq 213 240); do
    if ip netns add "flowdeck-$number" 2>/dev/null; then break; fi
    [ "$number" -lt 240 ] || fail network "no free network namespace flowdeck-213 to flowdeck-240"
  done
  POD_PREFIX=10.$number FLINK_ADDRESS=10.$number.0.2 NETNS=flowdeck-$number
  printf '%s\n' "POD_PREFIX=$POD_PREFIX" "FLINK_ADDRESS=$FLINK_ADDRESS" "NETNS=$NETNS" >>"$state/ports"
  {
    ip link add "fdk${number}h" type veth peer name "fdk${number}f" netns "$NETNS" &&
      ip addr add "10.$number.0.1/16" dev "fdk${number}h" &&
      ip link set "fdk${number}h" up &&
      ip -n "$NETNS" addr add "10.$number.0.2/16" dev "fdk${number}f" &&
      ip -n "$NETNS" link set lo up &&
      ip -n "$NETNS" link set "fdk${number}f" up &&
      for block in 1.0/24 2.0/23 4.0/22 8.0/21 16.0/20 32.0/19 64.0/18 128.0/17; do # all but 10.N.0.*
        ip -n "$NETNS" route add local "10.$number.$block" dev lo
      done
  } >"$state/log/network.log" 2>&1 || fail network "cannot make the namespace" "$state/log/network.log"
}

# sign NAME SUBJECT EXTENSIONS
sign() {
  local certs=$state/certs
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$certs/$1.key" -out "$certs/$1.csr" -subj "$2"
  openssl x509 -req -in "$certs/$1.csr" -CA "$certs/ca.crt" -CAkey "$certs/ca.key" -set_serial "0x$(openssl rand -hex 8)" \
    -days 3650 -out "$certs/$1.crt" -extfile <(printf '%s' "$3")
}

make_certificates() {
  local certs=$state/certs
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj /CN=flowdeck-stack \
    -addext basicConstraints=critical,CA:TRUE -keyout "$certs/ca.key" -out "$certs/ca.crt"
  sign apiserver /CN=kube-apiserver 'subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default.svc'
  sign kubelet /CN=kubelet 'subjectAltName=IP:127.0.0.1,DNS:localhost'
  sign kubelet-client /O=system:masters/CN=kube-apiserver-kubelet-client 'extendedKeyUsage=clientAuth'
  openssl ecparam -name prime256v1 -genkey -noout -out "$certs/service-account.key"
}

# kubeconfig USER TOKEN NAMESPACE
kubeconfig() {
  cat >"$state/$1.kubeconfig" <<YAML
apiVersion: v1
kind: Config
current-context: stack-$1
clusters:
- name: stack
  cluster:
    server: https://127.0.0.1:$PORT_API
    certificate-authority-data: $(base64 -w0 "$state/certs/ca.crt")
contexts:
- name: stack-$1
  context: {cluster: stack, user: $1, namespace: $3}
users:
- name: $1
  user: {token: $2}
YAML
}

start_etcd() {
  record etcd "$kubernetes_bin/etcd" --name stack --data-dir "$state/data/etcd" --unsafe-no-fsync \
    --listen-client-urls "http://127.0.0.1:$PORT_ETCD" --advertise-client-urls "http://127.0.0.1:$PORT_ETCD" \
    --listen-peer-urls "http://127.0.0.1:$PORT_ETCD_PEER" --initial-advertise-peer-urls "http://127.0.0.1:$PORT_ETCD_PEER" \
    --initial-cluster "stack=http://127.0.0.1:$PORT_ETCD_PEER" --quota-backend-bytes 4294967296 --log-level warn
  launch etcd
}

start_apiserver() {
  local certs=$state/certs user token
  make_certificates >"$state/log/certificates.log" 2>&1 || fail certificates "openssl" "$state/log/certificates.log"
  for user in admin manager scheduler viewer; do
    token=$(openssl rand -hex 24)
    kubeconfig "$user" "$token" default
    case $user in
      admin) printf '%s,stack-admin,1,"system:masters"\n' "$token" ;;
      viewer) printf '%s,viewer,2\n' "$token" ;;
      manager) printf '%s,system:kube-controller-manager,3\n' "$token" ;;
      scheduler) printf '%s,system:kube-scheduler,4\n' "$token" ;;
    esac
  done >"$state/certs/tokens.csv"
  kubeconfig expired "$(openssl rand -hex 24)" default

  record apiserver "$kubernetes_bin/kube-apiserver" --etcd-servers "http://127.0.0.1:$PORT_ETCD" \
    --bind-address 127.0.0.1 --advertise-address 127.0.0.1 --secure-port "$PORT_API" --endpoint-reconciler-type none \
    --tls-cert-file "$certs/apiserver.crt" --tls-private-key-file "$certs/apiserver.key" --client-ca-file "$certs/ca.crt" \
    --token-auth-file "$certs/tokens.csv" --authorization-mode RBAC \
    --service-account-issuer https://kubernetes.default.svc --service-account-key-file "$certs/service-account.key" \
    --service-account-signing-key-file "$certs/service-account.key" --service-cluster-ip-range 10.96.0.0/16 \
    --kubelet-client-certificate "$certs/kubelet-client.crt" --kubelet-client-key "$certs/kubelet-client.key" \
    --kubelet-preferred-address-types InternalIP --kubelet-certificate-authority "$certs/ca.crt" \
    --allow-privileged --profiling=false
  launch apiserver
}

start_kubernetes() {
  local certs=$state/certs clients=(--kube-api-qps 1000 --kube-api-burst 2000)
  start_apiserver
  ready apiserver
  # Heartbeats may stop for a whole test (`ctl kubelet kill`) without its pods being evicted.
  record controller-manager "$kubernetes_bin/kube-controller-manager" --kubeconfig "$state/manager.kubeconfig" \
    --authentication-kubeconfig "$state/manager.kubeconfig" --authorization-kubeconfig "$state/manager.kubeconfig" \
    --bind-address 127.0.0.1 --secure-port "$PORT_MANAGER" --leader-elect=false --profiling=false \
    --service-account-private-key-file "$certs/service-account.key" --root-ca-file "$certs/ca.crt" \
    --use-service-account-credentials --node-monitor-grace-period 1h "${clients[@]}"
  record scheduler "$kubernetes_bin/kube-scheduler" --kubeconfig "$state/scheduler.kubeconfig" \
    --authentication-kubeconfig "$state/scheduler.kubeconfig" --authorization-kubeconfig "$state/scheduler.kubeconfig" \
    --bind-address 127.0.0.1 --secure-port "$PORT_SCHEDULER" --leader-elect=false --profiling=false "${clients[@]}"
  record kubelet "$(helpers_bin)/kubelet" --kubeconfig "$state/admin.kubeconfig" --listen "127.0.0.1:$PORT_KUBELET" \
    --cert "$certs/kubelet.crt" --key "$certs/kubelet.key" --client-ca "$certs/ca.crt" \
    --log-dir "$state/pod-logs" --pod-prefix "$POD_PREFIX"
  launch controller-manager
  launch scheduler
  launch kubelet
  admin_kubectl apply --server-side -f "$here/crds" >"$state/log/crds.log" 2>&1 ||
    fail crds "cannot apply" "$state/log/crds.log"
  ready kubelet
  ready controller-manager
  ready scheduler
  wait_for crds 60 admin_kubectl get flinkdeployments,flinksessionjobs,flinkstatesnapshots,flinkbluegreendeployments -A
}

# What a broker's controller knows outlives the broker. One that is its own controller begins with what it knew before it was
# killed: it leads its partitions, loses them and leads them again within half a second, and where loading takes longer its
# group coordinator (4.3.1) answers from both loads: old offsets, transactions without an end, members without a timer.
start_controller() {
  local data=$state/data/kafka-controller
  mkdir -p "$data"
  cat >"$state/kafka-controller.properties" <<CONF
process.roles=controller
node.id=2
controller.quorum.voters=2@127.0.0.1:$PORT_KAFKA_CONTROLLER
controller.listener.names=CONTROLLER
listeners=CONTROLLER://127.0.0.1:$PORT_KAFKA_CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=true
super.users=User:ANONYMOUS
log.dirs=$data
broker.session.timeout.ms=1500
default.replication.factor=1
CONF
  format kafka-controller --add-scram "SCRAM-SHA-512=[name=$kafka_user,password=$kafka_password]"
  record kafka-controller java "${kafka_java[@]}" -Xms64m -Xmx192m -XX:+UseSerialGC kafka.Kafka "$state/kafka-controller.properties"
  launch kafka-controller
}

# format COMPONENT [OPTION]...: makes the folder of a node of Kafka.
format() {
  local name=$1
  shift
  java "${kafka_java[@]}" -Dstack.log.level=WARN kafka.tools.StorageTool format --cluster-id 5L6g3nShT-eMCtK--X86sw \
    --config "$state/$name.properties" "$@" >"$state/log/$name-format.log" 2>&1 ||
    fail "$name" "cannot format its folder" "$state/log/$name-format.log"
}

start_kafka() {
  local data=$state/data/kafka roles=broker,controller voter=1 beat=500 session=3000
  local own=,CONTROLLER://127.0.0.1:$PORT_KAFKA_CONTROLLER
  if has controller; then
    start_controller
    roles=broker voter=2 own='' beat=300 session=1500
  fi
  mkdir -p "$data"
  cat >"$state/kafka.properties" <<CONF
process.roles=$roles
node.id=1
controller.quorum.voters=$voter@127.0.0.1:$PORT_KAFKA_CONTROLLER
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:$PORT_KAFKA,SASL_PLAINTEXT://127.0.0.1:$PORT_KAFKA_SASL$own
advertised.listeners=PLAINTEXT://127.0.0.1:$PORT_KAFKA,SASL_PLAINTEXT://127.0.0.1:$PORT_KAFKA_SASL
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
listener.name.sasl_plaintext.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512
listener.name.sasl_plaintext.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_$kafka_user="$kafka_password";
listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=true
super.users=User:ANONYMOUS
log.dirs=$data
broker.heartbeat.interval.ms=$beat
broker.session.timeout.ms=$session
num.partitions=1
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=4
group.initial.rebalance.delay.ms=0
group.consumer.min.heartbeat.interval.ms=500
group.consumer.heartbeat.interval.ms=1000
group.consumer.min.session.timeout.ms=5000
group.min.session.timeout.ms=1000
CONF
  local mechanism
  for mechanism in PLAIN SCRAM-SHA-512; do
    local module=plain.PlainLoginModule
    [ "$mechanism" = PLAIN ] || module=scram.ScramLoginModule
    cat >"$state/kafka-client-${mechanism,,}.properties" <<CONF
security.protocol=SASL_PLAINTEXT
sasl.mechanism=$mechanism
sasl.jaas.config=org.apache.kafka.common.security.$module required username="$kafka_user" password="$kafka_password";
CONF
  done
  # A formatted folder does not depend on the ports, so the first one is kept: it saves a second or two.
  local template=$cache/kafka-$KAFKA_VERSION/formatted
  if has controller; then
    format kafka
  elif [ -d "$template" ]; then
    cp -r "$template/." "$data"
  else
    format kafka --add-scram "SCRAM-SHA-512=[name=$kafka_user,password=$kafka_password]"
    cp -r "$data" "$template.$$"
    mv -T "$template.$$" "$template" || rm -rf "$template.$$" # another run was faster
  fi
  record kafka java "$(class_archive_option kafka)" "${kafka_java[@]}" -Xms256m -Xmx512m -XX:+UseSerialGC kafka.Kafka "$state/kafka.properties"
  launch kafka
}

start_s3() {
  record s3 "$moto_venv/bin/moto_server" -H 127.0.0.1 -p "$PORT_S3"
  launch s3
}

write_env() {
  {
    printf 'export FLOWDECK_STACK_DIR=%q\n' "$state"
    if has kubernetes; then
      printf 'export STACK_KUBECONFIG=%q\n' "$state/admin.kubeconfig"
      printf 'export STACK_KUBECONFIG_VIEWER=%q\n' "$state/viewer.kubeconfig"
      printf 'export STACK_KUBECONFIG_EXPIRED=%q\n' "$state/expired.kubeconfig"
      printf 'export STACK_API_URL=%q\n' "https://127.0.0.1:$PORT_API"
      printf 'export STACK_KUBECTL=%q\n' "$kubernetes_bin/kubectl"
      printf 'export STACK_POD_LOG_DIR=%q\n' "$state/pod-logs"
      printf 'export STACK_CTL=%q\n' "$(helpers_bin)/stackctl"
    fi
    if has kafka; then
      printf 'export STACK_KAFKA=%q\n' "127.0.0.1:$PORT_KAFKA"
      printf 'export STACK_KAFKA_SASL=%q\n' "127.0.0.1:$PORT_KAFKA_SASL"
      printf 'export STACK_KAFKA_SASL_USER=%q\n' "$kafka_user"
      printf 'export STACK_KAFKA_SASL_PASSWORD=%q\n' "$kafka_password"
    fi
    if has flink; then printf 'export STACK_FLINK_URL=%q\n' "http://$FLINK_ADDRESS:8081"; fi
    if has s3; then
      printf 'export STACK_S3_URL=%q\n' "http://127.0.0.1:$PORT_S3"
    fi
  } >"$state/env.part"
  mv "$state/env.part" "$state/env"
}

start_flink() {
  local role class conf=$state/flink opens=() package
  mkdir -p "$conf" "$state/data/flink/tmp"
  cat >"$conf/config.yaml" <<YAML
jobmanager.rpc.address: $FLINK_ADDRESS
jobmanager.rpc.port: 6123
jobmanager.bind-host: $FLINK_ADDRESS
jobmanager.memory.process.size: 900m
taskmanager.host: $FLINK_ADDRESS
taskmanager.bind-host: $FLINK_ADDRESS
taskmanager.numberOfTaskSlots: 8
rest.address: $FLINK_ADDRESS
rest.bind-address: $FLINK_ADDRESS
rest.port: 8081
rest.flamegraph.enabled: true
web.upload.dir: $state/data/flink/upload
web.refresh-interval: 1000
io.tmp.dirs: $state/data/flink/tmp
execution.checkpointing.dir: file://$state/data/flink/checkpoints
execution.checkpointing.savepoint-dir: file://$state/data/flink/savepoints
cluster.registration.error-delay: 300 ms
heartbeat.interval: 1000
heartbeat.timeout: 8000
metrics.fetcher.update-interval: 1000
cluster.id: flink-live
YAML
  for package in java.base/java.{lang,net,io,nio,text,time,util} java.base/java.util.concurrent{,.atomic,.locks} \
    java.base/sun.net.util java.rmi/sun.rmi.registry java.security.jgss/sun.security.krb5; do
    opens+=("--add-opens=$package=ALL-UNNAMED")
  done
  opens+=("--add-exports=java.base/sun.net.util=ALL-UNNAMED" "--add-exports=java.rmi/sun.rmi.registry=ALL-UNNAMED"
    "--add-exports=java.security.jgss/sun.security.krb5=ALL-UNNAMED")
  for role in jm tm; do
    local sizes=(-Xms128m -Xmx384m) arguments=(--configDir "$conf")
    class=org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint
    if [ "$role" = tm ]; then
      class=org.apache.flink.runtime.taskexecutor.TaskManagerRunner
      sizes=(-Xms128m -Xmx384m -XX:MaxDirectMemorySize=256m -XX:MaxMetaspaceSize=192m)
      arguments+=(-D taskmanager.cpu.cores=2.0 -D taskmanager.memory.framework.heap.size=128m
        -D taskmanager.memory.task.heap.size=256m -D taskmanager.memory.managed.size=64m
        -D taskmanager.memory.framework.off-heap.size=128m -D taskmanager.memory.task.off-heap.size=0m
        -D taskmanager.memory.network.min=64m -D taskmanager.memory.network.max=64m
        -D taskmanager.memory.jvm-metaspace.size=192m -D taskmanager.memory.jvm-overhead.min=64m
        -D taskmanager.memory.jvm-overhead.max=64m)
    fi
    record "flink-$role" ip netns exec "$NETNS" java "$(class_archive_option "flink-$role")" "${opens[@]}" "${sizes[@]}" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
      "-Dlog.file=$state/log/flink-$role.file.log" "-Dlog4j.configurationFile=$here/flink-job/log4j2.properties" \
      -cp "$flink_lib/*" "$class" "${arguments[@]}"
    launch "flink-$role"
  done
}

# The pipeline flink-live/flink-live, whose pods and service stand for the two processes.
make_live_pipeline() {
  local component pod
  STACK_KUBECONFIG=$state/admin.kubeconfig "$(helpers_bin)/stackctl" live flink-live flink-live 1 "$FLINK_ADDRESS" \
    >"$state/live-pods" 2>"$state/log/live.log" || fail live-pipeline "stackctl" "$state/log/live.log"
  while read -r component pod; do
    mkdir -p "$state/pod-logs/flink-live/$pod"
    ln -s "$state/log/flink-${component:0:1}m.log" "$state/pod-logs/flink-live/$pod/flink-main-container.log"
  done <"$state/live-pods"
  "$here/flink-submit" healthy >"$state/live-job" || fail live-pipeline "the job could not be submitted" "$state/log/flink-jm.log"
  wait_for live-pipeline 30 admin_kubectl get --raw \
    "/api/v1/namespaces/flink-live/services/flink-live-rest:8081/proxy/v1/jobs/$(cat "$state/live-job")"
}
