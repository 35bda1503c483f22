//! One reading of a log: bytes into lines that were not seen before.

use chrono::Utc;
use http_body_util::BodyExt;
use kube::client::Body;

use super::request::{self, Found, Wanted};
use super::resume::Verdict;
use super::{Closed, Lines, Piece, Tail};
use crate::logs::frame::Framer;
use crate::logs::time;
use crate::model::Time;
use crate::model::log::StreamState;
use crate::source::kube::trouble::Trouble;

/// Bytes after which lines are handed on though more wait.
const BATCH: usize = 64 * 1024;
/// A log that could not be read for less than this is not worth a word when it comes back.
const WORTH_A_WORD: chrono::TimeDelta = chrono::TimeDelta::seconds(2);

/// How a reading ended.
#[derive(Debug)]
pub(super) enum End {
    /// As if all was said, after so many new lines.
    Clean {
        /// New lines.
        lines: usize,
    },
    /// What came is of another run of the container than was thought.
    Changed,
    /// By an error.
    Broken(Trouble),
}

/// What goes on between the bytes and the lines.
struct Reading {
    framer: Framer,
    lines: Lines,
    /// New lines of the whole reading.
    count: usize,
    /// Time of the last line; for those that the server puts in without one.
    time: Time,
    /// Lines that were not seen, though the last that was did not come again.
    lost: Lines,
    /// Restarts of the container when this is the log that was asked for.
    restarts: Option<u32>,
    begun: Time,
    limit: Option<u32>,
}

impl Tail {
    /// Reads the log of this run or of the one before, from where it was left.
    pub(super) async fn read(&mut self, previous: bool, follow: bool) -> Result<End, Closed> {
        self.place.reconnect();
        let since = self.place.time().or(self.plan.since);
        let lines = if self.fresh { self.plan.lines.map(i64::from) } else { None };
        let wanted = Wanted { previous, follow, since, lines };
        let body = match request::open(&self.cluster, &self.sink.container, wanted).await {
            Ok(body) => body,
            Err(trouble) => return Ok(End::Broken(trouble)),
        };
        let begun = Utc::now();
        let mut reading = Reading {
            framer: Framer::default(),
            lines: Lines::default(),
            count: 0,
            time: since.unwrap_or(begun),
            lost: Lines::default(),
            restarts: self.run.map(|run| run + u32::from(previous)),
            begun,
            limit: self.plan.lines.filter(|_| self.fresh),
        };
        if follow {
            self.tell(StreamState::Live).await?;
        }
        let end = self.read_body(body, &mut reading).await?;
        if let (End::Clean { .. }, false) = (&end, follow) {
            // A line without an end is the log's last one, or was cut when the server died: it is believed when it
            // comes again just so.
            let mut rest = None;
            reading.framer.finish(&mut |line| rest = Some(line.text.into_owned()));
            self.cut = rest.is_some() && rest != self.rest;
            if let (Some(line), false) = (&rest, self.cut) {
                self.take(line, &mut reading);
            }
            self.rest = rest;
            reading.count += usize::from(self.cut);
            if self.hand_on(&mut reading).await?.is_some() {
                return Ok(End::Changed);
            }
        }
        Ok(match end {
            End::Clean { .. } => End::Clean { lines: reading.count },
            other => other,
        })
    }

    async fn read_body(&mut self, mut body: Body, reading: &mut Reading) -> Result<End, Closed> {
        while let Some(frame) = body.frame().await {
            let bytes = match frame {
                Ok(frame) => frame.into_data().unwrap_or_default(),
                Err(error) => return Ok(End::Broken(Trouble::from(&kube::Error::Service(error.into())))),
            };
            for piece in bytes.chunks(BATCH) {
                let mut framer = std::mem::take(&mut reading.framer);
                framer.push(piece, &mut |line| self.take(&line.text, reading));
                reading.framer = framer;
                if self.hand_on(reading).await?.is_some() {
                    return Ok(End::Changed);
                }
            }
        }
        Ok(End::Clean { lines: 0 })
    }

    /// Takes one line of the server's.
    fn take(&mut self, line: &str, reading: &mut Reading) {
        let stamp = time::read(line.as_bytes());
        let text = stamp.and_then(|(_, length)| line.get(length..)?.strip_prefix(' ').or_else(|| line.get(length..)));
        let (Some((time, _)), Some(text)) = (stamp, text) else {
            // The kubelet's own words, as when it cannot watch a file: they are in no file.
            reading.lines.push(line, reading.time);
            return;
        };
        if self.fresh_and_old(time) {
            return;
        }
        if reading.lost.is_empty() {
            self.take_timed(text, time, reading);
        } else {
            reading.lost.push(text, time);
        }
    }

    fn take_timed(&mut self, text: &str, time: Time, reading: &mut Reading) {
        match self.place.judge(time, text) {
            Verdict::Seen => {}
            Verdict::Lost => reading.lost.push(text, time),
            Verdict::New => {
                reading.time = time;
                reading.count += 1;
                reading.lines.push(text, time);
            }
        }
    }

    /// Seconds are the finest that the server knows.
    fn fresh_and_old(&self, time: Time) -> bool {
        self.place.time().is_none() && self.plan.since.is_some_and(|since| time < since)
    }

    /// Hands the lines on; an answer when they are of another run of the container.
    async fn hand_on(&mut self, reading: &mut Reading) -> Result<Option<()>, Closed> {
        if !reading.lost.is_empty() && !self.goes_on_after_loss(reading).await? {
            return Ok(Some(()));
        }
        if reading.lines.is_empty() && self.place.is_searching() {
            return Ok(None);
        }
        self.back(reading).await?;
        if reading.lines.is_empty() {
            return Ok(None);
        }
        self.older_left_out(reading).await?;
        self.fresh = false;
        self.sink.send(Piece::Lines(std::mem::take(&mut reading.lines))).await?;
        Ok(None)
    }

    /// Tells of a gap and goes on behind it, unless the log turns out to be another one than was asked for.
    async fn goes_on_after_loss(&mut self, reading: &mut Reading) -> Result<bool, Closed> {
        let status = request::status(&self.cluster, &self.sink.container).await;
        let same =
            |found: &Found| found.same_pod(self.pod.as_deref()) && Some(found.status.restart_count) == reading.restarts;
        if !status.is_ok_and(|found| same(&found)) {
            return Ok(false);
        }
        let lost = std::mem::take(&mut reading.lost);
        let why = self.away.as_ref().map_or_else(String::new, |(since, why)| {
            format!("; it could not be read since {}: {why}", since.format("%H:%M:%SZ"))
        });
        let to = lost.iter().next().map(|(_, time)| time);
        self.missed(to, format!("the log was rotated or cut while nobody read it{why}")).await?;
        for (line, time) in lost.iter() {
            self.take_timed(line, time, reading);
        }
        Ok(true)
    }

    /// Says that the log can be read again and that nothing is missing, after it could not for a while.
    async fn back(&mut self, reading: &Reading) -> Result<(), Closed> {
        let Some((since, why)) = self.away.take() else { return Ok(()) };
        if reading.begun - since >= WORTH_A_WORD {
            let (from, to) = (since.format("%H:%M:%S"), reading.begun.format("%H:%M:%SZ"));
            let words = format!("the log could not be read from {from} to {to} ({why}); nothing is missing");
            self.sink.send(Piece::Remark(reading.time.min(reading.begun), words.into())).await?;
        }
        Ok(())
    }

    /// Says so when a limit on lines of the past left some out.
    async fn older_left_out(&self, reading: &mut Reading) -> Result<(), Closed> {
        let Some(limit) = reading.limit else { return Ok(()) };
        let past = reading.lines.iter().filter(|(_, time)| *time < reading.begun).count();
        let limit = limit.saturating_sub(u32::try_from(past).unwrap_or(u32::MAX));
        reading.limit = (limit > 0 && past == reading.lines.len()).then_some(limit);
        if limit > 0 {
            return Ok(());
        }
        let first = reading.lines.iter().next().map(|(_, time)| time);
        let words = format!("only the last {} lines of the past were fetched", self.plan.lines.unwrap_or_default());
        self.sink.send(Piece::Remark(first.unwrap_or(reading.begun), words.into())).await
    }
}
