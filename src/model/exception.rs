//! The root cause inside a Java stack trace.

use std::sync::Arc;

use serde::Serialize;

/// Type and message of one throwable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Throwable {
    /// Fully qualified class.
    pub class: Arc<str>,
    /// Its message; empty when it has none.
    pub message: Arc<str>,
}

impl Throwable {
    /// Reads `package.Class: message`, the first line of a throwable.
    #[must_use]
    pub fn parse(line: &str) -> Self {
        let line = line.trim();
        match line.split_once(": ") {
            Some((class, message)) if !class.contains(' ') => Self { class: class.into(), message: message.into() },
            _ => Self { class: line.trim_end_matches(':').into(), message: "".into() },
        }
    }

    /// The class without its package.
    #[must_use]
    pub fn short_class(&self) -> &str {
        self.class.rsplit(['.', '$']).next().unwrap_or(&self.class)
    }
}

/// The deepest `Caused by:` of a trace as `Throwable.printStackTrace` writes it, or its first line.
///
/// Suppressed throwables are skipped: they are indented and did not cause the failure.
#[must_use]
pub fn root_cause(trace: &str) -> Option<Throwable> {
    let first = trace.lines().find(|line| !line.trim().is_empty())?;
    let deepest = trace.lines().filter_map(|line| line.strip_prefix("Caused by: ")).next_back();
    Some(Throwable::parse(deepest.unwrap_or(first)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_cause_wins_over_suppressed_ones() {
        let trace = "a.Outer: b.Inner: c\n\tat x.Y.z(Y.java:1)\n\tSuppressed: s.S: no\n\t\tat q\nCaused by: b.Inner: c: d\n\tat x\nCaused by: java.io.IOException: KafkaWriter : failed to send 1 records (since last report)\n\t... 7 more\n";
        let root = root_cause(trace).unwrap();
        assert_eq!(&*root.class, "java.io.IOException");
        assert_eq!(&*root.message, "KafkaWriter : failed to send 1 records (since last report)");
        assert_eq!(root.short_class(), "IOException");
    }

    #[test]
    fn a_bare_class_has_no_message() {
        assert_eq!(
            root_cause("java.lang.OutOfMemoryError\n").unwrap(),
            Throwable { class: "java.lang.OutOfMemoryError".into(), message: "".into() }
        );
        assert_eq!(root_cause("  \n"), None);
    }
}
