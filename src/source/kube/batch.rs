//! Facts in handfuls: the console's loop is woken once for many of them.
//!
//! A batch ends when it is large or a frame's half is over, whichever comes first. When the loop
//! is behind, the senders wait: nothing is dropped, because a lost deletion would stay on screen for ever.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use crate::event::Event;
use crate::model::change::Change;

/// Most changes in one event.
const LARGEST: usize = 256;
/// Longest wait for more after the first.
const PATIENCE: Duration = Duration::from_millis(15);

/// Gathers changes into events until the senders are gone or nobody listens any more.
pub async fn gather(mut changes: mpsc::Receiver<Change>, events: mpsc::Sender<Event>) {
    while let Some(first) = changes.recv().await {
        let until = Instant::now() + PATIENCE;
        let mut batch = vec![first];
        while batch.len() < LARGEST {
            match timeout_at(until, changes.recv_many(&mut batch, LARGEST - 1)).await {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
        }
        if events.send(Event::Changed(batch)).await.is_err() {
            return;
        }
    }
}
