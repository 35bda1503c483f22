//! Which key followed which in the texts before.
//!
//! Why: the records of a topic are written by few programs, each of which writes its keys in the same order. A guess
//! that is compared byte by byte costs a tenth of reading a key and looking for it.
//!
//! How: a step is a key as it was spelt, from its quote to the first byte of its value, in one object of the shape.
//! Each step knows the two steps that came after it last. What is not guessed is read, and learnt within a budget that
//! texts guessed right refill, so that keys that never come twice cost little more than reading them.
//!
//! It must not be larger than a few kilobytes, whatever arrives, nor take for a key what only begins like it.

/// Steps held; then all are forgotten.
const MOST_STEPS: usize = 128;
/// Bytes of a step that is learnt.
const LONGEST: usize = 32;
/// Keys that may be looked up in a row, and what learning one costs of that.
const BUDGET: u32 = 512;
const LEARNING: u32 = 8;

/// What came before: the beginning of an object or one of its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step(usize);

/// A step that is not known; nothing is known to follow.
const UNKNOWN: Step = Step(usize::MAX);

/// The steps of the texts of one shape.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    steps: Vec<Known>,
    /// The beginnings of objects, one for each node of the shape that was met.
    beginnings: Vec<(usize, Step)>,
    budget: u32,
}

#[derive(Clone, Debug)]
struct Known {
    /// In two halves, with nothing behind its end.
    spelling: [u128; 2],
    masks: [u128; 2],
    length: usize,
    node: usize,
    position: Option<usize>,
    next: [Step; 2],
}

impl Default for Memory {
    fn default() -> Self {
        Self { steps: Vec::new(), beginnings: Vec::new(), budget: BUDGET }
    }
}

impl Memory {
    /// The step before the first key of an object.
    pub(super) fn begin(&mut self, node: usize) -> Step {
        if let Some((_, step)) = self.beginnings.iter().find(|(known, _)| *known == node) {
            return *step;
        }
        if self.steps.len() >= MOST_STEPS {
            return UNKNOWN;
        }
        let step = self.push(Known::new(node, b"", None));
        self.beginnings.push((node, step));
        step
    }

    /// The step that `rest` begins with, if it is one that came after `before`; its bytes and its wanted key.
    #[inline]
    pub(super) fn guess(&mut self, node: usize, before: Step, rest: &[u8]) -> Option<(Step, usize, Option<usize>)> {
        let next = self.steps.get(before.0)?.next;
        let found = next.into_iter().find_map(|step| {
            let known = self.steps.get(step.0)?;
            (known.node == node && known.begins(rest)).then_some((step, known.length, known.position))
        })?;
        self.budget += u32::from(self.budget < BUDGET);
        Some(found)
    }

    /// Remembers that `spelling` came after `before`.
    pub(super) fn learn(&mut self, node: usize, before: Step, spelling: &[u8], position: Option<usize>) -> Step {
        if self.budget < LEARNING || spelling.len() > LONGEST {
            return UNKNOWN;
        }
        self.budget -= 1;
        let new = Known::new(node, spelling, position);
        let known = self.steps.iter().position(|known| known.is(&new));
        if known.is_none() {
            self.budget -= LEARNING - 1;
            if self.steps.len() >= MOST_STEPS {
                self.steps.clear();
                self.beginnings.clear();
                return UNKNOWN;
            }
        }
        let step = known.map_or_else(|| self.push(new), Step);
        if let Some(before) = self.steps.get_mut(before.0) {
            before.next = [step, before.next[0]];
        }
        step
    }

    #[cfg(test)]
    pub(super) const fn heap_bytes(&self) -> usize {
        self.steps.capacity() * size_of::<Known>() + self.beginnings.capacity() * size_of::<(usize, Step)>()
    }

    fn push(&mut self, known: Known) -> Step {
        self.steps.push(known);
        Step(self.steps.len() - 1)
    }
}

impl Known {
    fn new(node: usize, spelling: &[u8], position: Option<usize>) -> Self {
        let mut bytes = [[0; LONGEST]; 2];
        for (index, byte) in spelling.iter().enumerate().take(LONGEST) {
            bytes[0][index] = *byte;
            bytes[1][index] = 0xff;
        }
        let [spelling_halves, masks] = bytes.map(halves);
        let next = [UNKNOWN; 2];
        Self { spelling: spelling_halves, masks, length: spelling.len(), node, position, next }
    }

    /// Whether a text begins with it.
    #[inline]
    fn begins(&self, rest: &[u8]) -> bool {
        let half =
            |index: usize, bytes: &[u8; 16]| u128::from_le_bytes(*bytes) & self.masks[index] == self.spelling[index];
        match (rest.first_chunk(), rest.get(16..).and_then(<[u8]>::first_chunk)) {
            (Some(first), _) if self.length <= 16 => half(0, first),
            (Some(first), Some(second)) => half(0, first) && half(1, second),
            _ => rest.get(..self.length).is_some_and(|bytes| self.is(&Self::new(self.node, bytes, None))),
        }
    }

    fn is(&self, other: &Self) -> bool {
        (self.node, self.length, self.spelling) == (other.node, other.length, other.spelling)
    }
}

fn halves(bytes: [u8; LONGEST]) -> [u128; 2] {
    let half = |at: usize| bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |half| u128::from_le_bytes(*half));
    [half(0), half(16)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_from_before_all_was_forgotten_leads_to_no_key_of_another_object() {
        let mut memory = Memory::default();
        let outer = memory.begin(0);
        let stale = memory.learn(0, outer, b"\"x\":", None);
        memory.steps.clear();
        memory.beginnings.clear();
        let inner = memory.begin(1);
        let key = memory.learn(1, inner, b"\"a\":", Some(0));
        let next = memory.learn(1, key, b"\"b\":", Some(1));
        assert_eq!(stale, key);
        assert_eq!(memory.guess(0, stale, b"\"b\":1}"), None);
        assert_eq!(memory.guess(1, key, b"\"b\":1}"), Some((next, 4, Some(1))));
        assert_eq!(memory.guess(1, key, b"\"b\": "), Some((next, 4, Some(1))));
        assert_eq!(memory.guess(1, key, b"\"b\" :1}"), None);
        assert_eq!(memory.guess(1, key, b"\"b\""), None);
    }
}
