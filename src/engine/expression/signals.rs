//! The two expressions of golden signals: health of a service in a window, swimlane of an event.

use std::sync::Arc;

use super::check::a;
use super::problem::Fault;
use super::{Expression, Problem, Scope, Type, Unwritten, Value};
use crate::model::signal::{Health, Point};

/// The names of a health expression, in the order of [`Inputs::values`].
const NAMES: [(&str, Kind); 15] = [
    ("requestCount", Kind::Int),
    ("errorCount", Kind::Int),
    ("availability", Kind::Double),
    ("errorRate", Kind::Double),
    ("p50", Kind::Double),
    ("p90", Kind::Double),
    ("p95", Kind::Double),
    ("p99", Kind::Double),
    ("max", Kind::Double),
    ("requestsPerSecond", Kind::Double),
    ("saturation", Kind::Double),
    ("service", Kind::String),
    ("swimlane", Kind::String),
    ("tags", Kind::Tags),
    ("slo", Kind::Double),
];

#[derive(Clone, Copy)]
enum Kind {
    Int,
    Double,
    String,
    Tags,
}

impl Kind {
    fn of(self) -> Type {
        match self {
            Self::Int => Type::Int,
            Self::Double => Type::Double,
            Self::String => Type::String,
            Self::Tags => Type::tags(),
        }
    }
}

/// What a health expression is evaluated on: one service in one window that had requests.
#[derive(Clone, Debug, PartialEq)]
pub struct Inputs {
    /// `requestCount`.
    pub requests: u64,
    /// `errorCount`; `availability` and `errorRate` (percent) follow from both.
    pub errors: u64,
    /// `p50`, milliseconds.
    pub p50_ms: f64,
    /// `p90`, milliseconds.
    pub p90_ms: f64,
    /// `p95`, milliseconds.
    pub p95_ms: f64,
    /// `p99`, milliseconds.
    pub p99_ms: f64,
    /// `max`, milliseconds.
    pub max_ms: f64,
    /// `requestsPerSecond`.
    pub requests_per_second: f64,
    /// `saturation`, percent; `None` where nothing tells it.
    pub saturation_percent: Option<f64>,
    /// `service`.
    pub service: Arc<str>,
    /// `swimlane`, "" without one.
    pub swimlane: Arc<str>,
    /// `slo`, percent; `None` when nothing was promised.
    pub slo_percent: Option<f64>,
}

impl Inputs {
    /// Of a window of a service, without swimlane and promise.
    #[expect(clippy::cast_precision_loss, reason = "counts and milliseconds of a window")]
    pub fn of(point: &Point, service: Arc<str>, window_ms: i64) -> Self {
        let latency = &point.latency;
        Self {
            requests: point.requests,
            errors: point.errors,
            p50_ms: latency.p50_us / 1_000.0,
            p90_ms: latency.p90_us / 1_000.0,
            p95_ms: latency.p95_us / 1_000.0,
            p99_ms: latency.p99_us / 1_000.0,
            max_ms: latency.max_us / 1_000.0,
            requests_per_second: point.requests as f64 * 1_000.0 / window_ms.max(1) as f64,
            saturation_percent: point.saturation.as_ref().map(|saturation| saturation.percent),
            service,
            swimlane: "".into(),
            slo_percent: None,
        }
    }

    /// Availability in percent; `None` without requests, which is never evaluated.
    #[expect(clippy::cast_precision_loss, reason = "counts of a window are far below 2^52")]
    pub fn availability_percent(&self) -> Option<f64> {
        let good = self.requests.checked_sub(self.errors)?;
        (self.requests > 0).then(|| good as f64 * 100.0 / self.requests as f64)
    }

    /// The values of the names. What is not a number counts as not known.
    pub(crate) fn values(&self, tags: &Value) -> [Option<Value>; NAMES.len()] {
        let count = |count: u64| Some(Value::Int(i64::try_from(count).unwrap_or(i64::MAX)));
        let number = |number: Option<f64>| number.filter(|number| number.is_finite()).map(Value::Double);
        let availability = self.availability_percent();
        [
            count(self.requests),
            count(self.errors),
            number(availability),
            number(availability.map(|availability| 100.0 - availability)),
            number(Some(self.p50_ms)),
            number(Some(self.p90_ms)),
            number(Some(self.p95_ms)),
            number(Some(self.p99_ms)),
            number(Some(self.max_ms)),
            number(Some(self.requests_per_second)),
            number(self.saturation_percent),
            Some(Value::String(self.service.clone())),
            Some(Value::String(self.swimlane.clone())),
            Some(tags.clone()),
            number(self.slo_percent),
        ]
    }

    /// Made-up windows, from well to dead and with odd ones between, to try an expression on before it counts.
    pub fn samples() -> Vec<Self> {
        let sample = |requests: u64, errors: u64, latency_ms: f64, saturation_percent| Self {
            requests,
            errors,
            p50_ms: latency_ms,
            p90_ms: latency_ms * 2.0,
            p95_ms: latency_ms * 3.0,
            p99_ms: latency_ms * 10.0,
            max_ms: latency_ms * 40.0,
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            requests_per_second: requests as f64 / 10.0,
            saturation_percent,
            service: "sample".into(),
            swimlane: "".into(),
            slo_percent: Some(99.9),
        };
        let mut samples = vec![sample(1, 0, 0.001, Some(0.0)), sample(1, 1, 3_600_000.0, Some(250.0))];
        for (requests, errors) in [(59, 0), (60, 1), (1_000, 0), (1_000, 1), (1_000, 11), (100_000, 50_000), (9, 9)] {
            for latency_ms in [2.0, 80.0, 900.0] {
                samples.push(sample(requests, errors, latency_ms, Some(latency_ms / 9.0)));
            }
        }
        samples
    }
}

/// An expression that says how well a service is.
#[derive(Clone, Debug)]
pub struct HealthExpression(Expression);

impl HealthExpression {
    /// Reads and checks one. It must give an int, and no literal outcome outside 0 to 3.
    ///
    /// # Errors
    ///
    /// When it is no such expression.
    pub fn compile(source: &str) -> Result<Self, Problem> {
        let expression = Expression::compile(source, &Self::scope())?;
        let fault = |at, sentence: String| Err(Fault::new(at, sentence).place(source));
        if *expression.kind() != Type::Int {
            let kind = a(expression.kind());
            return fault(0, format!("health is an int from 0 (well) to 3 (down), and this gives {kind}"));
        }
        let outside = |(at, value): (usize, &Value)| {
            matches!(value, Value::Int(level) if Health::new(*level).is_none()).then(|| (at, value.to_string()))
        };
        if let Some((at, level)) = expression.outcomes().into_iter().find_map(outside) {
            return fault(at, format!("health is from 0 (well) to 3 (down), and this is {level}"));
        }
        Ok(Self(expression))
    }

    /// The names that it may use.
    pub fn scope() -> Scope {
        Scope::new(NAMES.map(|(name, kind)| (name, kind.of())))
    }

    /// The expression.
    pub const fn expression(&self) -> &Expression {
        &self.0
    }

    /// Whether it reads saturation.
    pub fn uses_saturation(&self) -> bool {
        let place = NAMES.iter().position(|(name, _)| *name == "saturation");
        place.is_some_and(|place| self.0.reads().contains(&place))
    }

    /// Health in a window.
    ///
    /// # Errors
    ///
    /// A sentence, when it has no value or one outside 0 to 3.
    pub fn judge(&self, inputs: &Inputs, tags: &Value) -> Result<Health, String> {
        if inputs.requests == 0 {
            return Err("there were no requests".to_owned());
        }
        match self.0.evaluate(&inputs.values(tags)) {
            Ok(Value::Int(level)) => {
                Health::new(level).ok_or_else(|| format!("it gives {level}, and health is from 0 to 3"))
            }
            Ok(value) => Err(format!("it gives {value}, and health is an int from 0 to 3")),
            Err(error) => Err(self.0.explain(&error)),
        }
    }
}

/// An expression that says which swimlane an event is in; "" is none.
#[derive(Clone, Debug)]
pub struct SwimlaneExpression(Expression);

impl SwimlaneExpression {
    /// Reads and checks one over `service`, `tags` and these dimensions. It must give a string.
    ///
    /// # Errors
    ///
    /// When it is no such expression.
    pub fn compile(source: &str, dimensions: &[Arc<str>]) -> Result<Self, Problem> {
        let expression = Expression::compile(source, &Self::scope(dimensions))?;
        if *expression.kind() == Type::String {
            return Ok(Self(expression));
        }
        let sentence = format!("a swimlane is a string, and this gives {}", a(expression.kind()));
        Err(Fault::new(0, sentence).place(source))
    }

    /// The names that it may use.
    pub fn scope(dimensions: &[Arc<str>]) -> Scope {
        let own = [("service", Type::String), ("tags", Type::tags())];
        Scope::new(own.into_iter().chain(dimensions.iter().map(|name| (&**name, Type::String))))
    }

    /// The expression.
    pub const fn expression(&self) -> &Expression {
        &self.0
    }

    /// The same as an expression of SQL: of these columns, the dimensions' in the order in which it was compiled, none of
    /// them ever null.
    ///
    /// # Errors
    ///
    /// What it has that SQL cannot say, or says otherwise.
    pub fn sql(&self, service: &str, dimensions: &[String]) -> Result<String, Unwritten> {
        let own = [Some(service.to_owned()), None];
        let names: Vec<_> = own.into_iter().chain(dimensions.iter().cloned().map(Some)).collect();
        self.0.sql(&names)
    }

    /// The swimlane of an event; `dimensions` in the order in which it was compiled, "" where the event has none.
    ///
    /// # Errors
    ///
    /// A sentence, when it has no value.
    pub fn lane(&self, service: &str, tags: &Value, dimensions: &[&str]) -> Result<Arc<str>, String> {
        let own = [Some(Value::from(service)), Some(tags.clone())];
        let inputs: Vec<_> = own.into_iter().chain(dimensions.iter().map(|text| Some(Value::from(*text)))).collect();
        match self.0.evaluate(&inputs) {
            Ok(Value::String(lane)) => Ok(lane),
            Ok(value) => Err(format!("it gives {value}, and a swimlane is a string")),
            Err(error) => Err(self.0.explain(&error)),
        }
    }
}
