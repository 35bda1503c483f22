//! The wish that a run should end, noticed by a thread of its own even while the run waits for brokers.

use std::io;
use std::thread;

use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that the first signal to end cancels.
pub(super) fn noticed() -> io::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let noticed = stop.clone();
    let runtime = Builder::new_current_thread().enable_all().build()?;
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async {
            match (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) {
                (Ok(mut interrupt), Ok(mut terminate)) => {
                    super::either(&mut interrupt, &mut terminate).await;
                    noticed.cancel();
                }
                (Err(error), _) | (_, Err(error)) => tracing::warn!(%error, "signals are not noticed while waiting"),
            }
        });
    })?;
    Ok(stop)
}
