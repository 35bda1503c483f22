//! The IAM role of a service account, and what the account may do in the cluster.

use serde::Serialize;
use serde_json::{Value, json};

use crate::plan::object::set;

/// The annotation by which EKS gives the pods of a service account a role.
pub const ROLE: &str = "eks.amazonaws.com/role-arn";

/// Whether a text is the name of a role as AWS writes it.
#[must_use]
pub fn is_role(arn: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [scheme, partition, service, region, account, resource] = parts.as_slice() else { return false };
    *scheme == "arn"
        && partition.starts_with("aws")
        && *service == "iam"
        && region.is_empty()
        && account.len() == 12
        && account.chars().all(|digit| digit.is_ascii_digit())
        && resource.strip_prefix("role/").is_some_and(|name| !name.is_empty() && !name.contains(char::is_whitespace))
}

/// The service account of an object's pods.
#[must_use]
pub fn service_account(object: &Value) -> &str {
    let text = |path: &str| object.pointer(path).and_then(Value::as_str);
    text("/spec/serviceAccount").or_else(|| text("/spec/template/spec/serviceAccountName")).unwrap_or("default")
}

/// A service account with a role, or without one.
#[must_use]
pub fn with_role(live: &Value, role: Option<&str>) -> Value {
    // It has no status: whoever changed it meanwhile did so on purpose.
    let version = live.pointer("/metadata/resourceVersion").cloned().unwrap_or_default();
    let mut patch = json!({"metadata": {"resourceVersion": version}});
    set(&mut patch, &["metadata", "annotations", ROLE], role.map_or(Value::Null, Value::from));
    patch
}

/// A service account that a pipeline's pods run as.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AccountView {
    /// Its name.
    pub account: String,
    /// Whether it is there; pods of one that is not are never made.
    pub exists: bool,
    /// Its role in AWS.
    pub role: Option<String>,
    /// The processors whose pods run as it.
    pub processors: Vec<String>,
    /// What it may do in its namespace.
    pub rights: Vec<RightView>,
}

/// A right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RightView {
    /// Such as `create pods`.
    pub what: String,
    /// What needs it.
    pub used_for: &'static str,
    /// Whether it has it; `None` when we may not ask.
    pub allowed: Option<bool>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_one() {
        assert!(is_role("arn:aws:iam::123456789012:role/flink") && is_role("arn:aws-cn:iam::123456789012:role/a/b"));
        for text in [
            "",
            "flink",
            "arn:aws:iam::12:role/x",
            "arn:aws:s3::123456789012:role/x",
            "arn:aws:iam::123456789012:user/x",
            "arn:aws:iam::123456789012:role/a b",
        ] {
            assert!(!is_role(text), "{text}");
        }
    }
}
