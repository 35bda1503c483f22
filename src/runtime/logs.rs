//! The log that somebody looks at: followed, kept, searched, and told to the screen page by page.
//!
//! One session for one target at a time, on a thread of its own, so that neither a search nor the disk holds
//! anything up. It lives on for a while after nobody looks, for whoever comes back. The screen says what it looks
//! at by [`Interest`]; the answers are [`News`]. A search goes on segment by segment between everything else.

mod page;
mod sieve;

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, interval};
use tokio_util::sync::CancellationToken;

use super::backends::Clusters;
use crate::event::{Event, Notice};
use crate::logs::braid::Entry;
use crate::logs::history::{self, History, Kind, Limits};
use crate::logs::news::{Facet, News};
use crate::logs::radar::{Radar, Sighting};
use crate::model::Time;
use crate::model::interest::Interest;
use crate::model::log::{LogInterest, Mark, Target, View};
use crate::source::kube::tail::merge::Merge;
use crate::source::kube::tail::{Message, Plan, Tails};
use sieve::{Seconds, Sieve};

/// Between two looks at what is due, and between two pieces of news.
const BEAT: Duration = Duration::from_millis(100);
/// How long a session lives when nobody looks.
const LINGER: Duration = Duration::from_mins(2);
/// Lines of the past that are fetched of each container.
const PAST_LINES: u32 = 20_000;
/// Bytes that may wait to be put in order; then reading stops for a moment.
const MOST_HELD: usize = 8 << 20;
/// Facets are counted at most so often.
const FACETS: Duration = Duration::from_secs(1);

/// Follows whatever log is looked at, until cancelled.
pub async fn run(
    clusters: Clusters,
    mut interest: watch::Receiver<Arc<Interest>>,
    events: mpsc::Sender<Event>,
    cancel: CancellationToken,
) {
    loop {
        let wanted = tokio::select! {
            () = cancel.cancelled() => return,
            wanted = interest.wait_for(|interest| interest.log.is_some()) => wanted.ok().and_then(|it| it.log.clone()),
        };
        let Some(wanted) = wanted else { return };
        let cluster = tokio::select! {
            () = cancel.cancelled() => return,
            cluster = clusters.of(&wanted.target.key().environment) => cluster,
        };
        let Some(cluster) = cluster else { return };
        let previous = matches!(wanted.target, Target::Previous(..));
        let plan = Plan { lines: Some(PAST_LINES), previous, follow: !previous, ..Plan::default() };
        let (tails, pieces) = Tails::new(cluster, plan);
        let session = Session::new(wanted.target.clone(), tails);
        let (interest, events, cancel, handle) = (interest.clone(), events.clone(), cancel.clone(), Handle::current());
        let work = move || handle.block_on(session.run(pieces, interest, (events, cancel)));
        if let Err(error) = tokio::task::spawn_blocking(work).await {
            tracing::error!(%error, "the log session broke");
        }
    }
}

/// One target's log.
struct Session {
    target: Target,
    tails: Tails,
    merge: Merge,
    /// `pod/container` of each, for queries.
    names: Vec<String>,
    history: History,
    radar: Radar,
    sieve: Sieve,
    seconds: Seconds,
    gaps: u64,
    begin: Option<Time>,
    view: View,
    facets: (Option<Instant>, Vec<Facet>),
    saved: u64,
    changed: bool,
}

impl Session {
    fn new(target: Target, tails: Tails) -> Self {
        Self {
            target,
            tails,
            merge: Merge::default(),
            names: Vec::new(),
            history: History::new(Limits::default()),
            radar: Radar::default(),
            sieve: Sieve::default(),
            seconds: Seconds::default(),
            gaps: 0,
            begin: None,
            view: View::default(),
            facets: (None, Vec::new()),
            saved: 0,
            changed: true,
        }
    }

    async fn run(
        mut self,
        mut pieces: mpsc::Receiver<Message>,
        mut interest: watch::Receiver<Arc<Interest>>,
        (events, cancel): (mpsc::Sender<Event>, CancellationToken),
    ) {
        let mut beat = interval(BEAT);
        let mut unwanted: Option<Instant> = None;
        let mut first = true;
        interest.mark_changed();
        loop {
            let searching = self.sieve.next(&self.history).is_some();
            tokio::select! {
                biased;
                () = cancel.cancelled() => return,
                changed = interest.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let wanted = interest.borrow_and_update().log.clone();
                    match wanted {
                        Some(wanted) if wanted.target != self.target => return,
                        Some(wanted) => {
                            unwanted = None;
                            if self.look(wanted, std::mem::take(&mut first)) && !self.tell(&events).await {
                                return;
                            }
                        }
                        None => unwanted = unwanted.or_else(|| Some(Instant::now())),
                    }
                }
                _ = beat.tick() => {
                    if unwanted.is_some_and(|since| since.elapsed() > LINGER) {
                        return;
                    }
                    self.drain();
                    if unwanted.is_none() && self.changed && !self.tell(&events).await {
                        return;
                    }
                }
                Some(message) = pieces.recv(), if self.merge.held() < MOST_HELD => self.take(message),
                () = std::future::ready(()), if searching => {
                    self.changed |= self.sieve.step(&self.history, &self.names);
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    /// Takes in what is looked at; whether that needs an answer.
    fn look(&mut self, wanted: LogInterest, first: bool) -> bool {
        let layout = self.tails.layouts().layout_of(wanted.pipeline.as_deref());
        for container in wanted.containers {
            let container = Arc::new(container);
            self.merge.add(&container, layout);
            self.tails.follow(container, !first);
        }
        let new = self.merge.containers().iter().skip(self.names.len());
        self.names.extend(new.map(|container| format!("{}/{}", container.pod.name, container.name)));
        if wanted.view == self.view && !first {
            return false;
        }
        if wanted.view.query != self.view.query {
            self.sieve = Sieve::new(&wanted.view.query, chrono::Utc::now());
        }
        self.view = wanted.view;
        true
    }

    fn take(&mut self, message: Message) {
        self.changed |= self.merge.take(message, chrono::Utc::now());
        if self.merge.held() >= MOST_HELD {
            self.drain();
        }
    }

    /// Keeps what is in order by now.
    fn drain(&mut self) {
        let mut due = Vec::new();
        self.merge.drain(chrono::Utc::now(), &mut |number, time, entry| due.push((number, time, entry)));
        for (number, time, entry) in due {
            self.keep(number, time, &entry);
        }
    }

    fn keep(&mut self, number: usize, time: Time, entry: &Entry<Mark>) {
        self.changed = true;
        self.begin = Some(self.begin.map_or(time, |begin| begin.min(time)));
        let source = u16::try_from(number).unwrap_or(u16::MAX);
        let words;
        let (text, level, kind, exception) = match entry {
            Entry::Event(record) => (&*record.text, record.level, Kind::Event, record.exception.as_deref()),
            Entry::Mark(mark) => {
                words = mark.words();
                let kind = if matches!(mark, Mark::Missed(_)) { Kind::Gap } else { Kind::Remark };
                self.gaps += u64::from(kind == Kind::Gap);
                (words.as_str(), None, kind, None)
            }
        };
        let fingerprint = exception.map(|exception| exception.fingerprint);
        let kept = history::Entry { text, time, source, level, kind, fingerprint };
        let event = self.history.push(&kept);
        if kind == Kind::Event {
            self.seconds.add(&kept);
        } else {
            self.sieve.mark(event);
        }
        if let (Some(exception), Some(container)) = (exception, self.merge.containers().get(number)) {
            self.radar.add(&Sighting { exception, text, time, pod: &container.pod.name, event });
        }
    }

    /// Sends what there is to know; `false` when nobody listens any more.
    async fn tell(&mut self, events: &mpsc::Sender<Event>) -> bool {
        self.changed = false;
        if let Some(path) = self.view.save.clone()
            && self.saved != self.view.serial
        {
            self.saved = self.view.serial;
            // The file is to hold all matches, not those that were found so far.
            while self.sieve.next(&self.history).is_some() {
                self.sieve.step(&self.history, &self.names);
            }
            let notice = self.save(&path);
            if events.send(Event::Noticed(notice)).await.is_err() {
                return false;
            }
        }
        let news = self.news();
        events.send(Event::Logs(Box::new(news))).await.is_ok()
    }

    fn news(&mut self) -> News {
        let now = chrono::Utc::now();
        let page = page::of(self);
        if self.view.facets && self.facets.0.is_none_or(|at| at.elapsed() > FACETS) {
            self.facets = (Some(Instant::now()), page::facets(self));
        }
        let filtered = !self.sieve.is_empty();
        let seconds = if filtered { self.sieve.seconds() } else { &self.seconds };
        let kept = self.history.next() - self.history.first();
        News {
            target: self.target.clone(),
            serial: self.view.serial,
            rows: page.rows,
            anchor: page.anchor,
            bounds: page.bounds,
            histogram: seconds.histogram(now),
            facets: if self.view.facets { self.facets.1.clone() } else { Vec::new() },
            kinds: self.radar.kinds(now).into(),
            streams: self.merge.states().map(|(container, state)| (container.clone(), state.clone())).collect(),
            events: (kept, self.history.first()),
            gaps: self.gaps,
            found: if filtered { self.sieve.found() } else { kept },
            searched: self.sieve.percent(&self.history),
            begin: self.begin,
        }
    }

    /// Writes all matches to a new file.
    fn save(&self, path: &str) -> Notice {
        let written = page::save(self, path);
        match written {
            Ok(count) => Notice::Done(format!("{count} events saved to {path}").into()),
            Err(error) => Notice::Failed(format!("{path} could not be written: {error}").into()),
        }
    }
}
