//! Timestamps as loggers write them.
//!
//! Logs mostly carry no zone; theirs is then taken for UTC, as containers run. Read by hand: it is done for
//! every line of a log, and a general parser would take most of the time.

use chrono::{NaiveDateTime, Timelike, Utc};

use crate::model::Time;

/// Bytes of `2026-11-22 06:52:02`.
const SECOND: usize = 19;

/// Reads the times of one log, whose lines are mostly of the same second as the line before.
#[derive(Clone, Copy, Debug, Default)]
pub struct Times {
    /// The last one's text to the second, and what it is without a zone.
    last: Option<([u8; SECOND], NaiveDateTime)>,
}

impl Times {
    /// As [`read`] does.
    #[must_use]
    pub fn read(&mut self, text: &[u8]) -> Option<(Time, usize)> {
        let (second, rest) = text.split_first_chunk::<SECOND>()?;
        if let Some((last, known)) = &self.last
            && last == second
        {
            let (nanoseconds, length) = fraction(rest);
            let time = known.with_nanosecond(nanoseconds)?;
            let (offset, zone_length) = zone(rest.get(length..).unwrap_or_default());
            if offset == 0 {
                return Some((Time::from_naive_utc_and_offset(time, Utc), SECOND + length + zone_length));
            }
        }
        let (time, length) = read(text)?;
        let without_zone = read(second).and_then(|(time, _)| time.naive_utc().with_nanosecond(0));
        // A leap second is told as the first of the next minute, and would not be the same with a fraction.
        self.last = without_zone.filter(|_| !second.ends_with(b"60")).map(|known| (*second, known));
        Some((time, length))
    }
}

/// A date and time at the beginning of the text, and how many bytes it takes.
///
/// `2026-11-22 06:52:02,988`, `2022/07/11 04:52:23.996`, `2026-11-22T06:59:12.836Z`, `…+0000`, `…+01:00`.
#[must_use]
pub fn read(text: &[u8]) -> Option<(Time, usize)> {
    let &[y1, y2, y3, y4, first, o1, o2, second, d1, d2, gap, ref clock @ ..] = text else { return None };
    if first != second || !matches!(first, b'-' | b'/') || !matches!(gap, b' ' | b'T') {
        return None;
    }
    let (year, month, day) = (two(y1, y2)? * 100 + two(y3, y4)?, two(o1, o2)?, two(d1, d2)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let (seconds, nanoseconds, clock_length) = read_clock(clock)?;
    let (offset, zone_length) = zone(clock.get(clock_length..).unwrap_or_default());
    let time = Time::from_timestamp(days(year, month, day) * 86_400 + seconds - offset, nanoseconds)?;
    Some((time, 11 + clock_length + zone_length))
}

/// Seconds since midnight, nanoseconds, and bytes of `06:52:02,988`.
#[must_use]
pub fn read_clock(text: &[u8]) -> Option<(i64, u32, usize)> {
    let &[h1, h2, b':', m1, m2, b':', s1, s2, ref rest @ ..] = text else { return None };
    let (hour, minute, second) = (two(h1, h2)?, two(m1, m2)?, two(s1, s2)?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (nanoseconds, length) = fraction(rest);
    Some((hour * 3_600 + minute * 60 + second, nanoseconds, 8 + length))
}

/// Seconds or milliseconds since the epoch; which, its size tells.
#[must_use]
pub fn from_number(number: f64) -> Option<Time> {
    let unit = if number.abs() < 1e11 { 1e6 } else { 1e3 };
    let whole = number.trunc();
    // Cut to the microsecond, as other layouts cut to the millisecond; as seconds a float is off by up to an eighth of one.
    let part = (number - whole).mul_add(unit, 0.125).floor();
    #[expect(clippy::cast_possible_truncation, reason = "out of range becomes the end of the range, which is no time")]
    let part = chrono::TimeDelta::microseconds(part as i64);
    #[expect(clippy::cast_possible_truncation, reason = "as above")]
    Time::from_timestamp_micros((whole * unit) as i64)?.checked_add_signed(part)
}

/// A moment of a log without years: the latest such one that is not after tomorrow.
#[must_use]
pub fn without_year(month: i64, day: i64, seconds: (i64, u32), now: Time) -> Option<Time> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year = i64::from(chrono::Datelike::year(&now));
    let in_year = |year| Time::from_timestamp(days(year, month, day) * 86_400 + seconds.0, seconds.1);
    in_year(year).filter(|time| (*time - now).num_days() < 1).or_else(|| in_year(year - 1))
}

#[inline]
fn fraction(text: &[u8]) -> (u32, usize) {
    let &[b'.' | b',', ref digits @ ..] = text else { return (0, 0) };
    let (mut value, mut count) = (0_u32, 0_usize);
    for digit in digits.iter().take_while(|byte| byte.is_ascii_digit()) {
        if count < 9 {
            value = value * 10 + u32::from(digit - b'0');
        }
        count += 1;
    }
    if count == 0 {
        return (0, 0);
    }
    let missing = u32::try_from(9_usize.saturating_sub(count)).unwrap_or(0);
    (value * 10_u32.pow(missing), count + 1)
}

/// Seconds east of Greenwich, and bytes.
#[inline]
fn zone(text: &[u8]) -> (i64, usize) {
    let read = |h1, h2, m1, m2| Some(two(h1, h2)? * 3_600 + two(m1, m2)? * 60);
    let (sign, offset, length) = match *text {
        [b'Z', ..] => return (0, 1),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2, ..] => (sign, read(h1, h2, m1, m2), 6),
        [sign @ (b'+' | b'-'), h1, h2, m1, m2, ..] => (sign, read(h1, h2, m1, m2), 5),
        _ => return (0, 0),
    };
    offset.map_or((0, 0), |offset| (if sign == b'-' { -offset } else { offset }, length))
}

/// Two digits as a number.
#[must_use]
#[inline]
pub fn two(tens: u8, ones: u8) -> Option<i64> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| i64::from(tens) * 10 + i64::from(ones))
}

/// Days since the epoch of a date of the Gregorian calendar, by counting years from March.
const fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_the_same_moment() {
        for text in ["2024-02-29 23:59:58,988", "2024/02/29 23:59:58.988", "2024-02-29T23:59:58.988Z"] {
            let (time, length) = read(text.as_bytes()).unwrap();
            assert_eq!((time.to_rfc3339(), length), ("2024-02-29T23:59:58.988+00:00".into(), text.len()), "{text}");
        }
        for text in ["2024-03-01T01:59:58.988+0200", "2024-02-29T22:59:58.988-01:00"] {
            assert_eq!(read(text.as_bytes()).unwrap().0.timestamp_millis(), 1_709_251_198_988, "{text}");
        }
        assert_eq!(read(b"2024-13-01 00:00:00"), None);
        assert_eq!(read(b"2024-12-01 00:0"), None);
        assert_eq!(from_number(1_795_330_759.038_513).unwrap().timestamp_millis(), 1_795_330_759_038);
        assert_eq!(from_number("1795382566.999999677".parse().unwrap()).unwrap().timestamp_millis(), 1_795_382_566_999);
        assert_eq!(from_number(1_795_382_566_999.0).unwrap().timestamp_millis(), 1_795_382_566_999);
        assert_eq!(from_number(f64::MAX), None);
        assert_eq!(from_number(1_795_330_759.471).unwrap().to_rfc3339(), "2026-11-22T06:59:19.471+00:00");
    }

    #[test]
    fn times_of_a_log_are_read_as_if_each_stood_alone() {
        let mut times = Times::default();
        for text in [
            "2024-02-29 23:59:58,988 INFO",
            "2024-02-29 23:59:58,989 INFO",
            "2024-02-29 23:59:58",
            "2024-02-29 23:59:58 INFO",
            "2024-02-29 23:59:58.5+0200",
            "2024-02-29 23:59:58.5Z",
            "2024-02-29 23:59:59,1",
            "2024-02-29 23:59:60,1",
            "2024-02-29 23:59:60,1",
            "2024-02-29 23:59:6",
            "2024-02-29T23:59:58,988",
            "2024/02-29 23:59:58,988",
        ] {
            assert_eq!(times.read(text.as_bytes()), read(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn days_agree_with_the_calendar() {
        for (year, month, day) in [(1970, 1, 1), (2000, 2, 29), (1999, 12, 31), (2100, 3, 1), (2026, 11, 22)] {
            let date = chrono::NaiveDate::from_ymd_opt(year, month, day).unwrap();
            let known = date.signed_duration_since(chrono::NaiveDate::default()).num_days();
            assert_eq!(days(year.into(), month.into(), day.into()), known);
        }
    }

    #[test]
    fn a_log_without_years_is_of_the_past() {
        let now = read(b"2026-01-01 00:30:00").unwrap().0;
        assert_eq!(without_year(12, 31, (0, 0), now).unwrap().to_rfc3339(), "2025-12-31T00:00:00+00:00");
        assert_eq!(without_year(1, 1, (0, 0), now).unwrap().to_rfc3339(), "2026-01-01T00:00:00+00:00");
    }
}
