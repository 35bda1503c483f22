//! The scanner: every function gives `None` for "not sure", never a wrong answer.

use std::borrow::Cow;

use super::chunk;
use super::memory::{Memory, Step};
use super::{Field, Node, Wanted};

/// Nesting that the scanner follows; `serde_json` gives up at 128.
const DEEPEST: u32 = 64;
/// Wanted keys of one object that are watched for being given twice.
const MOST_KEYS: usize = 64;
/// Digits that fit an `i64` whatever they are.
const SAFE_DIGITS: usize = 18;
/// Longer numbers may be out of the range of an `f64`.
const LONGEST_NUMBER: usize = 300;

/// Scans a whole text into slots that hold nothing yet.
pub(super) fn document<'a>(nodes: &[Node], memory: &mut Memory, text: &'a str, fields: &mut [Field<'a>]) -> Option<()> {
    let mut scan = Scan { nodes, memory, text, bytes: text.as_bytes(), at: 0 };
    scan.space();
    scan.wanted_object(0, 1, fields)?;
    scan.space();
    (scan.at == scan.bytes.len()).then_some(())
}

enum Number {
    /// Surely a whole one that fits.
    Integer(i64),
    /// Any other.
    Other,
}

struct Scan<'a, 's> {
    nodes: &'s [Node],
    memory: &'s mut Memory,
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a, '_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn expect(&mut self, wanted: u8) -> Option<()> {
        (self.next()? == wanted).then_some(())
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        let end = self.at + word.len();
        if self.bytes.get(self.at..end)? != word {
            return None;
        }
        self.at = end;
        Some(())
    }

    /// The rest of a string whose quote is behind; whether it has escapes.
    fn string(&mut self) -> Option<(&'a str, bool)> {
        let start = self.at;
        let mut escaped = false;
        loop {
            self.plain()?;
            match self.next()? {
                b'"' => return Some((self.text.get(start..self.at - 1)?, escaped)),
                b'\\' => {
                    escaped = true;
                    self.escape()?;
                }
                _ => return None,
            }
        }
    }

    /// Moves to the next quote, backslash or control byte.
    fn plain(&mut self) -> Option<()> {
        while let Some(bytes) = self.bytes.get(self.at..)?.first_chunk() {
            let stops = chunk::stops(bytes);
            if stops != 0 {
                self.at += stops.trailing_zeros() as usize;
                return Some(());
            }
            self.at += chunk::WIDTH;
        }
        // The end of the text: the last whole chunk has it, and some bytes that are behind.
        let Some(bytes) = self.bytes.last_chunk() else { return self.plain_by_bytes() };
        let behind = self.at + chunk::WIDTH - self.bytes.len();
        let stops = chunk::stops(bytes) >> behind;
        self.at += stops.trailing_zeros() as usize;
        (stops != 0).then_some(())
    }

    fn plain_by_bytes(&mut self) -> Option<()> {
        while !matches!(self.peek()?, b'"' | b'\\' | 0..0x20) {
            self.at += 1;
        }
        Some(())
    }

    /// The rest of an escape. Halves of surrogate pairs are left to others.
    fn escape(&mut self) -> Option<()> {
        match self.next()? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(()),
            b'u' => {
                let digits = self.bytes.get(self.at..self.at + 4)?;
                let surrogate = matches!(digits, [b'd' | b'D', b'8'..=b'9' | b'a'..=b'f' | b'A'..=b'F', ..]);
                self.at += 4;
                (digits.iter().all(u8::is_ascii_hexdigit) && !surrogate).then_some(())
            }
            _ => None,
        }
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    /// Digits and what they are together; how many.
    fn whole(&mut self) -> (i64, usize) {
        let start = self.at;
        let mut value = 0_i64;
        while let Some(bytes) = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk) {
            let (digits, count) = chunk::digits(*bytes);
            value = value.wrapping_mul(chunk::POWERS[count]).wrapping_add(digits);
            self.at += count;
            if count < 8 {
                return (value, self.at - start);
            }
        }
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            value = value.wrapping_mul(10).wrapping_add(i64::from(digit - b'0'));
            self.at += 1;
        }
        (value, self.at - start)
    }

    /// A number.
    fn number(&mut self) -> Option<Number> {
        let start = self.at;
        let negative = self.peek()? == b'-';
        self.at += usize::from(negative);
        let zero = self.peek()? == b'0';
        let (value, count) = self.whole();
        if count == 0 || (count > 1 && zero) {
            return None;
        }
        let after = self.peek();
        let fraction = after == Some(b'.');
        if fraction {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) || self.at - start > LONGEST_NUMBER {
            return None;
        }
        let whole = !fraction && count <= SAFE_DIGITS && !(negative && zero);
        Some(if whole { Number::Integer(if negative { value.wrapping_neg() } else { value }) } else { Number::Other })
    }

    /// Passes over a value.
    fn skip(&mut self, depth: u32) -> Option<()> {
        match self.peek()? {
            b'"' => {
                self.at += 1;
                self.string().map(|_| ())
            }
            b'{' => self.skip_object(depth),
            b'[' => self.skip_array(depth),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ => self.number().map(|_| ()),
        }
    }

    fn skip_object(&mut self, depth: u32) -> Option<()> {
        if depth >= DEEPEST {
            return None;
        }
        self.expect(b'{')?;
        self.space();
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(());
        }
        loop {
            self.key()?;
            self.skip(depth + 1)?;
            if self.ends(b'}')? {
                return Some(());
            }
        }
    }

    fn skip_array(&mut self, depth: u32) -> Option<()> {
        if depth >= DEEPEST {
            return None;
        }
        self.expect(b'[')?;
        self.space();
        if self.peek()? == b']' {
            self.at += 1;
            return Some(());
        }
        loop {
            self.space();
            self.skip(depth + 1)?;
            if self.ends(b']')? {
                return Some(());
            }
        }
    }

    /// A key and its colon, up to the value; whether the key has escapes.
    fn key(&mut self) -> Option<(&'a str, bool)> {
        self.space();
        self.expect(b'"')?;
        let key = self.string()?;
        self.space();
        self.expect(b':')?;
        self.space();
        Some(key)
    }

    /// After a value: whether the container ends here, else a comma is behind.
    fn ends(&mut self, close: u8) -> Option<bool> {
        self.space();
        match self.next()? {
            b',' => Some(false),
            byte => (byte == close).then_some(true),
        }
    }

    fn wanted_object(&mut self, node: usize, depth: u32, fields: &mut [Field<'a>]) -> Option<()> {
        let wanted = &self.nodes.get(node)?.keys;
        if depth >= DEEPEST || wanted.len() > MOST_KEYS {
            return None;
        }
        let mut seen = 0_u64;
        self.expect(b'{')?;
        self.space();
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(());
        }
        let mut before = self.memory.begin(node);
        loop {
            let position;
            (before, position) = self.wanted_key(node, before)?;
            match position.and_then(|position| wanted.get(position)) {
                None => self.skip(depth + 1)?,
                Some((_, what)) => {
                    let bit = 1 << position.unwrap_or(0);
                    if seen & bit != 0 {
                        return None;
                    }
                    seen |= bit;
                    self.wanted_value(*what, depth + 1, fields)?;
                }
            }
            if self.ends(b'}')? {
                return Some(());
            }
        }
    }

    /// Takes a key and its colon: its step, and its position among the wanted keys.
    fn wanted_key(&mut self, node: usize, before: Step) -> Option<(Step, Option<usize>)> {
        let rest = self.bytes.get(self.at..)?;
        if let Some((step, length, position)) = self.memory.guess(node, before, rest) {
            self.at += length;
            return Some((step, position));
        }
        let start = self.at;
        let (key, escaped) = self.key()?;
        if escaped {
            return None;
        }
        let wanted = &self.nodes.get(node)?.keys;
        let position = wanted.iter().position(|(name, _)| **name == *key);
        let step = self.memory.learn(node, before, self.bytes.get(start..self.at)?, position);
        Some((step, position))
    }

    fn wanted_value(&mut self, wanted: Wanted, depth: u32, fields: &mut [Field<'a>]) -> Option<()> {
        match wanted {
            Wanted::Inside(node) if self.peek()? == b'{' => self.wanted_object(node, depth, fields),
            Wanted::Inside(_) => self.skip(depth),
            Wanted::Field(slot) => match fields.get_mut(slot) {
                Some(field) => self.value(depth, field),
                None => self.skip(depth),
            },
        }
    }

    /// Takes a value. It is written where it belongs at once: moving it there would cost more than finding it.
    fn value(&mut self, depth: u32, field: &mut Field<'a>) -> Option<()> {
        let start = self.at;
        match self.peek()? {
            b'"' => {
                self.at += 1;
                let (text, escaped) = self.string()?;
                if escaped {
                    return None;
                }
                *field = Field::Text(Cow::Borrowed(text));
            }
            b'{' | b'[' => {
                self.skip(depth)?;
                *field = Field::Nested(Cow::Borrowed(self.text.get(start..self.at)?));
            }
            b't' => {
                self.word(b"true")?;
                *field = Field::Bool(true);
            }
            b'f' => {
                self.word(b"false")?;
                *field = Field::Bool(false);
            }
            b'n' => {
                self.word(b"null")?;
                *field = Field::Null;
            }
            _ => match self.number()? {
                Number::Integer(integer) => *field = Field::Integer(integer),
                Number::Other => *field = odd_number(self.text.get(start..self.at)?)?,
            },
        }
        Some(())
    }
}

/// A number that is no integer at first sight.
fn odd_number(text: &str) -> Option<Field<'static>> {
    let number = serde_json::from_str::<serde_json::Number>(text).ok()?;
    Some(match number.as_i64() {
        Some(integer) => Field::Integer(integer),
        None => Field::Float(number.as_f64()?),
    })
}
