//! Empty batches that are used again, so that records cost no allocation.

use std::sync::{Arc, Mutex, PoisonError};

use crate::model::batch::Batch;

/// Batches kept: as many as the queue holds.
const KEPT: usize = super::QUEUE;
/// A batch that has grown larger is not kept.
const LARGEST: usize = 4 << 20;

/// Batches to take and to give back, from any thread.
#[derive(Clone, Debug, Default)]
pub(super) struct Spares(Arc<Mutex<Vec<Batch>>>);

impl Spares {
    /// An empty batch.
    pub(super) fn take(&self) -> Batch {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// Takes a batch back.
    pub(super) fn give_back(&self, mut batch: Batch) {
        if batch.bytes() > LARGEST {
            return;
        }
        batch.clear();
        let mut spares = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if spares.len() < KEPT {
            spares.push(batch);
        }
    }
}
