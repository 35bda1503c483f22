//! What is asked of the cluster: overview, configuration, TaskManagers.

use chrono::Utc;
use serde_json::{Value, json};

use crate::demo::flink::{COMMIT, version};
use crate::demo::manifests::flink_configuration;
use crate::demo::plan::Runtime;
use crate::demo::world::cluster::Cluster;
use crate::demo::world::job::Job;
use crate::demo::world::pod::Pod;
use crate::model::job::JobState;

pub(super) fn overview(cluster: &Cluster) -> Value {
    let task_managers = cluster.ready_task_managers();
    let slots = task_managers * cluster.plan.slots;
    let in_state = |states: &[JobState]| cluster.jobs.iter().filter(|job| states.contains(&job.state)).count();
    json!({
        "taskmanagers": task_managers,
        "slots-total": slots,
        "slots-available": slots.saturating_sub(used_slots(cluster)),
        "jobs-running": in_state(&[JobState::Running, JobState::Restarting, JobState::Created, JobState::Initializing]),
        "jobs-finished": in_state(&[JobState::Finished]),
        "jobs-cancelled": in_state(&[JobState::Canceled]),
        "jobs-failed": in_state(&[JobState::Failed]),
        "flink-version": version(&cluster.plan.flink),
        "flink-commit": COMMIT,
    })
}

fn used_slots(cluster: &Cluster) -> u32 {
    cluster.jobs.iter().filter(|job| job.is_running()).map(|job| job.plan.parallelism).sum()
}

pub(super) fn config(cluster: &Cluster) -> Value {
    json!({
        "refresh-interval": 3000,
        "timezone-name": "Coordinated Universal Time",
        "timezone-offset": 0,
        "flink-version": version(&cluster.plan.flink),
        "flink-revision": format!("{COMMIT} @ 2026-05-03T10:10:44+02:00"),
        "features": {"web-submit": false, "web-cancel": true, "web-rescale": false, "web-history": false},
    })
}

pub(super) fn configuration(cluster: &Cluster) -> Value {
    let mut entries: Vec<Value> = flink_configuration(&cluster.plan)
        .into_iter()
        .map(|(key, value)| json!({"key": key, "value": value}))
        .collect();
    let mut put = |key: &str, value: String| entries.push(json!({"key": key, "value": value}));
    put("jobmanager.rpc.address", format!("{}.{}", cluster.plan.name, cluster.plan.namespace));
    put("rest.port", "8081".to_owned());
    put("taskmanager.memory.process.size", format!("{}m", cluster.plan.memory_bytes >> 20));
    put("jobmanager.memory.process.size", "2048m".to_owned());
    put("s3.access-key", "AKIADEMODEMODEMODEMO".to_owned());
    put("s3.secret-key", "******".to_owned());
    if let Some(job) = cluster.jobs.first() {
        put("$internal.pipeline.job-id", job.id.clone());
    }
    Value::Array(entries)
}

/// Native TaskManagers are known by their pod's name, others by address and hash.
pub(super) fn resource_id(cluster: &Cluster, pod: &Pod) -> String {
    match cluster.plan.runtime {
        Runtime::Native => pod.name.clone(),
        Runtime::OperatorStandalone | Runtime::Manifests => {
            let hash = crate::demo::dice::identifier(&[&pod.name]);
            format!("{}:6122-{}", pod.address, hash.get(..6).unwrap_or_default())
        }
    }
}

pub(super) fn task_managers(cluster: &Cluster) -> Value {
    let listed: Vec<Value> = ready(cluster).map(|pod| described(cluster, pod)).collect();
    json!({"taskmanagers": listed})
}

pub(super) fn ready(cluster: &Cluster) -> impl Iterator<Item = &Pod> {
    cluster.task_managers().filter(|pod| pod.is_ready())
}

pub(super) fn find<'a>(cluster: &'a Cluster, id: &str) -> Option<&'a Pod> {
    ready(cluster).find(|pod| resource_id(cluster, pod) == id)
}

pub(super) fn task_manager(cluster: &Cluster, id: &str) -> Option<Value> {
    let pod = find(cluster, id)?;
    let mut described = described(cluster, pod);
    let memory = Memory::of(cluster);
    let allocated: Vec<Value> = cluster
        .jobs
        .iter()
        .filter(|job| job.is_running())
        .map(|job| json!({"jobId": job.id, "resource": memory.profile(cluster, 1)}))
        .collect();
    described["allocatedSlots"] = json!(allocated);
    described["metrics"] = json!({
        "heapUsed": super::whole(memory.heap * pod.memory),
        "heapCommitted": super::whole(memory.heap),
        "heapMax": super::whole(memory.heap),
        "nonHeapUsed": 172_320_600,
        "nonHeapCommitted": 184_448_896,
        "nonHeapMax": 738_197_504,
        "directCount": 4112,
        "directUsed": 151_289_857,
        "directMax": 151_289_857,
        "mappedCount": 0,
        "mappedUsed": 0,
        "mappedMax": 0,
        "nettyShuffleMemorySegmentsAvailable": 4074,
        "nettyShuffleMemorySegmentsUsed": 22,
        "nettyShuffleMemorySegmentsTotal": 4096,
        "nettyShuffleMemoryAvailable": 133_496_832,
        "nettyShuffleMemoryUsed": 720_896,
        "nettyShuffleMemoryTotal": 134_217_728,
        "garbageCollectors": [
            {"name": "All", "count": 2_106, "time": 41_352},
            {"name": "G1_Young_Generation", "count": 2_104, "time": 40_912},
            {"name": "G1_Old_Generation", "count": 2, "time": 440},
        ],
    });
    Some(described)
}

/// How Flink splits the memory of a TaskManager's process.
pub(super) struct Memory {
    process: f64,
    flink: f64,
    pub(super) heap: f64,
    pub(super) managed: f64,
    network: f64,
}

impl Memory {
    #[expect(clippy::cast_precision_loss, reason = "sizes for the screen")]
    pub(super) fn of(cluster: &Cluster) -> Self {
        let process = cluster.plan.memory_bytes as f64;
        let flink = process.mul_add(0.9, -268_435_456.0).max(process * 0.4);
        let (managed, network) = (flink * 0.4, flink * 0.1);
        Self { process, flink, heap: flink - managed - network - 268_435_456.0_f64.min(flink * 0.2), managed, network }
    }

    fn profile(&self, cluster: &Cluster, slots: u32) -> Value {
        let share = f64::from(slots) / f64::from(cluster.plan.slots.max(1));
        #[expect(clippy::cast_precision_loss, reason = "a few cores")]
        let cores = cluster.plan.cpu_millis as f64 / 1_000.0;
        json!({
            "cpuCores": cores * share,
            "taskHeapMemory": super::whole(self.heap * share / 1_048_576.0),
            "taskOffHeapMemory": 0,
            "managedMemory": super::whole(self.managed * share / 1_048_576.0),
            "networkMemory": super::whole(self.network * share / 1_048_576.0),
            "extendedResources": {},
        })
    }
}

fn described(cluster: &Cluster, pod: &Pod) -> Value {
    let slots = cluster.plan.slots;
    let per_pod = used_slots(cluster).div_ceil(cluster.ready_task_managers().max(1)).min(slots);
    let free = if cluster.jobs.iter().any(Job::is_running) { slots - per_pod } else { slots };
    let memory = Memory::of(cluster);
    json!({
        "id": resource_id(cluster, pod),
        "path": format!("pekko.tcp://flink@{}:6122/user/rpc/taskmanager_0", pod.address),
        "dataPort": 33_155,
        "jmxPort": -1,
        "timeSinceLastHeartbeat": Utc::now().timestamp_millis() - 1_200,
        "slotsNumber": slots,
        "freeSlots": free,
        "totalResource": memory.profile(cluster, slots),
        "freeResource": memory.profile(cluster, free),
        "hardware": {
            "cpuCores": 48,
            "physicalMemory": 201_411_620_864_u64,
            "freeMemory": super::whole(memory.heap),
            "managedMemory": super::whole(memory.managed),
        },
        "memoryConfiguration": {
            "frameworkHeap": 134_217_728,
            "taskHeap": super::whole(memory.heap),
            "frameworkOffHeap": 134_217_728,
            "taskOffHeap": 0,
            "networkMemory": super::whole(memory.network),
            "managedMemory": super::whole(memory.managed),
            "jvmMetaspace": 268_435_456,
            "jvmOverhead": super::whole(memory.process * 0.1),
            "totalFlinkMemory": super::whole(memory.flink),
            "totalProcessMemory": super::whole(memory.process),
        },
    })
}
