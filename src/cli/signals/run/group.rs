//! The partitions that a consumer group has given to this run.
//!
//! Each is counted by itself, with a watermark and windows of its own, so that its rows come from its records alone:
//! whoever has it, whenever it moves. A row is the part of a service's window that lies in one partition; the parts add
//! up. What the next owner must know, the first window that was not told and the offset to read on from, is kept in the
//! group with the partition's offset. An owner that was cut off and wakes late writes the rows that the next one writes too.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use anyhow::Context;
use tokio::sync::watch;

use super::share::{Plan, Share};
use super::state;
use crate::cli::Failure;
use crate::model::document::Fetch;
use crate::source::kafka::consume::{Assignment, News, Wish, Wishes};
use crate::source::kafka::member::{Change, Mark, Member, Partition};

/// This run's part in a group.
#[derive(Debug)]
pub(super) struct Group {
    name: String,
    member: Member,
    wishes: watch::Sender<Wishes>,
    parts: BTreeMap<Partition, Part>,
    /// Partitions by the numbers under which the reader's news name them.
    places: HashMap<u32, Partition>,
    /// Counts up with each partition that is given.
    turn: u64,
    /// Whether the group has shared out at all.
    pub(super) has_joined: bool,
}

/// A partition.
#[derive(Debug)]
struct Part {
    share: Share,
    /// `topic/partition`, as rows name it.
    name: Arc<str>,
    turn: u64,
}

impl Group {
    pub(super) fn new(name: &str, member: Member) -> (Self, watch::Receiver<Wishes>) {
        let (wishes, wanted) = watch::channel(Wishes::new());
        let (parts, places) = (BTreeMap::new(), HashMap::new());
        (Self { name: name.to_owned(), member, wishes, parts, places, turn: 0, has_joined: false }, wanted)
    }

    /// The group's next decision.
    pub(super) async fn next(&mut self) -> Option<Change> {
        self.member.next().await
    }

    /// The partitions by name.
    pub(super) fn parts(&mut self) -> impl Iterator<Item = (&Arc<str>, &mut Share)> {
        self.parts.values_mut().map(|part| (&part.name, &mut part.share))
    }

    /// Begins with partitions that are this run's now.
    pub(super) fn give(
        &mut self,
        given: BTreeMap<Partition, Option<Mark>>,
        plan: &Plan,
        overrides: Option<&Fetch>,
    ) -> Result<(), Failure> {
        self.has_joined = true;
        for (partition, mark) in given {
            let name: Arc<str> = format!("{}/{}", partition.0, partition.1).into();
            let told = mark.as_ref().map(|mark| state::read_mark(mark, &plan.sha)).transpose();
            let told = told.with_context(|| format!("group {}, {name}: give another --group", self.name));
            let mut share = Share::new(plan, told.map_err(Failure::usage)?.flatten()).map_err(Failure::usage)?;
            if let Some(fetch) = overrides {
                share.take_overrides(fetch);
            }
            self.turn += 1;
            let wish = Wish { turn: self.turn, from: mark.map(|mark| mark.offset) };
            self.parts.insert(partition.clone(), Part { share, name, turn: self.turn });
            self.wishes.send_modify(|wishes| {
                wishes.insert(partition, wish);
            });
        }
        Ok(())
    }

    /// Lets a partition go. What was counted of it.
    pub(super) fn let_go(&mut self, partition: &Partition) -> Option<(Arc<str>, Share)> {
        self.wishes.send_modify(|wishes| {
            wishes.remove(partition);
        });
        self.places.retain(|_, known| known != partition);
        self.parts.remove(partition).map(|part| (part.name, part.share))
    }

    /// Gives what the reader tells to whom it concerns. News of a partition that was let go concerns nobody.
    pub(super) fn take(&mut self, news: News, now: i64) -> Result<(), Failure> {
        match news {
            News::Assigned(assignment) => return self.begin(assignment, now),
            News::Revoked { place } => {
                if let Some(partition) = self.places.remove(&place) {
                    self.hand(&partition, News::Revoked { place }, now);
                }
            }
            News::Records(records) => self.pass(records.place, News::Records(records), now),
            News::CaughtUp { place, .. } | News::Lost { place, .. } | News::Unreadable { place, .. } => {
                self.pass(place, news, now);
            }
            News::Stalled { since, why } => self.each(|| News::Stalled { since, why: why.clone() }, now),
            News::Refused { why } => self.each(|| News::Refused { why: why.clone() }, now),
            News::Flowing => self.each(|| News::Flowing, now),
        }
        Ok(())
    }

    fn begin(&mut self, assignment: Assignment, now: i64) -> Result<(), Failure> {
        let partition = (assignment.topic.clone(), assignment.partition);
        let Some(part) = self.parts.get_mut(&partition).filter(|part| part.turn == assignment.turn) else {
            return Ok(());
        };
        self.places.insert(assignment.place, partition.clone());
        // Whoever is killed before its first window is told leaves at least where it began.
        if part.share.state.begin(&partition, assignment.position) {
            self.member_mark(&partition)?;
        }
        self.hand(&partition, News::Assigned(assignment), now);
        Ok(())
    }

    fn pass(&mut self, place: u32, news: News, now: i64) {
        if let Some(partition) = self.places.get(&place).cloned() {
            self.hand(&partition, news, now);
        }
    }

    fn hand(&mut self, partition: &Partition, news: News, now: i64) {
        if let Some(part) = self.parts.get_mut(partition) {
            part.share.take(news, now);
        }
    }

    fn each(&mut self, news: impl Fn() -> News, now: i64) {
        self.parts.values_mut().for_each(|part| part.share.take(news(), now));
    }

    fn member_mark(&self, partition: &Partition) -> Result<(), Failure> {
        if let Some(mark) =
            self.parts.get(partition).map(|part| part.share.state.mark(partition)).transpose()?.flatten()
        {
            self.member.mark(partition.clone(), mark);
        }
        Ok(())
    }

    /// Leaves marks of what was told. Rows must have been written by then.
    pub(super) fn remember(&mut self) -> Result<(), Failure> {
        let advanced = self.parts.iter_mut().filter_map(|(partition, part)| part.share.advance().then_some(partition));
        for partition in advanced.cloned().collect::<Vec<_>>() {
            self.member_mark(&partition)?;
        }
        Ok(())
    }

    /// Whether anything was told that is not remembered.
    pub(super) fn has_news(&self) -> bool {
        self.parts.values().any(|part| part.share.state.is_behind(part.share.tally.first_open()))
    }
}
