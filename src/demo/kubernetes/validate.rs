//! What the server refuses before it stores: the rules that an operator of pipelines runs into.

use serde_json::Value;

use super::resources::Resource;
use super::status::Refusal;

/// Checks an object as the schemas and validations of a cluster would.
pub(crate) fn validate(resource: &Resource, old: Option<&Value>, new: &Value) -> Result<(), Refusal> {
    let name = new.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let mut causes = Vec::new();
    if name.is_empty() {
        causes.push(cause("metadata.name", "Required value: name or generateName is required"));
    } else if !is_name(name) {
        causes.push(cause(
            "metadata.name",
            &format!(
                "Invalid value: \"{name}\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character"
            ),
        ));
    }
    match resource.plural {
        "deployments" | "statefulsets" => workload(old, new, resource, &mut causes),
        "flinkdeployments" | "flinksessionjobs" => flink(new, resource, &mut causes),
        _ => {}
    }
    if causes.is_empty() { Ok(()) } else { Err(Refusal::invalid(resource, name, &causes)) }
}

fn cause(field: &str, message: &str) -> (String, String) {
    (field.to_owned(), message.to_owned())
}

fn is_name(name: &str) -> bool {
    let inner = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit();
    name.len() <= 253
        && name.chars().all(|character| inner(character) || character == '-' || character == '.')
        && name.starts_with(inner)
        && name.ends_with(inner)
}

fn workload(old: Option<&Value>, new: &Value, resource: &Resource, causes: &mut Vec<(String, String)>) {
    if let Some(replicas) = new.pointer("/spec/replicas") {
        match replicas.as_i64() {
            Some(count) if count < 0 => causes
                .push(cause("spec.replicas", &format!("Invalid value: {count}: must be greater than or equal to 0"))),
            Some(_) => {}
            None => causes.push(cause("spec.replicas", &wrong_type("spec.replicas", "integer", replicas))),
        }
    }
    if new.pointer("/spec/selector").is_none() {
        causes.push(cause("spec.selector", "Required value"));
    }
    let Some(old) = old else { return };
    if old.pointer("/spec/selector") != new.pointer("/spec/selector") {
        causes.push(cause(
            "spec.selector",
            &format!("Invalid value: {}: field is immutable", new.pointer("/spec/selector").unwrap_or(&Value::Null)),
        ));
    }
    let fixed = ["/spec/serviceName", "/spec/podManagementPolicy", "/spec/volumeClaimTemplates"];
    if resource.plural == "statefulsets" && fixed.iter().any(|field| old.pointer(field) != new.pointer(field)) {
        causes.push(cause(
            "spec",
            "Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
        ));
    }
}

fn flink(new: &Value, resource: &Resource, causes: &mut Vec<(String, String)>) {
    let mut integer = |path: &str, minimum: i64| {
        let field = path.trim_start_matches('/').replace('/', ".");
        match new.pointer(path) {
            None | Some(Value::Null) => {}
            Some(value) => match value.as_i64() {
                None => causes.push(cause(&field, &wrong_type(&field, "integer", value))),
                Some(count) if count < minimum => causes.push(cause(
                    &field,
                    &format!("Invalid value: {count}: {field} in body should be greater than or equal to {minimum}"),
                )),
                Some(_) => {}
            },
        }
    };
    integer("/spec/job/parallelism", 0);
    integer("/spec/taskManager/replicas", 1);
    integer("/spec/jobManager/replicas", 1);
    integer("/spec/restartNonce", i64::MIN);
    integer("/spec/job/savepointTriggerNonce", i64::MIN);
    one_of(new, "/spec/job/state", &["running", "suspended"], causes);
    one_of(new, "/spec/job/upgradeMode", &["last-state", "savepoint", "stateless"], causes);
    one_of(new, "/spec/mode", &["native", "standalone"], causes);
    if resource.plural == "flinkdeployments" && new.pointer("/spec/flinkVersion").is_none() {
        causes.push(cause("spec.flinkVersion", "Required value"));
    }
}

fn one_of(new: &Value, path: &str, allowed: &[&str], causes: &mut Vec<(String, String)>) {
    let Some(value) = new.pointer(path).filter(|value| !value.is_null()) else { return };
    if !value.as_str().is_some_and(|text| allowed.contains(&text)) {
        let field = path.trim_start_matches('/').replace('/', ".");
        let listed: Vec<String> = allowed.iter().map(|value| format!("\"{value}\"")).collect();
        causes.push(cause(&field, &format!("Unsupported value: {value}: supported values: {}", listed.join(", "))));
    }
}

fn wrong_type(field: &str, wanted: &str, value: &Value) -> String {
    let found = match value {
        Value::String(_) => "string",
        Value::Number(_) => "number",
        Value::Bool(_) => "boolean",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
        Value::Null => "null",
    };
    format!("Invalid value: \"{found}\": {field} in body must be of type {wanted}: \"{found}\"")
}
