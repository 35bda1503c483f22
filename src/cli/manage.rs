//! `flowdeck manage`, `flowdeck autoscale`, `flowdeck role`: what stands around a pipeline's jobs, shown and edited.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use clap::Args;
use serde::Serialize;

use super::change::{Changing, at_desk, now};
use super::{Failure, exit, output};
use crate::plan::manage::about::{About, Setting};
use crate::plan::manage::edit::{Edit, last_day, memory_percent};
use crate::plan::manage::identity::{Claim, Part};
use crate::plan::manage::role::AccountView;
use crate::plan::manage::scaling::{Scaling, ScalingView};
use crate::plan::verb::Verb;
use crate::runtime::deploy::manage;
use crate::runtime::deploy::order::Order;
use crate::settings::Settings;

/// Arguments of `flowdeck manage`.
#[derive(Clone, Debug, Args)]
pub struct Manage {
    /// The pipeline
    pipeline: String,
    /// A label: NAME=VALUE, or NAME- to take it away; may be given more than once
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = setting)]
    labels: Vec<Setting>,
    /// A link to another tool: NAME=URL, or NAME- to take it away; may be given more than once
    #[arg(long = "link", value_name = "NAME=URL", value_parser = setting)]
    links: Vec<Setting>,
    /// Who answers for it
    #[arg(long)]
    team: Option<String>,
    /// The last day of a temporary pipeline: 2026-12-31, or never
    #[arg(long, value_name = "DAY", value_parser = expiry)]
    expires: Option<Expiry>,
    /// Whose it is: own or third-party; of what flowdeck deployed, as a new revision of its manifest, as the next two are
    #[arg(long, value_parser = owner, conflicts_with_all = ["labels", "links", "team", "expires"])]
    owner: Option<Claim>,
    /// Who may find it: public or private
    #[arg(long, value_parser = visibility, conflicts_with_all = ["labels", "links", "team", "expires"])]
    visibility: Option<Claim>,
    /// What it is for; empty takes it away
    #[arg(long, value_parser = description, conflicts_with_all = ["labels", "links", "team", "expires"])]
    description: Option<Claim>,
    #[command(flatten)]
    changing: Changing,
}

/// Arguments of `flowdeck autoscale`.
#[derive(Clone, Debug, Args)]
pub struct Autoscale {
    /// The pipeline
    pipeline: String,
    /// One of its processors
    processor: Option<String>,
    /// Let the operator's autoscaler, or a HorizontalPodAutoscaler, decide the size
    #[arg(long, conflicts_with = "off")]
    on: bool,
    /// Decide the size by hand
    #[arg(long)]
    off: bool,
    /// Least parallelism of a vertex; of plain workloads, TaskManagers
    #[arg(long, value_name = "NUMBER")]
    min: Option<u32>,
    /// Most of them
    #[arg(long, value_name = "NUMBER")]
    max: Option<u32>,
    /// How busy they should be, percent; of plain workloads, of the cpu that they ask for
    #[arg(long, visible_alias = "target-cpu", value_name = "PERCENT")]
    target: Option<u32>,
    /// How much of the memory that they ask for plain workloads should use, percent; none goes by it no longer
    #[arg(long, value_name = "PERCENT", value_parser = memory)]
    target_memory: Option<Memory>,
    #[command(flatten)]
    changing: Changing,
}

/// Arguments of `flowdeck role`.
#[derive(Clone, Debug, Args)]
pub struct Role {
    /// The pipeline
    pipeline: String,
    /// The role, such as `arn:aws:iam::123456789012:role/NAME`
    #[arg(long, value_name = "ARN", conflicts_with = "remove")]
    set: Option<String>,
    /// Take the role away
    #[arg(long)]
    remove: bool,
    /// Which service account, where processors have several
    #[arg(long, value_name = "NAME")]
    service_account: Option<String>,
    #[command(flatten)]
    changing: Changing,
}

/// A share of memory; `None` takes it away.
#[derive(Clone, Copy, Debug)]
struct Memory(Option<u32>);

fn memory(text: &str) -> Result<Memory, String> {
    memory_percent(text).map(Memory)
}

/// The last day; `None` means for good.
#[derive(Clone, Copy, Debug)]
struct Expiry(Option<NaiveDate>);

fn owner(text: &str) -> Result<Claim, String> {
    Part::Owner.read(text)
}

fn visibility(text: &str) -> Result<Claim, String> {
    Part::Visibility.read(text)
}

fn description(text: &str) -> Result<Claim, String> {
    Part::Description.read(text)
}

fn setting(text: &str) -> Result<Setting, String> {
    Setting::parse(text).ok_or_else(|| "write NAME=VALUE, or NAME- to take it away".to_owned())
}

fn expiry(text: &str) -> Result<Expiry, String> {
    last_day(text).map(Expiry)
}

fn order(changing: &Changing) -> Order {
    Order { verb: Verb::Manage, note: String::new(), ownership: changing.ownership(), now: now() }
}

/// Prints what was found: as JSON, or in lines.
fn show<T: Serialize>(found: &[T], changing: &Changing, lines: impl Fn(&T) -> String) -> Result<u8, Failure> {
    output::print(&if changing.is_json() {
        serde_json::to_string_pretty(found)? + "\n"
    } else {
        output::clean_lines(&found.iter().map(lines).collect::<String>())
    })?;
    Ok(exit::OK)
}

/// `flowdeck manage`.
pub fn manage(arguments: &Manage, settings: &Settings) -> Result<u8, Failure> {
    let about = About {
        labels: arguments.labels.clone(),
        links: arguments.links.clone(),
        team: arguments.team.clone(),
        expires: arguments.expires.map(|Expiry(day)| day),
    };
    let claims: Vec<Claim> =
        [&arguments.owner, &arguments.visibility, &arguments.description].into_iter().flatten().cloned().collect();
    let edit = if claims.is_empty() { Edit::About(about) } else { Edit::Identity(claims) };
    at_desk(settings, async |desk| {
        if edit == Edit::About(About::default()) {
            let found = manage::about(&desk, &arguments.pipeline).await?;
            return show(&found, &arguments.changing, |it| {
                let or_none = |text: String| if text.is_empty() { "none".to_owned() } else { text };
                let said: String = it.identity.iter().map(|(word, value)| format!("  {word:<11} {value}\n")).collect();
                format!(
                    "{}\n{said}  team     {}\n  expires  {}\n  labels   {}\n  links    {}\n",
                    it.processor,
                    it.team.as_deref().unwrap_or("none"),
                    it.expires.as_deref().unwrap_or("never"),
                    or_none(pairs(&it.labels)),
                    or_none(pairs(&it.links))
                )
            });
        }
        let order = order(&arguments.changing);
        let wish = manage::edit(&desk, &arguments.pipeline, &edit, &order).await?;
        arguments.changing.carry_out(&desk, wish).await
    })
}

fn pairs(map: &BTreeMap<String, String>) -> String {
    map.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

/// `flowdeck autoscale`.
pub fn autoscale(arguments: &Autoscale, settings: &Settings) -> Result<u8, Failure> {
    let on = (arguments.on || arguments.off).then_some(arguments.on);
    let scaling = Scaling {
        on,
        least: arguments.min,
        most: arguments.max,
        target_percent: arguments.target,
        memory_percent: arguments.target_memory.map(|Memory(percent)| percent),
    };
    if let Some(problem) = scaling.problem() {
        return Err(Failure::usage(anyhow::anyhow!(problem)));
    }
    at_desk(settings, async |desk| {
        let (pipeline, processor) = (arguments.pipeline.as_str(), &arguments.processor);
        if scaling.is_empty() {
            let mut found = manage::scaling(&desk, pipeline).await?;
            found.retain(|it| processor.as_deref().is_none_or(|name| name.eq_ignore_ascii_case(&it.processor)));
            return show(&found, &arguments.changing, scaling_lines);
        }
        let order = order(&arguments.changing);
        let wish =
            manage::edit(&desk, pipeline, &Edit::Scaling { processor: processor.clone(), scaling }, &order).await?;
        arguments.changing.carry_out(&desk, wish).await
    })
}

fn scaling_lines(view: &ScalingView) -> String {
    let by = match view.by {
        Some("operator") => "the operator's autoscaler",
        Some(_) => "a HorizontalPodAutoscaler",
        None => "nobody: its size is set by hand",
    };
    let mut text = format!("{}\n  decided by  {by}\n", view.processor);
    let limits = [
        ("least", view.least),
        ("most", view.most),
        (if view.by == Some("hpa") { "cpu, %" } else { "target, %" }, view.target_percent),
        ("memory, %", view.memory_percent),
    ];
    for (word, value) in limits.into_iter().filter_map(|(word, value)| Some((word, value?))) {
        text += &format!("  {word:<10}  {value}\n");
    }
    if !view.settings.is_empty() {
        text += &format!("  settings    {}\n", pairs(&view.settings));
    }
    if let Some(seen) = &view.seen {
        text += &format!("  now         {seen}\n");
    }
    if let Some(chosen) = &view.chosen {
        text += &format!("  chosen      {chosen}\n");
    }
    for decision in &view.decisions {
        text += &format!("  {}  {}: {}\n", decision.at, decision.reason, decision.message);
    }
    text
}

/// `flowdeck role`.
pub fn role(arguments: &Role, settings: &Settings) -> Result<u8, Failure> {
    at_desk(settings, async |desk| {
        if arguments.set.is_none() && !arguments.remove {
            let found = manage::accounts(&desk, &arguments.pipeline).await?;
            return show(&found, &arguments.changing, account_lines);
        }
        let order = order(&arguments.changing);
        let edit = Edit::Role { account: arguments.service_account.clone(), role: arguments.set.clone() };
        let wish = manage::edit(&desk, &arguments.pipeline, &edit, &order).await?;
        let code = arguments.changing.carry_out(&desk, wish).await?;
        if code == exit::OK && !arguments.changing.is_dry_run() {
            output::complain(&output::clean(&format!(
                "pods that run keep the role they have: flowdeck restart {} gives them this one",
                arguments.pipeline
            )));
        }
        Ok(code)
    })
}

fn account_lines(view: &AccountView) -> String {
    let missing = if view.exists { "" } else { " (is not there: its pods cannot be made)" };
    let mut text = format!(
        "{}{missing}\n  role        {}\n  processors  {}\n",
        view.account,
        view.role.as_deref().unwrap_or("none"),
        view.processors.join(", ")
    );
    for right in &view.rights {
        let word = match right.allowed {
            Some(true) => "may",
            Some(false) => "may not",
            None => "not known",
        };
        text += &format!("  {word:<10}  {} ({})\n", right.what, right.used_for);
    }
    text
}
