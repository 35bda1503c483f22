//! Requests and errors of the last so many minutes or days, in a few dozen numbers.

use std::collections::VecDeque;

/// Parts that a length is divided into: a burn rate is at most one such part older than asked.
const PARTS: i64 = 60;

/// Sums of one part.
#[derive(Clone, Copy, Debug)]
struct Part {
    /// Its number since 1970.
    index: i64,
    requests: i64,
    errors: i64,
}

/// Sums over a length of time that ends with the newest window.
#[derive(Clone, Debug)]
pub(super) struct Sliding {
    length_ms: i64,
    part_ms: i64,
    parts: VecDeque<Part>,
    requests: i64,
    errors: i64,
}

impl Sliding {
    /// Sums of so long, of windows of so long.
    pub(super) fn new(length_ms: i64, window_ms: i64) -> Self {
        let windows = (length_ms / PARTS).div_euclid(window_ms.max(1)).max(1);
        let part_ms = windows.saturating_mul(window_ms.max(1));
        Self { length_ms, part_ms, parts: VecDeque::new(), requests: 0, errors: 0 }
    }

    /// Adds what a window counted, or by how much a revision of it differs.
    pub(super) fn add(&mut self, start: i64, (requests, errors): (i64, i64)) {
        let index = start.div_euclid(self.part_ms);
        let place = self.parts.partition_point(|part| part.index < index);
        match self.parts.get_mut(place).filter(|part| part.index == index) {
            Some(part) => {
                part.requests = part.requests.saturating_add(requests);
                part.errors = part.errors.saturating_add(errors);
            }
            None => self.parts.insert(place, Part { index, requests, errors }),
        }
        self.requests = self.requests.saturating_add(requests);
        self.errors = self.errors.saturating_add(errors);
    }

    /// Lets go of what lies wholly before the length that ends at `end`.
    pub(super) fn advance(&mut self, end: i64) {
        let from = end.saturating_sub(self.length_ms);
        while let Some(part) = self.parts.front().copied()
            && part.index.saturating_add(1).saturating_mul(self.part_ms) <= from
        {
            self.parts.pop_front();
            self.requests = self.requests.saturating_sub(part.requests);
            self.errors = self.errors.saturating_sub(part.errors);
        }
    }

    /// Requests.
    pub(super) const fn requests(&self) -> i64 {
        self.requests
    }

    /// Requests that failed.
    pub(super) const fn errors(&self) -> i64 {
        self.errors
    }

    /// Failed share from 0 to 1; `None` without requests.
    #[expect(clippy::cast_precision_loss, reason = "counts of some days are far below 2^52")]
    pub(super) fn error_ratio(&self) -> Option<f64> {
        (self.requests > 0).then(|| self.errors as f64 / self.requests as f64)
    }

    /// How many numbers it holds.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.parts.len()
    }
}
