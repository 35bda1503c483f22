//! What nodes have left, and which of them could hold the pods of a change.

use std::collections::BTreeMap;

use serde_json::Value;

use super::amounts::{self, Amounts};
use super::pods::{Fleet, Shape};
use super::{Demand, Finding, Site, Weight, pods_word};
use crate::plan::object::scalar;

/// Nodes that are named.
const NAMED: usize = 5;

/// A node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// What it has for pods, `pods` among it.
    pub allocatable: Amounts,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Taints that keep pods away: key, value, effect.
    pub taints: Vec<(String, String, String)>,
    /// Whether it takes pods: it is ready, and nobody has cordoned it.
    pub is_open: bool,
}

impl Node {
    /// Reads a node.
    #[must_use]
    pub fn of(node: &Value) -> Option<Self> {
        let name = node.pointer("/metadata/name").and_then(Value::as_str)?.to_owned();
        let labels = node.pointer("/metadata/labels").and_then(Value::as_object).into_iter().flatten();
        let labels = labels.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
        let list = |path: &str| node.pointer(path).and_then(Value::as_array).into_iter().flatten();
        let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let taints = list("/spec/taints").map(|it| (text(it, "key"), text(it, "value"), text(it, "effect")));
        let ready = list("/status/conditions").any(|it| text(it, "type") == "Ready" && text(it, "status") == "True");
        let cordoned = node.pointer("/spec/unschedulable").and_then(Value::as_bool) == Some(true);
        Some(Self {
            name,
            allocatable: amounts::amounts(node.pointer("/status/allocatable")),
            labels: labels.collect(),
            taints: taints.filter(|(_, _, effect)| effect != "PreferNoSchedule").collect(),
            is_open: ready && !cordoned,
        })
    }

    /// Why such a pod may not run here; `None` when it may.
    fn closed_to(&self, shape: &Shape) -> Option<&'static str> {
        if !self.is_open {
            return Some("not ready or cordoned");
        }
        let tolerations = shape.place.get("tolerations").and_then(Value::as_array);
        let tolerated = |taint: &(String, String, String)| {
            tolerations.into_iter().flatten().any(|toleration| tolerates(toleration, taint))
        };
        if !self.taints.iter().all(tolerated) {
            return Some("tainted");
        }
        (!self.is_selected(shape)).then_some("not selected")
    }

    fn is_selected(&self, shape: &Shape) -> bool {
        let selector = shape.place.get("nodeSelector").and_then(Value::as_object);
        let has = |(name, value): (&String, &Value)| self.labels.get(name).map(String::as_str) == value.as_str();
        if !selector.into_iter().flatten().all(has) {
            return false;
        }
        let path = "/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms";
        let Some(terms) = shape.place.pointer(path).and_then(Value::as_array) else { return true };
        terms.iter().any(|term| {
            let list = |name: &str| term.get(name).and_then(Value::as_array).into_iter().flatten();
            let label = |it: &Value| matches(it, |name| self.labels.get(name).map(String::as_str));
            let field = |it: &Value| matches(it, |name| (name == "metadata.name").then_some(self.name.as_str()));
            list("matchExpressions").all(label) && list("matchFields").all(field)
        })
    }
}

fn tolerates(toleration: &Value, (key, value, effect): &(String, String, String)) -> bool {
    let text = |name: &str| toleration.get(name).and_then(Value::as_str).unwrap_or_default();
    let fits_effect = text("effect").is_empty() || text("effect") == effect;
    let exists = text("operator") == "Exists";
    let fits_key = text("key") == key || (text("key").is_empty() && exists);
    fits_effect && fits_key && (exists || text("value") == value)
}

fn matches<'a>(expression: &Value, value_of: impl Fn(&str) -> Option<&'a str>) -> bool {
    let text = |name: &str| expression.get(name).and_then(Value::as_str).unwrap_or_default();
    let value = value_of(text("key"));
    let values = || expression.get("values").and_then(Value::as_array).into_iter().flatten();
    let listed = || value.is_some_and(|value| values().any(|it| it.as_str() == Some(value)));
    let number = || value.and_then(|value| value.parse::<i64>().ok());
    let bound = || values().next().and_then(scalar).and_then(|it| it.parse::<i64>().ok());
    match text("operator") {
        "In" => listed(),
        "NotIn" => !listed(),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "Gt" => number().zip(bound()).is_some_and(|(number, bound)| number > bound),
        "Lt" => number().zip(bound()).is_some_and(|(number, bound)| number < bound),
        _ => false,
    }
}

/// What is to be said of nodes.
pub(super) fn look(demands: &[Demand<'_>], site: &Site) -> Vec<Finding> {
    let unknown = |why: &str| vec![Finding::new(Weight::Unknown, format!("whether nodes have room: {why}"))];
    let nodes = match &site.nodes {
        Ok(nodes) => nodes,
        Err(why) => return unknown(why),
    };
    if nodes.is_empty() {
        return unknown("the cluster tells of no node");
    }
    let wanted = demands.iter().filter(|it| wanted(it) > 0);
    let large: Vec<Finding> = wanted.filter_map(|it| too_large(it.fleet, nodes)).collect();
    if !large.is_empty() {
        return large;
    }
    match &site.bound {
        Ok(bound) => placed(demands, nodes, bound),
        Err(why) => unknown(why),
    }
}

/// Pods of a demand that look for a node.
fn wanted(demand: &Demand<'_>) -> usize {
    if demand.fleet.replaced { demand.fleet.count } else { demand.more() }
}

/// A pod that fits on no node, however empty.
fn too_large(fleet: &Fleet, nodes: &[Node]) -> Option<Finding> {
    let requests = fleet.shape.requests();
    let open: Vec<&Node> = nodes.iter().filter(|node| node.closed_to(&fleet.shape).is_none()).collect();
    if open.iter().any(|node| times(&node.allocatable, &requests) > 0) {
        return None;
    }
    let (size, who) = (amounts::words(&requests), format!("{}'s {}", fleet.processor, fleet.role));
    let largest = open.iter().max_by_key(|node| node.allocatable.get("cpu"));
    let words = match largest {
        Some(node) => {
            let only = |name: &&String| requests.contains_key(*name);
            let has = node
                .allocatable
                .keys()
                .filter(only)
                .map(|name| (name.clone(), node.allocatable.get(name).copied().unwrap_or_default()));
            let has = amounts::words(&has.collect());
            format!(
                "no node is large enough for {who} of {size}: the largest that it may run on, {}, has {has}",
                node.name
            )
        }
        None => format!("no node takes {who}: {}", closed(fleet, nodes)),
    };
    Some(Finding::new(Weight::Waits, words))
}

/// Why nodes take no such pods: `2 not ready or cordoned, 1 tainted`.
fn closed(fleet: &Fleet, nodes: &[Node]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    nodes.iter().filter_map(|node| node.closed_to(&fleet.shape)).for_each(|why| *counts.entry(why).or_default() += 1);
    let said: Vec<String> = counts.into_iter().map(|(why, count)| format!("{count} {why}")).collect();
    said.join(", ")
}

/// How many of a size fit into what is there.
fn times(free: &Amounts, each: &Amounts) -> usize {
    let fits = |(name, each): (&String, &u64)| free.get(name).copied().unwrap_or_default() / each;
    let least = each.iter().filter(|(_, each)| **each > 0).map(fits).min();
    usize::try_from(least.unwrap_or(u64::MAX)).unwrap_or(usize::MAX)
}

/// Puts the pods on nodes, the largest first.
fn placed(demands: &[Demand<'_>], nodes: &[Node], bound: &BTreeMap<String, Amounts>) -> Vec<Finding> {
    let mut free: Vec<Amounts> = nodes
        .iter()
        .map(|node| {
            let mut free = node.allocatable.clone();
            bound.get(&node.name).into_iter().for_each(|used| amounts::take(&mut free, used));
            free
        })
        .collect();
    // What is replaced leaves its place to what comes.
    for pod in demands.iter().filter(|it| it.fleet.replaced).flat_map(|it| &it.existing) {
        let at = pod.node.as_ref().and_then(|name| nodes.iter().position(|node| node.name == *name));
        if let Some(free) = at.and_then(|at| free.get_mut(at)) {
            amounts::add(free, &with_pod(pod.requests.clone()));
        }
    }
    let mut sorted: Vec<&Demand<'_>> = demands.iter().filter(|it| wanted(it) > 0).collect();
    sorted.sort_by_key(|it| std::cmp::Reverse(it.fleet.shape.requests().get("cpu").copied().unwrap_or_default()));
    sorted.iter().map(|demand| place(demand, nodes, &mut free)).collect()
}

/// A pod takes one of a node's places for pods, too.
#[must_use]
pub fn with_pod(mut requests: Amounts) -> Amounts {
    requests.insert("pods".to_owned(), 1);
    requests
}

/// Puts the pods of one kind on nodes.
fn place(demand: &Demand<'_>, nodes: &[Node], free: &mut [Amounts]) -> Finding {
    let (fleet, wanted) = (demand.fleet, wanted(demand));
    let each = with_pod(fleet.shape.requests());
    let mut room: Vec<(usize, usize)> = nodes
        .iter()
        .zip(free.iter())
        .enumerate()
        .filter(|(_, (node, _))| node.closed_to(&fleet.shape).is_none())
        .map(|(at, (_, free))| (times(free, &each), at))
        .filter(|(fit, _)| *fit > 0)
        .collect();
    room.sort_by(|one, other| other.0.cmp(&one.0).then(one.1.cmp(&other.1)));
    let (mut left, mut said) = (wanted, Vec::new());
    for (fit, at) in &room {
        let here = left.min(*fit);
        left -= here;
        if let Some(free) = free.get_mut(*at) {
            (0..here).for_each(|_| amounts::take(free, &each));
        }
        if let Some(node) = nodes.get(*at).filter(|_| said.len() < NAMED) {
            said.push(format!("{} for {fit}", node.name));
        }
    }
    let others = room.len().saturating_sub(said.len());
    let others = if others > 0 { format!(" and {others} others") } else { String::new() };
    let who = format!("{} {} ({} of {})", wanted, pods_word(wanted), fleet.role, fleet.processor);
    if left == 0 {
        return Finding::new(Weight::Fits, format!("nodes have room for {who}: {}{others}", said.join(", ")));
    }
    let held = wanted - left;
    let where_ = if said.is_empty() { String::new() } else { format!(": {}{others}", said.join(", ")) };
    let closed = closed(fleet, nodes);
    let closed = if closed.is_empty() { String::new() } else { format!("; of {} nodes {closed}", nodes.len()) };
    Finding::new(
        Weight::Waits,
        format!("nodes have room for {held} of {who}{where_}{closed}; the others would wait for a node"),
    )
}
