//! Logs of containers, followed whatever happens to them.
//!
//! Each container has one task. It asks how the container stands, reads its log, and when the log ends it
//! asks again: a clean end says nothing, for a log server that is killed ends a log just so. After a restart
//! the rest of the run before is read first. Where reading goes on is [`resume`]'s work, the questions are
//! [`request`]'s.
//!
//! No line is dropped in silence: what could not be read is told as [`Missed`]. Whoever takes the pieces too
//! slowly slows the reading down, up to the node. [`merge`] makes one list of many containers' pieces.

pub mod merge;
mod piece;
mod read;
mod request;
pub mod resume;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;

use super::Cluster;
use super::pace::{Pace, spread};
use super::trouble::Trouble;
use super::wire::pod::ContainerStatus;
use crate::model::Time;
use crate::model::log::{Container, Missed, StreamState};
use crate::settings::PodLogSettings;
pub use piece::{Lines, Message, Piece};
use read::End;
use request::Found;
use resume::Place;

/// Pieces that may wait for their reader, of all containers together.
const BACKLOG: usize = 32;
/// Delays between tries: first and longest.
const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// How long a log that cannot be read is tried when it is not followed.
const PATIENCE: chrono::TimeDelta = chrono::TimeDelta::seconds(20);
/// After a refusal.
const RECHECK: Duration = Duration::from_secs(15);
/// How often a pod that is gone is looked for: that of a StatefulSet comes again under its name.
const RETURNS: u32 = 60;
/// How often a log that is not followed is asked whether that was all.
const MOST_READINGS: u32 = 8;
/// Between two looks at a container that does not run.
const LOOK: Duration = Duration::from_secs(1);

/// How much of the past is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// From then on; `None` means all that there is.
    pub since: Option<Time>,
    /// At most so many of the lines that were there already, of each container.
    pub lines: Option<u32>,
    /// The run before the last restart, and nothing else.
    pub previous: bool,
    /// Also what will be written.
    pub follow: bool,
}

/// The tails of many containers, which end when it is dropped.
#[derive(Debug)]
pub struct Tails {
    cluster: Cluster,
    plan: Plan,
    known: HashMap<Arc<Container>, AbortHandle>,
    tasks: JoinSet<()>,
    sender: mpsc::Sender<Message>,
}

impl Tails {
    /// No tails yet, and where their pieces will come.
    #[must_use]
    pub fn new(cluster: Cluster, plan: Plan) -> (Self, mpsc::Receiver<Message>) {
        let (sender, receiver) = mpsc::channel(BACKLOG);
        (Self { cluster, plan, known: HashMap::new(), tasks: JoinSet::new(), sender }, receiver)
    }

    /// Follows a container, if it is not followed already. One that appears later is read from its beginning.
    pub fn follow(&mut self, container: Arc<Container>, late: bool) {
        while self.tasks.try_join_next().is_some() {}
        // One that is not followed is read once.
        if self.known.get(&container).is_some_and(|task| !self.plan.follow || !task.is_finished()) {
            return;
        }
        let plan = if late { Plan { since: None, lines: None, ..self.plan } } else { self.plan };
        let sink = Sink { container: container.clone(), sender: self.sender.clone() };
        let tail = Tail {
            cluster: self.cluster.clone(),
            plan,
            sink,
            place: Place::default(),
            pod: None,
            run: None,
            gone: 0,
            state: None,
            away: None,
            doubtful: false,
            readings: 0,
            rest: None,
            cut: false,
            asked: Utc::now(),
            fresh: true,
        };
        self.known.insert(container, self.tasks.spawn(tail.run()));
    }

    /// How the pods of the cluster log.
    #[must_use]
    pub fn layouts(&self) -> &PodLogSettings {
        &self.cluster.logs
    }

    /// Whether any tail has not come to its end.
    pub fn are_running(&mut self) -> bool {
        while self.tasks.try_join_next().is_some() {}
        !self.tasks.is_empty()
    }
}

/// Where pieces go.
#[derive(Clone, Debug)]
struct Sink {
    container: Arc<Container>,
    sender: mpsc::Sender<Message>,
}

impl Sink {
    /// Waits until there is room; an error when nobody listens any more.
    async fn send(&self, piece: Piece) -> Result<(), Closed> {
        self.sender.send(Message { container: self.container.clone(), piece }).await.map_err(|_| Closed)
    }
}

/// Nobody listens.
#[derive(Clone, Copy, Debug)]
struct Closed;

/// The tail of one container.
#[derive(Debug)]
struct Tail {
    cluster: Cluster,
    plan: Plan,
    sink: Sink,
    place: Place,
    /// Identity of the pod that is being read.
    pod: Option<String>,
    /// Restarts of the container before the run that is being read.
    run: Option<u32>,
    /// How often in a row there was no such pod.
    gone: u32,
    state: Option<StreamState>,
    /// Since when it cannot be read, and why.
    away: Option<(Time, Arc<str>)>,
    /// The log ended as if all was said, and nobody has asked yet whether it was.
    doubtful: bool,
    /// Readings of a log that is not followed.
    readings: u32,
    /// The line without an end that the last reading of a log as it stands ended with.
    rest: Option<String>,
    /// It was not the same in the reading before.
    cut: bool,
    /// When somebody wanted the log.
    asked: Time,
    /// Nothing was read yet.
    fresh: bool,
}

/// When to look again.
enum Next {
    /// Soon, and later each time.
    Again,
    /// After so long.
    After(Duration),
    /// Never.
    Over,
}

impl Tail {
    async fn run(mut self) {
        let mut pace = Pace::new(RETRY.0, RETRY.1);
        let ended: Result<(), Closed> = async {
            self.tell(StreamState::Opening).await?;
            loop {
                let before = self.place.time();
                let next = self.round().await?;
                if self.place.time() != before {
                    pace.reset();
                }
                match next {
                    Next::Again => sleep(pace.pause()).await,
                    Next::After(delay) => sleep(spread(delay)).await,
                    Next::Over => return self.sink.send(Piece::Over).await,
                }
            }
        }
        .await;
        if ended.is_err() {
            tracing::debug!("nobody reads the log of {} any more", self.sink.container.pod);
        }
    }

    /// One look at the container and one reading of its log.
    async fn round(&mut self) -> Result<Next, Closed> {
        let status = match request::status(&self.cluster, &self.sink.container).await {
            Ok(found) => self.found(found).await?,
            Err(Trouble::Absent(_)) => return self.gone().await,
            Err(trouble) => return self.troubled(trouble).await,
        };
        if self.plan.previous {
            return self.previous_alone().await;
        }
        if let Some(run) = self.run
            && status.restart_count != run
            && let Some(next) = self.restarted(run, &status).await?
        {
            return Ok(next);
        }
        self.run = Some(status.restart_count);
        let waiting = status.state.waiting.as_ref().map(|waiting| waiting.reason.as_str());
        let unstarted = status.state.running.is_none() && status.state.terminated.is_none();
        if unstarted && status.last_state.terminated.is_none() {
            let why = waiting.filter(|why| !why.is_empty()).unwrap_or("it is not scheduled yet");
            self.tell(StreamState::Waiting(why.into())).await?;
            return Ok(if self.plan.follow { Next::After(LOOK) } else { Next::Over });
        }
        if status.state.running.is_some() { self.running().await } else { self.ended(&status).await }
    }

    /// Reads the log of a container that runs.
    async fn running(&mut self) -> Result<Next, Closed> {
        // Before a log that has ended is followed on, it is read once as it stands.
        let follow = self.plan.follow && !self.doubtful;
        match self.read(false, follow).await? {
            End::Clean { lines } if !self.plan.follow => self.whole_or_again(lines).await,
            End::Clean { .. } => {
                self.doubtful = follow;
                Ok(if follow { Next::Again } else { Next::After(Duration::ZERO) })
            }
            End::Changed => Ok(Next::Again),
            End::Broken(trouble) => self.troubled(trouble).await,
        }
    }

    /// Asks for a log that is not followed until nothing new comes, or what comes is newer than the question.
    async fn whole_or_again(&mut self, lines: usize) -> Result<Next, Closed> {
        self.readings += 1;
        let newer = self.place.time().is_some_and(|time| time >= self.asked);
        let found = !self.place.is_searching();
        self.doubtful = self.readings < 2 || self.cut || !found || (lines > 0 && !newer);
        if self.doubtful && self.readings < MOST_READINGS {
            return Ok(Next::After(Duration::ZERO));
        }
        self.doubtful = false;
        self.was_lost("its log was rotated away before it could be read to its end").await?;
        Ok(Next::Over)
    }

    /// Reads what a container that has ended still wrote, until nothing new comes.
    async fn ended(&mut self, status: &ContainerStatus) -> Result<Next, Closed> {
        match self.read(false, false).await? {
            End::Clean { lines } if !self.plan.follow => {
                let next = self.whole_or_again(lines).await?;
                if matches!(next, Next::Over) {
                    self.tell(StreamState::Ended(words_of_end(status).into())).await?;
                }
                Ok(next)
            }
            End::Clean { lines: 0 } => {
                self.was_lost("its log was rotated away before it could be read").await?;
                self.doubtful = false;
                self.tell(StreamState::Ended(words_of_end(status).into())).await?;
                Ok(Next::After(LOOK))
            }
            End::Clean { .. } | End::Changed => Ok(Next::Again),
            End::Broken(trouble) => self.troubled(trouble).await,
        }
    }

    /// The container runs again: the rest of the run before comes first.
    async fn restarted(&mut self, run: u32, status: &ContainerStatus) -> Result<Option<Next>, Closed> {
        let (now, missed) = (status.restart_count, status.restart_count.saturating_sub(run + 1));
        let why: Option<String> = if missed > 0 {
            Some(format!("{missed} runs of the container began and ended unseen"))
        } else {
            match self.read(true, false).await? {
                End::Clean { lines: 0 } => None,
                End::Clean { .. } | End::Changed => return Ok(Some(Next::Again)),
                End::Broken(Trouble::Invalid(words) | Trouble::Absent(words)) => {
                    Some(format!("the log of the run before is gone: {words}"))
                }
                End::Broken(trouble) => return self.troubled(trouble).await.map(Some),
            }
        };
        if let Some(why) = why {
            self.missed(None, why).await?;
        }
        // Not found in the log of the run before, the last line may be one of this run, read before the restart was
        // known; if it is not there either, that is a gap.
        if !self.place.is_searching() {
            self.place.begin();
        }
        self.doubtful = false;
        self.run = Some(now);
        let times = if now == 1 { "once".to_owned() } else { format!("{now} times") };
        self.sink.send(Piece::Remark(Utc::now(), format!("the container restarted; {times} by now").into())).await?;
        Ok(None)
    }

    /// The run before, once.
    async fn previous_alone(&mut self) -> Result<Next, Closed> {
        match self.read(true, false).await? {
            End::Clean { lines } => {
                let next = self.whole_or_again(lines).await?;
                if matches!(next, Next::Over) {
                    self.tell(StreamState::Ended("the run before the last restart ended".into())).await?;
                }
                Ok(next)
            }
            End::Changed => Ok(Next::Again),
            End::Broken(Trouble::Invalid(words) | Trouble::Absent(words)) => {
                self.tell(StreamState::Ended(words)).await?;
                Ok(Next::Over)
            }
            End::Broken(trouble) => self.troubled(trouble).await,
        }
    }

    /// A pod of the same name may be another one.
    async fn found(&mut self, found: Found) -> Result<ContainerStatus, Closed> {
        if !found.same_pod(self.pod.as_deref()) {
            if self.place.is_searching() || self.doubtful {
                self.missed(None, "the pod was replaced while its log could not be read".to_owned()).await?;
            }
            self.place.begin();
            self.run = None;
            let words = "another pod took the place and the name of this one";
            self.sink.send(Piece::Remark(Utc::now(), words.into())).await?;
        }
        self.gone = 0;
        self.pod = found.pod;
        Ok(found.status)
    }

    async fn gone(&mut self) -> Result<Next, Closed> {
        if self.doubtful {
            let why = "the pod went as its log ended, before it could be asked whether that was all";
            self.missed(None, why.to_owned()).await?;
        } else if self.away.is_some() || self.place.is_searching() {
            let why = self.away.as_ref().map_or_else(String::new, |(_, why)| format!(" ({why})"));
            self.missed(None, format!("the pod went while its log could not be read{why}")).await?;
        }
        self.tell(StreamState::Gone).await?;
        self.gone += 1;
        Ok(if self.plan.follow && self.gone < RETURNS { Next::After(LOOK) } else { Next::Over })
    }

    /// Something that passes, or a refusal.
    async fn troubled(&mut self, trouble: Trouble) -> Result<Next, Closed> {
        if let Trouble::Forbidden(words) = &trouble {
            self.tell(StreamState::Forbidden(words.clone())).await?;
            return Ok(if self.plan.follow { Next::After(RECHECK) } else { Next::Over });
        }
        let (since, _) = self.away.get_or_insert_with(|| (Utc::now(), trouble.words())).clone();
        if !self.plan.follow && Utc::now() - since > PATIENCE {
            self.missed(None, format!("the log cannot be read: {}", trouble.words())).await?;
            return Ok(Next::Over);
        }
        self.tell(StreamState::Away(since, trouble.words())).await?;
        Ok(Next::Again)
    }

    async fn tell(&mut self, state: StreamState) -> Result<(), Closed> {
        if self.state.as_ref() == Some(&state) {
            return Ok(());
        }
        self.state = Some(state.clone());
        self.sink.send(Piece::State(state)).await
    }

    /// When the last line that was seen is not there any more, although all was read.
    async fn was_lost(&mut self, why: &str) -> Result<(), Closed> {
        if self.place.is_searching() {
            self.missed(None, why.to_owned()).await?;
        }
        Ok(())
    }

    /// Says that lines behind the last one are missing, and goes on with what comes.
    async fn missed(&mut self, to: Option<Time>, why: String) -> Result<(), Closed> {
        let missed = Missed { from: self.place.time(), to, lines: None, why: why.into() };
        self.place.give_up();
        (self.away, self.doubtful) = (None, false);
        self.sink.send(Piece::Missed(missed)).await
    }
}

fn words_of_end(status: &ContainerStatus) -> String {
    let end = status.state.terminated.as_ref().or(status.last_state.terminated.as_ref());
    let waiting = status.state.waiting.as_ref().map(|waiting| format!(", {}", waiting.reason)).unwrap_or_default();
    end.map_or_else(
        || format!("ended{waiting}"),
        |end| format!("ended: {}, exit code {}{waiting}", end.reason, end.exit_code),
    )
}
