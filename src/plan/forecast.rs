//! What a change will cause, before it is made.
//!
//! The rules are the operator's own ([what it compares](https://nightlies.apache.org/flink/flink-kubernetes-operator-docs-main/)):
//! some fields restart nothing, a few rescale in place, everything else stops the job and starts it again, and its
//! `upgradeMode` decides what becomes of the state.

use serde::Serialize;
use serde_json::Value;

use super::difference::Difference;
use super::object::Kind;
use super::restart::Restart;

/// What happens to a processor, from the mildest to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Nothing that runs notices.
    Nothing,
    /// It starts for the first time, or again.
    Starts,
    /// Its parallelism changes while it runs.
    RescalesInPlace,
    /// It stops with a savepoint and starts from it.
    RestartsFromSavepoint,
    /// It stops and keeps its state.
    Stops,
    /// It stops and starts without what it knew.
    RestartsWithoutState,
    /// It stops and forgets.
    StopsWithoutState,
    /// It stops, and its state does not fit what starts.
    CannotRestore,
    /// It goes.
    Goes,
}

impl Effect {
    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Nothing => "nothing restarts",
            Self::Starts => "starts",
            Self::RescalesInPlace => "is rescaled in place",
            Self::RestartsFromSavepoint => "restarts from a savepoint",
            Self::Stops => "stops with a savepoint",
            Self::RestartsWithoutState => "restarts and LOSES ITS STATE",
            Self::StopsWithoutState => "stops and LOSES ITS STATE",
            Self::CannotRestore => "restarts, and its state CANNOT BE RESTORED as it stands",
            Self::Goes => "is removed",
        }
    }

    /// The same without the savepoint that would come first.
    #[must_use]
    pub const fn without_savepoint(self) -> Self {
        match self {
            Self::RestartsFromSavepoint => Self::RestartsWithoutState,
            Self::Stops => Self::StopsWithoutState,
            other => other,
        }
    }

    /// Whether what runs is stopped and started again.
    #[must_use]
    pub const fn restarts(self) -> bool {
        matches!(self, Self::RestartsFromSavepoint | Self::RestartsWithoutState | Self::CannotRestore)
    }

    /// Whether somebody must say that they mean it.
    #[must_use]
    pub const fn is_loss(self) -> bool {
        matches!(self, Self::RestartsWithoutState | Self::StopsWithoutState | Self::CannotRestore)
    }
}

/// What happens to one processor and why.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Forecast {
    /// The processor.
    pub processor: String,
    /// What happens.
    pub effect: Effect,
    /// Why, and what else to know.
    pub because: Vec<String>,
    /// How long it is down, where it restarts.
    pub restart: Option<Restart>,
    /// How long until it has caught up, in seconds, where its load is known.
    pub seconds: Option<u64>,
}

/// How hard a processor works, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// Records that wait.
    pub lag_records: f64,
    /// Records that come in a second.
    pub records_per_second: f64,
    /// Share of time that its busiest subtask works, from 0 to 1.
    pub busy: f64,
}

impl Load {
    /// Seconds until nothing waits any more after a restart: what waits and what comes meanwhile, over what it can do
    /// beyond what comes. `None` when it can do no more than that.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a restart takes no 2^53 seconds")]
    pub fn catch_up_seconds(&self, restart: &Restart) -> Option<u64> {
        let down = restart.seconds as f64;
        let headroom = self.records_per_second / self.busy.clamp(0.01, 1.0) - self.records_per_second;
        let waiting = down.mul_add(self.records_per_second, self.lag_records.max(0.0));
        if waiting <= 0.0 {
            return Some(0);
        }
        let seconds = down + waiting / headroom;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked against the range")]
        (headroom > 0.0 && seconds < 1e9).then_some(seconds.ceil() as u64)
    }
}

/// A processor before and after, as the forecast needs it.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Its name.
    pub processor: &'a str,
    /// The object that runs its job as it is: a `FlinkDeployment`, or the JobManager's Deployment.
    pub before: Option<&'a Value>,
    /// The same as it will be.
    pub after: Option<&'a Value>,
    /// All that differs in all of its objects.
    pub differences: &'a [Difference],
}

/// Fields that restart nothing.
const IGNORED: [&str; 7] = [
    "spec.job.upgradeMode",
    "spec.job.initialSavepointPath",
    "spec.job.allowNonRestoredState",
    "spec.job.savepointTriggerNonce",
    "spec.job.checkpointTriggerNonce",
    "spec.job.autoscalerResetNonce",
    "spec.flinkConfiguration.parallelism.default",
];
const IGNORED_OPTIONS: [&str; 2] =
    ["spec.flinkConfiguration.job.autoscaler", "spec.flinkConfiguration.kubernetes.operator"];
const VERTEX_PARALLELISM: &str = "spec.flinkConfiguration.pipeline.jobvertex-parallelism-overrides";

/// What a change does to a processor.
#[must_use]
pub fn forecast(subject: Subject<'_>, load: Option<Load>) -> Forecast {
    let (effect, because) = judge(subject);
    let forecast = Forecast { processor: subject.processor.to_owned(), effect, because, restart: None, seconds: None };
    forecast.timed(Restart::assumed(), load)
}

impl Forecast {
    /// The same with how long a restart takes; for what does not restart, unchanged.
    #[must_use]
    pub fn timed(mut self, restart: Restart, load: Option<Load>) -> Self {
        if self.effect.restarts() {
            self.seconds = load.and_then(|load| load.catch_up_seconds(&restart));
            self.restart = Some(restart);
        }
        self
    }
}

fn judge(subject: Subject<'_>) -> (Effect, Vec<String>) {
    let (before, after) = match (subject.before, subject.after) {
        (None, None) => return (Effect::Nothing, Vec::new()),
        (None, Some(after)) if runs(after) => return (Effect::Starts, vec!["it does not run yet".into()]),
        (None, Some(_)) => return (Effect::Nothing, vec!["it stays stopped".into()]),
        (Some(before), None) if runs(before) => {
            return (
                Effect::Goes,
                vec!["it still runs, and its state goes with it: stop it with a savepoint first".into()],
            );
        }
        (Some(_), None) => return (Effect::Goes, Vec::new()),
        (Some(before), Some(after)) => (before, after),
    };
    let keeps = keeps_state(after);
    let loss = || vec!["it has no place for savepoints: upgradeMode is stateless".to_owned()];
    match (runs(before), runs(after)) {
        (false, false) => return (Effect::Nothing, vec!["it stays stopped".into()]),
        (false, true) => return (Effect::Starts, vec!["it is stopped now".into()]),
        (true, false) if keeps => return (Effect::Stops, Vec::new()),
        (true, false) => return (Effect::StopsWithoutState, loss()),
        (true, true) => {}
    }
    let telling: Vec<&Difference> = subject.differences.iter().filter(|it| restarts(it)).collect();
    let paths = || telling.iter().map(ToString::to_string).collect::<Vec<_>>();
    if telling.is_empty() {
        return (Effect::Nothing, Vec::new());
    }
    if telling.iter().all(|it| is_in_place(it, after)) {
        return (Effect::RescalesInPlace, paths());
    }
    let broken = breaks(before, after, subject.differences);
    if !broken.is_empty() && keeps {
        return (Effect::CannotRestore, broken);
    }
    let mut because = paths();
    if telling.iter().any(|it| it.path.contains("jarURI") || it.path.ends_with("image")) {
        because.push("the program changes: state is found again by operators' uids, which must be the same".into());
    }
    if keeps {
        (Effect::RestartsFromSavepoint, because)
    } else {
        (Effect::RestartsWithoutState, because.into_iter().chain(loss()).collect())
    }
}

/// Whether an object wants its job to run.
fn runs(object: &Value) -> bool {
    match object.pointer("/spec/replicas").and_then(Value::as_u64) {
        Some(replicas) => replicas > 0,
        None => object.pointer("/spec/job/state").and_then(Value::as_str) != Some("suspended"),
    }
}

/// Whether a restart takes the state along.
#[must_use]
pub fn keeps_state(object: &Value) -> bool {
    match object.pointer("/spec/job") {
        Some(job) => matches!(job.get("upgradeMode").and_then(Value::as_str), Some("savepoint" | "last-state")),
        None => super::object::annotation(object, KEEPS_STATE) == Some("true"),
    }
}

/// The annotation by which plain workloads say that they have a place for savepoints.
pub const KEEPS_STATE: &str = "flowdeck.dev/keeps-state";

/// What becomes of a plain job whose JobManager's pod dies later, where nothing keeps its progress. Said only where the
/// configuration was seen: a `ConfigMap` among the job's objects.
pub fn without_high_availability<'a>(objects: impl Iterator<Item = &'a Value>) -> Option<&'static str> {
    let mut seen = false;
    for object in objects {
        let texts = object.get("data").and_then(Value::as_object).into_iter().flatten();
        let flinks = texts.filter(|(name, _)| matches!(name.as_str(), "config.yaml" | "flink-conf.yaml"));
        for line in flinks.filter_map(|(_, text)| text.as_str()).flat_map(str::lines) {
            seen = true;
            let Some((name, value)) = line.split_once(':') else { continue };
            let is_named = matches!(name.trim(), "high-availability" | "high-availability.type");
            if is_named && !value.trim().trim_matches(['"', '\'']).eq_ignore_ascii_case("none") {
                return None;
            }
        }
        let arguments = object.pointer("/spec/template/spec/containers/0/args").and_then(Value::as_array);
        let arguments = arguments.into_iter().flatten().filter_map(Value::as_str);
        if arguments.into_iter().any(|it| it.contains("high-availability")) {
            return None;
        }
    }
    seen.then_some(
        "high-availability.type is not set: if its JobManager's pod dies later, the job starts again from the savepoint \
         that it starts from now, or from nothing where there is none, and what it did since is done again",
    )
}

fn restarts(difference: &Difference) -> bool {
    let path = difference.path.as_str();
    match difference.object.kind {
        Kind::FlinkDeployment => {
            !difference.is_about_the_object()
                && !IGNORED.contains(&path)
                && !IGNORED_OPTIONS.iter().any(|prefix| path.starts_with(prefix))
        }
        Kind::Deployment | Kind::StatefulSet => !difference.is_about_the_object(),
        // Pods carry the sum of their configuration, so that it shows there.
        Kind::ConfigMap
        | Kind::Service
        | Kind::FlinkStateSnapshot
        | Kind::ServiceAccount
        | Kind::HorizontalPodAutoscaler => false,
    }
}

fn is_in_place(difference: &Difference, after: &Value) -> bool {
    let text = |path: &str| after.pointer(path).and_then(Value::as_str);
    let option = |name: &str| after.pointer("/spec/flinkConfiguration")?.get(name)?.as_str();
    let is_native = text("/spec/mode").is_none_or(|mode| mode == "native");
    let size = ["spec.job.parallelism", "spec.taskManager.replicas"].contains(&difference.path.as_str());
    let adaptive = option("jobmanager.scheduler").is_some_and(|it| it.eq_ignore_ascii_case("adaptive"));
    let reactive = option("scheduler-mode").is_some_and(|it| it.eq_ignore_ascii_case("reactive"));
    (is_native && adaptive && difference.path.starts_with(VERTEX_PARALLELISM)) || (!is_native && reactive && size)
}

/// What makes the old state useless to the new job.
fn breaks(before: &Value, after: &Value, differences: &[Difference]) -> Vec<String> {
    let mut reasons = Vec::new();
    let (old, new) = (max_parallelism(before), max_parallelism(after));
    if old != new && (old.is_some() || new.is_some()) {
        let word = |it: Option<String>| it.unwrap_or_else(|| "not set".to_owned());
        reasons.push(format!(
            "maxParallelism changes ({} → {}): state is cut into that many pieces, and a savepoint cannot be cut anew",
            word(old),
            word(new)
        ));
    }
    if let Some(it) = differences.iter().find(|it| it.path.ends_with("flowdeck.dev/offset-version")) {
        reasons.push(format!(
            "the offset version changes ({} → {}): the savepoint holds the old offsets, so topics are read anew only \
             without it",
            it.before.as_deref().unwrap_or("none"),
            it.after.as_deref().unwrap_or("none"),
        ));
    }
    reasons
}

fn max_parallelism(object: &Value) -> Option<String> {
    let arguments =
        object.pointer("/spec/job/args").or_else(|| object.pointer("/spec/template/spec/containers/0/args"));
    let arguments = arguments.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let by_beam = arguments.filter_map(|it| it.strip_prefix("--maxParallelism=")).map(str::to_owned).next();
    let by_flink = || {
        let option = object.pointer("/spec/flinkConfiguration")?.get("pipeline.max-parallelism")?;
        Some(option.as_str().map_or_else(|| option.to_string(), str::to_owned))
    };
    by_beam.or_else(by_flink)
}

#[cfg(test)]
mod tests;
