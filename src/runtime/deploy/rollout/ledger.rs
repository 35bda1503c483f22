//! How far a rollout is, in a ConfigMap of the namespace: one for each route, written only as it was read.

use serde_json::{Value, json};

use super::Way;
use crate::plan::object::{Id, Kind, MANAGED_BY, MANAGER};
use crate::plan::rollout::{Rollout, VERSION};
use crate::runtime::deploy::desk::{DeployError, Desk};
use crate::source::kube::change::{Run, WriteError};

/// Where the record is in the ConfigMap.
const ENTRY: &str = "rollout.json";

/// The ConfigMap as it was read or written last.
pub(super) struct Ledger {
    id: Id,
    version: Option<Value>,
    /// What it said when it was opened.
    pub(super) rollout: Option<Rollout>,
}

impl Ledger {
    pub(super) async fn open(desk: &Desk, way: &Way) -> Result<Self, DeployError> {
        let name = way.spec.name.to_lowercase().replace('_', "-");
        let id = Id::new(Kind::ConfigMap, &desk.target.namespace, format!("flowdeck.rollout.{name}"));
        let Some(object) = desk.read(&id).await? else { return Ok(Self { id, version: None, rollout: None }) };
        let text = object.get("data").and_then(|data| data.get(ENTRY)).and_then(Value::as_str).unwrap_or_default();
        let unreadable = |why: String| DeployError::Refused(format!("{id} cannot be read: {why}; delete it to forget"));
        let rollout: Rollout = serde_json::from_str(text).map_err(|error| unreadable(error.to_string()))?;
        if rollout.version != VERSION || rollout.route != way.spec.name {
            return Err(unreadable("it is of another version or route".to_owned()));
        }
        let version = object.pointer("/metadata/resourceVersion").cloned();
        Ok(Self { id, version, rollout: Some(rollout) })
    }

    /// Writes it down, unless somebody else did meanwhile.
    pub(super) async fn keep(&mut self, desk: &Desk, rollout: &Rollout) -> Result<(), DeployError> {
        let text = serde_json::to_string(rollout).map_err(|error| DeployError::Failed(error.to_string()))?;
        let data = json!({ENTRY: text});
        let written = match &self.version {
            None => {
                let metadata = json!({"name": self.id.name, "namespace": self.id.namespace,
                    "labels": {MANAGED_BY: MANAGER}});
                let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data});
                desk.cluster.create(&object, Run::Real).await
            }
            Some(version) => {
                let patch = json!({"metadata": {"resourceVersion": version}, "data": data});
                desk.cluster.patch(&self.id, &patch, Run::Real).await
            }
        };
        match written {
            Ok(object) => {
                self.version = object.pointer("/metadata/resourceVersion").cloned();
                Ok(())
            }
            Err(WriteError::Changed(_) | WriteError::Exists(_)) => {
                let words = "somebody else goes on with this rollout: look at it with --status";
                Err(DeployError::Overtaken(words.to_owned()))
            }
            Err(error) => Err(error.into()),
        }
    }
}
