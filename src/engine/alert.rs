//! Alerts: which rule holds for which service, since when, and what a person did about it.
//!
//! Why: somebody must be called when it matters and let sleep when it does not. So burn rates are those of the SRE
//! workbook, conditions must hold for a while and be gone for a while, and a rule that can never fire is refused.
//!
//! How: a [`Book`] keeps, for each service, sums over the times that burn rates look back on ([`sliding`]) and how
//! each rule stands ([`standing`]). It is told each closed window once, in order, and then what revisions changed.
//! Without data nothing is judged: what fires goes on firing, since nobody saw it mended.
//!
//! It must not send anything or read a clock, nor judge the past: windows that were closed long ago only fill sums.

mod rule;
mod sliding;
mod standing;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

pub use rule::{AlertSpec, Severity, Signal};

use super::spec::{Spec, SpecError};
use crate::model::Time;
use crate::model::signal::{Alert, AlertOrder, AlertState, Answer, Mark, Point};
use rule::{Condition, Frame, Rule, short};
use sliding::Sliding;
use standing::{Answered, Standing};

/// Windows that ended longer ago than this are not judged: they are read late, and the alert would be news of old.
const STALE_MS: i64 = 300_000;
/// What was resolved is shown for so long.
const SHOWN_MS: i64 = 3_600_000;
/// What fires without any data is given up after so long.
const GIVEN_UP_MS: i64 = 3_600_000;
/// Failures below which a burn rate says nothing: one of few requests is a large share.
const FEWEST_ERRORS: i64 = 5;
/// Times that alerts of a service began or ended which are remembered, for charts.
const MOST_MARKS: usize = 64;
/// Alerts that are published at most, the worst of them.
const MOST_ALERTS: usize = 1_000;

/// Checks the alerts of a spec.
pub(super) fn check(spec: &Spec) -> Result<(), SpecError> {
    rule::rules(spec.alert.as_deref(), frame(spec)).map(|_| ())
}

fn frame(spec: &Spec) -> Frame {
    Frame { window_ms: spec.window.size.millis(), objective_percent: spec.slo.as_ref().map(|slo| slo.availability) }
}

/// What is kept of one service.
#[derive(Clone, Debug)]
struct Page {
    /// Sums by length, as in `Book::lengths`.
    sums: Vec<Sliding>,
    /// By rule.
    standings: Vec<(Standing, Arc<str>)>,
    /// End of the last window with events.
    seen_to: i64,
    /// When alerts began and ended, milliseconds since 1970.
    marks: VecDeque<(i64, Arc<str>)>,
}

/// Takes in whether the condition of a rule held, and remembers what began or ended by that.
fn observe(
    (rule, standing): (&Rule, &mut Standing),
    span: (i64, i64),
    holds: bool,
    marks: &mut VecDeque<(i64, Arc<str>)>,
) {
    let was_firing = standing.is_firing();
    standing.observe(span, holds, rule.patience);
    let word = match (was_firing, standing.is_firing()) {
        (false, true) => "fires",
        (true, false) => "resolved",
        _ => return,
    };
    if marks.len() >= MOST_MARKS {
        marks.pop_front();
    }
    marks.push_back((span.1, format!("{} {word}", rule.name).into()));
}

/// All alerts of a spec's services.
#[derive(Clone, Debug)]
pub struct Book {
    rules: Vec<Rule>,
    /// Each length that some burn rate looks back, once; milliseconds.
    lengths: Vec<i64>,
    window_ms: i64,
    pages: BTreeMap<Arc<str>, Page>,
}

impl Book {
    /// A book of a spec's rules.
    ///
    /// # Errors
    ///
    /// When a rule contradicts itself or could never fire.
    pub fn new(spec: &Spec) -> Result<Self, SpecError> {
        let frame = frame(spec);
        let rules = rule::rules(spec.alert.as_deref(), frame)?;
        let mut lengths: Vec<i64> = rules
            .iter()
            .flat_map(|rule| match rule.condition {
                Condition::Burn { long_ms, short_ms, .. } => vec![long_ms, short_ms],
                _ => Vec::new(),
            })
            .collect();
        lengths.sort_unstable();
        lengths.dedup();
        Ok(Self { rules, lengths, window_ms: frame.window_ms, pages: BTreeMap::new() })
    }

    /// Takes in a closed window of a service, and judges it if it is not of old.
    pub fn closed(&mut self, service: &Arc<str>, (start, point): (i64, &Point), now: i64) {
        self.revised(service, start, counts(point));
        let (window_ms, end) = (self.window_ms, start.saturating_add(self.window_ms));
        let Some(page) = self.pages.get_mut(service) else { return };
        page.seen_to = page.seen_to.max(end);
        page.sums.iter_mut().for_each(|sums| sums.advance(end));
        if end < now.saturating_sub(STALE_MS) {
            return;
        }
        let sums = &page.sums;
        for (rule, (standing, summary)) in self.rules.iter().zip(&mut page.standings) {
            let holds = match &rule.condition {
                condition @ Condition::Threshold { .. } => {
                    let crossed = condition.crossed(point, window_ms, standing.is_firing());
                    if crossed && let Some(words) = condition.threshold_words(point, window_ms) {
                        *summary = words.into();
                    }
                    crossed
                }
                Condition::Burn { .. } => {
                    let burning = burning(&rule.condition, &self.lengths, sums);
                    if let Some(words) = &burning {
                        *summary = words.as_str().into();
                    }
                    burning.is_some()
                }
                Condition::Silence { .. } => false,
            };
            observe((rule, standing), (start, end), holds, &mut page.marks);
        }
    }

    /// Takes in by how much a late event changed a window: its requests and errors.
    pub fn revised(&mut self, service: &Arc<str>, start: i64, change: (i64, i64)) {
        let page = self.pages.entry(service.clone()).or_insert_with(|| Page {
            sums: self.lengths.iter().map(|length| Sliding::new(*length, self.window_ms)).collect(),
            standings: vec![(Standing::Quiet, Arc::default()); self.rules.len()],
            seen_to: start.saturating_add(self.window_ms),
            marks: VecDeque::new(),
        });
        page.sums.iter_mut().for_each(|sums| sums.add(start, change));
    }

    /// Lets time pass up to a watermark: silence begins, and what nobody can see any more is given up.
    pub fn passed(&mut self, watermark: i64, now: i64) {
        if watermark < now.saturating_sub(STALE_MS) {
            return;
        }
        for page in self.pages.values_mut() {
            let quiet_ms = watermark.saturating_sub(page.seen_to);
            for (rule, (standing, summary)) in self.rules.iter().zip(&mut page.standings) {
                match rule.condition {
                    Condition::Silence { for_ms } if quiet_ms >= for_ms => {
                        *summary = format!("no data since {}", time(page.seen_to).format("%H:%M:%S")).into();
                        let span = (page.seen_to.saturating_add(for_ms), watermark);
                        observe((rule, standing), span, true, &mut page.marks);
                    }
                    Condition::Silence { .. } => {}
                    _ if quiet_ms >= GIVEN_UP_MS && standing.is_firing() => {
                        *summary = "given up: no data for an hour, so nobody knows".into();
                        *standing = Standing::Resolved { since: watermark };
                    }
                    _ => {}
                }
                if matches!(standing, Standing::Resolved { since } if watermark.saturating_sub(*since) >= SHOWN_MS) {
                    *standing = Standing::Quiet;
                }
            }
        }
    }

    /// Forgets the services that nobody knows any more.
    pub fn retain(&mut self, is_known: impl Fn(&str) -> bool) {
        self.pages.retain(|service, _| is_known(service));
    }

    /// How many services there are.
    pub fn len(&self) -> usize {
        self.pages.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// Does what a person wants done about an alert; false when it does not fire.
    pub fn obey(&mut self, order: &AlertOrder, now: i64) -> bool {
        let Some(place) = self.rules.iter().position(|rule| rule.name == order.rule) else { return false };
        let page = self.pages.get_mut(&order.service);
        let Some((Standing::Firing { answered, .. }, _)) = page.and_then(|page| page.standings.get_mut(place)) else {
            return false;
        };
        match &order.answer {
            Answer::Acknowledge(who) => answered.acknowledged = Some((who.clone(), now)),
            Answer::Snooze(until) => answered.snoozed_until = Some(until.timestamp_millis()),
            Answer::Wake => *answered = Answered::default(),
        }
        true
    }

    /// When alerts of a service began and ended, of late.
    pub fn marks(&self, service: &str) -> impl Iterator<Item = Mark> {
        let marks = self.pages.get(service).into_iter().flat_map(|page| &page.marks);
        marks.map(|(at, text)| Mark { at: time(*at), text: text.clone() })
    }

    /// Whether a rule uses saturation.
    pub fn uses_saturation(&self) -> bool {
        let uses = |rule: &Rule| matches!(rule.condition, Condition::Threshold { signal: Signal::Saturation, .. });
        self.rules.iter().any(uses)
    }

    /// The alerts, the worst first, and not more than can be read.
    pub fn alerts(&self) -> Vec<Alert> {
        let pages = self.pages.iter().flat_map(|(service, page)| {
            self.rules.iter().zip(&page.standings).filter_map(|(rule, it)| alert(service, rule, it))
        });
        let mut alerts: Vec<Alert> = pages.collect();
        // `page` comes before `ticket` in the alphabet too.
        alerts.sort_by(|left, right| {
            (left.state, &left.severity, right.since, &left.service, &left.rule).cmp(&(
                right.state,
                &right.severity,
                left.since,
                &right.service,
                &right.rule,
            ))
        });
        alerts.truncate(MOST_ALERTS);
        alerts
    }
}

/// What a window counted, as sums take it.
fn counts(point: &Point) -> (i64, i64) {
    let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    (signed(point.requests), signed(point.errors))
}

/// How fast the budget burns, in words, if it does too fast over both times.
fn burning(condition: &Condition, lengths: &[i64], sums: &[Sliding]) -> Option<String> {
    let Condition::Burn { times, allowed, long_ms, short_ms, min_requests } = condition else { return None };
    let of = |wanted: i64| lengths.iter().position(|length| *length == wanted).and_then(|place| sums.get(place));
    let (long, short_time) = (of(*long_ms)?, of(*short_ms)?);
    let rate = |sums: &Sliding| sums.error_ratio().map(|ratio| ratio / allowed);
    let (over_long, over_short) = (rate(long)?, rate(short_time)?);
    let enough = long.requests() >= *min_requests && long.errors() >= FEWEST_ERRORS;
    let burns = enough && over_long >= *times && over_short >= *times;
    burns.then(|| {
        format!(
            "error budget burns {} times as fast as it may ({}) and {} times ({}); {} is too fast",
            short((over_long * 10.0).round() / 10.0),
            length(*long_ms),
            short((over_short * 10.0).round() / 10.0),
            length(*short_ms),
            short(*times)
        )
    })
}

fn length(ms: i64) -> String {
    crate::model::human::duration(ms / 1_000)
}

fn alert(service: &Arc<str>, rule: &Rule, (standing, summary): &(Standing, Arc<str>)) -> Option<Alert> {
    let nobody = Answered::default();
    let (state, since, answered) = match standing {
        Standing::Quiet => return None,
        Standing::Pending { since } => (AlertState::Pending, *since, &nobody),
        Standing::Firing { since, answered, .. } => (AlertState::Firing, *since, answered),
        Standing::Resolved { since } => (AlertState::Resolved, *since, &nobody),
    };
    Some(Alert {
        rule: rule.name.clone(),
        service: service.clone(),
        severity: Arc::from(rule.severity.word()),
        state,
        since: time(since),
        summary: summary.clone(),
        acknowledged: answered.acknowledged.as_ref().map(|(who, at)| (who.clone(), time(*at))),
        snoozed_until: answered.snoozed_until.map(time),
    })
}

fn time(millis: i64) -> Time {
    Time::from_timestamp_millis(millis).unwrap_or(Time::MAX_UTC)
}

#[cfg(test)]
mod tests;
