//! `flowdeck signals check`: whether a spec, overrides or an expression would be accepted, before they are uploaded.
//!
//! With `--against` a health expression is evaluated over recorded windows: when would health have changed? It
//! must not connect to anything, but for overrides whose location is a URL.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, SecondsFormat};
use clap::{Args, ValueEnum};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::{Failure, exit, open, output, read_spec};
use crate::engine::Spec;
use crate::engine::expression::{Backtest, Change, HealthExpression, Inputs, SwimlaneExpression, Value, backtest};
use crate::engine::overrides::{Context, Overrides};
use crate::source::side_input::{self, Fetcher};

/// Length of a window where no spec says it, milliseconds.
const WINDOW_MS: i64 = 10_000;

/// Arguments of `flowdeck signals check`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Exit codes: 0 it would be accepted, 1 it would be refused, 2 it cannot be read.")]
pub(super) struct Arguments {
    /// A spec (.toml), overrides (a .json file, a folder of them, or their URL), or an expression
    #[arg(value_name = "FILE|EXPRESSION")]
    what: String,
    /// What the expression is for
    #[arg(long, value_enum, default_value_t = Kind::Health)]
    kind: Kind,
    /// Spec beside which overrides or expression count: its SLO, its dimensions and the length of its windows
    #[arg(long, value_name = "FILE")]
    spec: Option<PathBuf>,
    /// Name of a dimension that swimlane expressions may use besides those of --spec; may be given more than once
    #[arg(long = "dimension", value_name = "NAME")]
    dimensions: Vec<String>,
    /// Windows as `signals replay` and `signals run` print them: tell when health would have changed
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// Form of the output
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    output: Format,
}

/// What an expression is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// How well a service is, 0 to 3
    Health,
    /// Which swimlane an event is in
    Swimlane,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Sentences and a table
    Text,
    /// One JSON object
    Json,
}

/// What was found.
struct Finding {
    kind: &'static str,
    /// What it holds, in words.
    accepted: String,
    problems: Vec<String>,
    backtest: Option<Backtest>,
}

/// Checks it.
pub(super) fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let spec = arguments.spec.as_deref().map(read_spec).transpose()?;
    let path = Path::new(&arguments.what);
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let finding = if extension == "toml" {
        check_spec(path)?
    } else if extension == "json" || path.is_dir() || arguments.what.starts_with("s3://") {
        check_overrides(arguments, spec.as_ref())?
    } else {
        check_expression(arguments, spec.as_ref())?
    };
    match arguments.output {
        Format::Text => tell(&finding)?,
        Format::Json => output::print(&(serde_json::to_string_pretty(&value(&finding))? + "\n"))?,
    }
    Ok(if finding.problems.is_empty() { exit::OK } else { exit::FAILED })
}

/// The dimensions of the spec, and those that were named.
fn dimensions(arguments: &Arguments, spec: Option<&Spec>) -> Vec<Arc<str>> {
    let named = arguments.dimensions.iter().map(|name| name.as_str().into());
    spec.map(Spec::dimension_names).unwrap_or_default().into_iter().chain(named).collect()
}

fn check_spec(path: &Path) -> Result<Finding, Failure> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the signals spec {}", path.display()))
        .map_err(Failure::usage)?;
    let spec = Spec::parse(&text);
    let accepted = spec.as_ref().map_or_else(|_| String::new(), |spec| format!("spec {} is valid", spec.name));
    let problems = spec.err().map(|error| error.to_string()).into_iter().collect();
    Ok(Finding { kind: "spec", accepted, problems, backtest: None })
}

fn check_overrides(arguments: &Arguments, spec: Option<&Spec>) -> Result<Finding, Failure> {
    let refresh = Duration::MAX;
    let settings = side_input::Settings { location: arguments.what.clone(), refresh, endpoint: None, region: None };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut fetcher = Fetcher::new(&settings).map_err(Failure::usage)?;
    let files = runtime.block_on(fetcher.fetch()).map_err(|error| Failure::usage(anyhow::Error::msg(error)))?;
    let dimensions = dimensions(arguments, spec);
    let slo_percent = spec.and_then(|spec| spec.slo.as_ref()).map(|slo| slo.availability);
    let context = Context { dimensions: &dimensions, slo_percent };
    let documents = files.unwrap_or_default();
    let (overrides, refusals) = Overrides::read(&documents, &Overrides::default(), &context);
    let version = overrides.version().map_or_else(String::new, |version| format!(", version {version}"));
    let accepted = format!("overrides of {} services in {} files are valid{version}", overrides.len(), documents.len());
    Ok(Finding {
        kind: "overrides",
        accepted,
        problems: refusals.iter().map(ToString::to_string).collect(),
        backtest: None,
    })
}

fn check_expression(arguments: &Arguments, spec: Option<&Spec>) -> Result<Finding, Failure> {
    let source = &arguments.what;
    if arguments.kind == Kind::Swimlane {
        let problem = SwimlaneExpression::compile(source, &dimensions(arguments, spec)).err();
        let problems = problem.map(|problem| problem.to_string()).into_iter().collect();
        return Ok(Finding {
            kind: "swimlane",
            accepted: "swimlane expression is valid".into(),
            problems,
            backtest: None,
        });
    }
    let mut finding =
        Finding { kind: "health", accepted: "health expression is valid".into(), problems: Vec::new(), backtest: None };
    match HealthExpression::compile(source) {
        Err(problem) => finding.problems.push(problem.to_string()),
        Ok(expression) => {
            if let Some(path) = &arguments.against {
                let windows = recorded(path, spec)?;
                let in_order = windows.iter().map(|((at, ..), window)| (*at, window));
                finding.backtest = Some(backtest(&expression, in_order, &Value::tags([])));
            }
        }
    }
    Ok(finding)
}

/// A line of `signals replay` or `signals run`. Latencies in microseconds.
#[derive(Deserialize)]
struct Line {
    start: i64,
    svc: Arc<str>,
    #[serde(default)]
    swimlane: Arc<str>,
    n: u64,
    err: u64,
    max: f64,
    p50: Option<f64>,
    p95: Option<f64>,
    p99: Option<f64>,
}

/// Windows in order of start; of several panes of one window the last.
fn recorded(path: &Path, spec: Option<&Spec>) -> Result<BTreeMap<(i64, Arc<str>, Arc<str>), Inputs>, Failure> {
    let window_ms = spec.map_or(WINDOW_MS, |spec| spec.window.size.millis());
    let slo_percent = spec.and_then(|spec| spec.slo.as_ref()).map(|slo| slo.availability);
    let mut windows = BTreeMap::new();
    for (number, line) in (1_u64..).zip(open(path)?.lines()) {
        let place = || format!("{}: line {number}", path.display());
        let line = line.with_context(place)?;
        let json: Json = serde_json::from_str(&line).with_context(place).map_err(Failure::usage)?;
        if json.get("dropped").is_some() {
            continue;
        }
        let line: Line = serde_json::from_value(json).with_context(place).map_err(Failure::usage)?;
        let key = (line.start, line.svc.clone(), line.swimlane.clone());
        windows.insert(key, inputs(line, window_ms, slo_percent));
    }
    Ok(windows)
}

/// What a line does not hold is not known, and an expression that reads it says so.
#[expect(clippy::cast_precision_loss, reason = "counts and milliseconds of a window")]
fn inputs(line: Line, window_ms: i64, slo_percent: Option<f64>) -> Inputs {
    let ms = |micros: Option<f64>| micros.map_or(f64::NAN, |micros| micros / 1_000.0);
    Inputs {
        requests: line.n,
        errors: line.err,
        p50_ms: ms(line.p50),
        p90_ms: f64::NAN,
        p95_ms: ms(line.p95),
        p99_ms: ms(line.p99),
        max_ms: ms(Some(line.max)),
        requests_per_second: line.n as f64 * 1_000.0 / window_ms as f64,
        saturation_percent: None,
        service: line.svc,
        swimlane: line.swimlane,
        slo_percent,
    }
}

fn tell(finding: &Finding) -> Result<(), Failure> {
    for problem in &finding.problems {
        output::complain(output::clean_lines(problem).trim_end());
    }
    if finding.problems.is_empty() {
        output::print(&format!("{}\n", output::clean(&finding.accepted)))?;
    }
    let Some(backtest) = &finding.backtest else { return Ok(()) };
    let mut rows = vec![["AT".to_owned(), "SERVICE".to_owned(), "FROM".to_owned(), "TO".to_owned()]];
    rows.extend(backtest.changes.iter().map(|change| {
        [at(change.at), output::clean(&whose(change)), change.from.level().to_string(), change.to.level().to_string()]
    }));
    let width = rows.iter().map(|[_, service, ..]| service.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for [at, service, from, to] in rows.iter().filter(|_| !backtest.changes.is_empty()) {
        text.push_str(&format!("{at:<20}  {service:<width$}  {from:>4}  {to:>2}\n"));
    }
    let changes = u64::try_from(backtest.changes.len()).unwrap_or(u64::MAX).saturating_add(backtest.more_changes);
    let [well, one, two, down] = backtest.windows;
    text.push_str(&format!(
        "{} windows: {well} well, {one} of health 1, {two} of health 2, {down} down; health changes {changes} times\n",
        backtest.windows.iter().sum::<u64>()
    ));
    for (reason, count) in &backtest.faults {
        text.push_str(&format!("{count} windows without health: {}\n", output::clean(reason)));
    }
    output::print(&text)?;
    Ok(())
}

/// The service, and its swimlane where it has one.
fn whose(change: &Change) -> String {
    let lane = if change.swimlane.is_empty() { String::new() } else { format!(" ({})", change.swimlane) };
    format!("{}{lane}", change.service)
}

fn at(millis: i64) -> String {
    let time = DateTime::from_timestamp_millis(millis);
    time.map_or_else(|| millis.to_string(), |time| time.to_rfc3339_opts(SecondsFormat::Secs, true))
}

fn value(finding: &Finding) -> Json {
    let mut value = json!({
        "kind": finding.kind,
        "valid": finding.problems.is_empty(),
        "problems": finding.problems,
    });
    if let Some(backtest) = &finding.backtest {
        let change = |change: &Change| {
            json!({
                "at": at(change.at),
                "service": change.service,
                "swimlane": change.swimlane,
                "from": change.from,
                "to": change.to,
            })
        };
        value["backtest"] = json!({
            "windows": backtest.windows,
            "changes": backtest.changes.iter().map(change).collect::<Vec<_>>(),
            "more_changes": backtest.more_changes,
            "without_health": backtest.faults,
        });
    }
    value
}
