//! Texts that one screen asks for: a pod as YAML.
//!
//! It comes from strangers. Secrets that somebody wrote into a manifest in plain text must not reach the screen, so
//! values are masked by the names they carry.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use kube::Resource;
use kube::api::GetParams;
use kube::core::Request;
use regex::Regex;
use serde_json::Value;
use tokio::time::timeout;

use super::Cluster;
use super::trouble::Trouble;
use super::wire::pod::Pod;
use crate::model::key::PodKey;
use crate::model::secret::sounds_secret;

/// How long a document may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// Longest single value in a YAML text.
const LARGEST_VALUE: usize = 4 << 10;
/// Put where a secret stood.
const MASK: &str = "******";
/// Why a document could not be had.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// The server's answer.
    #[error("the YAML of pod {pod} could not be read: {trouble}")]
    Refused {
        /// Of which pod.
        pod: Arc<str>,
        /// Why.
        trouble: Trouble,
    },
    /// No YAML came of it.
    #[error("the YAML of pod {pod} could not be written: {words}")]
    Yaml {
        /// Of which pod.
        pod: Arc<str>,
        /// Why.
        words: String,
    },
}

/// A pod as YAML, without managed fields and without secrets.
///
/// # Errors
/// When the server does not give it.
pub async fn pod_yaml(cluster: &Cluster, pod: &PodKey) -> Result<Arc<str>, DocumentError> {
    let refused = |trouble| DocumentError::Refused { pod: pod.name.clone(), trouble };
    let request = Request::new(Pod::url_path(&(), Some(&pod.namespace)))
        .get(&pod.name, &GetParams::default())
        .map_err(|error| refused(Trouble::Garbled(error.to_string().into())))?;
    let mut object: Value = match timeout(PATIENCE, cluster.client.request(request)).await {
        Ok(answer) => answer.map_err(|error| refused(Trouble::from(&error)))?,
        Err(_) => return Err(refused(late())),
    };
    clean(&mut object);
    let yaml = serde_saphyr::to_string(&object);
    yaml.map(Into::into).map_err(|error| DocumentError::Yaml { pod: pod.name.clone(), words: error.to_string() })
}

fn late() -> Trouble {
    Trouble::Unreachable(format!("no answer within {} s", PATIENCE.as_secs()).into())
}

fn clean(object: &mut Value) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            // A copy of the whole manifest, with all that is masked below.
            annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        }
    }
    if let Some(spec) = object.get_mut("spec") {
        mask(spec);
    }
    shorten(object);
}

/// Masks every text below a value: arguments, commands of probes, headers, and what may come after them.
fn mask(value: &mut Value) {
    match value {
        Value::String(text) => *text = masked(text),
        Value::Array(items) => {
            items.iter_mut().for_each(mask);
            mask_after_flags(items);
        }
        Value::Object(fields) => {
            // Variables and headers.
            let is_secret = fields.get("name").and_then(Value::as_str).is_some_and(sounds_secret);
            fields.values_mut().for_each(mask);
            if let Some(Value::String(value)) = fields.get_mut("value").filter(|_| is_secret) {
                MASK.clone_into(value);
            }
        }
        _ => {}
    }
}

/// Masks `--password`, `x` as two arguments.
fn mask_after_flags(arguments: &mut [Value]) {
    let mut follows_secret = false;
    for argument in arguments {
        let Value::String(text) = argument else { continue };
        let flag = text.starts_with('-') && !text.contains(['=', ' ']) && sounds_secret(text);
        if follows_secret && !text.starts_with('-') {
            MASK.clone_into(text);
        }
        follows_secret = flag;
    }
}

/// Masks what follows a name that sounds secret, and passwords in addresses.
fn masked(text: &str) -> String {
    let line = |line: &str| -> String {
        let parted = line.find(['=', ':']).and_then(|at| line.split_at_checked(at + 1));
        match parted {
            // A line that begins with the name is all its value's: it may hold spaces and quotes.
            Some((name, value)) if is_name(name) && sounds_secret(name) && !value.trim().is_empty() => {
                format!("{name}{MASK}")
            }
            _ => masked_pairs(&masked_address(line)),
        }
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

fn is_name(text: &str) -> bool {
    !text.trim().trim_end_matches(['=', ':']).trim().contains(char::is_whitespace)
}

/// Masks `name=value`, `"name": "value"` and `--name value` wherever they stand in a line.
fn masked_pairs(text: &str) -> String {
    static NAME: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r#"(?:([\w.\-]+)["']?\s*[=:]\s*|(--?[A-Za-z][\w.\-]*)\s+)"#)
            .inspect_err(|error| tracing::error!(%error, "no pattern for secrets"))
            .ok()
    });
    let Some(pattern) = &*NAME else { return MASK.to_owned() };
    let (mut shown, mut at) = (String::new(), 0);
    while let Some(found) = pattern.captures_at(text, at) {
        let (Some(whole), Some(name)) = (found.get(0), found.get(1).or_else(|| found.get(2))) else { break };
        shown.push_str(text.get(at..whole.end()).unwrap_or_default());
        at = whole.end();
        let rest = text.get(at..).unwrap_or_default();
        let is_flag = found.get(2).is_some() && rest.starts_with('-');
        if sounds_secret(name.as_str()) && !is_flag && !rest.is_empty() {
            shown.push_str(MASK);
            at += value_length(rest);
        }
    }
    shown.push_str(text.get(at..).unwrap_or_default());
    shown
}

/// Bytes of a value: up to its closing quote, else to what ends a word.
fn value_length(rest: &str) -> usize {
    let quote = rest.chars().next().filter(|first| matches!(first, '"' | '\''));
    let scheme = ["Bearer ", "Basic "]
        .into_iter()
        .find(|scheme| rest.get(..scheme.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(scheme)));
    if let Some(scheme) = scheme {
        return scheme.len() + value_length(rest.get(scheme.len()..).unwrap_or_default());
    }
    let Some(quote) = quote else { return rest.find([' ', '\t', ',', ';', '}', '&', '"', '\'']).unwrap_or(rest.len()) };
    let mut escaped = false;
    for (at, letter) in rest.char_indices().skip(1) {
        if letter == quote && !escaped {
            return at + 1;
        }
        escaped = letter == '\\' && !escaped;
    }
    rest.len()
}

fn masked_address(text: &str) -> String {
    let found = text.split_once("://").and_then(|(scheme, rest)| {
        let authority = rest.split(['/', '?', ' ']).next()?;
        let (login, _) = authority.rsplit_once('@')?;
        let (user, _) = login.split_once(':')?;
        Some(format!("{scheme}://{user}:{MASK}{}", rest.strip_prefix(login)?))
    });
    found.unwrap_or_else(|| text.to_owned())
}

fn shorten(value: &mut Value) {
    match value {
        Value::String(text) if text.len() > LARGEST_VALUE => {
            text.truncate(text.floor_char_boundary(LARGEST_VALUE));
            text.push('…');
        }
        Value::Array(items) => items.iter_mut().for_each(shorten),
        Value::Object(fields) => fields.values_mut().for_each(shorten),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_and_noise_are_gone_and_references_stay() {
        let mut pod = json!({
            "metadata": {"name": "p", "managedFields": [1], "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "hunter2", "huge": "x".repeat(100_000)}},
            "spec": {"containers": [{"env": [
                {"name": "DB_PASSWORD", "value": "hunter2"},
                {"name": "FLINK_PROPERTIES", "value": "s3.secret-key: hunter2\nparallelism.default: 4\nsasl.jaas.config=x hunter2"},
                {"name": "AWS_ACCESS_KEY_ID", "value": "hunter2"},
                {"name": "URL", "value": "jdbc:postgresql://app:hunter2@db/x"},
                {"name": "API_TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
                {"name": "MODE", "value": "fast"}],
                "args": ["--password=hunter2", "--auth-token", "hunter2", "--mode=fast"]}]},
        });
        pod["spec"]["initContainers"] = json!([{
            "env": [
                {"name": "JAVA_TOOL_OPTIONS", "value": "-Duser=a -Djavax.net.ssl.keyStorePassword=hunter2 -Xmx1g"},
                {"name": "LOGIN", "value": r#"{"user":"a","password":"hunter2"}"#},
                {"name": "ODD", "value": "url=jdbc:x?user=a&password=hunter2&ssl=true"}],
            "command": ["sh", "-c", "curl -H \"Authorization: Bearer hunter2\"; run --user a --password hunter2 --verbose; PASSWORD='hunter2 hunter2' other"],
            "livenessProbe": {"exec": {"command": ["curl", "-H", "Authorization: Bearer hunter2", "--token", "hunter2"]}},
            "lifecycle": {"preStop": {"httpGet": {"httpHeaders": [{"name": "Authorization", "value": "Basic hunter2"}]}}},
        }]);
        clean(&mut pod);
        let yaml = serde_saphyr::to_string(&pod).unwrap();
        assert!(!yaml.contains("hunter2"), "{yaml}");
        assert!(
            yaml.contains("secretKeyRef") && yaml.contains("parallelism.default: 4") && yaml.contains("--mode=fast")
        );
        assert!(yaml.contains("-Xmx1g") && yaml.contains("--verbose") && yaml.contains("ssl=true"), "{yaml}");
        assert!(yaml.len() < 10_000 && !yaml.contains("managedFields"));
    }
}
