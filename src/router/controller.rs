//! The controller: one leads, the others stand by.
//!
//! The requests topic has one partition; whoever is given it by the group leads. A leader writes everything in
//! transactions under one name that all controllers share, together with the offset of the requests it has seen: so a
//! successor fences it by opening its own, brokers refuse a leader that the group has left behind, and a request is
//! answered once. Everything a successor needs is in the topics.
//!
//! It must not change the lane by what it did not read itself as leader.

mod auditor;
mod checks;
mod rows;
mod term;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use self::checks::Board;
use self::rows::Rows;
use self::term::Term;
use super::client::RouterError;
use super::spec::Spec;
use super::topics;
use crate::source::kafka::ClientProperties;

/// Pause before it tries to lead again.
const AGAIN: Duration = Duration::from_secs(1);

/// What a controller works with.
#[derive(Clone, Debug)]
pub struct Job {
    /// The route.
    pub spec: Arc<Spec>,
    /// The cluster.
    pub properties: ClientProperties,
    /// By which it calls itself in the status.
    pub name: String,
}

/// Leads or stands by until told to stop; says what happens.
///
/// # Errors
///
/// When the route's topics do not fit or belong to another route.
pub fn run(job: &Job, stop: &Arc<AtomicBool>, say: impl Fn(&str)) -> Result<(), RouterError> {
    let partitions = topics::check(&job.properties, &job.spec)?;
    let rows = Rows::open(&job.spec)?;
    let board = Arc::new(Board::new(job.spec.clone()));
    let checker = {
        let (job, board, stop) = (job.clone(), board.clone(), stop.clone());
        let checking = std::thread::Builder::new().name("checks".to_owned());
        checking
            .spawn(move || board.run(&job.properties, rows, &stop))
            .map_err(|error| RouterError::Refused(format!("cannot start a thread: {error}")))?
    };
    let outcome = terms(job, (partitions, &board), stop, &say);
    stop.store(true, Ordering::Relaxed);
    if checker.join().is_err() {
        tracing::error!("the thread of the checks broke off");
    }
    outcome
}

fn terms(
    job: &Job,
    (partitions, board): (usize, &Board),
    stop: &AtomicBool,
    say: &impl Fn(&str),
) -> Result<(), RouterError> {
    let mut said = String::new();
    while !stop.load(Ordering::Relaxed) {
        let led = Term::wait(job, stop).and_then(|term| match term {
            None => Ok(()),
            Some(mut term) => {
                term.begin(partitions, board)?;
                say("this controller leads");
                said.clear();
                term.lead(board, stop)
            }
        });
        match led {
            Ok(()) => {}
            Err(error @ RouterError::Refused(_)) => return Err(error),
            Err(error) => {
                let words = error.to_string();
                if words != said {
                    say(&format!("this controller does not lead: {words}"));
                    said = words;
                }
                let until = Instant::now() + AGAIN;
                while Instant::now() < until && !stop.load(Ordering::Relaxed) {
                    std::thread::park_timeout(AGAIN / 10);
                }
            }
        }
    }
    Ok(())
}
