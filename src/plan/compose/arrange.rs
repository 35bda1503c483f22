//! A manifest composed otherwise: processors added, taken out, moved, set side by side. Texts in, texts out.

use serde_json::{Value, json};

use crate::model::config::Severity;
use crate::model::manifest::{self, Judgement};
use crate::plan::object::set;
use crate::plan::text::changed;
use crate::plan::tune::{self, Field, Spot, Tuning};

/// A processor that is about to be added, as it is typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Newcomer {
    /// Its name.
    pub name: String,
    /// Coordinates of its artifact.
    pub artifact: String,
    /// Its sizes and topics.
    pub tuning: Tuning,
}

impl Default for Newcomer {
    fn default() -> Self {
        let mut tuning = Tuning::default();
        for (field, value) in [(Field::Replicas, "1"), (Field::Cpu, "1"), (Field::Memory, "2Gi"), (Field::Offset, "1")]
        {
            tuning.set(field, value.to_owned());
        }
        Self { name: String::new(), artifact: String::new(), tuning }
    }
}

/// Where a processor goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Before those that it comes after.
    Earlier,
    /// After those that it comes before.
    Later,
    /// Side by side with those before it; or out of there again.
    Beside,
}

/// A manifest with one more processor, which comes last unless topics say otherwise.
///
/// # Errors
/// With what is wrong with what was typed.
pub fn with(manifest: &str, newcomer: &Newcomer) -> Result<String, String> {
    if newcomer.name.trim().is_empty() {
        return Err("it needs a name".to_owned());
    }
    if let Some(wrong) = Field::ALL.into_iter().find_map(|field| newcomer.tuning.wrong(field)) {
        return Err(wrong);
    }
    let mut value = tune::read(manifest)?;
    let none = || "the manifest has no processors".to_owned();
    let name = newcomer.name.trim();
    let steps = value.pointer_mut("/spec/processors").and_then(Value::as_array_mut).ok_or_else(none)?;
    if steps.iter().any(|step| names(step, name)) {
        return Err(format!("{name} is there already"));
    }
    steps.push(json!({"name": name, "artifact": newcomer.artifact.trim()}));
    if let Some(order) = value.pointer_mut("/spec/order").and_then(Value::as_array_mut).filter(|it| !it.is_empty()) {
        order.push(json!(name));
    }
    let spot = Spot { environment: "", processor: name };
    let text = newcomer.tuning.written(&Tuning::default(), &value, spot).and_then(|it| changed(manifest, &it));
    text.ok_or_else(|| "the manifest cannot be written".to_owned())
}

/// A manifest without one of its processors; `None` when it cannot be read or written.
#[must_use]
pub fn without(manifest: &str, processor: &str) -> Option<String> {
    let mut value = tune::read(manifest).ok()?;
    let is_it = |it: &Value| it.as_str().is_some_and(|name| name.eq_ignore_ascii_case(processor));
    let spec = value.get_mut("spec")?;
    spec.get_mut("processors")?.as_array_mut()?.retain(|step| !names(step, processor));
    if let Some(order) = spec.get_mut("order").and_then(Value::as_array_mut) {
        order.iter_mut().filter_map(Value::as_array_mut).for_each(|beside| beside.retain(|name| !is_it(name)));
        order.retain(|place| !is_it(place) && place.as_array().is_none_or(|beside| !beside.is_empty()));
    }
    let environments = spec.get_mut("overrides").and_then(Value::as_object_mut);
    for own in environments.into_iter().flatten().filter_map(|(_, own)| own.as_object_mut()) {
        own.retain(|name, _| !name.eq_ignore_ascii_case(processor));
    }
    changed(manifest, &value)
}

/// A manifest with a processor elsewhere; `None` when there is nowhere further to go.
#[must_use]
pub fn moved(manifest: &str, processor: &str, way: Way) -> Option<String> {
    let mut value = tune::read(manifest).ok()?;
    let mut places = places(&value);
    let at = places.iter().position(|place| place.iter().any(|name| name == processor))?;
    let is_alone = places.get(at)?.len() == 1;
    if is_alone {
        match way {
            Way::Earlier => places.swap(at.checked_sub(1)?, at),
            Way::Later if at + 1 < places.len() => places.swap(at, at + 1),
            Way::Later => return None,
            Way::Beside => {
                let other = if at > 0 { at - 1 } else { 1 };
                let joined = places.get(other)?.iter().chain(places.get(at)?).cloned().collect();
                *places.get_mut(other)? = joined;
                places.remove(at);
            }
        }
    } else {
        places.get_mut(at)?.retain(|name| name != processor);
        let own = if way == Way::Earlier { at } else { at + 1 };
        places.insert(own, vec![processor.to_owned()]);
    }
    let place = |names: &Vec<String>| if let [one] = names.as_slice() { json!(one) } else { json!(names) };
    set(&mut value, &["spec", "order"], places.iter().map(place).collect());
    let steps = value.pointer_mut("/spec/processors")?.as_array_mut()?;
    let flat: Vec<&String> = places.iter().flatten().collect();
    steps.sort_by_key(|step| flat.iter().position(|name| names(step, name)));
    changed(manifest, &value)
}

/// The processors in their order, those side by side together: as the manifest says, else as the topics do.
#[must_use]
pub fn places(manifest: &Value) -> Vec<Vec<String>> {
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let order = manifest.pointer("/spec/order").and_then(Value::as_array).filter(|it| !it.is_empty());
    if let Some(order) = order {
        let place = |place: &Value| place.as_str().map_or_else(|| texts(place), |one| vec![one.to_owned()]);
        return order.iter().map(place).collect();
    }
    let steps = manifest.pointer("/spec/processors").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let topics = |step: &Value, key: &str| step.get(key).map(texts).unwrap_or_default();
    let writes = |step: &Value, read: &[String]| topics(step, "outputs").iter().any(|topic| read.contains(topic));
    // As many rounds as there are processors settle the longest way; a circle, which is an error, ends with them.
    let mut depths = vec![0_usize; steps.len()];
    for _ in steps {
        for (index, step) in steps.iter().enumerate() {
            let read = topics(step, "inputs");
            let before = steps.iter().zip(&depths).filter(|(other, _)| *other != step && writes(other, &read));
            let depth = before.map(|(_, depth)| depth + 1).max().unwrap_or(0).min(steps.len());
            if let Some(known) = depths.get_mut(index) {
                *known = depth;
            }
        }
    }
    let named = |depth: usize| -> Vec<String> {
        let here = steps.iter().zip(&depths).filter(|(_, at)| **at == depth);
        here.filter_map(|(step, _)| step.get("name")?.as_str()).map(str::to_owned).collect()
    };
    (0..=steps.len()).map(named).filter(|place| !place.is_empty()).collect()
}

/// Topics that processors read and that none of them writes: they have to come from outside.
#[must_use]
pub fn from_outside(manifest: &Value) -> Vec<(String, String)> {
    let steps = manifest.pointer("/spec/processors").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let topics = |step: &Value, key: &str| -> Vec<String> {
        let list = step.get(key).and_then(Value::as_array).into_iter().flatten();
        list.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let written: Vec<String> = steps.iter().flat_map(|step| topics(step, "outputs")).collect();
    let read = steps.iter().flat_map(|step| {
        let name = step.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        topics(step, "inputs").into_iter().map(move |topic| (name.clone(), topic))
    });
    read.filter(|(_, topic)| !written.contains(topic)).collect()
}

/// What is wrong with a manifest, in words; nothing when it may be sent.
#[must_use]
pub fn errors(manifest: &str) -> Vec<String> {
    let problems = manifest::check(manifest, &Judgement::default()).problems;
    let errors = problems.into_iter().filter(|it| it.severity == Severity::Error);
    errors.map(|it| format!("{} {}", it.path.trim_start_matches("spec.processors."), it.message)).collect()
}

fn names(step: &Value, processor: &str) -> bool {
    step.get("name").and_then(Value::as_str).is_some_and(|name| name.eq_ignore_ascii_case(processor))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEVERAL: &str = include_str!("../../../config/examples/expert-matching.yaml");

    fn order(text: &str) -> String {
        let places = places(&tune::read(text).unwrap());
        places.iter().map(|place| place.join("+")).collect::<Vec<_>>().join(" ")
    }

    fn newcomer(name: &str, inputs: &str, outputs: &str) -> Newcomer {
        let mut newcomer = Newcomer { name: name.into(), artifact: "g:a:1".into(), ..Newcomer::default() };
        newcomer.tuning.set(Field::Inputs, inputs.into());
        newcomer.tuning.set(Field::Outputs, outputs.into());
        newcomer
    }

    #[test]
    fn the_order_is_the_manifests_or_the_topics() {
        let said = "vep-data-api vep-engagement match-making+was-incident";
        assert_eq!(order(SEVERAL), said);
        let line = SEVERAL.lines().find(|line| line.trim().starts_with("order:")).unwrap();
        assert_eq!(order(&SEVERAL.replace(line, "")), said);
        let circle = "spec: {processors: [{name: a, inputs: [x], outputs: [y]}, {name: b, inputs: [y], outputs: [x]}]}";
        assert_eq!(order(circle).split([' ', '+']).count(), 2, "{}", order(circle));
    }

    #[test]
    fn one_is_added_with_what_was_typed_and_no_more() {
        let text = with(SEVERAL, &newcomer("audit", "routed, incidents", "audited")).unwrap();
        assert_eq!(errors(&text), Vec::<String>::new());
        let manifest = tune::read(&text).unwrap();
        let step = manifest["spec"]["processors"].as_array().unwrap().last().unwrap();
        let expected = json!({"name": "audit", "artifact": "g:a:1", "replicas": 1, "cpu": 1, "memory": "2Gi",
            "offsetVersion": 1, "inputs": ["routed", "incidents"], "outputs": ["audited"]});
        assert_eq!(*step, expected);
        assert!(order(&text).ends_with("match-making+was-incident audit"));
        assert_eq!(without(&text, "audit").as_deref().map(tune::read), Some(tune::read(SEVERAL)));
        assert!(with(SEVERAL, &newcomer("", "", "")).unwrap_err().contains("name"));
        assert!(with(SEVERAL, &newcomer("Match-Making", "", "")).unwrap_err().contains("there already"));
        let mut many = newcomer("audit", "routed", "");
        many.tuning.set(Field::Replicas, "0".into());
        assert!(with(SEVERAL, &many).unwrap_err().contains("replicas"));
    }

    #[test]
    fn one_is_taken_out_everywhere() {
        let manifest = "spec:\n  processors:\n  - {name: a, artifact: g:a:1}\n  - {name: b, artifact: g:b:1}\n  \
                        order: [a, [b]]\n  overrides: {prd: {b: {replicas: 9}}}\n";
        let text = without(manifest, "B").unwrap();
        assert!(!text.contains("g:b:1") && !text.contains('9'), "{text}");
        assert_eq!(tune::read(&text).unwrap()["spec"]["order"], json!(["a"]));
    }

    #[test]
    fn processors_move_one_after_the_other_and_side_by_side() {
        let go = |text: &str, name: &str, way: Way| moved(text, name, way).unwrap();
        let apart = go(SEVERAL, "was-incident", Way::Beside);
        assert_eq!(order(&apart), "vep-data-api vep-engagement match-making was-incident");
        assert_eq!(order(&go(&apart, "was-incident", Way::Beside)), order(SEVERAL));
        let earlier = go(SEVERAL, "was-incident", Way::Earlier);
        assert_eq!(order(&earlier), "vep-data-api vep-engagement was-incident match-making");
        assert_eq!(order(&go(&earlier, "was-incident", Way::Later)), order(&apart));
        assert_eq!(moved(SEVERAL, "vep-data-api", Way::Earlier), None);
        assert_eq!(moved(&apart, "was-incident", Way::Later), None);
        let first = go(SEVERAL, "vep-data-api", Way::Later);
        let names: Vec<Value> = tune::read(&first).unwrap()["spec"]["processors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|step| step["name"].clone())
            .collect();
        assert_eq!(names[..2], [json!("vep-engagement"), json!("vep-data-api")]);
    }

    #[test]
    fn a_wrong_graph_is_named() {
        let wrong = |text: &str| errors(text).join("; ");
        let circle = with(SEVERAL, &newcomer("loop", "routed", "vep-events")).unwrap();
        assert!(wrong(&circle).contains("is also written by"), "{}", wrong(&circle));
        let circle = with(&SEVERAL.replace("clickstream", "again"), &newcomer("loop", "routed", "again")).unwrap();
        assert!(wrong(&circle).contains("reads what comes of its own output"), "{}", wrong(&circle));
        let backwards = moved(SEVERAL, "vep-data-api", Way::Later).unwrap();
        assert!(wrong(&backwards).contains("reads no topic that it writes"), "{}", wrong(&backwards));
        let outside = from_outside(&tune::read(SEVERAL).unwrap());
        assert_eq!(outside, [("vep-data-api".to_owned(), "clickstream".to_owned())]);
    }
}
