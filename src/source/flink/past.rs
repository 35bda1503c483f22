//! What is asked before an action: whether we may ask for one, and what a job says of its own past.

use std::sync::Arc;

use serde_json::Value;

use super::act::{Actions, Found, read};
use super::rest::Miss;
use crate::model::interest::JobInterest;
use crate::source::kube::trouble::Trouble;

impl Actions {
    /// Why we may not ask a cluster for an action, such as a savepoint; nothing when we may.
    ///
    /// # Errors
    /// When the server does not say.
    pub async fn refusal(&self, interest: &JobInterest) -> Result<Option<Arc<str>>, Trouble> {
        self.0.refusal(interest).await
    }

    /// A job in detail, and its checkpoints where it takes some.
    ///
    /// # Errors
    /// When the cluster cannot be reached.
    pub async fn past(&self, job: &Found) -> Result<(Value, Option<Value>), Miss> {
        let detail = read(&self.0.get(&job.base, &format!("/jobs/{}", job.id)).await?)?;
        let checkpoints = self.0.get(&job.base, &format!("/jobs/{}/checkpoints", job.id)).await;
        Ok((detail, checkpoints.ok().and_then(|text| read(&text).ok())))
    }
}
