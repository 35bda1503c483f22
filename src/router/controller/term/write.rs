//! What a leader writes: control records, receipts, all of it or nothing.

use std::thread::JoinHandle;
use std::time::Instant;

use rdkafka::consumer::Consumer;
use rdkafka::producer::{BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};

use super::{LIMIT, Out, SETTLE, Term, WITNESS, gone, moment, text};
use crate::model::route::record::{Audit, Control};
use crate::router::client::RouterError;
use crate::router::controller::auditor::{self, Case};
use crate::router::helm::Moment;

impl Term<'_> {
    /// Writes a control record, and the receipt of the flip that it overtakes.
    pub(super) fn decree(&mut self, mut control: Control, mut outs: Vec<Out>) -> Result<(), RouterError> {
        // A lane that may still get records as a shadow has no end yet, behind which the flip's records are.
        if control.is_flip() && !self.helm.is_shadowed(&self.partitions.epochs()) {
            control.lane_ends = self.ends_of(&control.lane).unwrap_or_default();
        }
        if let Some(receipt) = self.helm.overtaken(&control, &self.partitions.marks) {
            self.cuts_before.clear();
            outs.push((self.job.spec.control.receipts(), "receipt", text(&receipt)?));
        }
        outs.push((self.job.spec.control.topic.clone(), "control", text(&control)?));
        self.write(&outs)?;
        tracing::info!(epoch = control.epoch, lane = control.lane, cause = control.cause.word(), "control record");
        (self.acknowledged, self.audit) = (None, None);
        self.helm.follow(control, moment(self.started));
        Ok(())
    }

    /// Audits a flip that every partition has acknowledged, and writes its receipt.
    pub(super) fn finish(&mut self, now: Moment) -> Result<(), RouterError> {
        if !self.helm.is_acknowledged(now, &self.partitions.epochs()) {
            return Ok(());
        }
        let since = *self.acknowledged.get_or_insert_with(Instant::now);
        if since.elapsed() < SETTLE {
            return Ok(());
        }
        let audit = match self.audit.take() {
            None => {
                self.look_at_marks()?;
                if self.partitions.awaits_witness() && since.elapsed() < WITNESS {
                    return Ok(());
                }
                self.audit = Some(self.begin_audit()?);
                return Ok(());
            }
            Some(audit) if !audit.is_finished() => {
                self.audit = Some(audit);
                return Ok(());
            }
            Some(audit) => audit.join().unwrap_or_else(|_| Audit {
                unmeasured: Some("the thread of the audit broke off".to_owned()),
                ..Audit::default()
            }),
        };
        let Some(receipt) = self.helm.receipt(&self.partitions.marks, audit) else { return Ok(()) };
        self.cuts_before = receipt.cuts.iter().map(|cut| (cut.partition, cut.offset)).collect();
        self.acknowledged = None;
        self.write(&[(self.job.spec.control.receipts(), "receipt", text(&receipt)?)])
    }

    /// Reads around the cut on a thread of its own: meanwhile the leader goes on answering.
    fn begin_audit(&self) -> Result<JoinHandle<Audit>, RouterError> {
        let control = self.helm.control().cloned();
        let control = control.ok_or_else(|| RouterError::Refused("no control record to audit".to_owned()))?;
        let case = Case {
            spec: self.job.spec.clone(),
            properties: self.job.properties.clone(),
            control,
            marks: self.partitions.marks.clone(),
            routed: self.partitions.routed.clone(),
            cuts_before: self.cuts_before.clone(),
        };
        let spawned = std::thread::Builder::new().name("audit".to_owned()).spawn(move || auditor::audit(&case));
        spawned.map_err(|error| RouterError::Refused(format!("cannot start a thread: {error}")))
    }

    /// Writes all of it or nothing, with the offset of the requests seen: nothing, when another leads.
    pub(super) fn write(&self, outs: &[Out]) -> Result<(), RouterError> {
        let what = || RouterError::kafka("write as leader");
        self.producer.begin_transaction().map_err(what())?;
        let written = outs.iter().try_for_each(|(topic, key, text)| {
            let sent = self.producer.send(BaseRecord::to(topic).partition(0).key(*key).payload(text));
            sent.map_err(|(error, _)| what()(error))
        });
        let ended = written.and_then(|()| {
            let mut offsets = TopicPartitionList::new();
            let topic = self.job.spec.control.requests();
            offsets.add_partition_offset(&topic, 0, Offset::Offset(self.next)).map_err(what())?;
            let metadata = self.requests.group_metadata();
            let metadata = metadata.ok_or_else(gone)?;
            self.still_leads()?;
            self.producer.send_offsets_to_transaction(&offsets, &metadata, LIMIT).map_err(what())?;
            self.producer.commit_transaction(LIMIT).map_err(what())
        });
        if ended.is_err()
            && let Err(error) = self.producer.abort_transaction(LIMIT)
        {
            tracing::debug!(%error, "the transaction is left to the brokers");
        }
        ended
    }
}
