//! What a leader reads: how far workers are, where topics end; and the status that it makes of that.

use rdkafka::consumer::Consumer;
use rdkafka::{Offset, TopicPartitionList};

use super::{LIMIT, Out, Term, text};
use crate::model::route::record::{LaneStatus, Mark, PartitionStatus, Status, VERSION};
use crate::router::client::{RouterError, is_passing};
use crate::router::controller::checks::Board;
use crate::router::helm::Moment;
use crate::router::spec::Mode;

impl Term<'_> {
    /// What workers have committed. An answer that does not come leaves what was known.
    pub(super) fn look_at_marks(&mut self) -> Result<(), RouterError> {
        let mut places = TopicPartitionList::new();
        for (topic, partition) in self.spots() {
            places.add_partition(topic, partition);
        }
        let committed = match self.observer.committed_offsets(places, LIMIT / 4) {
            Ok(committed) => committed,
            Err(error) if is_passing(&error) => return Ok(()),
            Err(error) => return Err(RouterError::kafka("ask how far workers are")(error)),
        };
        let each = self.each();
        for element in committed.elements() {
            let topic = element.topic();
            let number = self.job.spec.reads().iter().position(|known| *known == topic);
            let position = number.zip(usize::try_from(element.partition()).ok());
            let Some(position) = position.map(|(number, partition)| number * each + partition) else { continue };
            let Offset::Offset(offset) = element.offset() else { continue };
            match Mark::read(element.metadata()) {
                Ok(mark) => {
                    if let Some(known) = self.partitions.marks.get_mut(position) {
                        *known = mark;
                    }
                }
                Err(error) => {
                    self.troubles = vec![format!("what is kept beside an offset of {topic} is not ours: {error}")];
                }
            }
            if let Some(known) = self.partitions.routed.get_mut(position) {
                *known = Some(offset);
            }
        }
        self.helm.see_marks(&self.partitions.marks);
        Ok(())
    }

    /// Partitions of one topic.
    fn each(&self) -> usize {
        self.partitions.marks.len() / self.job.spec.reads().len().max(1)
    }

    /// Every partition that is read, those of one topic after those of the other.
    fn spots(&self) -> impl Iterator<Item = (&str, i32)> {
        let each = i32::try_from(self.each()).unwrap_or(i32::MAX);
        self.job.spec.reads().into_iter().flat_map(move |topic| (0..each).map(move |partition| (topic, partition)))
    }

    pub(super) fn look_at_ends(&mut self) {
        let ends: Option<Vec<Option<i64>>> = self.spots().map(|(topic, at)| Some(Some(self.end(topic, at)?))).collect();
        if let Some(ends) = ends {
            self.partitions.ends = ends;
        }
    }

    /// Ends of the topic that holds what goes by a lane's name.
    pub(super) fn ends_of(&self, lane: &str) -> Option<Vec<i64>> {
        let spec = &self.job.spec;
        let topic = spec.target(spec.lane(lane)?);
        (0..i32::try_from(self.each()).ok()?).map(|partition| self.end(topic, partition)).collect()
    }

    fn end(&self, topic: &str, partition: i32) -> Option<i64> {
        self.observer.fetch_watermarks(topic, partition, LIMIT / 4).ok().map(|(_, end)| end)
    }

    pub(super) fn status(&self, board: &Board, now: Moment) -> Result<Out, RouterError> {
        let spec = &self.job.spec;
        let epochs = self.partitions.epochs();
        let control = self.helm.control();
        let lanes = spec.lanes.iter().zip(self.helm.healths(now)).zip(board.readings());
        let lanes = lanes.map(|((lane, (health, for_ms)), reading)| LaneStatus {
            name: lane.name.clone(),
            health,
            for_ms,
            checks: reading.checks,
            lag: reading.lag,
            quiet_ms: reading.quiet_ms,
            watermark_ms: reading.watermark_ms,
        });
        let partitions = self.spots().zip(&epochs).zip(self.partitions.routed.iter().zip(&self.partitions.ends));
        let partitions = partitions.map(|(((topic, partition), epoch), (routed, end))| PartitionStatus {
            topic: (spec.mode == Mode::Select).then(|| topic.to_owned()),
            partition,
            routed: *routed,
            end: *end,
            epoch: *epoch,
        });
        let jumped = self.helm.jumped_ms().map(|by| format!("the controller's clock jumped by {} s", by / 1_000));
        let status = Status {
            version: VERSION,
            route: spec.name.clone(),
            leader: self.job.name.clone(),
            at_ms: now.wall_ms,
            epoch: control.map_or(0, |control| control.epoch),
            lane: control.map(|control| control.lane.clone()).unwrap_or_default(),
            window_ms: control.and_then(|control| control.selection.as_ref()?.last()?.from),
            hold: control.and_then(|control| control.hold.clone()),
            shadow: control.and_then(|control| control.shadow.clone()),
            flip: self.helm.flip(now, &epochs),
            held_back: self.helm.held_back().map(str::to_owned),
            lanes: lanes.collect(),
            comparison: board.comparison(),
            partitions: partitions.collect(),
            troubles: self.troubles.iter().cloned().chain(jumped).collect(),
            answers: self.answers.iter().cloned().collect(),
        };
        Ok((spec.control.status(), "status", text(&status)?))
    }
}
