//! What the processors of a pipeline are to each other: joined by topics, in an order.

use std::collections::{BTreeMap, BTreeSet};

use super::wire::{Pipeline, Place, Step, problem};
use crate::model::config::Problem;

/// Who writes and who reads each topic, and what is wrong with that.
pub(super) fn check(pipeline: &Pipeline, problems: &mut Vec<Problem>) {
    let steps = &pipeline.spec.processors;
    names(steps, problems);
    let writers = writers(steps, problems);
    types(steps, &writers, problems);
    cycle(steps, &writers, problems);
    order(pipeline, &writers, problems);
}

fn at(step: &Step, field: &str, message: String) -> Problem {
    let place = step.name.referenced;
    problem(place.line(), place.column(), &format!("spec.processors.{}{field}", step.name.value), message)
}

fn names(steps: &[Step], problems: &mut Vec<Problem>) {
    let mut known = BTreeSet::new();
    for step in steps {
        if !known.insert(step.name.value.as_str()) {
            problems.push(at(step, ".name", "is the name of two processors".to_owned()));
        }
    }
}

/// Who writes each topic. Two writers of one topic mix what their readers cannot tell apart.
fn writers<'a>(steps: &'a [Step], problems: &mut Vec<Problem>) -> BTreeMap<&'a str, usize> {
    let mut writers: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, step) in steps.iter().enumerate() {
        for topic in &step.outputs {
            let before = writers.insert(topic.value.as_str(), index).filter(|before| *before != index);
            if let Some(other) = before.and_then(|before| steps.get(before)) {
                let words = format!("{} is also written by {}", topic.value, other.name.value);
                problems.push(at(step, ".outputs", words));
            }
        }
    }
    writers
}

/// Who reads a topic takes its records for what they were written as, where both say so.
fn types(steps: &[Step], writers: &BTreeMap<&str, usize>, problems: &mut Vec<Problem>) {
    for step in steps {
        for (topic, read) in &step.types {
            let is_its = step.inputs.iter().chain(&step.outputs).any(|own| own.value == *topic);
            if !is_its {
                problems.push(at(step, ".types", format!("names {topic}, which it neither reads nor writes")));
            }
            let writer = writers.get(topic.as_str()).and_then(|index| steps.get(*index));
            let written = writer.and_then(|writer| Some((writer, writer.types.get(topic)?)));
            if let Some((writer, written)) = written.filter(|(_, written)| written.value != read.value) {
                let words =
                    format!("{topic} is {} here, but {} writes {}", read.value, writer.name.value, written.value);
                problems.push(at(step, ".types", words));
            }
        }
    }
}

/// Follows topics from each processor; one that comes back to where it began never ends.
fn cycle(steps: &[Step], writers: &BTreeMap<&str, usize>, problems: &mut Vec<Problem>) {
    let mut finished = BTreeSet::new();
    for start in 0..steps.len() {
        let mut trail = Vec::new();
        if let Some(round) = walk(start, (steps, writers), &mut trail, &mut finished) {
            let names = round.iter().chain(round.first()).filter_map(|index| steps.get(*index));
            let names: Vec<&str> = names.map(|step| step.name.value.as_str()).collect();
            if let Some(step) = round.first().and_then(|first| steps.get(*first)) {
                let words = format!("reads what comes of its own output: {}", names.join(" ← "));
                problems.push(at(step, ".inputs", words));
            }
            return;
        }
    }
}

type Graph<'a> = (&'a [Step], &'a BTreeMap<&'a str, usize>);

/// Goes upstream, depth first; the processors of a cycle when it finds one.
fn walk(from: usize, graph: Graph<'_>, trail: &mut Vec<usize>, finished: &mut BTreeSet<usize>) -> Option<Vec<usize>> {
    if let Some(first) = trail.iter().position(|seen| *seen == from) {
        return Some(trail.split_off(first));
    }
    if !finished.insert(from) {
        return None;
    }
    trail.push(from);
    let (steps, writers) = graph;
    let upstream = steps.get(from).into_iter().flat_map(|step| &step.inputs);
    for writer in upstream.filter_map(|topic| writers.get(topic.value.as_str())) {
        // One that is still on the trail closes a cycle, however often it was seen.
        let is_open = trail.contains(writer);
        if is_open || !finished.contains(writer) {
            let found = walk(*writer, graph, trail, finished);
            if found.is_some() {
                return found;
            }
        }
    }
    trail.pop();
    None
}

/// The order names every processor once, and each one after the first place reads what the place before writes.
fn order(pipeline: &Pipeline, writers: &BTreeMap<&str, usize>, problems: &mut Vec<Problem>) {
    let (steps, order) = (&pipeline.spec.processors, &pipeline.spec.order);
    if order.is_empty() {
        return;
    }
    let whole = pipeline.metadata.name.referenced;
    let complain = |words: String| problem(whole.line(), whole.column(), "spec.order", words);
    let places: Vec<Vec<&str>> = order
        .iter()
        .map(|place| match place {
            Place::One(name) => vec![name.as_str()],
            Place::Beside(names) => names.iter().map(String::as_str).collect(),
        })
        .collect();
    let named: Vec<&str> = places.iter().flatten().copied().collect();
    for step in steps {
        match named.iter().filter(|name| **name == step.name.value).count() {
            0 => problems.push(complain(format!("does not name {}", step.name.value))),
            1 => {}
            times => problems.push(complain(format!("names {} {times} times", step.name.value))),
        }
    }
    for name in named.iter().filter(|name| !steps.iter().any(|step| step.name.value == **name)) {
        problems.push(complain(format!("names {name}, which is no processor of this pipeline")));
    }
    for pair in places.windows(2) {
        let [before, after] = pair else { continue };
        for step in steps.iter().filter(|step| after.contains(&step.name.value.as_str())) {
            let follows = step.inputs.iter().filter_map(|topic| writers.get(topic.value.as_str()));
            let mut follows = follows.filter_map(|writer| steps.get(*writer));
            if !follows.any(|writer| before.contains(&writer.name.value.as_str())) {
                let words = format!("comes after {} but reads no topic that it writes", before.join(" and "));
                problems.push(at(step, ".inputs", words));
            }
        }
    }
}
