//! The scanner: every function gives `None` for "not sure", never a wrong answer.

use std::borrow::Cow;

use super::{Field, Shape, Wanted};

/// Nesting that the scanner follows; `serde_json` gives up at 128.
const DEEPEST: u32 = 64;
/// Wanted keys of one object that are watched for being given twice.
const MOST_KEYS: usize = 64;
/// Digits that fit an `i64` whatever they are.
const SAFE_DIGITS: usize = 18;
/// Longer numbers may be out of the range of an `f64`.
const LONGEST_NUMBER: usize = 300;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Scans a whole text.
pub(super) fn document<'a>(shape: &Shape, text: &'a str, fields: &mut [Field<'a>]) -> Option<()> {
    let mut scan = Scan { text, bytes: text.as_bytes(), at: 0 };
    scan.space();
    scan.wanted_object(shape, 0, 1, fields)?;
    scan.space();
    (scan.at == scan.bytes.len()).then_some(())
}

struct Scan<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

/// A high bit for the first quote, backslash or control byte; bits above the lowest may be false.
const fn stops(chunk: u64) -> u64 {
    let quote = chunk ^ (ONES * 0x22);
    let backslash = chunk ^ (ONES * 0x5c);
    let zeros = (quote.wrapping_sub(ONES) & !quote) | (backslash.wrapping_sub(ONES) & !backslash);
    (zeros | (chunk.wrapping_sub(ONES * 0x20) & !chunk)) & HIGHS
}

impl<'a> Scan<'a> {
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
        while let Some(chunk) = self.bytes.get(self.at..)?.first_chunk::<8>() {
            let found = stops(u64::from_le_bytes(*chunk));
            if found != 0 {
                self.at += (found.trailing_zeros() / 8) as usize;
                return Some(());
            }
            self.at += 8;
        }
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

    /// A number: its text, and its value when that is surely an integer.
    fn number(&mut self) -> Option<(&'a str, Option<i64>)> {
        let start = self.at;
        let negative = self.peek() == Some(b'-');
        self.at += usize::from(negative);
        let first = self.at;
        let mut value = 0_i64;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            value = value.wrapping_mul(10).wrapping_add(i64::from(digit - b'0'));
            self.at += 1;
        }
        let count = self.at - first;
        if count == 0 || (count > 1 && self.bytes.get(first) == Some(&b'0')) {
            return None;
        }
        let fraction = self.peek() == Some(b'.');
        if fraction {
            self.at += 1;
            self.digits()?;
        }
        let whole = !fraction && count <= SAFE_DIGITS && !(negative && value == 0);
        let unsure = matches!(self.peek(), Some(b'e' | b'E')) || self.at - start > LONGEST_NUMBER;
        let text = self.text.get(start..self.at)?;
        let value = if negative { value.wrapping_neg() } else { value };
        (!unsure).then_some((text, whole.then_some(value)))
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

    fn wanted_object(&mut self, shape: &Shape, node: usize, depth: u32, fields: &mut [Field<'a>]) -> Option<()> {
        let wanted = &shape.nodes.get(node)?.keys;
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
        loop {
            let (key, escaped) = self.key()?;
            if escaped {
                return None;
            }
            match wanted.iter().position(|(name, _)| **name == *key) {
                None => self.skip(depth + 1)?,
                Some(position) => {
                    let bit = 1 << position;
                    if seen & bit != 0 {
                        return None;
                    }
                    seen |= bit;
                    self.wanted_value(shape, wanted.get(position)?.1, depth + 1, fields)?;
                }
            }
            if self.ends(b'}')? {
                return Some(());
            }
        }
    }

    fn wanted_value(&mut self, shape: &Shape, wanted: Wanted, depth: u32, fields: &mut [Field<'a>]) -> Option<()> {
        match wanted {
            Wanted::Inside(node) if self.peek()? == b'{' => self.wanted_object(shape, node, depth, fields),
            Wanted::Inside(_) => self.skip(depth),
            Wanted::Field(slot) => {
                let value = self.value(depth)?;
                if let Some(field) = fields.get_mut(slot) {
                    *field = value;
                }
                Some(())
            }
        }
    }

    fn value(&mut self, depth: u32) -> Option<Field<'a>> {
        let start = self.at;
        Some(match self.peek()? {
            b'"' => {
                self.at += 1;
                let (text, escaped) = self.string()?;
                if escaped {
                    return None;
                }
                Field::Text(Cow::Borrowed(text))
            }
            b'{' | b'[' => {
                self.skip(depth)?;
                Field::Nested(Cow::Borrowed(self.text.get(start..self.at)?))
            }
            b't' => self.word(b"true").map(|()| Field::Bool(true))?,
            b'f' => self.word(b"false").map(|()| Field::Bool(false))?,
            b'n' => self.word(b"null").map(|()| Field::Null)?,
            _ => match self.number()? {
                (_, Some(integer)) => Field::Integer(integer),
                (text, None) => match serde_json::from_str::<serde_json::Number>(text).ok()? {
                    number if number.is_i64() => Field::Integer(number.as_i64()?),
                    number => Field::Float(number.as_f64()?),
                },
            },
        })
    }
}
