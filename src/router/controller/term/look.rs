//! What a leader reads: how far workers are, where topics end; and the status that it makes of that.

use rdkafka::consumer::Consumer;
use rdkafka::{Offset, TopicPartitionList};

use super::{LIMIT, Out, Term, text};
use crate::model::route::record::{LaneStatus, Mark, PartitionStatus, Status, VERSION};
use crate::router::client::{RouterError, is_passing};
use crate::router::controller::checks::Board;
use crate::router::helm::Moment;

impl Term<'_> {
    /// What workers have committed. An answer that does not come leaves what was known.
    pub(super) fn look_at_marks(&mut self) -> Result<(), RouterError> {
        let topic = self.job.spec.source.topic.as_str();
        let mut places = TopicPartitionList::new();
        for (partition, _) in (0..).zip(&self.partitions.marks) {
            places.add_partition(topic, partition);
        }
        let committed = match self.observer.committed_offsets(places, LIMIT / 4) {
            Ok(committed) => committed,
            Err(error) if is_passing(&error) => return Ok(()),
            Err(error) => return Err(RouterError::kafka("ask how far workers are")(error)),
        };
        for element in committed.elements() {
            let Ok(position) = usize::try_from(element.partition()) else { continue };
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
        Ok(())
    }

    pub(super) fn look_at_ends(&mut self) {
        if let Some(ends) = self.ends_of_topic(&self.job.spec.source.topic) {
            self.partitions.ends = ends.into_iter().map(Some).collect();
        }
    }

    pub(super) fn ends_of(&self, lane: &str) -> Option<Vec<i64>> {
        self.ends_of_topic(&self.job.spec.lane(lane)?.topic)
    }

    fn ends_of_topic(&self, topic: &str) -> Option<Vec<i64>> {
        let end = |partition| self.observer.fetch_watermarks(topic, partition, LIMIT / 4).ok().map(|(_, end)| end);
        (0..).zip(&self.partitions.marks).map(|(partition, _)| end(partition)).collect()
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
        let partitions = (0..).zip(&epochs).zip(self.partitions.routed.iter().zip(&self.partitions.ends));
        let partitions = partitions.map(|((partition, epoch), (routed, end))| PartitionStatus {
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
