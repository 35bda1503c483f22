//! Everything about one job, in as few requests as its depth needs.
//!
//! What identifies the job must come; the rest may be missing, so that a broken metric does not hide a
//! failing job. Loads of vertices change every ten seconds and cost several requests each: they are asked for in
//! turns and remembered in between.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use futures_util::{StreamExt, stream};
use tokio::time::timeout;

use super::decode::{self, DecodeError, JOB_METRICS, Load, VERTEX_METRICS};
use super::rest::{Base, Miss, Rest};
use crate::model::interest::{Depth, JobInterest};
use crate::model::job::{Job, JobState, Vertex};

/// How long each part that is optional may take, and all loads of one turn together.
const PATIENCE: Duration = Duration::from_secs(5);
/// Loads younger than this are not asked for again: Flink itself measures every ten seconds.
const FRESH: Duration = Duration::from_secs(4);
/// Vertices asked in one turn.
const TURN: usize = 16;
/// Vertices asked at once.
const AT_ONCE: usize = 4;
/// A job that changed its state so short ago, in seconds, is asked for its failures in lists too.
const UNSETTLED_SECONDS: i64 = 600;
/// Exceptions asked for: as many as Flink keeps by default.
const EXCEPTIONS: usize = 16;

/// What is remembered of a job between two turns.
#[derive(Debug, Default)]
pub struct Memory {
    job: Option<Arc<str>>,
    loads: HashMap<Arc<str>, (Instant, Load)>,
}

impl From<DecodeError> for Miss {
    fn from(error: DecodeError) -> Self {
        Self::Failed(error.to_string().into())
    }
}

/// Asks for a job.
///
/// # Errors
/// When it cannot be told which job it is, or how it is.
pub async fn fetch(rest: &Rest, interest: &JobInterest, memory: &mut Memory) -> Result<Box<Job>, Miss> {
    let (base, mut job, unsettled) = essentials(rest, interest).await?;
    if memory.job.as_ref() != Some(&job.id) {
        *memory = Memory { job: Some(job.id.clone()), loads: HashMap::new() };
    }
    let detailed = interest.depth == Depth::Detail;
    extras(rest, &base, &mut job, detailed || unsettled).await;
    if detailed {
        // What is not there in time is asked for again in the next turn.
        drop(timeout(PATIENCE, loads(rest, &base, &job, memory)).await);
        for vertex in &mut job.vertices {
            if let Some((_, load)) = memory.loads.get(&vertex.id) {
                apply(vertex, load);
            }
        }
    }
    Ok(Box::new(job))
}

/// The job itself: from its own page in detail, else from the overview; and whether it changed a short while ago, so
/// that its failures tell how it is even while it runs.
async fn essentials(rest: &Rest, interest: &JobInterest) -> Result<(Base, Job, bool), Miss> {
    if let (Depth::Detail, Some(id)) = (interest.depth, &interest.job_id) {
        match rest.first(interest, &format!("/jobs/{id}")).await {
            Ok((base, body)) => return Ok((base, decode::job(&body, Utc::now())?, false)),
            // The operator's word on the id may be older than the job.
            Err(Miss::NotFound) => {}
            Err(miss) => return Err(miss),
        }
    }
    let (base, body) = rest.first(interest, "/jobs/overview").await?;
    let jobs = decode::overview(&body)?;
    let chosen = decode::choose(&jobs, interest.job_id.as_deref()).ok_or(Miss::NotFound)?;
    if interest.depth == Depth::Summary {
        let now = Utc::now();
        let unsettled = chosen.changed_at.is_some_and(|at| (now - at).num_seconds() < UNSETTLED_SECONDS);
        return Ok((base, chosen.summary(now), unsettled));
    }
    let body = rest.get(&base, &format!("/jobs/{}", chosen.id)).await?;
    Ok((base, decode::job(&body, Utc::now())?, false))
}

async fn extras(rest: &Rest, base: &Base, job: &mut Job, with_failures: bool) {
    let of = |what: String| rest_get(rest, base, format!("/jobs/{}/{what}", job.id));
    let exceptions =
        async { if with_failures { of(format!("exceptions?maxExceptions={EXCEPTIONS}")).await } else { None } };
    // In a list of jobs only one that does not run says how often it was started again.
    let restarts = async {
        let wanted = with_failures || job.state != JobState::Running;
        if wanted { of(format!("metrics?get={JOB_METRICS}")).await } else { None }
    };
    let (checkpoints, restarts, exceptions) = tokio::join!(of("checkpoints".to_owned()), restarts, exceptions);
    job.checkpoints = checkpoints.and_then(|body| decode::checkpoints(&body));
    job.restarts = restarts.and_then(|body| decode::restarts(&body));
    job.failures = exceptions.map(|body| decode::failures(&body)).unwrap_or_default();
}

async fn rest_get(rest: &Rest, base: &Base, path: String) -> Option<String> {
    match timeout(PATIENCE, rest.get(base, &path)).await {
        Ok(Ok(body)) => Some(body),
        Ok(Err(miss)) => {
            tracing::debug!(path, error = %miss, "part of a job is missing");
            None
        }
        Err(_) => {
            tracing::debug!(path, "part of a job did not come in time");
            None
        }
    }
}

/// Asks for the loads that are oldest.
async fn loads(rest: &Rest, base: &Base, job: &Job, memory: &mut Memory) {
    let age = |vertex: &Vertex| memory.loads.get(&vertex.id).map(|(at, _)| at.elapsed());
    let mut due: Vec<&Vertex> =
        job.vertices.iter().filter(|vertex| age(vertex).is_none_or(|age| age >= FRESH)).collect();
    due.sort_by_key(|vertex| std::cmp::Reverse(age(vertex).unwrap_or(Duration::MAX)));
    let due: Vec<Vertex> = due.into_iter().take(TURN).cloned().collect();
    let mut answers = stream::iter(due)
        .map(|vertex| async move {
            let load = load(rest, base, &job.id, &vertex).await;
            (vertex.id, load)
        })
        .buffer_unordered(AT_ONCE);
    while let Some((vertex, load)) = answers.next().await {
        memory.loads.insert(vertex, (Instant::now(), load));
    }
    drop(answers);
    memory.loads.retain(|id, _| job.vertices.iter().any(|vertex| vertex.id == *id));
}

async fn load(rest: &Rest, base: &Base, job: &str, vertex: &Vertex) -> Load {
    let of = |what: String| rest_get(rest, base, format!("/jobs/{job}/vertices/{}/{what}", vertex.id));
    let busiest = async {
        match vertex.parallelism {
            0 | 1 => None,
            _ => of("backpressure".to_owned()).await.and_then(|body| decode::busiest(&body)),
        }
    };
    let watermarks = async {
        // Sources have no input, and so no input watermark.
        if vertex.inputs.is_empty() { None } else { of("watermarks".to_owned()).await }
    };
    let metrics = of(format!("subtasks/metrics?get={VERTEX_METRICS}&agg=max,avg,sum"));
    let (metrics, busiest, watermarks) = tokio::join!(metrics, busiest, watermarks);
    Load {
        busiest,
        watermark: watermarks.and_then(|body| decode::watermark(&body)),
        ..metrics.map(|body| decode::load(&body)).unwrap_or_default()
    }
}

fn apply(vertex: &mut Vertex, load: &Load) {
    vertex.busy_max = load.busy_max;
    vertex.busy_mean = load.busy_mean;
    vertex.backpressure_max = load.backpressure_max;
    vertex.records_in_per_second = load.records_in;
    vertex.records_out_per_second = load.records_out;
    vertex.busiest_subtask = load.busiest;
    vertex.watermark = load.watermark;
}
