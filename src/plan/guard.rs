//! What stands against a change, asked before anything is sent: protection, windows, production, other owners.

use chrono::{Datelike, Timelike, Weekday};
use serde::Serialize;
use serde_json::Value;

use super::forecast::{Effect, Forecast};
use super::manage::about;
use super::object::{Id, PART_OF, annotation, label};
use super::topics::{Finding, Weight};
use super::verb::Verb;
use crate::model::Time;
use crate::model::environment::Protection;

/// Why a change is not made. Each says what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "kebab-case", tag = "refused")]
pub enum Refusal {
    /// The environment may not be changed from here.
    #[error("environment {environment} is read-only: the settings allow no change from here")]
    ReadOnly {
        /// Which.
        environment: String,
    },
    /// The name must be typed.
    #[error("{}: say that you mean {pipeline} with --confirm {pipeline}", self.why())]
    NotConfirmed {
        /// Which.
        environment: String,
        /// The name to type.
        pipeline: String,
    },
    /// Not now.
    #[error("{}; --outside-window REASON goes on, and the audit has the reason", self.why())]
    OutsideWindow {
        /// Which.
        environment: String,
        /// The time.
        now: String,
        /// When changes are allowed.
        windows: String,
    },
    /// A temporary pipeline.
    #[error("{pipeline} is temporary, and nothing temporary goes to production ({environment})")]
    Temporary {
        /// Which pipeline.
        pipeline: String,
        /// Which environment.
        environment: String,
    },
    /// Something else keeps the object as it wants it.
    #[error("{object} belongs to {owner}, which would undo the change: make it in its repository instead")]
    Owned {
        /// The object.
        object: String,
        /// Who keeps it.
        owner: String,
    },
    /// The object is another pipeline's.
    #[error("{object} is part of pipeline {pipeline}: rename the processor, or deploy to another namespace")]
    Foreign {
        /// The object.
        object: String,
        /// Whose it is.
        pipeline: String,
    },
    /// Its last day is over.
    #[error("{pipeline} expired on {day}: flowdeck manage {pipeline} --expires DAY extends it")]
    Expired {
        /// Which pipeline.
        pipeline: String,
        /// Its last day.
        day: String,
    },
    /// Kafka lacks what a job needs.
    #[error("{processor} {message}; this would grant it: {command}; --ignore-topics goes on")]
    Topics {
        /// Which processor.
        processor: String,
        /// What is missing.
        message: String,
        /// What grants it.
        command: String,
    },
    /// State would be lost, and nobody said that they mean it.
    #[error("{}; --accept-state-loss goes on", self.why())]
    StateLoss {
        /// Which processor.
        processor: String,
        /// What would happen.
        effect: &'static str,
        /// Why.
        because: String,
    },
}

/// What somebody may say so that a refusal no longer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remedy {
    /// The name of the pipeline.
    Name,
    /// Why it cannot wait.
    Reason,
    /// That state may be lost.
    Loss,
}

impl Refusal {
    /// Why, without what would help: that is said where it can be done.
    #[must_use]
    pub fn why(&self) -> String {
        match self {
            Self::NotConfirmed { environment, .. } => format!("environment {environment} is protected"),
            Self::OutsideWindow { environment, now, windows } => {
                format!("it is {now}, outside of the change windows of {environment} ({windows})")
            }
            Self::StateLoss { processor, effect, because } => format!("{processor} {effect}: {because}"),
            Self::Topics { processor, message, command } => {
                format!("{processor} {message}; this would grant it: {command}")
            }
            other => other.to_string(),
        }
    }

    /// What would help; `None` when nothing does.
    #[must_use]
    pub const fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::NotConfirmed { .. } => Some(Remedy::Name),
            Self::OutsideWindow { .. } => Some(Remedy::Reason),
            Self::StateLoss { .. } => Some(Remedy::Loss),
            Self::ReadOnly { .. }
            | Self::Temporary { .. }
            | Self::Owned { .. }
            | Self::Foreign { .. }
            | Self::Expired { .. }
            | Self::Topics { .. } => None,
        }
    }
}

/// A time of the week in which changes are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    first: Weekday,
    last: Weekday,
    from_minute: u32,
    to_minute: u32,
}

impl Window {
    /// Reads `Mon-Thu 09:00-16:00` or `Fri 09:00-12:00`, in UTC.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (days, hours) = text.trim().split_once(' ')?;
        let (first, last) = days.split_once('-').unwrap_or((days, days));
        let (from, to) = hours.trim().split_once('-')?;
        let minute = |text: &str| {
            let (hour, minute) = text.split_once(':')?;
            let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
            (hour <= 24 && minute < 60).then_some(hour * 60 + minute)
        };
        let (from_minute, to_minute) = (minute(from)?, minute(to)?);
        let (first, last) = (first.parse().ok()?, last.parse().ok()?);
        (from_minute < to_minute).then_some(Self { first, last, from_minute, to_minute })
    }

    /// Whether a moment is in it.
    #[must_use]
    pub fn contains(&self, now: Time) -> bool {
        let day = now.weekday().days_since(self.first);
        let minute = now.hour() * 60 + now.minute();
        day <= self.last.days_since(self.first) && (self.from_minute..self.to_minute).contains(&minute)
    }
}

/// An environment as its guard knows it.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// Its name.
    pub environment: String,
    /// How freely it may be changed.
    pub protection: Protection,
    /// Whether nothing temporary may run there.
    pub is_production: bool,
    /// When it may be changed, as the settings say it.
    pub windows: Vec<String>,
}

/// What the one who asks has said besides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Consent {
    /// The name that they typed.
    pub typed: Option<String>,
    /// Why it cannot wait for a window.
    pub outside_window: Option<String>,
    /// State may be lost.
    pub accepts_state_loss: bool,
    /// Topics and rights that are missing will be there in time.
    pub ignores_topics: bool,
}

/// Whether a place may be changed at all, now.
#[must_use]
pub fn place(place: &Place, pipeline: &str, consent: &Consent, now: Time) -> Vec<Refusal> {
    let environment = place.environment.clone();
    let mut refusals = Vec::new();
    match place.protection {
        Protection::ReadOnly => refusals.push(Refusal::ReadOnly { environment: environment.clone() }),
        Protection::Protected if consent.typed.as_deref() != Some(pipeline) => {
            refusals.push(Refusal::NotConfirmed { environment: environment.clone(), pipeline: pipeline.to_owned() });
        }
        Protection::Open | Protection::Protected => {}
    }
    // A window that cannot be read is never open: a misspelt rule must not be no rule.
    let open = |window: &String| Window::parse(window).is_some_and(|window| window.contains(now));
    if !place.windows.is_empty() && !place.windows.iter().any(open) && consent.outside_window.is_none() {
        let (now, windows) = (now.format("%a %H:%M UTC").to_string(), place.windows.join(", "));
        refusals.push(Refusal::OutsideWindow { environment, now, windows });
    }
    refusals
}

/// Whether objects as they are may be changed by us.
#[must_use]
pub fn objects<'a>(live: impl Iterator<Item = (&'a Id, &'a Value)>, pipeline: &str) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for (id, object) in live {
        if let Some(owner) = keeper(object) {
            refusals.push(Refusal::Owned { object: id.to_string(), owner });
        }
        if let Some(other) = label(object, PART_OF).filter(|other| *other != pipeline) {
            refusals.push(Refusal::Foreign { object: id.to_string(), pipeline: other.to_owned() });
        }
    }
    refusals
}

/// Whether what is forecast needs a word that it is meant.
#[must_use]
pub fn losses(forecasts: &[Forecast], consent: &Consent) -> Vec<Refusal> {
    let runs_and_goes = |it: &Forecast| it.effect == Effect::Goes && !it.because.is_empty();
    let lost = forecasts.iter().filter(|it| it.effect.is_loss() || runs_and_goes(it));
    lost.filter(|_| !consent.accepts_state_loss)
        .map(|it| Refusal::StateLoss {
            processor: it.processor.clone(),
            effect: it.effect.words(),
            because: it.because.join("; "),
        })
        .collect()
}

/// Whether the last day of a pipeline is over that jobs would run of afterwards.
#[must_use]
pub fn expiry<'a>(live: impl Iterator<Item = &'a Value>, (pipeline, verb): (&str, Verb), now: Time) -> Option<Refusal> {
    if !verb.leads_to_running_jobs() {
        return None;
    }
    let last = live.filter_map(about::expiry).min()?;
    let over = now.date_naive() > last;
    over.then(|| Refusal::Expired { pipeline: pipeline.to_owned(), day: last.to_string() })
}

/// Whether what Kafka lacks stands against it.
#[must_use]
pub fn topics(findings: &[Finding], consent: &Consent) -> Vec<Refusal> {
    let missing = findings.iter().filter(|it| it.weight == Weight::Missing && !consent.ignores_topics);
    let refusal = |it: &Finding| Refusal::Topics {
        processor: it.processor.clone(),
        message: it.message.clone(),
        command: it.command.clone().unwrap_or_default(),
    };
    missing.map(refusal).collect()
}

/// Labels and annotations by which tools mark what they keep.
const KEEPERS: [(&str, &str); 5] = [
    ("argocd.argoproj.io/tracking-id", "Argo CD"),
    ("argocd.argoproj.io/instance", "Argo CD"),
    ("kustomize.toolkit.fluxcd.io/name", "Flux"),
    ("helm.toolkit.fluxcd.io/name", "Flux"),
    ("fluxcd.io/sync-gc-mark", "Flux"),
];
/// Field managers of such tools.
const KEEPER_MANAGERS: [(&str, &str); 4] = [
    ("argocd-controller", "Argo CD"),
    ("argocd-application-controller", "Argo CD"),
    ("kustomize-controller", "Flux"),
    ("helm-controller", "Flux"),
];

/// The tool that keeps an object as a repository has it.
#[must_use]
pub fn keeper(object: &Value) -> Option<String> {
    let by_mark = KEEPERS.iter().find_map(|(name, tool)| {
        let value = label(object, name).or_else(|| annotation(object, name))?;
        Some(format!("{tool} ({value})"))
    });
    by_mark.or_else(|| {
        let managers = object.pointer("/metadata/managedFields")?.as_array()?;
        let managers = managers.iter().filter_map(|entry| entry.get("manager")?.as_str());
        let mut tools = managers.filter_map(|name| KEEPER_MANAGERS.iter().find(|(manager, _)| *manager == name));
        tools.next().map(|(manager, tool)| format!("{tool} ({manager})"))
    })
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;
    use serde_json::json;

    use super::*;
    use crate::plan::object::Kind;

    fn at(day: u32, hour: u32) -> Time {
        // The first of June 2026 is a Monday.
        chrono::Utc.with_ymd_and_hms(2026, 6, day, hour, 30, 0).unwrap()
    }

    #[test]
    fn windows_hold() {
        let window = Window::parse("Mon-Thu 09:00-16:00").unwrap();
        assert!(window.contains(at(1, 9)) && window.contains(at(4, 15)));
        assert!(!window.contains(at(5, 9)) && !window.contains(at(1, 8)) && !window.contains(at(1, 16)));
        assert!(Window::parse("Sat-Mon 00:00-24:00").unwrap().contains(at(1, 23)));
        for text in ["", "Mon", "Foo 09:00-10:00", "Mon 10:00-09:00", "Mon 9-10", "Mon 09:70-10:00"] {
            assert_eq!(Window::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_protected_place_wants_the_name_and_a_read_only_one_nothing() {
        let place_of = |protection| Place { environment: "prd".into(), protection, ..Place::default() };
        let typed = |name: &str| Consent { typed: Some(name.into()), ..Consent::default() };
        let ask = |protection, consent: &Consent| place(&place_of(protection), "em", consent, at(1, 9)).len();
        assert_eq!(ask(Protection::Open, &Consent::default()), 0);
        assert_eq!(ask(Protection::Protected, &Consent::default()), 1);
        assert_eq!(ask(Protection::Protected, &typed("other")), 1);
        assert_eq!(ask(Protection::Protected, &typed("em")), 0);
        assert_eq!(ask(Protection::ReadOnly, &typed("em")), 1);
    }

    #[test]
    fn a_window_that_cannot_be_read_is_shut() {
        let closed = Place { windows: vec!["Mon-Fri 9-17".into()], ..Place::default() };
        assert_eq!(place(&closed, "em", &Consent::default(), at(1, 10)).len(), 1);
        let meant = Consent { outside_window: Some("SEV-1".into()), ..Consent::default() };
        assert!(place(&closed, "em", &meant, at(1, 10)).is_empty());
    }

    #[test]
    fn objects_of_others_are_left_alone() {
        let id = Id::new(Kind::FlinkDeployment, "n", "orders");
        let ask = |object: Value| {
            let words: Vec<String> =
                objects([(&id, &object)].into_iter(), "em").iter().map(ToString::to_string).collect();
            words.join("\n")
        };
        assert_eq!(ask(json!({"metadata": {"labels": {PART_OF: "em"}}})), "");
        assert!(ask(json!({"metadata": {"labels": {PART_OF: "shop"}}})).contains("part of pipeline shop"));
        let argo = json!({"metadata": {"annotations": {"argocd.argoproj.io/tracking-id": "shop:apps/x"}}});
        assert!(ask(argo).contains("belongs to Argo CD (shop:apps/x)"));
        let flux = json!({"metadata": {"managedFields": [{"manager": "kustomize-controller"}]}});
        assert!(ask(flux).contains("Flux"));
    }
}
