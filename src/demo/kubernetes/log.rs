//! Pod logs: the tail, the past of a restarted container, and a stream that goes on.

use std::sync::Arc;

use ::http::StatusCode;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::stream;

use super::request::{Query, Target};
use super::resources::PODS;
use super::status::Refusal;
use super::store::Key;
use crate::demo::environment::Environment;
use crate::demo::http::{self, Reply, bytes};
use crate::demo::logs::Entry;

struct Following {
    environment: Arc<Environment>,
    namespace: String,
    pod: String,
    timestamps: bool,
    /// Text that was read before the stream began.
    first: Option<String>,
    position: u64,
}

pub(crate) fn answer(environment: &Arc<Environment>, target: &Target, query: &Query) -> Result<Reply, Refusal> {
    let namespace = target.namespace.clone().unwrap_or_default();
    let pod = target.name.clone().unwrap_or_default();
    let object =
        environment.store.value(&Key::new(&PODS, &namespace, &pod)).ok_or_else(|| Refusal::not_found(&PODS, &pod))?;
    let status = object.pointer("/status/containerStatuses/0").cloned().unwrap_or_default();
    let container = status["name"].as_str().unwrap_or_default();
    check_container(query, container, &pod)?;
    if query.is_set("previous") {
        let entries = environment.logs.previous(&namespace, &pod).ok_or_else(|| {
            Refusal::bad_request(format!("previous terminated container \"{container}\" in pod \"{pod}\" not found"))
        })?;
        return Ok(bytes(StatusCode::OK, "text/plain", text(&entries, query)));
    }
    if status.pointer("/state/waiting/reason").is_some_and(|reason| reason == "ContainerCreating") || status.is_null() {
        return Err(Refusal::bad_request(format!(
            "container \"{container}\" in pod \"{pod}\" is waiting to start: ContainerCreating"
        )));
    }
    let read = environment.logs.read(&namespace, &pod, 0);
    let first = text(&read.entries, query);
    if !query.is_set("follow") {
        return Ok(bytes(StatusCode::OK, "text/plain", first));
    }
    let following = Following {
        environment: Arc::clone(environment),
        namespace,
        pod,
        timestamps: query.is_set("timestamps"),
        first: Some(first).filter(|text| !text.is_empty()),
        position: read.next,
    };
    let source = stream::unfold(following, |mut following| async move {
        let chunk = following.next().await?;
        Some((chunk, following))
    });
    Ok(http::stream("text/plain", source))
}

fn check_container(query: &Query, container: &str, pod: &str) -> Result<(), Refusal> {
    match query.given("container") {
        Some(wanted) if wanted != container && !container.is_empty() => {
            Err(Refusal::bad_request(format!("container {wanted} is not valid for pod {pod}")))
        }
        _ => Ok(()),
    }
}

/// The entries that the query asks for, as text.
fn text(entries: &[Entry], query: &Query) -> String {
    let since = query
        .number("sinceSeconds")
        .and_then(|seconds| i64::try_from(seconds).ok())
        .map(|seconds| Utc::now() - TimeDelta::seconds(seconds))
        .or_else(|| query.given("sinceTime").and_then(|text| text.parse::<DateTime<Utc>>().ok()));
    let recent = since
        .map_or(entries, |since| entries.get(entries.partition_point(|entry| entry.at < since)..).unwrap_or_default());
    let mut skip = query.number("tailLines").map_or(0, |wanted| {
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
        recent.iter().map(Entry::line_count).sum::<usize>().saturating_sub(wanted)
    });
    let mut text = String::new();
    for entry in recent {
        let count = entry.line_count();
        if skip >= count {
            skip -= count;
            continue;
        }
        let mut lines = String::new();
        entry.render(query.is_set("timestamps"), &mut lines);
        for line in lines.lines().skip(std::mem::take(&mut skip)) {
            text.push_str(line);
            text.push('\n');
        }
    }
    match query.number("limitBytes").and_then(|limit| usize::try_from(limit).ok()) {
        Some(limit) => text.chars().take(limit).collect(),
        None => text,
    }
}

impl Following {
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(first) = self.first.take() {
            return Some(Bytes::from(first));
        }
        let mut written = self.environment.logs.subscribe();
        loop {
            written.mark_unchanged();
            let read = self.environment.logs.read(&self.namespace, &self.pod, self.position);
            self.position = read.next;
            if !read.entries.is_empty() {
                let mut text = String::new();
                for entry in &read.entries {
                    entry.render(self.timestamps, &mut text);
                }
                return Some(Bytes::from(text));
            }
            if read.ended {
                return None;
            }
            written.changed().await.ok()?;
        }
    }
}
