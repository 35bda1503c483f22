//! Where reading begins: an argument into what a reader takes.

use std::str::FromStr;

use chrono::TimeDelta;

use crate::engine::Spec;
use crate::logs::time;
use crate::model::Time;
use crate::source::kafka::consume::Start;

/// Where reading begins, as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    Now,
    Earliest,
    At(Time),
    Ago(TimeDelta),
}

impl FromStr for From {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text} is neither now, earliest, a time as 2026-11-22T06:52:02Z nor an age as -15m");
        match text {
            "now" => return Ok(Self::Now),
            "earliest" => return Ok(Self::Earliest),
            _ => {}
        }
        if let Some(age) = text.strip_prefix('-') {
            let unit_at = age.find(|letter: char| !letter.is_ascii_digit()).ok_or_else(wrong)?;
            let (number, unit) = age.split_at(unit_at);
            let seconds = match unit {
                "s" => 1,
                "m" => 60,
                "h" => 3_600,
                "d" => 86_400,
                _ => return Err(wrong()),
            };
            let seconds = number.parse::<i64>().ok().and_then(|number| number.checked_mul(seconds));
            return seconds.and_then(TimeDelta::try_seconds).map(Self::Ago).ok_or_else(wrong);
        }
        match time::read(text.as_bytes()) {
            Some((moment, length)) if length == text.len() => Ok(Self::At(moment)),
            _ => Err(wrong()),
        }
    }
}

impl From {
    pub(super) fn start(self, now: Time) -> Start {
        match self {
            Self::Now => Start::Now,
            Self::Earliest => Start::Earliest,
            Self::At(moment) => Start::At(moment),
            Self::Ago(age) => Start::At(now.checked_sub_signed(age).unwrap_or(Time::UNIX_EPOCH)),
        }
    }
}

/// Where all events of a window and later ones are read: none was written before it began, but by clocks that are ahead.
pub(super) fn of_window(spec: &Spec, start: i64) -> Start {
    let at = start.saturating_sub(spec.watermark.future_limit.millis());
    Start::At(Time::from_timestamp_millis(at).unwrap_or(Time::UNIX_EPOCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings_are_read() {
        assert_eq!("now".parse(), Ok(From::Now));
        assert_eq!("-15m".parse(), Ok(From::Ago(TimeDelta::minutes(15))));
        let moment = "2026-11-22T06:52:02Z".parse::<Time>().unwrap();
        assert_eq!("2026-11-22T06:52:02Z".parse(), Ok(From::At(moment)));
        assert_eq!(From::Ago(TimeDelta::hours(1)).start(moment), Start::At(moment - TimeDelta::hours(1)));
        for wrong in ["15m", "-15", "-m", "-99999999999999999999s", "yesterday", ""] {
            assert!(wrong.parse::<From>().is_err(), "{wrong}");
        }
    }
}
