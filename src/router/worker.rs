//! A worker: copies what it is given of the source to the active lane, in transactions.
//!
//! How: one thread polls, copies and commits ([`session`]); one follows the control topic; the caller's watches both and
//! gives up when a call into the client never comes back, which is known to happen. Whatever goes wrong, the session is
//! thrown away and another begins where the brokers say that the last transaction ended.
//!
//! It must not keep anything between sessions: what is true is in the group's offsets and their marks.

mod gauge;
mod session;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

pub use self::gauge::Gauge;
use self::session::{Ended, Session};
use super::client::RouterError;
use super::follow::{self, Latest};
use super::spec::Spec;
use super::topics;
use crate::source::kafka::ClientProperties;

/// Between two looks at how the threads are.
const BEAT: Duration = Duration::from_millis(100);
/// A thread that shows no sign of life for so long hangs in the client: every wait of ours is shorter.
const STUCK: Duration = Duration::from_secs(90);
/// Least and greatest pause before another session.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// A session that lasted so long was a good one: the next begins after the least pause.
const GOOD: Duration = Duration::from_secs(30);

/// Who loses the slot twice within this time has a rival, and gives in.
const RIVAL: Duration = Duration::from_mins(1);
/// A process that did nothing for longer than its membership lasts was stopped: who has the slot then is its successor.
const STOOD_STILL: Duration = Duration::from_secs(6);

/// What a worker works with.
#[derive(Clone, Debug)]
pub struct Job {
    /// The route.
    pub spec: Arc<Spec>,
    /// The cluster.
    pub properties: ClientProperties,
    /// Name of this worker among those of the route: stable over restarts, and used by one process at a time.
    pub slot: String,
}

impl Job {
    /// Name of its transactions and of its membership, by which a successor fences it.
    fn name(&self) -> String {
        format!("{}.{}", self.spec.worker_group(), self.slot)
    }
}

/// Works until told to stop.
///
/// # Errors
///
/// When the route's topics do not fit, when another worker took the slot, or when the client hangs.
pub fn run(job: &Job, gauge: &Arc<Gauge>, stop: &Arc<AtomicBool>) -> Result<(), RouterError> {
    topics::check(&job.properties, &job.spec)?;
    let latest = Arc::new(Latest::default());
    let follower = {
        let (job, latest, stop) = (job.clone(), latest.clone(), stop.clone());
        spawn("control", move || {
            let place = (job.spec.control.topic.as_str(), job.spec.name.as_str());
            follow::follow(&job.properties, place, &latest, &stop);
        })?
    };
    let worker = {
        let (job, latest, gauge, stop) = (job.clone(), latest.clone(), gauge.clone(), stop.clone());
        spawn("worker", move || sessions(&job, &latest, &gauge, &stop))?
    };
    let mut looked = Instant::now();
    while !worker.is_finished() {
        if looked.elapsed() > STOOD_STILL {
            gauge.stood_still();
        }
        looked = Instant::now();
        if gauge.silence() > STUCK {
            stop.store(true, Ordering::Relaxed);
            let words =
                format!("the Kafka client has not come back for {} s: start this worker again", STUCK.as_secs());
            return Err(RouterError::Stuck(words));
        }
        if let Some(words) = latest.trouble() {
            gauge.complain(&words);
        }
        std::thread::park_timeout(BEAT);
    }
    stop.store(true, Ordering::Relaxed);
    let outcome = worker.join().unwrap_or_else(|_| Err(RouterError::Stuck("the worker's thread broke off".to_owned())));
    if follower.join().is_err() {
        tracing::error!("the thread of the control topic broke off");
    }
    outcome
}

fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<std::thread::JoinHandle<T>, RouterError> {
    let spawned = std::thread::Builder::new().name(name.to_owned()).spawn(work);
    spawned.map_err(|error| RouterError::Refused(format!("cannot start a thread: {error}")))
}

/// One session after the other.
fn sessions(job: &Job, latest: &Latest, gauge: &Gauge, stop: &AtomicBool) -> Result<(), RouterError> {
    let (mut pause, mut rival) = (PAUSES.0, None::<Instant>);
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        let ended = match Session::open(job, latest, gauge) {
            Ok(session) => session.run(stop),
            Err(ended) => ended,
        };
        if matches!(ended, Ended::Replaced) {
            // The thread that would notice a standstill has had its turn by then.
            std::thread::sleep(BEAT * 2);
        }
        match ended {
            Ended::Stopped => return Ok(()),
            // Brokers that were restarted may say so too, of answers that were lost; a rival says it again.
            Ended::Replaced if !gauge.stood_still_within(RIVAL) && rival.is_none_or(|at| at.elapsed() > RIVAL) => {
                rival = Some(Instant::now());
                gauge.began_anew("the slot may have been taken by another worker; taking it back");
            }
            Ended::Replaced => {
                let words = format!("another worker has taken the slot {}: give each worker its own", job.slot);
                return Err(RouterError::Replaced(words));
            }
            Ended::Trouble(words) => {
                let words = format!("the session begins anew: {words}");
                gauge.began_anew(&words);
            }
        }
        pause = if began.elapsed() > GOOD { PAUSES.0 } else { (pause * 2).min(PAUSES.1) };
        let until = Instant::now() + pause;
        while Instant::now() < until && !stop.load(Ordering::Relaxed) {
            gauge.beat();
            std::thread::park_timeout(BEAT.min(pause));
        }
    }
    Ok(())
}
