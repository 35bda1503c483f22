//! Bytes into lines, whatever the pieces they come in.
//!
//! A line that lies whole within one read is lent out of it; only what a read ends with is copied. So a
//! character cut in half at a read's end is whole again before it is looked at. A line keeps its first
//! [`LONGEST_LINE`] bytes; the rest is counted, and the line says so at its end.
//!
//! It must not lose or join lines, and must not depend on where reads end: `tests/logs.rs` tries them all.

use std::borrow::Cow;

use memchr::{memchr, memchr_iter, memrchr};

use super::Counts;

/// Bytes that are kept of one line.
pub const LONGEST_LINE: usize = 256 * 1024;

/// One line, without its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// What it says; bytes that are not UTF-8 became U+FFFD, and a cut one ends with a mark.
    pub text: Cow<'a, str>,
}

/// Cuts a stream of bytes into lines.
#[derive(Debug, Default)]
pub struct Framer {
    /// The beginning of a line whose end has not come yet.
    carry: Vec<u8>,
    /// Bytes of that line that were not kept.
    skipped: u64,
    counts: Counts,
}

impl Framer {
    /// Takes the next bytes and hands out the lines that end in them.
    pub fn push(&mut self, bytes: &[u8], sink: &mut impl FnMut(Line<'_>)) {
        let mut rest = bytes;
        if !self.carry.is_empty() {
            let Some(end) = memchr(b'\n', rest) else { return self.keep(rest) };
            let (line, after) = rest.split_at(end);
            rest = after.get(1..).unwrap_or_default();
            self.keep(line);
            self.end_line(sink);
        }
        let (lines, rest) = rest.split_at(memrchr(b'\n', rest).map_or(0, |end| end + 1));
        // Looked at in one go, text costs a fraction of what it costs line by line.
        match std::str::from_utf8(lines) {
            Ok(text) => self.push_text(text, sink),
            Err(_) => self.push_lines(lines, sink),
        }
        self.keep(rest);
    }

    /// Takes whole lines that are text.
    fn push_text(&mut self, text: &str, sink: &mut impl FnMut(Line<'_>)) {
        let mut start = 0;
        for end in memchr_iter(b'\n', text.as_bytes()) {
            let line = text.get(start..end).unwrap_or_default();
            start = end + 1;
            if line.len() <= LONGEST_LINE {
                self.counts.lines += 1;
                sink(Line { text: Cow::Borrowed(line.strip_suffix('\r').unwrap_or(line)) });
            } else {
                self.keep(line.as_bytes());
                self.end_line(sink);
            }
        }
    }

    /// Takes whole lines of any bytes.
    fn push_lines(&mut self, mut lines: &[u8], sink: &mut impl FnMut(Line<'_>)) {
        while let Some(end) = memchr(b'\n', lines) {
            let (line, after) = lines.split_at(end);
            lines = after.get(1..).unwrap_or_default();
            if line.len() <= LONGEST_LINE {
                sink(whole(line, 0, &mut self.counts));
            } else {
                self.keep(line);
                self.end_line(sink);
            }
        }
    }

    /// Hands out the last line when it has no end.
    pub fn finish(&mut self, sink: &mut impl FnMut(Line<'_>)) {
        if !self.carry.is_empty() {
            self.end_line(sink);
        }
    }

    /// What was read so far; the number of events is not known here.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Bytes held.
    #[must_use]
    pub const fn held(&self) -> usize {
        self.carry.capacity()
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = LONGEST_LINE.saturating_sub(self.carry.len());
        let (kept, skipped) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
        self.carry.extend_from_slice(kept);
        self.skipped += skipped.len() as u64;
    }

    fn end_line(&mut self, sink: &mut impl FnMut(Line<'_>)) {
        let mut carry = std::mem::take(&mut self.carry);
        sink(whole(&carry, std::mem::take(&mut self.skipped), &mut self.counts));
        carry.clear();
        self.carry = carry;
    }
}

fn whole<'a>(bytes: &'a [u8], skipped: u64, counts: &mut Counts) -> Line<'a> {
    counts.lines += 1;
    if skipped > 0 {
        return cut(bytes, skipped, counts);
    }
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Line { text: Cow::Borrowed(text) };
    }
    counts.lossy_lines += 1;
    Line { text: String::from_utf8_lossy(bytes) }
}

/// A line without its end; the character that the cut went through goes too.
fn cut(bytes: &[u8], skipped: u64, counts: &mut Counts) -> Line<'static> {
    let half = match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => bytes.len() - error.valid_up_to(),
        _ => 0,
    };
    let kept = bytes.get(..bytes.len() - half).unwrap_or(bytes);
    let skipped = skipped + half as u64;
    counts.cut_lines += 1;
    counts.cut_bytes += skipped;
    let text = String::from_utf8_lossy(kept);
    counts.lossy_lines += u64::from(matches!(text, Cow::Owned(_)));
    Line { text: Cow::Owned(format!("{text} … [{skipped} bytes cut]")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(reads: &[&[u8]]) -> (Vec<String>, Counts) {
        let mut framer = Framer::default();
        let mut lines = Vec::new();
        for read in reads {
            framer.push(read, &mut |line| lines.push(line.text.into_owned()));
        }
        framer.finish(&mut |line| lines.push(line.text.into_owned()));
        (lines, framer.counts())
    }

    #[test]
    fn line_ends_and_halves_of_characters_at_read_ends() {
        let (found, counts) = lines(&[b"a\r", b"\n\xe2\x82", b"\xac\n\n", b"last"]);
        assert_eq!(found, ["a", "€", "", "last"]);
        assert_eq!((counts.lines, counts.lossy_lines), (4, 0));
    }

    #[test]
    fn bytes_that_are_no_text_are_shown_as_such() {
        let (found, counts) = lines(&[b"a\xffb\0\n"]);
        assert_eq!(found, ["a\u{fffd}b\0"]);
        assert_eq!(counts.lossy_lines, 1);
    }

    #[test]
    fn a_line_of_ten_megabytes_is_cut_and_says_so() {
        let mut long = "é".repeat(5_000_000).into_bytes();
        long.insert(0, b'x');
        let pieces: Vec<&[u8]> = long.chunks(70_001).chain([&b"\nnext\n"[..]]).collect();
        let (found, counts) = lines(&pieces);
        assert_eq!(found.len(), 2);
        assert!(found[0].ends_with(&format!("é … [{} bytes cut]", counts.cut_bytes)), "{}", counts.cut_bytes);
        assert_eq!(counts.cut_bytes, (long.len() - LONGEST_LINE + 1) as u64);
        assert_eq!(found[1], "next");
        long.extend_from_slice(b"\nnext\n");
        assert_eq!(lines(&[&long]), (found, counts));
    }
}
