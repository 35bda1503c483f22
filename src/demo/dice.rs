//! Chance that repeats: every choice of the demo comes from a seed, so that a screen seen once can be seen again.
//!
//! `SplitMix64` for sequences, FNV-1a for identifiers that must be the same in every run whatever was drawn before.

/// A seeded source of choices.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A source of its own for one thing, independent of how often the others were asked.
    pub(crate) fn of(seed: u64, name: &str) -> Self {
        Self(seed ^ stable(&[name]))
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number below `bound`; 0 when `bound` is 0.
    pub(crate) const fn below(&mut self, bound: u64) -> u64 {
        let drawn = self.next();
        if bound == 0 { 0 } else { drawn % bound }
    }

    /// A fraction in `[0, 1)`.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
    pub(crate) fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A number in `[low, high)`.
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        (high - low).mul_add(self.fraction(), low)
    }

    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.fraction() < probability
    }

    /// One of the items, or the type's default when there is none.
    pub(crate) fn pick<T: Copy + Default>(&mut self, items: &[T]) -> T {
        let index = usize::try_from(self.below(items.len() as u64)).unwrap_or(0);
        items.get(index).copied().unwrap_or_default()
    }

    /// Lower-case hexadecimal of the given length.
    pub(crate) fn hex(&mut self, length: usize) -> String {
        let mut text = String::with_capacity(length);
        while text.len() < length {
            let digit = u32::try_from(self.below(16)).unwrap_or(0);
            text.push(char::from_digit(digit, 16).unwrap_or('0'));
        }
        text
    }

    /// The kind of suffix that Kubernetes gives to pods: no vowels, no look-alikes.
    pub(crate) fn suffix(&mut self, length: usize) -> String {
        const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
        (0..length).map(|_| char::from(self.pick(ALPHABET))).collect()
    }
}

const fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// A number that depends on the texts alone.
pub(crate) fn stable(texts: &[&str]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for text in texts {
        for byte in text.bytes().chain([0xff]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    mix(hash)
}

/// 32 hexadecimal digits that depend on the texts alone, as Flink's job and vertex identifiers have.
pub(crate) fn identifier(texts: &[&str]) -> String {
    let first = stable(texts);
    format!("{first:016x}{:016x}", mix(first ^ 0x5bd1_e995))
}

/// A version-4 UUID that depends on the texts alone.
pub(crate) fn uuid(texts: &[&str]) -> String {
    let digits = identifier(texts);
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    format!("{}-{}-4{}-a{}-{}", part(0, 8), part(8, 12), part(13, 16), part(17, 20), part(20, 32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same() {
        let draw = |seed| {
            let mut dice = Dice::of(seed, "pods");
            (dice.hex(8), dice.suffix(5), dice.below(7), dice.chance(0.5))
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        assert_eq!(uuid(&["a"]).len(), 36);
    }
}
