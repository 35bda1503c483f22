//! The table itself.

use super::managed;
use super::{ClusterPlan, Facts, JobPlan, Layout, NodePlan, Runtime, VertexPlan};

const fn vertex(name: &'static str, busy: f64, yields: f64) -> VertexPlan {
    VertexPlan { name, busy, yields }
}

const SESSIONIZATION: &[VertexPlan] = &[
    vertex("Source: KafkaIO.Read(clickstream)", 0.31, 1.0),
    vertex("Sessionize", 0.57, 0.22),
    vertex("Enrich -> KafkaIO.Write(sessions)", 0.38, 1.0),
];
const DATA_API: &[VertexPlan] = &[
    vertex("Source: KafkaIO.Read(clickstream)", 0.28, 1.0),
    vertex("CallDataApi", 0.52, 0.4),
    vertex("KafkaIO.Write(experts.v1)", 0.24, 1.0),
];
const ENGAGEMENT: &[VertexPlan] = &[
    vertex("Source: KafkaIO.Read(experts.v1)", 0.22, 1.0),
    vertex("JoinEngagements", 0.46, 0.9),
    vertex("KafkaIO.Write(matches.v2)", 0.21, 1.0),
];
const MATCH_MAKING: &[VertexPlan] = &[
    vertex("Source: KafkaIO.Read(matches.v2)", 0.30, 1.0),
    vertex("Sessionize", 0.44, 0.8),
    vertex("Match", 0.66, 0.6),
    vertex("KafkaIO.Write(routed)", 0.27, 1.0),
];
const WAS_INCIDENT: &[VertexPlan] = &[
    vertex("Source: KafkaIO.Read(matches.v2)", 0.19, 1.0),
    vertex("DetectIncidents", 0.33, 0.01),
    vertex("KafkaIO.Write(incidents)", 0.08, 1.0),
];
const INCIDENT_STREAM: &[VertexPlan] = &[
    vertex("Source: KafkaIO.Read(incidents)", 0.11, 1.0),
    vertex("Correlate", 0.26, 0.5),
    vertex("KafkaIO.Write(incidents.correlated)", 0.09, 1.0),
];
const GOLDEN_SIGNALS: &[VertexPlan] = &[
    vertex("Source: KafkaIO.Read(service.events)", 0.34, 1.0),
    vertex("DecodeAndTag", 0.41, 1.0),
    vertex("Combine.perKey(service, swimlane)", 0.63, 0.02),
    vertex("Health -> KafkaIO.Write(golden.signals)", 0.18, 1.0),
];
const SAMPLER: &[VertexPlan] =
    &[vertex("Source: clickstream", 0.12, 1.0), vertex("Sample -> Sink: clickstream.sample", 0.16, 0.01)];
const LEDGER: &[VertexPlan] =
    &[vertex("Source: ledger", 0.07, 1.0), vertex("Replay", 0.21, 1.0), vertex("Sink: ledger.replayed", 0.10, 1.0)];

const EXPERT_ARTIFACT: &str =
    "com.intuit.strmprocess.vep-was-integ-project-svc:vep-was-integ-project-svc:1.0.0-SNAPSHOT";
const DAYS: i64 = 24 * 60;

/// The image that a build of the artifact makes.
fn image(facts: &Facts, flink: &str) -> String {
    let artifact = facts.artifact.split(':').nth(1).unwrap_or("flink");
    format!("docker.intuit.example/data-processing/{artifact}:{}-flink{flink}", facts.revision)
}

fn topics(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// The numbers in which the environments differ.
struct Scale {
    environment: &'static str,
    /// Traffic against production.
    traffic: f64,
}

impl Scale {
    fn namespace(&self, team: &str) -> String {
        format!("{team}-usw2-{}", self.environment)
    }

    fn is(&self, environment: &str) -> bool {
        self.environment == environment
    }
}

/// One row of the table: a cluster with one job of its own.
struct Row {
    namespace: &'static str,
    name: &'static str,
    pipeline: &'static str,
    runtime: Runtime,
    layout: Layout,
    flink: &'static str,
    task_managers: u32,
    cpu: u64,
    memory_gib: u64,
    age_minutes: i64,
    facts: Facts,
    inputs: &'static [&'static str],
    outputs: &'static [&'static str],
    vertices: &'static [VertexPlan],
    rate: f64,
    checkpoint_seconds: u32,
    state_bytes: u64,
    checkpoint_millis: u64,
}

impl Row {
    fn plan(&self, scale: &Scale) -> ClusterPlan {
        let job = JobPlan {
            name: self.name.to_owned(),
            in_session: false,
            inputs: topics(self.inputs),
            outputs: topics(self.outputs),
            group: format!("{}.{}", self.pipeline, self.name),
            parallelism: self.task_managers,
            vertices: self.vertices,
            rate: self.rate * scale.traffic,
            checkpoint_seconds: self.checkpoint_seconds,
            state_bytes: self.state_bytes,
            checkpoint_millis: self.checkpoint_millis,
        };
        ClusterPlan {
            namespace: scale.namespace(self.namespace),
            name: self.name.to_owned(),
            pipeline: self.pipeline.to_owned(),
            runtime: self.runtime,
            layout: self.layout,
            flink: self.flink.to_owned(),
            image: image(&self.facts, self.flink),
            service_account: format!("{}-sa", self.pipeline),
            task_managers: self.task_managers,
            slots: 1,
            cpu_millis: self.cpu * 1_000,
            memory_bytes: self.memory_gib << 30,
            age_minutes: self.age_minutes,
            job_manager_restarts: 0,
            stopped: false,
            jobs: vec![job],
            facts: self.facts.clone(),
        }
    }
}

/// Every cluster of an environment; empty for one that the demo does not have.
pub(crate) fn clusters(environment: &str) -> Vec<ClusterPlan> {
    match environment {
        "prd" => prd(),
        "e2e" => e2e(),
        "qal" => qal(),
        _ => Vec::new(),
    }
}

fn prd() -> Vec<ClusterPlan> {
    let scale = Scale { environment: "prd", traffic: 1.0 };
    let mut plans = expert_matching(&scale);
    let mut sessionization = sessionization(&scale, 15);
    // As the talk's status page shows it: "Restarts: 8, Age: 5d6h30m38s".
    sessionization.job_manager_restarts = 8;
    plans.extend([golden_signals(&scale, 6), sessionization, incident_stream(&scale, 3)]);
    plans
}

fn e2e() -> Vec<ClusterPlan> {
    let scale = Scale { environment: "e2e", traffic: 0.2 };
    let mut plans = expert_matching(&scale);
    for plan in &mut plans {
        plan.facts.revision += 1;
        plan.age_minutes = 0;
    }
    plans.extend([golden_signals(&scale, 3), sessionization(&scale, 5), incident_stream(&scale, 1)]);
    plans
}

fn qal() -> Vec<ClusterPlan> {
    let scale = Scale { environment: "qal", traffic: 0.05 };
    let mut plans = expert_matching(&scale);
    for plan in &mut plans {
        plan.facts.revision += 1;
        plan.task_managers = 1;
        plan.age_minutes = 3 * DAYS;
        for job in &mut plan.jobs {
            job.parallelism = 1;
        }
    }
    let mut stopped = sessionization(&scale, 5);
    stopped.stopped = true;
    plans.extend([stopped, ecs_stateful(&scale), sandbox(&scale)]);
    plans
}

fn sessionization(scale: &Scale, task_managers: u32) -> ClusterPlan {
    let revision = if scale.is("prd") {
        13
    } else if scale.is("e2e") {
        14
    } else {
        15
    };
    let row = Row {
        namespace: "data-processingpt-ecsstatefuliks2",
        name: "sessionization",
        pipeline: "sessionization",
        runtime: Runtime::Manifests,
        layout: Layout::Slashes,
        flink: "1.20",
        task_managers,
        cpu: 3,
        memory_gib: 16,
        age_minutes: 5 * DAYS + 6 * 60 + 30,
        facts: Facts {
            revision,
            offset_version: 13,
            artifact: "com.intuit.data.processingpt:sessionization:2.7.1".to_owned(),
            team: "Data Infrastructure".to_owned(),
            manager: "flowdeck".to_owned(),
        },
        inputs: &["clickstream"],
        outputs: &["sessions"],
        vertices: SESSIONIZATION,
        rate: 300.0,
        checkpoint_seconds: 60,
        state_bytes: 38_600_000_000,
        checkpoint_millis: 6_400,
    };
    let mut plan = row.plan(scale);
    if managed::manifest(&plan).is_some() {
        plan.runtime = Runtime::Native;
        managed::ACCOUNT.clone_into(&mut plan.service_account);
    }
    plan
}

fn expert_facts(revision: u32) -> Facts {
    Facts {
        revision,
        offset_version: 1,
        artifact: EXPERT_ARTIFACT.to_owned(),
        team: "Expert Network".to_owned(),
        manager: "argocd-controller".to_owned(),
    }
}

fn expert_matching(scale: &Scale) -> Vec<ClusterPlan> {
    let base = |name: &'static str, task_managers: u32, revision: u32| Row {
        namespace: "data-processing-expert",
        name,
        pipeline: "expert-matching",
        runtime: Runtime::Native,
        layout: Layout::Flink,
        flink: "1.20",
        task_managers,
        cpu: 4,
        memory_gib: 4,
        age_minutes: 5 * DAYS + 6 * 60,
        facts: expert_facts(revision),
        inputs: &["clickstream"],
        outputs: &["experts.v1"],
        vertices: DATA_API,
        rate: 300.0,
        checkpoint_seconds: 60,
        state_bytes: 240_000_000,
        checkpoint_millis: 410,
    };
    let rows = [
        base("vep-data-api-integration", 2, 44),
        Row {
            inputs: &["experts.v1"],
            outputs: &["matches.v2"],
            vertices: ENGAGEMENT,
            rate: 120.0,
            state_bytes: 610_000_000,
            checkpoint_millis: 540,
            ..base("vep-engagement-integration", 2, 37)
        },
        Row {
            runtime: Runtime::OperatorStandalone,
            layout: Layout::Slashes,
            inputs: &["matches.v2"],
            outputs: &["routed"],
            vertices: MATCH_MAKING,
            rate: 108.0,
            state_bytes: 1_290_000_000,
            checkpoint_millis: 812,
            ..base("vep-int-match-making", 3, 46)
        },
        Row {
            inputs: &["matches.v2"],
            outputs: &["incidents"],
            vertices: WAS_INCIDENT,
            rate: 108.0,
            state_bytes: 9_400_000,
            checkpoint_millis: 190,
            cpu: 2,
            ..base("vep-was-incident-integration", 1, 12)
        },
    ];
    rows.iter().map(|row| row.plan(scale)).collect()
}

fn golden_signals(scale: &Scale, task_managers: u32) -> ClusterPlan {
    let row = Row {
        namespace: "data-processing-goldensignals",
        name: "golden-signals",
        pipeline: "golden-signals",
        runtime: Runtime::Native,
        layout: Layout::Flink,
        flink: "2.2",
        task_managers,
        cpu: 4,
        memory_gib: 8,
        age_minutes: 9 * DAYS + 130,
        facts: Facts {
            revision: if scale.is("prd") { 21 } else { 22 },
            offset_version: 3,
            artifact: "com.intuit.cloud.monitoring:golden-signals:4.2.0".to_owned(),
            team: "Observability".to_owned(),
            manager: "flowdeck".to_owned(),
        },
        inputs: &["service.events"],
        outputs: &["golden.signals"],
        vertices: GOLDEN_SIGNALS,
        rate: 240.0,
        checkpoint_seconds: 30,
        state_bytes: 2_100_000_000,
        checkpoint_millis: 930,
    };
    row.plan(scale)
}

fn incident_stream(scale: &Scale, task_managers: u32) -> ClusterPlan {
    let row = Row {
        namespace: "data-processing-incident",
        name: "incident-stream",
        pipeline: "incident-stream",
        runtime: Runtime::Native,
        layout: Layout::Flink,
        flink: "2.2",
        task_managers,
        cpu: 2,
        memory_gib: 4,
        age_minutes: 31 * DAYS,
        facts: Facts {
            revision: 9,
            offset_version: 2,
            artifact: "com.intuit.cloud.incident:incident-stream:1.9.3".to_owned(),
            team: "Incident Response".to_owned(),
            manager: "kubectl-client-side-apply".to_owned(),
        },
        inputs: &["incidents"],
        outputs: &["incidents.correlated"],
        vertices: INCIDENT_STREAM,
        rate: 1.2,
        checkpoint_seconds: 60,
        state_bytes: 31_000_000,
        checkpoint_millis: 150,
    };
    row.plan(scale)
}

fn ecs_stateful(scale: &Scale) -> ClusterPlan {
    let mut plan = sessionization(scale, 2);
    "ecs-stateful".clone_into(&mut plan.name);
    "ecs-stateful".clone_into(&mut plan.pipeline);
    plan.runtime = Runtime::Native;
    plan.layout = Layout::Flink;
    plan.stopped = true;
    plan.facts.revision = 3;
    "kubectl-client-side-apply".clone_into(&mut plan.facts.manager);
    for job in &mut plan.jobs {
        "ecs-stateful".clone_into(&mut job.name);
        "ecs-stateful.ecs-stateful".clone_into(&mut job.group);
        job.outputs = topics(&["ecs.sessions"]);
    }
    plan
}

/// A session cluster with two small jobs.
fn sandbox(scale: &Scale) -> ClusterPlan {
    let mut plan = incident_stream(scale, 2);
    plan.namespace = scale.namespace("data-processing-sandbox");
    "sandbox-session".clone_into(&mut plan.name);
    "sandbox".clone_into(&mut plan.pipeline);
    plan.slots = 2;
    plan.age_minutes = 47 * DAYS;
    "sandbox-sa".clone_into(&mut plan.service_account);
    plan.image = format!("docker.intuit.example/data-processing/flink:{}", plan.flink);
    plan.facts = Facts {
        revision: 2,
        offset_version: 1,
        artifact: String::new(),
        team: "Data Infrastructure".to_owned(),
        manager: "kubectl-client-side-apply".to_owned(),
    };
    let job = |name: &str, input: &str, output: &str, vertices, rate| JobPlan {
        name: name.to_owned(),
        in_session: true,
        inputs: topics(&[input]),
        outputs: topics(&[output]),
        group: format!("sandbox.{name}"),
        parallelism: 2,
        vertices,
        rate,
        checkpoint_seconds: 60,
        state_bytes: 2_400_000,
        checkpoint_millis: 90,
    };
    plan.jobs = vec![
        job("clickstream-sampler", "clickstream", "clickstream.sample", SAMPLER, 300.0),
        job("ledger-replay", "ledger", "ledger.replayed", LEDGER, 4.0),
    ];
    plan
}

/// The worker nodes of an environment: "m5.12xlarge x 3".
pub(crate) fn nodes(environment: &str) -> Vec<NodePlan> {
    const ZONES: [&str; 3] = ["us-west-2a", "us-west-2b", "us-west-2c"];
    let block = match environment {
        "prd" => 42,
        "e2e" => 43,
        _ => 44,
    };
    ZONES
        .into_iter()
        .zip([(17, 83), (58, 201), (96, 12)])
        .map(|(zone, (third, fourth))| NodePlan {
            name: format!("ip-10-{block}-{third}-{fourth}.us-west-2.compute.internal"),
            address: format!("10.{block}.{third}.{fourth}"),
            zone,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn twelve_pipelines_as_on_the_first_screen() {
        let pipelines: BTreeSet<(String, String)> = super::super::ENVIRONMENTS
            .into_iter()
            .flat_map(clusters)
            .map(|plan| (plan.namespace, plan.pipeline))
            .collect();
        assert_eq!(pipelines.len(), 12, "{pipelines:#?}");
        let pods = |name: &str| -> u32 {
            clusters("prd").iter().filter(|plan| plan.pipeline == name).map(|plan| plan.task_managers + 1).sum()
        };
        assert_eq!(pods("expert-matching"), 12);
        assert_eq!(pods("sessionization"), 16);
        assert_eq!(pods("golden-signals"), 7);
        assert_eq!(pods("incident-stream"), 4);
    }
}
