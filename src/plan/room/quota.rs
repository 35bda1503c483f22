//! `ResourceQuota` and `LimitRange`, with the API server's own arithmetic.

use serde_json::Value;

use super::amounts::{self, Amounts};
use super::pods::{Fleet, Replacement, Shape};
use super::{Demand, Finding, Weight, pods_word};
use crate::plan::object::scalar;

/// Fills in what the namespace's limits say for containers that say nothing themselves.
pub(super) fn defaulted(shape: &mut Shape, ranges: &[Value]) {
    for item in ranges.iter().flat_map(|range| items(range, "Container")) {
        let (limits, requests) = (amounts::amounts(item.get("default")), amounts::amounts(item.get("defaultRequest")));
        for container in &mut shape.containers {
            for (own, defaults) in [(&mut container.limits, &limits), (&mut container.requests, &requests)] {
                for (name, amount) in defaults {
                    own.entry(name.clone()).or_insert(*amount);
                }
            }
        }
    }
}

fn items<'a>(range: &'a Value, kind: &'a str) -> impl Iterator<Item = &'a Value> {
    let items = range.pointer("/spec/limits").and_then(Value::as_array).into_iter().flatten();
    items.filter(move |item| item.get("type").and_then(Value::as_str) == Some(kind))
}

/// What limits of the namespace forbid.
pub(super) fn limits(demands: &[Demand<'_>], ranges: &[Value]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for range in ranges {
        for Demand { fleet, .. } in demands.iter().filter(|it| makes_pods(it)) {
            let whole = format!("{}'s {}", fleet.processor, fleet.role);
            for item in items(range, "Container") {
                for container in &fleet.shape.containers {
                    let what = format!("container {} of {whole}", container.name);
                    let sizes = (&container.requests, &container.limits);
                    findings.extend(beyond((range, item), &what, sizes));
                }
            }
            for item in items(range, "Pod") {
                let (requests, limits) = (fleet.shape.requests(), fleet.shape.limits());
                findings.extend(beyond(
                    (range, item),
                    &format!("a {} of {}", fleet.role, fleet.processor),
                    (&requests, &limits),
                ));
            }
        }
    }
    findings
}

fn makes_pods(demand: &Demand<'_>) -> bool {
    demand.fleet.count > 0 && (demand.more() > 0 || demand.fleet.replaced)
}

/// How a size breaks one rule of a `LimitRange`.
fn beyond((range, item): (&Value, &Value), what: &str, (requests, limits): (&Amounts, &Amounts)) -> Vec<Finding> {
    let name = name(range);
    let mut findings = Vec::new();
    let mut say = |words: String| {
        findings.push(Finding::new(Weight::Refused, format!("limit range {name} {words}")));
    };
    for (resource, most) in amounts::amounts(item.get("max")) {
        let most_words = amounts::word(&resource, most);
        match limits.get(&resource) {
            None => say(format!("wants a limit of {resource} in {what}, and there is none")),
            Some(limit) if *limit > most => {
                say(format!("allows {what} {most_words} at most, and it may use {}", amounts::word(&resource, *limit)));
            }
            Some(_) => {}
        }
    }
    for (resource, least) in amounts::amounts(item.get("min")) {
        let asked = requests.get(&resource).copied().unwrap_or_default();
        if asked < least {
            let (least, asked) = (amounts::word(&resource, least), amounts::word(&resource, asked));
            say(format!("allows {what} no less than {least}, and it asks for {asked}"));
        }
    }
    for (resource, ratio) in item.get("maxLimitRequestRatio").and_then(Value::as_object).into_iter().flatten() {
        let ratio_of = |amount: u64| u128::from(amount) * 1_000;
        let most = scalar(ratio).and_then(|text| crate::model::quantity::cpu_millis(&text));
        let (asked, most_used) = (requests.get(resource), limits.get(resource));
        if let (Some(most), Some(asked), Some(limit)) = (most, asked.filter(|it| **it > 0), most_used)
            && ratio_of(*limit) > u128::from(*asked) * u128::from(most)
        {
            say(format!("allows {what} a limit of {resource} no more than {ratio} times what it asks for"));
        }
    }
    findings
}

/// What a quota says; nothing when it does not count such pods.
pub(super) fn look(quota: &Value, demands: &[Demand<'_>]) -> Option<Finding> {
    let demands: Vec<&Demand<'_>> = demands.iter().filter(|it| counts(quota, &it.fleet.shape)).collect();
    let hard = amounts::amounts(quota.pointer("/status/hard").or_else(|| quota.pointer("/spec/hard")));
    let used = amounts::amounts(quota.pointer("/status/used"));
    let about_pods: Vec<&String> = hard.keys().filter(|name| measure(name).is_some()).collect();
    if about_pods.is_empty() || !demands.iter().any(|it| makes_pods(it)) {
        return None;
    }
    let name = name(quota);
    if let Some(words) = unnamed(&about_pods, &demands) {
        return Some(Finding::new(Weight::Refused, format!("quota {name} {words}")));
    }
    let lines: Vec<Line> = about_pods.iter().map(|resource| Line::of(resource, (&hard, &used), &demands)).collect();
    let more: usize = demands.iter().map(|it| it.more()).sum();
    let short: Vec<String> = lines.iter().filter(|it| it.lasting > it.free).map(Line::short).collect();
    if !short.is_empty() {
        let (wanted, fitting) = fitting(&lines, &demands);
        let room = match more {
            0 => format!("has room for {fitting} of {wanted} {} that come again", pods_word(wanted)),
            more => {
                let missing = wanted.saturating_sub(fitting);
                format!("has room for {} of the {more} more {}", more.saturating_sub(missing), pods_word(more))
            }
        };
        return Some(Finding::new(Weight::Refused, format!("quota {name} {room}: {}", short.join("; "))));
    }
    let passing: Vec<String> = lines.iter().filter(|it| it.passing > it.free).map(Line::short_meanwhile).collect();
    if !passing.is_empty() {
        let words = format!(
            "quota {name} has room for the new pods, but not beside the old ones: {}; the replacement would stand still",
            passing.join("; ")
        );
        return Some(Finding::new(Weight::Refused, words));
    }
    let said: Vec<String> = lines.iter().map(Line::fits).collect();
    Some(Finding::new(Weight::Fits, format!("quota {name} has enough: {}", said.join(", "))))
}

fn name(object: &Value) -> &str {
    object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default()
}

/// What a line of a quota measures of a pod; `None` for what is not about pods.
fn measure(resource: &str) -> Option<(bool, &str)> {
    match resource {
        "pods" | "count/pods" => Some((true, "pods")),
        "cpu" | "memory" | "ephemeral-storage" => Some((true, resource)),
        "requests.storage" => None,
        other => match (other.strip_prefix("requests."), other.strip_prefix("limits.")) {
            (Some(name), _) => Some((true, name)),
            (_, Some(name)) => Some((false, name)),
            (None, None) => None,
        },
    }
}

fn measured(resource: &str, requests: &Amounts, limits: &Amounts) -> u64 {
    match measure(resource) {
        Some((true, "pods")) => 1,
        Some((true, name)) => requests.get(name).copied().unwrap_or_default(),
        Some((false, name)) => limits.get(name).copied().unwrap_or_default(),
        None => 0,
    }
}

/// One line of a quota against all pods that it counts.
struct Line {
    resource: String,
    hard: u64,
    used: u64,
    /// What is left when those pods are not counted that the change is about.
    free: u64,
    /// What those pods take now.
    mine: u64,
    /// What they take when all is done.
    lasting: u64,
    /// What they take at most while they are replaced.
    passing: u64,
}

impl Line {
    fn of(resource: &str, (hard, used): (&Amounts, &Amounts), demands: &[&Demand<'_>]) -> Self {
        let of = |amounts: &Amounts| amounts.get(resource).copied().unwrap_or_default();
        let (hard, used) = (of(hard), of(used));
        let (mut mine, mut lasting, mut passing) = (0_u64, 0_u64, 0_u64);
        for demand in demands {
            let Fleet { shape, count, replaced, replacement, .. } = demand.fleet;
            let each = measured(resource, &shape.requests(), &shape.limits());
            let there = demand.existing.iter().map(|pod| measured(resource, &pod.requests, &pod.limits));
            let there = there.fold(0_u64, u64::saturating_add);
            let there = if demand.existing.is_empty() { times(each, demand.supposed) } else { there };
            let all = times(each, *count);
            let beside = match (*replaced, *replacement) {
                (true, Replacement::OneByOne) => there.saturating_add(times(each, demand.more())),
                (true, Replacement::NewFirst(surge)) if demand.now() > 0 => {
                    there.saturating_add(times(each, demand.more().saturating_add(surge)))
                }
                _ => 0,
            };
            mine = mine.saturating_add(there);
            lasting = lasting.saturating_add(all);
            passing = passing.saturating_add(all.max(beside));
        }
        let others = used.saturating_sub(mine);
        Self { resource: resource.to_owned(), hard, used, free: hard.saturating_sub(others), mine, lasting, passing }
    }

    fn short(&self) -> String {
        self.said(self.lasting)
    }

    fn short_meanwhile(&self) -> String {
        format!("{} for a while", self.said(self.passing))
    }

    /// What is used of what there is, and what would be.
    fn said(&self, then: u64) -> String {
        let Self { resource, hard, used, mine, .. } = self;
        let then = used.saturating_sub(*mine).saturating_add(then);
        let word = |amount: u64| amounts::word(resource, amount);
        format!("{resource} {} of {} used, and it would be {}", word(*used), word(*hard), word(then))
    }

    fn fits(&self) -> String {
        let Self { resource, hard, used, mine, lasting, .. } = self;
        let then = used.saturating_sub(*mine).saturating_add(*lasting);
        format!("{resource} {} of {}", amounts::word(resource, then), amounts::word(resource, *hard))
    }
}

fn times(each: u64, count: usize) -> u64 {
    each.saturating_mul(u64::try_from(count).unwrap_or(u64::MAX))
}

/// How many of all wanted pods get through, JobManagers first.
fn fitting(lines: &[Line], demands: &[&Demand<'_>]) -> (usize, usize) {
    let mut free: Vec<u64> = lines.iter().map(|line| line.free).collect();
    let (mut wanted, mut fitting) = (0, 0);
    let mut sorted: Vec<&&Demand<'_>> = demands.iter().collect();
    sorted.sort_by_key(|it| it.fleet.role);
    for Demand { fleet, .. } in sorted {
        let (requests, limits) = (fleet.shape.requests(), fleet.shape.limits());
        let each: Vec<u64> = lines.iter().map(|line| measured(&line.resource, &requests, &limits)).collect();
        let through = free.iter().zip(&each).filter(|(_, each)| **each > 0).map(|(free, each)| free / each).min();
        let through = through.map_or(fleet.count, |it| usize::try_from(it).unwrap_or(usize::MAX)).min(fleet.count);
        free.iter_mut().zip(&each).for_each(|(free, each)| *free = free.saturating_sub(times(*each, through)));
        wanted += fleet.count;
        fitting += through;
    }
    (wanted, fitting)
}

/// A quota on CPU or memory wants each container to name them.
fn unnamed(lines: &[&String], demands: &[&Demand<'_>]) -> Option<String> {
    for Demand { fleet, .. } in demands.iter().filter(|it| makes_pods(it)) {
        for resource in lines {
            let Some((of_requests, name)) = measure(resource).filter(|(_, name)| ["cpu", "memory"].contains(name))
            else {
                continue;
            };
            let amounts =
                |it: &super::pods::Container| if of_requests { it.requests.clone() } else { it.limits.clone() };
            let of_pod = if of_requests { &fleet.shape.whole.0 } else { &fleet.shape.whole.1 };
            let lacks = |it: &&super::pods::Container| !of_pod.contains_key(name) && !amounts(it).contains_key(name);
            if let Some(container) = fleet.shape.containers.iter().find(lacks) {
                let Fleet { processor, role, .. } = fleet;
                return Some(format!(
                    "wants {resource} to be named by every container, and {} of {processor}'s {role} does not",
                    container.name
                ));
            }
        }
    }
    None
}

/// Whether a quota counts such pods.
fn counts(quota: &Value, shape: &Shape) -> bool {
    let has_size = |it: &super::pods::Container| !it.requests.is_empty() || !it.limits.is_empty();
    let best_effort = !shape.containers.iter().any(has_size);
    let scopes = quota.pointer("/spec/scopes").and_then(Value::as_array).into_iter().flatten();
    let plain = scopes.filter_map(Value::as_str).all(|scope| in_scope(scope, best_effort));
    let terms = quota.pointer("/spec/scopeSelector/matchExpressions").and_then(Value::as_array).into_iter().flatten();
    let class = shape.place.get("priorityClassName").and_then(Value::as_str);
    let selected = |term: &Value| {
        let text = |name: &str| term.get(name).and_then(Value::as_str).unwrap_or_default();
        if text("scopeName") != "PriorityClass" {
            return in_scope(text("scopeName"), best_effort);
        }
        let values = term.get("values").and_then(Value::as_array).into_iter().flatten();
        let named = values.filter_map(Value::as_str).any(|value| Some(value) == class);
        match text("operator") {
            "In" => named,
            "NotIn" => !named,
            "Exists" => class.is_some(),
            "DoesNotExist" => class.is_none(),
            _ => true,
        }
    };
    let mut terms = terms;
    plain && terms.all(selected)
}

/// Flink's pods have no deadline.
fn in_scope(scope: &str, best_effort: bool) -> bool {
    match scope {
        "Terminating" | "CrossNamespacePodAffinity" => false,
        "BestEffort" => best_effort,
        "NotBestEffort" => !best_effort,
        _ => true,
    }
}
