//! One file of overrides, read strictly.
//!
//! Two forms: an object with `service` and its override, or `{"services": {NAME: OVERRIDE, …}}`. An override has any of
//! `health`, `swimlane` (expressions), `tags` (strings by string), `slo` (percent) and `owner` (for people).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::json::{Json, Key, Part, place, read};
use super::{Context, Override};
use crate::engine::expression::{HealthExpression, Inputs, Problem, SwimlaneExpression, Value};

/// Bytes of the name of a service.
const NAME_LIMIT: usize = 256;
/// Tags of a service, and bytes of a key or value.
const TAG_LIMITS: (usize, usize) = (32, 256);

/// Reads the overrides of a file; a sentence with the place of the first mistake otherwise.
pub(super) fn entries(text: &str, from: &Arc<str>, context: &Context) -> Result<Vec<(Arc<str>, Override)>, String> {
    let root = read(text)?;
    let reader = Reader { text, from, context };
    let Json::Object(pairs) = &root.json else {
        return Err(
            reader.complaint(root.at, &format!("a file of overrides is an object, and this is {}", root.json.kind()))
        );
    };
    reader.no_key_twice(pairs, "")?;
    if let Some((_, services)) = pairs.iter().find(|(key, _)| key.name == "services") {
        return reader.all(pairs, services);
    }
    let Some((_, service)) = pairs.iter().find(|(key, _)| key.name == "service") else {
        return Err(reader.complaint(root.at, "service is missing, or services with one override for each name"));
    };
    let Json::Text(name) = &service.json else {
        return Err(
            reader.complaint(service.at, &format!("service is the name of one, and this is {}", service.json.kind()))
        );
    };
    Ok(vec![reader.one(name, service.at, pairs)?])
}

struct Reader<'a> {
    text: &'a str,
    from: &'a Arc<str>,
    context: &'a Context<'a>,
}

impl Reader<'_> {
    fn complaint(&self, at: usize, sentence: &str) -> String {
        let (line, column) = place(self.text, at);
        format!("line {line}, column {column}: {sentence}")
    }

    /// Of equal keys most readers take the last one, and people see the first.
    fn no_key_twice(&self, pairs: &[(Key, Part)], whose: &str) -> Result<(), String> {
        let mut known = std::collections::BTreeSet::new();
        match pairs.iter().find(|(key, _)| !known.insert(&key.name)) {
            Some((key, _)) => Err(self.complaint(key.at, &format!("{whose}{} is here twice", key.name))),
            None => Ok(()),
        }
    }

    fn all(&self, pairs: &[(Key, Part)], services: &Part) -> Result<Vec<(Arc<str>, Override)>, String> {
        if let Some((key, _)) = pairs.iter().find(|(key, _)| key.name != "services") {
            return Err(self.complaint(key.at, &format!("{} does not belong beside services", key.name)));
        }
        let Json::Object(entries) = &services.json else {
            let kind = services.json.kind();
            return Err(
                self.complaint(services.at, &format!("services has one override for each name, and this is {kind}"))
            );
        };
        self.no_key_twice(entries, "service ")?;
        let one = |(key, part): &(Key, Part)| match &part.json {
            Json::Object(pairs) => {
                self.no_key_twice(pairs, &format!("{}: ", key.name))?;
                if let Some((second, _)) = pairs.iter().find(|(key, _)| key.name == "service") {
                    return Err(self.complaint(second.at, &format!("{}: it has its name already", key.name)));
                }
                self.one(&key.name, key.at, pairs)
            }
            other => Err(self
                .complaint(part.at, &format!("{}: an override is an object, and this is {}", key.name, other.kind()))),
        };
        entries.iter().map(one).collect()
    }

    fn one(&self, service: &str, at: usize, pairs: &[(Key, Part)]) -> Result<(Arc<str>, Override), String> {
        if service.is_empty() || service.len() > NAME_LIMIT {
            return Err(self.complaint(at, &format!("the name of a service has 1 to {NAME_LIMIT} bytes")));
        }
        let mut made = Override::empty(self.from.clone());
        let text =
            |key: &Key, part: &Part| match &part.json {
                Json::Text(text) => Ok(text.clone()),
                other => Err(self
                    .complaint(part.at, &format!("{service}: {} is a string, and this is {}", key.name, other.kind()))),
            };
        let (mut health, mut swimlane) = (None, None);
        for (key, part) in pairs {
            match key.name.as_str() {
                "service" => {}
                "health" => health = Some((part.at, text(key, part)?)),
                "swimlane" => swimlane = Some((part.at, text(key, part)?)),
                "owner" => made.owner = Some(text(key, part)?.into()),
                "tags" => made.tags = self.tags(service, part)?,
                "slo" => made.slo_percent = Some(self.slo(service, part)?),
                other => {
                    let sentence = format!(
                        "{service}: there is no {other}: an override has health, swimlane, tags, slo and owner"
                    );
                    return Err(self.complaint(key.at, &sentence));
                }
            }
        }
        made.tags_value = Value::tags(made.tags.iter().map(|(key, value)| (key.as_str(), value.as_str())));
        if let Some((at, source)) = health {
            made.health = Some(self.health(service, at, &source, &made)?);
        }
        if let Some((at, source)) = swimlane {
            made.swimlane = Some(self.swimlane(service, at, &source, &made)?);
        }
        Ok((service.into(), made))
    }

    fn tags(&self, service: &str, part: &Part) -> Result<BTreeMap<String, String>, String> {
        let complaint = |at, what: &str| Err(self.complaint(at, &format!("{service}: tags {what}")));
        let Json::Object(pairs) = &part.json else { return complaint(part.at, "is an object of strings") };
        self.no_key_twice(pairs, &format!("{service}: tags: "))?;
        if pairs.len() > TAG_LIMITS.0 {
            return complaint(part.at, &format!("has {} of them, and at most {} are kept", pairs.len(), TAG_LIMITS.0));
        }
        let mut tags = BTreeMap::new();
        for (key, part) in pairs {
            match &part.json {
                Json::Text(value) if key.name.len().max(value.len()) <= TAG_LIMITS.1 => {
                    tags.insert(key.name.clone(), value.clone());
                }
                Json::Text(_) => return complaint(part.at, &format!("has one of more than {} bytes", TAG_LIMITS.1)),
                other => {
                    return complaint(
                        part.at,
                        &format!("{}: a tag is a string, and this is {}", key.name, other.kind()),
                    );
                }
            }
        }
        Ok(tags)
    }

    fn slo(&self, service: &str, part: &Part) -> Result<f64, String> {
        match part.json {
            Json::Number(percent) if percent > 0.0 && percent < 100.0 => Ok(percent),
            _ => {
                Err(self.complaint(part.at, &format!("{service}: slo is a percentage between 0 and 100, such as 99.9")))
            }
        }
    }

    fn health(&self, service: &str, at: usize, source: &str, made: &Override) -> Result<Arc<HealthExpression>, String> {
        let expression =
            HealthExpression::compile(source).map_err(|problem| self.wrong(service, "health", at, &problem))?;
        for sample in Inputs::samples() {
            let sample = Inputs {
                service: service.into(),
                slo_percent: made.slo_percent.or(self.context.slo_percent),
                ..sample
            };
            expression.judge(&sample, &made.tags_value).map_err(|reason| {
                let (requests, errors) = (sample.requests, sample.errors);
                let window = format!("a window of {requests} requests with {errors} errors");
                self.complaint(at, &format!("{service}: health: tried on {window}: {reason}"))
            })?;
        }
        Ok(Arc::new(expression))
    }

    fn swimlane(
        &self,
        service: &str,
        at: usize,
        source: &str,
        made: &Override,
    ) -> Result<Arc<SwimlaneExpression>, String> {
        let dimensions = self.context.dimensions;
        let expression = SwimlaneExpression::compile(source, dimensions)
            .map_err(|problem| self.wrong(service, "swimlane", at, &problem))?;
        for sample in ["", "sample"] {
            let values = vec![sample; dimensions.len()];
            expression.lane(service, &made.tags_value, &values).map_err(|reason| {
                self.complaint(at, &format!("{service}: swimlane: tried with every dimension {sample:?}: {reason}"))
            })?;
        }
        Ok(Arc::new(expression))
    }

    fn wrong(&self, service: &str, key: &str, at: usize, problem: &Problem) -> String {
        self.complaint(at, &format!("{service}: {key}: {problem}"))
    }
}
