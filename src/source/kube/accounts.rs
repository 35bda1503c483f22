//! IAM roles of the service accounts that somebody looks at.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use kube::Api;
use tokio::sync::watch as latest;
use tokio::time::{Instant, timeout};

use super::trouble::Trouble;
use super::watch::Watch;
use super::wire::meta::ROLE;
use super::wire::record::ServiceAccount;
use crate::model::change::Change;
use crate::model::interest::Interest;
use crate::model::key::ObjectKey;

/// How long an answer is good for.
const FRESH: Duration = Duration::from_mins(5);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Looks accounts up as they become interesting, and again when what is known of them is old.
pub async fn look_up(watch: Watch, mut interest: latest::Receiver<Arc<Interest>>) {
    let environment = watch.cluster.environment.name.clone();
    let mut known: HashMap<ObjectKey, Instant> = HashMap::new();
    loop {
        let wanted: Vec<ObjectKey> = interest
            .borrow_and_update()
            .accounts
            .iter()
            .filter(|key| key.environment == environment)
            .filter(|key| known.get(*key).is_none_or(|at| at.elapsed() >= FRESH))
            .cloned()
            .collect();
        for account in wanted {
            watch.gate.open().await;
            known.insert(account.clone(), Instant::now());
            let Some(role) = role(&watch, &account).await else { continue };
            if watch.changes.send(Change::IamRole(account, role)).await.is_err() {
                return;
            }
        }
        if let Ok(Err(_)) = timeout(FRESH, interest.changed()).await {
            return;
        }
    }
}

/// The role; inner `None` when the account has none, outer when nobody could say.
async fn role(watch: &Watch, account: &ObjectKey) -> Option<Option<Arc<str>>> {
    let accounts: Api<ServiceAccount> = Api::namespaced(watch.cluster.client.clone(), &account.namespace);
    match timeout(PATIENCE, accounts.get(&account.name)).await.ok()? {
        Ok(found) => Some(found.metadata.annotations.get(ROLE).map(|role| role.as_str().into())),
        Err(error) => match Trouble::from(&error) {
            Trouble::Absent(_) => Some(None),
            Trouble::Forbidden(_) => {
                tracing::debug!(%account, "the service account may not be read");
                Some(None)
            }
            trouble => {
                tracing::debug!(%account, error = %trouble, "a service account could not be read");
                None
            }
        },
    }
}
