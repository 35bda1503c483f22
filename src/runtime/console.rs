//! The console's loop: one task that owns the state.
//!
//! Signals first, then keys, then facts, then the clock; each is applied by `update`, and the screen is
//! drawn when something visible changed. A key is drawn at once. Facts are drawn at most thirty times a
//! second, and less often when frames are big, so that a busy cluster does not flood a thin line.

use std::io;
use std::task::Poll;
use std::time::Duration;

use crossterm::event::{Event as TerminalEvent, EventStream, KeyEventKind};
use futures_util::{Stream, StreamExt};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::backends::Backends;
use super::changes::Changes;
use super::files::{self, Files};
use super::visitor::Visitor;
use crate::app::{self, Effect, State};
use crate::event::{DocumentKey, Event, Notice};
use crate::term::Guard;
use crate::ui::{self, Theme};

/// At most thirty frames a second.
const FRAME: Duration = Duration::from_millis(33);
/// Bytes a second that frames may use while no key is pressed.
const BUDGET: u64 = 8_000;
/// Bytes that a quiet screen saves up, so that the first rows, a few big frames in a row, need not wait for each other.
const SAVINGS: u64 = 16_000;
/// However big a frame was, the next one is not later than this.
const LONGEST_REST: Duration = Duration::from_secs(1);
/// The clock that ages on screen follow.
const TICK: Duration = Duration::from_millis(250);
/// Batches of facts applied before keys are looked at again.
const BATCHES: usize = 4;
/// Keys applied before a frame is drawn, while they come faster than frames.
const KEYS: usize = 64;

/// How the console ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// By the user.
    Quit,
    /// By a signal, whose number is given.
    Signal(i32),
}

/// What the loop draws on.
pub trait Canvas {
    /// Draws the state; answers how many bytes that took.
    ///
    /// # Errors
    ///
    /// When the terminal is gone.
    fn draw(&mut self, state: &State, theme: &Theme) -> io::Result<u64>;

    /// Columns and rows.
    ///
    /// # Errors
    ///
    /// When the terminal is gone.
    fn size(&self) -> io::Result<(u16, u16)>;

    /// Puts text on the terminal's clipboard.
    ///
    /// # Errors
    ///
    /// When the terminal is gone.
    fn copy(&mut self, text: &str) -> io::Result<()>;

    /// Rings the bell, and says why where the terminal can.
    ///
    /// # Errors
    ///
    /// When the terminal is gone.
    fn ring(&mut self, why: &str) -> io::Result<()>;

    /// Stops the process until it is continued, with the terminal given back meanwhile.
    ///
    /// # Errors
    ///
    /// When the terminal is gone.
    fn suspend(&mut self) -> io::Result<()>;

    /// Gives the terminal to another program.
    fn release(&mut self);

    /// Takes the terminal again after somebody else had it.
    ///
    /// # Errors
    ///
    /// When the terminal is gone.
    fn resume(&mut self) -> io::Result<()>;
}

impl Canvas for Guard {
    fn draw(&mut self, state: &State, theme: &Theme) -> io::Result<u64> {
        let before = self.written();
        Self::draw(self, |frame| ui::draw(state, theme, frame))?;
        Ok(self.written() - before)
    }

    fn size(&self) -> io::Result<(u16, u16)> {
        Self::size(self)
    }

    fn copy(&mut self, text: &str) -> io::Result<()> {
        Self::copy(self, text)
    }

    fn ring(&mut self, why: &str) -> io::Result<()> {
        Self::ring(self, why)
    }

    fn suspend(&mut self) -> io::Result<()> {
        Self::suspend(self)
    }

    fn release(&mut self) {
        Self::release(self);
    }

    fn resume(&mut self) -> io::Result<()> {
        Self::resume(self)
    }
}

/// When the next frame may be drawn: a bucket of bytes, filled at [`BUDGET`] up to [`SAVINGS`].
#[derive(Debug)]
struct Pace {
    next: Instant,
    /// When the bucket is full again.
    full: Instant,
}

impl Pace {
    fn new(now: Instant) -> Self {
        Self { next: now, full: now }
    }

    fn drew(&mut self, now: Instant, bytes: u64) {
        let savings = time_for(SAVINGS);
        self.full = (self.full.max(now) + time_for(bytes)).min(now + savings + LONGEST_REST);
        // Until the bucket is no longer overdrawn.
        let overdrawn = self.full.saturating_duration_since(now).saturating_sub(savings);
        self.next = now + overdrawn.max(FRAME);
    }
}

/// How long the budget takes to fill so many bytes.
const fn time_for(bytes: u64) -> Duration {
    Duration::from_micros(bytes * 1_000_000 / BUDGET)
}

/// The signals that concern a console.
#[derive(Debug)]
struct Signals {
    terminate: Signal,
    hang_up: Signal,
    interrupt: Signal,
    proceed: Signal,
}

enum Caught {
    End(i32),
    Continued,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            // SIGCONT has no kind of its own in tokio.
            proceed: signal(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()))?,
        })
    }

    async fn next(&mut self) -> Caught {
        tokio::select! {
            _ = self.terminate.recv() => Caught::End(SignalKind::terminate().as_raw_value()),
            _ = self.hang_up.recv() => Caught::End(SignalKind::hangup().as_raw_value()),
            _ = self.interrupt.recv() => Caught::End(SignalKind::interrupt().as_raw_value()),
            _ = self.proceed.recv() => Caught::Continued,
        }
    }
}

/// Runs the console on the real terminal until it ends.
///
/// # Errors
///
/// When the terminal is gone.
pub async fn run(
    canvas: &mut impl Canvas,
    state: &mut State,
    theme: &Theme,
    backends: &Backends,
    events: &mut mpsc::Receiver<Event>,
) -> io::Result<Ending> {
    let mut signals = Signals::new()?;
    let mut keys = EventStream::new();
    let changes = Changes::new(backends.environments(), backends.events());
    tell_of_drafts(backends);
    let pace = Pace::new(Instant::now());
    let mut desk = Desk { canvas, state, theme, backends, changes, pace, files: None, errand: None };
    desk.draw()?;
    let mut clock = tokio::time::interval(TICK);
    let mut batches = Vec::with_capacity(BATCHES);
    loop {
        let due = desk.state.needs_draw();
        let ending = tokio::select! {
            biased;
            caught = signals.next() => desk.caught(&caught)?,
            key = keys.next() => desk.keys(key, &mut keys).await?,
            () = tokio::time::sleep_until(desk.pace.next), if due => { desk.draw()?; None }
            count = events.recv_many(&mut batches, BATCHES) => desk.facts(count, &mut batches)?,
            _ = clock.tick() => desk.apply([Event::Ticked(chrono::Utc::now())])?,
        };
        if let Some(ending) = ending {
            return Ok(ending);
        }
        if let Some(errand) = desk.errand.take() {
            // The other program must get all keys.
            drop(keys);
            if let Some(ending) = desk.hand_over(&errand, events, &mut signals).await? {
                return Ok(ending);
            }
            keys = EventStream::new();
        }
    }
}

impl Errand {
    fn visitor(&self) -> io::Result<Visitor> {
        match self {
            Self::Read(text) => Visitor::start(&["PAGER", "EDITOR"], "less", text, ""),
            Self::Edit(text, suffix) => Visitor::start(&["VISUAL", "EDITOR"], "vi", text, suffix),
        }
    }

    /// What there is to tell when the program has ended with a text.
    fn told(&self, ended: io::Result<String>) -> Option<Event> {
        match (self, ended) {
            (Self::Read(_), Ok(_)) => None,
            (Self::Read(_), Err(error)) => {
                Some(Event::Noticed(Notice::Failed(format!("no pager: {error}; set PAGER to one").into())))
            }
            (Self::Edit(..), ended) => {
                Some(Event::Edited(ended.map(Into::into).map_err(|error| error.to_string().into())))
            }
        }
    }
}

/// The state with what it takes to carry its effects out.
struct Desk<'a, C> {
    canvas: &'a mut C,
    state: &'a mut State,
    theme: &'a Theme,
    backends: &'a Backends,
    /// Changes of pipelines that were begun from the screen.
    changes: Changes,
    pace: Pace,
    /// From the first text that is written on.
    files: Option<Files>,
    /// What another program is to have the terminal for.
    errand: Option<Errand>,
}

/// What another program is to have the terminal for.
enum Errand {
    /// The user's pager, for a text.
    Read(String),
    /// The user's editor, for a text and the end of its file's name.
    Edit(String, &'static str),
}

impl<C: Canvas> Desk<'_, C> {
    fn draw(&mut self) -> io::Result<()> {
        // The size may have changed without a signal that reached us, as while the process was stopped.
        let (columns, rows) = self.canvas.size()?;
        if self.state.size() != (columns, rows) {
            app::update(self.state, Event::Resized(columns, rows));
        }
        let bytes = self.canvas.draw(self.state, self.theme)?;
        self.state.drawn();
        self.pace.drew(Instant::now(), bytes);
        Ok(())
    }

    /// Lets another program have the terminal until it ends; facts are taken in meanwhile.
    async fn hand_over(
        &mut self,
        errand: &Errand,
        events: &mut mpsc::Receiver<Event>,
        signals: &mut Signals,
    ) -> io::Result<Option<Ending>> {
        self.canvas.release();
        let mut batches = Vec::with_capacity(BATCHES);
        let told = match errand.visitor() {
            Ok(mut visitor) => loop {
                tokio::select! {
                    ended = visitor.ended() => break errand.told(ended.and_then(|()| visitor.text())),
                    count = events.recv_many(&mut batches, BATCHES) => {
                        if let Some(ending) = self.facts(count, &mut batches)? {
                            return Ok(Some(ending));
                        }
                    }
                    caught = signals.next() => match caught {
                        // An interrupt is meant for the program in front.
                        Caught::End(number) if number != SignalKind::interrupt().as_raw_value() => {
                            return Ok(Some(Ending::Signal(number)));
                        }
                        Caught::End(_) | Caught::Continued => {}
                    },
                }
            },
            Err(error) => errand.told(Err(error)),
        };
        self.canvas.resume()?;
        self.apply([Event::Resumed, Event::Ticked(chrono::Utc::now())].into_iter().chain(told))?;
        self.draw()?;
        Ok(None)
    }

    fn caught(&mut self, caught: &Caught) -> io::Result<Option<Ending>> {
        match caught {
            Caught::End(number) => Ok(Some(Ending::Signal(*number))),
            Caught::Continued => {
                self.canvas.resume()?;
                let ending = self.apply([Event::Resumed, Event::Ticked(chrono::Utc::now())])?;
                self.draw()?;
                Ok(ending)
            }
        }
    }

    /// Applies a key and those that already wait behind it, then draws at once.
    async fn keys<S>(&mut self, first: Option<io::Result<TerminalEvent>>, rest: &mut S) -> io::Result<Option<Ending>>
    where
        S: Stream<Item = io::Result<TerminalEvent>> + Unpin,
    {
        let Some(first) = first else { return Ok(Some(Ending::Signal(SignalKind::hangup().as_raw_value()))) };
        let mut pressed = Vec::from_iter(translate(first?));
        while pressed.len() < KEYS
            && let Some(next) = waiting(rest).await
        {
            pressed.extend(translate(next?));
        }
        for event in pressed {
            if let Some(ending) = self.apply([event])? {
                return Ok(Some(ending));
            }
        }
        if self.state.needs_draw() {
            self.draw()?;
        }
        Ok(None)
    }

    fn facts(&mut self, count: usize, batches: &mut Vec<Event>) -> io::Result<Option<Ending>> {
        if count == 0 {
            // All sources ended, which only happens on the way out.
            return Ok(Some(Ending::Quit));
        }
        self.apply(batches.drain(..))
    }

    fn files(&mut self) -> &Files {
        let backends = self.backends;
        self.files.get_or_insert_with(|| Files::new(backends.events()))
    }

    fn apply(&mut self, events: impl IntoIterator<Item = Event>) -> io::Result<Option<Ending>> {
        let mut ending = None;
        for event in events {
            for effect in app::update(self.state, event) {
                ending = self.carry_out(effect)?.or(ending);
            }
        }
        self.backends.want(self.state.interest());
        Ok(ending)
    }

    fn carry_out(&mut self, effect: Effect) -> io::Result<Option<Ending>> {
        match effect {
            Effect::Quit => return Ok(Some(Ending::Quit)),
            Effect::Suspend => {
                self.canvas.suspend()?;
                let ending = self.apply([Event::Resumed, Event::Ticked(chrono::Utc::now())])?;
                self.draw()?;
                return Ok(ending);
            }
            Effect::Copy(text) => self.canvas.copy(&text)?,
            Effect::Alarm(why) => self.canvas.ring(&why)?,
            // Pagers hand on what terminals obey.
            Effect::Read(text) => {
                let clean: String = text.lines().map(|line| ui::text::clean(line).into_owned() + "\n").collect();
                self.errand = Some(Errand::Read(clean));
            }
            Effect::Edit(text, suffix) => self.errand = Some(Errand::Edit(text, suffix)),
            Effect::Keep(path, draft) => self.files().keep(path, draft),
            Effect::Recall(path) => files::recall(path, self.backends.events()),
            Effect::Save { path, text, base } => self.files().save(path, text, base),
            Effect::Begin(folder, files) => self.files().begin(folder, files),
            Effect::Fetch(DocumentKey::RevisionDifference(key, from, to)) => self.changes.compare(key, from, to),
            Effect::Fetch(document) => self.backends.fetch(document),
            Effect::Plan(number, intent) => self.changes.plan(number, *intent),
            Effect::Agree(number, consent) => self.changes.agree(number, consent),
            Effect::Cancel(number) => self.changes.cancel(number),
            Effect::Open(key, id, path) => self.changes.open(key, id, path),
            Effect::Survey(key) => self.changes.survey(key),
            Effect::Around(key) => self.changes.around(key),
            Effect::Answer(environment, order) => self.backends.answer(&environment, order),
            Effect::Wish(wish) => self.backends.wish(wish),
            Effect::Saturate(told) => self.backends.saturate(told),
        }
        Ok(None)
    }
}

/// The next item, if it is there already.
///
/// Asked in the name of the running task: the terminal's stream remembers only the first waker that asks,
/// and one that wakes nobody would leave the next key lying until the clock ticks.
async fn waiting<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    std::future::poll_fn(|context| match stream.poll_next_unpin(context) {
        Poll::Ready(item) => Poll::Ready(item),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

fn translate(event: TerminalEvent) -> Option<Event> {
    match event {
        TerminalEvent::Key(key) if key.kind != KeyEventKind::Release => Some(Event::Key(key)),
        TerminalEvent::Paste(text) => Some(Event::Paste(text)),
        TerminalEvent::Resize(columns, rows) => Some(Event::Resized(columns, rows)),
        _ => None,
    }
}

/// Says at the start what was typed and not sent before.
fn tell_of_drafts(backends: &Backends) {
    let environments: Vec<String> = backends.environments().iter().map(|it| it.name.clone()).collect();
    let events = backends.events();
    tokio::task::spawn_blocking(move || {
        let told = files::left::told(&environments, chrono::Utc::now());
        if let Some(words) = told
            && events.blocking_send(Event::Noticed(Notice::Done(words.into()))).is_err()
        {
            tracing::debug!("nobody waits for drafts any more");
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_big_frames_do_not_wait_for_each_other() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        pace.drew(now, 7_000);
        assert_eq!(pace.next, now + FRAME);
        pace.drew(now + FRAME, 7_000);
        assert_eq!(pace.next, now + 2 * FRAME);
    }

    #[test]
    fn frames_without_end_keep_to_the_budget() {
        let begun = Instant::now();
        let (mut pace, mut bytes) = (Pace::new(begun), 0);
        while pace.next < begun + Duration::from_mins(1) {
            bytes += 900;
            pace.drew(pace.next, 900);
        }
        let bounds = 60 * BUDGET..=60 * BUDGET + SAVINGS + 900;
        assert!(bounds.contains(&bytes), "{bytes} of {bounds:?}");
    }

    #[test]
    fn a_huge_frame_is_not_waited_out() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        pace.drew(now, 1_000_000);
        assert_eq!(pace.next, now + LONGEST_REST);
    }
}
