//! Fields of a line of text, such as an access log writes, by a pattern.
//!
//! How: the pattern is what nginx calls a log format: `$name` stands for a field, all else for itself. A field reaches to
//! the first place where the text that follows it in the pattern is found. `-` is a field that is not there.
//!
//! It must not go back and try again: a line costs one pass.

use std::borrow::Cow;

use crate::engine::json::Field;

/// A pattern whose fields go to slots.
#[derive(Clone, Debug)]
pub(super) struct LineShape {
    /// Before the first field.
    begin: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, Default)]
struct Part {
    slot: Option<usize>,
    numeric: bool,
    /// What follows the field; empty for the last one, which reaches to the end.
    then: String,
}

/// What is wrong with a pattern.
pub(in crate::engine) fn problem(pattern: &str) -> Option<&'static str> {
    let parts = pieces(pattern).1;
    let last = parts.len().checked_sub(1);
    let touching = parts.iter().enumerate().any(|(index, (_, then))| Some(index) != last && then.is_empty());
    if parts.is_empty() {
        Some("it has no field: write $name for each")
    } else if parts.iter().any(|(name, _)| name.is_empty()) {
        Some("a $ is not followed by the name of a field")
    } else if touching {
        Some("two fields touch: nothing says where the first ends")
    } else {
        None
    }
}

/// Whether a pattern has a field.
pub(in crate::engine) fn names(pattern: &str, wanted: &str) -> bool {
    pieces(pattern).1.iter().any(|(name, _)| *name == wanted)
}

/// The text before the first field; then each field with the text that follows it.
pub(in crate::engine) fn pieces(pattern: &str) -> (&str, Vec<(&str, &str)>) {
    let mut pieces = pattern.split('$');
    let begin = pieces.next().unwrap_or_default();
    let field = |piece: &'_ str| {
        piece.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(piece.len())
    };
    (begin, pieces.map(|piece| piece.split_at(field(piece))).collect())
}

impl LineShape {
    /// A shape of a pattern that has no [`problem`]; the slot of a field is its place among the wanted ones. A numeric one
    /// is a number, unless its text is none.
    pub(super) fn new(pattern: &str, wanted: &[String], numeric: impl Fn(usize) -> bool) -> Self {
        let (begin, parts) = pieces(pattern);
        let parts = parts.into_iter().map(|(name, then)| {
            let slot = wanted.iter().position(|field| field == name);
            Part { slot, numeric: slot.is_some_and(&numeric), then: then.to_owned() }
        });
        Self { begin: begin.to_owned(), parts: parts.collect() }
    }

    /// Fills `fields`, which hold nothing yet; `None` when the line is not of the pattern.
    pub(super) fn extract<'a>(&self, line: &'a str, fields: &mut [Field<'a>]) -> Option<()> {
        let mut rest = line.trim_end_matches(['\n', '\r']).strip_prefix(self.begin.as_str())?;
        for part in &self.parts {
            let value;
            (value, rest) = if part.then.is_empty() { (rest, "") } else { rest.split_once(part.then.as_str())? };
            if let Some(field) = part.slot.and_then(|slot| fields.get_mut(slot)) {
                *field = part.field(value);
            }
        }
        rest.is_empty().then_some(())
    }
}

impl Part {
    fn field<'a>(&self, value: &'a str) -> Field<'a> {
        let number = || value.parse().map(Field::Integer).ok().or_else(|| float(value));
        match value {
            "" | "-" => Field::Absent,
            _ if self.numeric => number().unwrap_or(Field::Text(Cow::Borrowed(value))),
            _ => Field::Text(Cow::Borrowed(value)),
        }
    }
}

/// A number with a point. What else Rust takes for one, such as `inf`, is text.
fn float(value: &str) -> Option<Field<'static>> {
    let plain = value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b'-');
    value.parse().ok().filter(|_| plain).map(Field::Float)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PATTERN: &str =
        r#"$remote_addr - $user [$time_local] "$request" $status $bytes "$agent" $request_time $host"#;

    fn shape() -> LineShape {
        let wanted = ["host", "status", "request_time", "user"].map(str::to_owned);
        LineShape::new(PATTERN, &wanted, |slot| slot == 1 || slot == 2)
    }

    fn extract(line: &str) -> Option<[Field<'_>; 4]> {
        let mut fields = [Field::Absent, Field::Absent, Field::Absent, Field::Absent];
        shape().extract(line, &mut fields).map(|()| fields)
    }

    #[test]
    fn fields_of_an_access_log_are_found() {
        let line =
            r#"10.0.0.1 - - [22/Nov/2026:16:00:00 +0000] "GET /a - b HTTP/1.1" 502 17 "curl/8 (x; y)" 0.250 checkout"#;
        let expected = [Field::Text("checkout".into()), Field::Integer(502), Field::Float(0.25), Field::Absent];
        assert_eq!(extract(line), Some(expected.clone()));
        assert_eq!(extract(&format!("{line}\r\n")), Some(expected));
        assert_eq!(extract(&line.replace("502", "inf")).unwrap()[1], Field::Text("inf".into()));
        assert_eq!(extract(&line.replace("\" 502", "502")), None);
        assert_eq!(extract(""), None);
    }

    #[test]
    fn patterns_that_cannot_be_are_refused() {
        assert_eq!(problem(PATTERN), None);
        for (pattern, words) in [("plain", "no field"), ("$a $", "not followed"), ("$a$b", "two fields touch")] {
            assert!(problem(pattern).unwrap().contains(words), "{pattern}");
        }
        assert!(names(PATTERN, "request_time") && !names(PATTERN, "request_tim"));
    }

    proptest! {
        #[test]
        fn no_line_ends_it(line in any::<String>(), values in prop::array::uniform9("[^\" \r\n]{0,8}")) {
            extract(&line);
            let [a, b, c, d, e, f, g, h, i] = &values;
            let line = format!("{a} - {b} [{c}] \"{d}\" {e} {f} \"{g}\" {h} {i}");
            if let Some([Field::Text(host), ..]) = extract(&line) {
                prop_assert!(line.ends_with(&*host));
            }
        }
    }
}
