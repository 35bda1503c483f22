//! What Flink says: the log lines of ordinary days, and the stack traces of bad ones.

use std::sync::{Arc, OnceLock};

use chrono::TimeDelta;

use super::Moment;
use super::cluster::Cluster;
use super::job::Job;
use super::pod::Pod;
use crate::demo::dice::Dice;
use crate::demo::logs::{Entry, Line};
use crate::model::pod::Role;

pub(crate) const JOB_MANAGER_THREAD: &str = "flink-akka.actor.default-dispatcher-259";
pub(crate) const SINK_EXCEPTION: &str = "org.apache.flink.streaming.runtime.tasks.AsynchronousException";

/// Word for word as in the talk, with the line breaks that the page lost.
const SINK_FAILED: &str = r"org.apache.flink.streaming.runtime.tasks.AsynchronousException: Caught exception while processing repeated timer task.
	at org.apache.flink.streaming.runtime.tasks.StreamTask$StreamTaskAsyncExceptionHandler.handleAsyncException(StreamTask.java:978)
	at org.apache.flink.streaming.runtime.tasks.StreamTask.handleAsyncException(StreamTask.java:952)
	at org.apache.flink.streaming.runtime.tasks.SystemProcessingTimeService$RepeatedTriggerTask.run(SystemProcessingTimeService.java:332)
	at java.util.concurrent.Executors$RunnableAdapter.call(Executors.java:511)
	at java.util.concurrent.FutureTask.runAndReset(FutureTask.java:308)
	at java.util.concurrent.ScheduledThreadPoolExecutor$ScheduledFutureTask.access$301(ScheduledThreadPoolExecutor.java:180)
	at java.util.concurrent.ScheduledThreadPoolExecutor$ScheduledFutureTask.run(ScheduledThreadPoolExecutor.java:294)
	at java.util.concurrent.ThreadPoolExecutor.runWorker(ThreadPoolExecutor.java:1149)
	at java.util.concurrent.ThreadPoolExecutor$Worker.run(ThreadPoolExecutor.java:624)
	at java.lang.Thread.run(Thread.java:748)
Caused by: org.apache.flink.streaming.runtime.tasks.TimerException: org.apache.beam.sdk.util.UserCodeException: java.io.IOException: KafkaWriter : failed to send 1 records (since last report)
	at org.apache.flink.streaming.runtime.tasks.SystemProcessingTimeService$RepeatedTriggerTask.run(SystemProcessingTimeService.java:331)
	... 7 common frames omitted
Caused by: org.apache.beam.sdk.util.UserCodeException: java.io.IOException: KafkaWriter : failed to send 1 records (since last report)
	at org.apache.beam.sdk.util.UserCodeException.wrap(UserCodeException.java:36)
	at org.apache.beam.sdk.io.kafka.KafkaWriter$DoFnInvoker.invokeFinishBundle(Unknown Source)
	at org.apache.beam.runners.core.SimpleDoFnRunner.finishBundle(SimpleDoFnRunner.java:237)
	at org.apache.beam.runners.flink.metrics.DoFnRunnerWithMetricsUpdate.finishBundle(DoFnRunnerWithMetricsUpdate.java:89)
	at org.apache.beam.runners.core.SimplePushbackSideInputDoFnRunner.finishBundle(SimplePushbackSideInputDoFnRunner.java:124)
	at org.apache.beam.runners.flink.translation.wrappers.streaming.DoFnOperator.invokeFinishBundle(DoFnOperator.java:836)
	at org.apache.beam.runners.flink.translation.wrappers.streaming.DoFnOperator.checkInvokeFinishBundleByTime(DoFnOperator.java:829)
	at org.apache.beam.runners.flink.translation.wrappers.streaming.DoFnOperator.lambda$open$2(DoFnOperator.java:488)
	at org.apache.flink.streaming.runtime.tasks.SystemProcessingTimeService$RepeatedTriggerTask.run(SystemProcessingTimeService.java:326)
	... 7 common frames omitted
Caused by: java.io.IOException: KafkaWriter : failed to send 1 records (since last report)
	at org.apache.beam.sdk.io.kafka.KafkaWriter.checkForFailures(KafkaWriter.java:124)
	at org.apache.beam.sdk.io.kafka.KafkaWriter.finishBundle(KafkaWriter.java:93)";

const CODER_FAILED: &str = r"org.apache.beam.sdk.coders.CoderException: cannot decode null
	at org.apache.beam.sdk.coders.StringUtf8Coder.decode(StringUtf8Coder.java:101)
	at com.intuit.strmprocess.vep.ClickstreamDecoder.decode(ClickstreamDecoder.java:58)
	at com.intuit.strmprocess.vep.ParseFn.processElement(ParseFn.java:41)
	at com.intuit.strmprocess.vep.ParseFn$DoFnInvoker.invokeProcessElement(Unknown Source)
	at org.apache.beam.runners.core.SimpleDoFnRunner.invokeProcessElement(SimpleDoFnRunner.java:211)";

const OUT_OF_MEMORY: &str = r"java.lang.OutOfMemoryError: Java heap space
	at java.util.Arrays.copyOf(Arrays.java:3332)
	at com.intuit.strmprocess.vep.match.CandidateIndex.grow(CandidateIndex.java:212)
	at com.intuit.strmprocess.vep.match.CandidateIndex.add(CandidateIndex.java:147)
	at com.intuit.strmprocess.vep.match.MatchFn.processElement(MatchFn.java:88)
	at com.intuit.strmprocess.vep.match.MatchFn$DoFnInvoker.invokeProcessElement(Unknown Source)
	at org.apache.beam.runners.core.SimpleDoFnRunner.invokeProcessElement(SimpleDoFnRunner.java:211)
	at org.apache.beam.runners.flink.translation.wrappers.streaming.DoFnOperator.processElement(DoFnOperator.java:698)
	at org.apache.flink.streaming.runtime.tasks.OneInputStreamTask$StreamTaskNetworkOutput.emitRecord(OneInputStreamTask.java:233)
	at java.lang.Thread.run(Thread.java:748)";

fn shared(cell: &'static OnceLock<Arc<str>>, text: &str) -> Arc<str> {
    Arc::clone(cell.get_or_init(|| Arc::from(text)))
}

pub(crate) fn sink_failed() -> Arc<str> {
    static TEXT: OnceLock<Arc<str>> = OnceLock::new();
    shared(&TEXT, SINK_FAILED)
}

/// What a TaskManager logs when its heap is full.
pub(crate) fn out_of_memory(cluster: &Cluster, moment: &Moment<'_>, pod: &str) {
    static TEXT: OnceLock<Arc<str>> = OnceLock::new();
    let line = Line {
        level: "ERROR",
        thread: "Match (3/3)#0",
        logger: "org.apache.flink.runtime.taskexecutor.TaskManagerRunner",
        message: "Fatal error occurred while executing the TaskManager. Shutting it down...",
    };
    for _ in 0..3 {
        cluster.log(moment, pod, line, Some(shared(&TEXT, OUT_OF_MEMORY)));
    }
}

/// A sink that cannot send says so again and again.
pub(crate) fn complain(cluster: &Cluster, moment: &Moment<'_>, pod: &Pod, topic: &str) {
    let thread = format!("kafka-producer-network-thread | producer-{}", pod.ordinal + 1);
    let line = Line {
        level: "WARN",
        thread: &thread,
        logger: "org.apache.beam.sdk.io.kafka.KafkaWriter",
        message: &format!(
            "send failed : topic {topic}: Expiring 1 record(s) for {topic}-2:120000 ms has passed since batch creation"
        ),
    };
    cluster.log(moment, &pod.name, line, Some(sink_failed()));
}

fn coder_failed() -> Arc<str> {
    static TEXT: OnceLock<Arc<str>> = OnceLock::new();
    shared(&TEXT, CODER_FAILED)
}

pub(crate) fn task_manager_lost(pod: &str, address: &str) -> Arc<str> {
    Arc::from(format!(
        "org.apache.flink.runtime.jobmaster.JobMasterException: TaskManager with id {pod}({address}:6122) is no longer reachable.\n\
         \tat org.apache.flink.runtime.jobmaster.JobMaster$TaskManagerHeartbeatListener.notifyTargetUnreachable(JobMaster.java:1388)\n\
         \tat org.apache.flink.runtime.heartbeat.DefaultHeartbeatMonitor.reportHeartbeatRpcFailure(DefaultHeartbeatMonitor.java:126)\n\
         \tat org.apache.flink.runtime.heartbeat.HeartbeatManagerImpl.runIfHeartbeatMonitorExists(HeartbeatManagerImpl.java:275)\n\
         \tat org.apache.flink.runtime.heartbeat.HeartbeatManagerImpl.reportHeartbeatTargetUnreachable(HeartbeatManagerImpl.java:267)\n\
         \tat org.apache.flink.runtime.rpc.pekko.PekkoRpcActor.lambda$handleRunAsync$4(PekkoRpcActor.java:451)"
    ))
}

/// The first lines of a container.
pub(crate) fn start(cluster: &Cluster, moment: &Moment<'_>, pod: &Pod) {
    let (script, class) = match pod.role {
        Role::JobManager => {
            ("kubernetes-application", "org.apache.flink.kubernetes.entrypoint.KubernetesApplicationClusterEntrypoint")
        }
        Role::TaskManager => {
            ("kubernetes-taskmanager", "org.apache.flink.kubernetes.taskmanager.KubernetesTaskExecutorRunner")
        }
    };
    let head = format!("Starting {script} as a console application on host {}.", pod.name);
    moment.environment.logs.push(&cluster.plan.namespace, &pod.name, Entry { at: moment.now, head, tail: None });
    let version = crate::demo::flink::version(&cluster.plan.flink);
    for message in [
        format!(
            "Starting {} (Version: {version}, Scala: 2.12, Rev:{})",
            class.rsplit('.').next().unwrap_or(class),
            crate::demo::flink::COMMIT
        ),
        "OS current user: flink".to_owned(),
        format!("Maximum heap size: {} MiBytes", cluster.plan.memory_bytes >> 21),
        "Registered UNIX signal handlers for [TERM, HUP, INT]".to_owned(),
    ] {
        let line = Line { level: "INFO", thread: "main", logger: class, message: &message };
        cluster.log(moment, &pod.name, line, None);
    }
}

/// One ordinary line of a TaskManager; now and then an error that the job survives.
pub(crate) fn chat(cluster: &Cluster, moment: &Moment<'_>, job: &Job, pod: &Pod, dice: &mut Dice) {
    let vertex = job.vertices.first().map_or("Source", |vertex| vertex.name);
    let task = format!("{vertex} ({}/{})#{}", pod.ordinal + 1, job.plan.parallelism, job.restarts);
    let topic = job.plan.inputs.first().map_or("", String::as_str);
    let newest = job.checkpoints.history.front().map_or(0, |checkpoint| checkpoint.id);
    let choice = dice.below(100);
    let (level, logger, message, tail) = match choice {
        0..=1 if cluster.plan.pipeline == "expert-matching" => (
            "ERROR",
            "com.intuit.strmprocess.vep.ParseFn",
            format!("Cannot parse record of {topic}-{} at offset {}", dice.below(6), dice.below(90_000_000)),
            Some(coder_failed()),
        ),
        2..=5 => (
            "WARN",
            "org.apache.kafka.clients.consumer.internals.ConsumerCoordinator",
            format!(
                "[Consumer clientId={}-{}, groupId={}] consumer poll took longer than expected",
                job.plan.group, pod.ordinal, job.plan.group
            ),
            None,
        ),
        6..=35 => (
            "INFO",
            "org.apache.beam.sdk.io.kafka.KafkaUnboundedReader",
            format!("Reader-{}: first record offset {}", pod.ordinal, dice.below(90_000_000)),
            None,
        ),
        36..=60 => (
            "INFO",
            "org.apache.flink.contrib.streaming.state.snapshot.RocksIncrementalSnapshotStrategy",
            format!("Finished incremental snapshot of checkpoint {newest} in {} ms", dice.below(400) + 40),
            None,
        ),
        _ => (
            "INFO",
            "com.intuit.strmprocess.metrics.ProgressReporter",
            format!("{topic}: {} records, watermark {} ms behind", dice.below(60_000) + 9_000, dice.below(900) + 80),
            None,
        ),
    };
    let line = Line { level, thread: &task, logger, message: &message };
    cluster.log(moment, &pod.name, line, tail);
}

/// The last quarter of an hour of a cluster's logs, so that a first look is not at empty panes.
pub(crate) fn history(cluster: &Cluster, moment: &Moment<'_>, dice: &mut Dice) {
    for minutes in (1..=15).rev() {
        let now = moment.now - TimeDelta::minutes(minutes);
        let then = Moment { environment: moment.environment, now, seconds: 1.0, free_cpu: 0 };
        for job in &cluster.jobs {
            let id = job.checkpoints.completed.saturating_sub(u64::try_from(minutes).unwrap_or(0));
            let message = format!(
                "Completed checkpoint {id} for job {} ({} bytes, checkpointDuration={} ms, finalizationTime=19 ms).",
                job.id, job.plan.state_bytes, job.plan.checkpoint_millis
            );
            cluster.log_job_manager(&then, "org.apache.flink.runtime.checkpoint.CheckpointCoordinator", &message);
            for pod in cluster.task_managers() {
                for part in 0..=dice.below(3) {
                    let seconds = i64::try_from(part * 20 + dice.below(19)).unwrap_or(0);
                    let moment = Moment { now: now + TimeDelta::seconds(seconds), ..then };
                    chat(cluster, &moment, job, pod, dice);
                }
            }
        }
    }
}
