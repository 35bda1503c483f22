//! The first window of a writer that takes over: from it on all windows are its own, and those before it another's.
//!
//! Why: whoever begins to read begins in the middle of a window, and would tell it with less than there was, over the whole row of
//! whoever told it before. Two writers of a window that both read all of it say the same, which does no harm.

use std::str::FromStr;

use anyhow::ensure;

use crate::engine::Spec;
use crate::logs::time;

/// As typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FirstWindow {
    /// The next one that begins.
    Next,
    /// This one.
    At(i64),
}

impl FromStr for FirstWindow {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "next" {
            return Ok(Self::Next);
        }
        match time::read(text.as_bytes()) {
            Some((moment, length)) if length == text.len() => Ok(Self::At(moment.timestamp_millis())),
            _ => Err(format!("{text} is neither next nor a time as 2026-11-22T06:52:00Z")),
        }
    }
}

impl FirstWindow {
    /// Its start, in milliseconds since 1970.
    ///
    /// # Errors
    ///
    /// When no window of the spec starts then.
    pub(super) fn start(self, spec: &Spec, now: i64) -> anyhow::Result<i64> {
        let size = spec.window.size.millis();
        match self {
            Self::Next => Ok((now.div_euclid(size) + 1) * size),
            Self::At(start) => {
                ensure!(
                    start.rem_euclid(size) == 0,
                    "--first-window: windows of {} do not start then",
                    spec.window.size
                );
                Ok(start)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_next_one_or_one_that_there_is() {
        let spec = Spec::parse(include_str!("../../../config/examples/golden-signals.toml")).unwrap();
        let start = |text: &str| text.parse::<FirstWindow>().unwrap().start(&spec, 1_795_363_205_123);
        assert_eq!(start("next").unwrap(), 1_795_363_210_000);
        assert_eq!(start("2026-11-22T16:00:10Z").unwrap(), 1_795_363_210_000);
        assert!(start("2026-11-22T16:00:11Z").unwrap_err().to_string().contains("windows of 10s"));
        assert!("soon".parse::<FirstWindow>().is_err());
    }
}
