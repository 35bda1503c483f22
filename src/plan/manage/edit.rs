//! One edit of what stands around a pipeline's jobs: which row it is of, what may be typed there, and what that asks for.

use chrono::NaiveDate;

use super::about::{About, NEVER, Setting};
use super::identity::{Claim, Part};
use super::role::is_role;
use super::scaling::Scaling;

/// An edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Labels, links, team, last day.
    About(About),
    /// Whose it is, what it is for, who may find it.
    Identity(Vec<Claim>),
    /// How sizes are decided.
    Scaling {
        /// Of which processor; else of all.
        processor: Option<String>,
        /// How.
        scaling: Scaling,
    },
    /// A service account's role.
    Role {
        /// Which account; not needed where there is one.
        account: Option<String>,
        /// The role; `None` takes it away.
        role: Option<String>,
    },
}

impl Edit {
    /// What it edits, in a few words.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::About(about) => about.words(),
            Self::Identity(claims) => claims.iter().map(|it| it.part.word()).collect::<Vec<_>>().join(", "),
            Self::Scaling { processor: Some(processor), .. } => format!("how the size of {processor} is decided"),
            Self::Scaling { processor: None, .. } => "how its size is decided".to_owned(),
            Self::Role { account: Some(account), .. } => format!("the role of {account}"),
            Self::Role { account: None, .. } => "the role of its service account".to_owned(),
        }
    }
}

/// A limit of a size that something decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// The least.
    Least,
    /// The most.
    Most,
    /// How busy, percent.
    Target,
    /// How much of the memory, percent.
    Memory,
}

/// Something that can be edited by one line.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Handle {
    /// Who answers for the pipeline.
    Team,
    /// Whose it is, what it is for, who may find it.
    Identity(Part),
    /// Its last day.
    Expires,
    /// A label; without a name a new one.
    Label(Option<String>),
    /// A link; without a name a new one.
    Link(Option<String>),
    /// Whether something decides the size of a processor.
    Scaled(String),
    /// Within which limits.
    Limit(String, Limit),
    /// The role of a service account.
    Role(String),
}

impl Handle {
    /// What may be typed.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match self {
            Self::Team => "who answers for the pipeline",
            Self::Identity(part) => part.help(),
            Self::Expires => "the last day, such as 2026-12-31, or never; after it the pipeline is not started again",
            Self::Label(Some(_)) => "the label's value; nothing takes the label away",
            Self::Label(None) => "a new label: NAME=VALUE",
            Self::Link(Some(_)) => "an address that begins with http:// or https://; nothing takes the link away",
            Self::Link(None) => "a new link: NAME=https://…",
            Self::Scaled(_) => "on lets the operator's autoscaler or a HorizontalPodAutoscaler decide it; off does not",
            Self::Limit(_, Limit::Least) => "the least parallelism of a vertex; of plain workloads, TaskManagers",
            Self::Limit(_, Limit::Most) => "the most parallelism of a vertex; of plain workloads, TaskManagers",
            Self::Limit(_, Limit::Target) => {
                "how busy it should be, from 1 to 100 percent; of plain workloads, of the cpu that their pods ask for"
            }
            Self::Limit(_, Limit::Memory) => {
                "how much of the memory that its pods ask for it should use, from 1 to 100 percent; none goes by it no longer"
            }
            Self::Role(_) => "arn:aws:iam::123456789012:role/NAME; nothing takes the role away",
        }
    }

    /// What a typed line asks for.
    ///
    /// # Errors
    /// With what is wrong with it.
    pub fn read(&self, typed: &str) -> Result<Edit, String> {
        let typed = typed.trim();
        match self {
            Self::Team if typed.is_empty() => Err("somebody has to answer for it".to_owned()),
            Self::Team => Ok(Edit::About(About { team: Some(typed.to_owned()), ..About::default() })),
            Self::Identity(part) => Ok(Edit::Identity(vec![part.read(typed)?])),
            Self::Expires => {
                let day = last_day(typed)?;
                Ok(Edit::About(About { expires: Some(day), ..About::default() }))
            }
            Self::Label(name) => {
                let about = About { labels: vec![setting(name.as_deref(), typed)?], ..About::default() };
                about.problem().map_or(Ok(Edit::About(about)), Err)
            }
            Self::Link(name) => {
                let about = About { links: vec![setting(name.as_deref(), typed)?], ..About::default() };
                about.problem().map_or(Ok(Edit::About(about)), Err)
            }
            Self::Scaled(processor) => {
                let on = match typed {
                    "on" => true,
                    "off" => false,
                    _ => return Err("type on or off".to_owned()),
                };
                scaling(processor, Scaling { on: Some(on), ..Scaling::default() })
            }
            Self::Limit(processor, Limit::Memory) => {
                let memory_percent = Some(memory_percent(typed)?);
                scaling(processor, Scaling { memory_percent, ..Scaling::default() })
            }
            Self::Limit(processor, limit) => {
                let number: u32 = typed.parse().map_err(|_| "type a number".to_owned())?;
                let none = Scaling::default();
                let edit = match limit {
                    Limit::Least => Scaling { least: Some(number), ..none },
                    Limit::Most => Scaling { most: Some(number), ..none },
                    Limit::Target => Scaling { target_percent: Some(number), ..none },
                    Limit::Memory => Scaling { memory_percent: Some(Some(number)), ..none },
                };
                scaling(processor, edit)
            }
            Self::Role(account) => {
                let role = (!typed.is_empty()).then(|| typed.to_owned());
                if role.as_deref().is_some_and(|it| !is_role(it)) {
                    return Err("that is no role: arn:aws:iam::123456789012:role/NAME is one".to_owned());
                }
                Ok(Edit::Role { account: Some(account.clone()), role })
            }
        }
    }
}

/// Reads a share of memory, or `none`.
///
/// # Errors
/// When it is neither.
pub fn memory_percent(text: &str) -> Result<Option<u32>, String> {
    if text == "none" {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| "type a number from 1 to 100, or none".to_owned())
}

/// Reads a last day, or `never`.
///
/// # Errors
/// When it is neither.
pub fn last_day(text: &str) -> Result<Option<NaiveDate>, String> {
    if text == NEVER {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| "write a day as 2026-12-31, or never".to_owned())
}

fn setting(name: Option<&str>, typed: &str) -> Result<Setting, String> {
    match name {
        Some(name) => Ok(Setting { name: name.to_owned(), value: (!typed.is_empty()).then(|| typed.to_owned()) }),
        None => Setting::parse(typed).filter(|it| it.value.is_some()).ok_or_else(|| "write NAME=VALUE".to_owned()),
    }
}

fn scaling(processor: &str, scaling: Scaling) -> Result<Edit, String> {
    match scaling.problem() {
        Some(problem) => Err(problem.to_owned()),
        None => Ok(Edit::Scaling { processor: Some(processor.to_owned()), scaling }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_asks_for_what_its_row_is_about_or_says_what_is_wrong() {
        let none = About::default();
        let read = |handle: Handle, typed: &str| handle.read(typed);
        assert_eq!(read(Handle::Expires, " never "), Ok(Edit::About(About { expires: Some(None), ..none.clone() })));
        let cost = |value: Option<&str>| Setting { name: "cost".into(), value: value.map(str::to_owned) };
        let labels = |setting: Setting| Ok(Edit::About(About { labels: vec![setting], ..none.clone() }));
        assert_eq!(read(Handle::Label(None), "cost=42"), labels(cost(Some("42"))));
        assert_eq!(read(Handle::Label(Some("cost".into())), ""), labels(cost(None)));
        let off = Scaling { on: Some(false), ..Scaling::default() };
        assert_eq!(
            read(Handle::Scaled("a".into()), "off"),
            Ok(Edit::Scaling { processor: Some("a".into()), scaling: off })
        );
        let memory = |percent: Option<u32>| {
            let scaling = Scaling { memory_percent: Some(percent), ..Scaling::default() };
            Ok(Edit::Scaling { processor: Some("a".into()), scaling })
        };
        for (typed, percent) in [("80", Some(80)), ("none", None)] {
            assert_eq!(read(Handle::Limit("a".into(), Limit::Memory), typed), memory(percent));
        }
        for (handle, typed, part) in [
            (Handle::Team, " ", "somebody"),
            (Handle::Expires, "tomorrow", "2026-12-31"),
            (Handle::Label(None), "cost", "NAME=VALUE"),
            (Handle::Label(None), "app=x", "belongs together"),
            (Handle::Label(None), "cost=a b", "letters"),
            (Handle::Link(None), "Runbook=ftp://x", "https://"),
            (Handle::Link(None), "Run book=https://x", "letters"),
            (Handle::Scaled("a".into()), "yes", "on or off"),
            (Handle::Limit("a".into(), Limit::Least), "0", "1 or more"),
            (Handle::Limit("a".into(), Limit::Target), "101", "percent"),
            (Handle::Limit("a".into(), Limit::Memory), "101", "percent"),
            (Handle::Limit("a".into(), Limit::Memory), "", "or none"),
            (Handle::Role("flink".into()), "admin", "is no role"),
        ] {
            let wrong = read(handle.clone(), typed).unwrap_err();
            assert!(wrong.contains(part), "{handle:?} {typed}: {wrong}");
        }
    }
}
