//! A JSON text as a tree that remembers where each part is, so that a complaint can name line and column.
//!
//! How: `serde_json` says whether the text is JSON; only then it is walked, by code that need not doubt the grammar.

use serde::de::IgnoredAny;

/// A part of a text, and its first byte.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Part {
    pub(super) at: usize,
    pub(super) json: Json,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    Array(Vec<Part>),
    /// In the order of the text; a key may come twice.
    Object(Vec<(Key, Part)>),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Key {
    pub(super) at: usize,
    pub(super) name: String,
}

impl Json {
    /// With its article.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a bool",
            Self::Number(_) => "a number",
            Self::Text(_) => "a string",
            Self::Array(_) => "an array",
            Self::Object(_) => "an object",
        }
    }
}

/// Line and column, from 1, of a byte.
pub(super) fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count());
    (before.matches('\n').count() + 1, column + 1)
}

/// The tree of a text.
pub(super) fn read(text: &str) -> Result<Part, String> {
    // It also bounds how deep the text nests.
    serde_json::from_str::<IgnoredAny>(text).map_err(|error| format!("not JSON: {error}"))?;
    let mut reader = Reader { text, at: 0 };
    reader.part().ok_or_else(|| "not JSON".to_owned())
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip(&mut self, what: &[u8]) {
        while self.peek().is_some_and(|byte| what.contains(&byte)) {
            self.at += 1;
        }
    }

    fn part(&mut self) -> Option<Part> {
        self.skip(b" \t\r\n,:");
        let at = self.at;
        let json = match self.peek()? {
            b'{' => self.object()?,
            b'[' => self.array()?,
            b'"' => Json::Text(self.string()?),
            b't' => self.word("true", Json::Bool(true)),
            b'f' => self.word("false", Json::Bool(false)),
            b'n' => self.word("null", Json::Null),
            _ => {
                self.skip(b"+-.0123456789eE");
                Json::Number(self.text.get(at..self.at)?.parse().ok()?)
            }
        };
        Some(Part { at, json })
    }

    const fn word(&mut self, word: &str, json: Json) -> Json {
        self.at += word.len();
        json
    }

    fn string(&mut self) -> Option<String> {
        let from = self.at;
        self.at += 1;
        while self.peek()? != b'"' {
            self.at += if self.peek()? == b'\\' { 2 } else { 1 };
        }
        self.at += 1;
        serde_json::from_str(self.text.get(from..self.at)?).ok()
    }

    fn array(&mut self) -> Option<Json> {
        let mut items = Vec::new();
        self.at += 1;
        loop {
            self.skip(b" \t\r\n,");
            if self.peek()? == b']' {
                self.at += 1;
                return Some(Json::Array(items));
            }
            items.push(self.part()?);
        }
    }

    fn object(&mut self) -> Option<Json> {
        let mut pairs = Vec::new();
        self.at += 1;
        loop {
            self.skip(b" \t\r\n,");
            if self.peek()? == b'}' {
                self.at += 1;
                return Some(Json::Object(pairs));
            }
            let key = Key { at: self.at, name: self.string()? };
            pairs.push((key, self.part()?));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn value(part: &Part) -> Value {
        match &part.json {
            Json::Null => Value::Null,
            Json::Bool(value) => (*value).into(),
            Json::Number(value) => (*value).into(),
            Json::Text(text) => text.as_str().into(),
            Json::Array(items) => items.iter().map(value).collect(),
            Json::Object(pairs) => pairs.iter().map(|(key, part)| (key.name.clone(), value(part))).collect(),
        }
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<f64>().prop_filter("JSON has no such number", |number| number.is_finite()).prop_map(Value::from),
            "[\\PC\"\\\\/\n]{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map("[a-z\"\\\\ü{}:,]{0,6}", inner, 0..6)
                    .prop_map(|pairs| pairs.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn it_reads_what_serde_reads(document in json()) {
            for text in [document.to_string(), format!("{document:#}")] {
                prop_assert_eq!(&value(&read(&text).unwrap()), &document);
            }
        }
    }

    #[test]
    fn what_is_no_json_is_refused_with_its_place() {
        assert!(read("{\"a\": 1,}").unwrap_err().contains("line 1 column 9"));
        assert!(read(&"[".repeat(100_000)).unwrap_err().contains("not JSON"));
        assert_eq!(place("{\n  \"ü\": 1}", 8), (2, 6));
    }
}
