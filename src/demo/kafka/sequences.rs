//! The idempotent producers of one partition: which batch comes next, and which was seen before.
//!
//! A producer numbers its records; a batch that repeats one of its last five is answered with the offset it got then,
//! one that leaves a hole is refused. Only a bounded number of producers is remembered, the longest silent forgotten
//! first; a forgotten one is taken at its word.

use std::collections::{HashMap, VecDeque};

use kafka_protocol::error::ResponseError;

use super::batch::Header;

/// Batches a producer may have in flight, and so repeat.
const REMEMBERED_BATCHES: usize = 5;

/// Producers remembered in one partition.
const REMEMBERED_PRODUCERS: usize = 256;

/// What to do with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Store it.
    New,
    /// It is stored already, at this offset.
    Duplicate(i64),
}

/// What is known of each producer.
#[derive(Debug, Default)]
pub struct Sequences {
    trails: HashMap<i64, Trail>,
    /// Batches recorded so far, the measure of silence.
    clock: u64,
}

#[derive(Debug)]
struct Trail {
    epoch: i16,
    /// First sequence, last sequence and base offset of the latest batches.
    latest: VecDeque<(i32, i32, i64)>,
    heard: u64,
}

impl Sequences {
    /// Decides about a batch without recording it.
    pub fn judge(&self, header: &Header) -> Result<Verdict, ResponseError> {
        let Some(trail) = self.trails.get(&header.producer_id) else { return Ok(Verdict::New) };
        if header.producer_id < 0 {
            return Ok(Verdict::New);
        }
        if header.producer_epoch < trail.epoch {
            return Err(ResponseError::InvalidProducerEpoch);
        }
        if header.producer_epoch > trail.epoch {
            let fresh = header.base_sequence == 0;
            return if fresh { Ok(Verdict::New) } else { Err(ResponseError::OutOfOrderSequenceNumber) };
        }
        let same =
            |(first, last, _): &&(i32, i32, i64)| *first == header.base_sequence && *last == last_sequence(header);
        if let Some((_, _, base_offset)) = trail.latest.iter().find(same) {
            return Ok(Verdict::Duplicate(*base_offset));
        }
        match trail.latest.back() {
            Some((_, last, _)) if follow(*last, 1) != header.base_sequence => {
                Err(ResponseError::OutOfOrderSequenceNumber)
            }
            _ => Ok(Verdict::New),
        }
    }

    /// Remembers a stored batch.
    pub fn record(&mut self, header: &Header, base_offset: i64) {
        if header.producer_id < 0 {
            return;
        }
        self.clock += 1;
        let known = self.trails.contains_key(&header.producer_id);
        if !known && self.trails.len() >= REMEMBERED_PRODUCERS {
            let silent = self.trails.iter().min_by_key(|(_, trail)| trail.heard).map(|(id, _)| *id);
            silent.and_then(|id| self.trails.remove(&id));
        }
        let fresh = || Trail { epoch: header.producer_epoch, latest: VecDeque::new(), heard: 0 };
        let trail = self.trails.entry(header.producer_id).or_insert_with(fresh);
        if trail.epoch != header.producer_epoch {
            *trail = fresh();
        }
        trail.heard = self.clock;
        if trail.latest.len() == REMEMBERED_BATCHES {
            trail.latest.pop_front();
        }
        trail.latest.push_back((header.base_sequence, last_sequence(header), base_offset));
    }
}

const fn last_sequence(header: &Header) -> i32 {
    follow(header.base_sequence, header.last_delta)
}

/// Sequences go round from the highest integer to zero.
const fn follow(sequence: i32, steps: i32) -> i32 {
    sequence.wrapping_add(steps) & i32::MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(producer_epoch: i16, base_sequence: i32, count: i32) -> Header {
        let mut bytes = vec![0_u8; 61];
        bytes[23..27].copy_from_slice(&(count - 1).to_be_bytes());
        bytes[43..51].copy_from_slice(&9_i64.to_be_bytes());
        bytes[51..53].copy_from_slice(&producer_epoch.to_be_bytes());
        bytes[53..57].copy_from_slice(&base_sequence.to_be_bytes());
        Header::read(&bytes).unwrap()
    }

    #[test]
    fn batches_follow_one_another_and_repeats_are_known() {
        let mut sequences = Sequences::default();
        sequences.record(&header(0, 0, 10), 100);
        sequences.record(&header(0, 10, 5), 110);
        assert_eq!(sequences.judge(&header(0, 15, 1)), Ok(Verdict::New));
        assert_eq!(sequences.judge(&header(0, 0, 10)), Ok(Verdict::Duplicate(100)));
        assert_eq!(sequences.judge(&header(0, 16, 1)), Err(ResponseError::OutOfOrderSequenceNumber));
        assert_eq!(sequences.judge(&header(1, 0, 1)), Ok(Verdict::New));
        assert_eq!(sequences.judge(&header(1, 3, 1)), Err(ResponseError::OutOfOrderSequenceNumber));
        sequences.record(&header(1, 0, 1), 115);
        assert_eq!(sequences.judge(&header(0, 15, 1)), Err(ResponseError::InvalidProducerEpoch));
    }

    #[test]
    fn sequences_go_round() {
        let mut sequences = Sequences::default();
        sequences.record(&header(0, i32::MAX - 1, 3), 0);
        assert_eq!(sequences.judge(&header(0, 1, 1)), Ok(Verdict::New));
    }

    #[test]
    fn only_so_many_producers_are_remembered() {
        let mut sequences = Sequences::default();
        for producer_id in 0..1_000 {
            let mut one = header(0, 0, 1);
            one.producer_id = producer_id;
            sequences.record(&one, 0);
        }
        assert_eq!(sequences.trails.len(), REMEMBERED_PRODUCERS);
        assert!(sequences.trails.contains_key(&999));
    }
}
