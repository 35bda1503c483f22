//! Numbers and durations as people read them: short, of even width, with a unit.

use super::Time;

/// `31s`, `4m`, `4m10s`, `5h`, `5d6h`: at most two units, the second only where it still matters.
#[must_use]
pub fn duration(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, minutes) if minutes >= 10 || seconds % 60 == 0 => format!("{minutes}m"),
        (0, 0, minutes) => format!("{minutes}m{}s", seconds % 60),
        (0, hours, 0) => format!("{hours}h"),
        (0, hours, minutes) => format!("{hours}h{minutes}m"),
        (days, 0, _) => format!("{days}d"),
        (days, _, _) if days >= 30 => format!("{days}d"),
        (days, hours, _) => format!("{days}d{hours}h"),
    }
}

/// The time from `then` to `now` as [`duration`].
#[must_use]
pub fn age(then: Time, now: Time) -> String {
    duration((now - then).num_seconds())
}

/// `850ms`, `1.2s`, then as [`duration`].
#[must_use]
pub fn milliseconds(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms}ms"),
        1_000..10_000 => format!("{}.{}s", ms / 1_000, ms % 1_000 / 100),
        _ => duration(i64::try_from(ms / 1_000).unwrap_or(i64::MAX)),
    }
}

/// `1 file`, `3 files`.
#[must_use]
pub fn counted(number: usize, word: &str) -> String {
    if number == 1 { format!("1 {word}") } else { format!("{number} {word}s") }
}

/// `310`, `3.1k`, `88k`, `1.2M`: three digits at most.
#[must_use]
pub fn count(number: u64) -> String {
    scaled(number, 1_000, &["", "k", "M", "G", "T", "P", "E"])
}

/// A count per second; below ten with one digit after the point.
#[must_use]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, which is right for a display")]
pub fn rate(per_second: f64) -> String {
    let sign = if per_second < 0.0 { "-" } else { "" };
    match per_second.abs() {
        size if size < 9.95 => format!("{sign}{}", trim_zero(&format!("{size:.1}"))),
        size => format!("{sign}{}", count(size.round() as u64)),
    }
}

/// `512Mi`, `1.2Gi`: binary units, as in resource limits.
#[must_use]
pub fn bytes(number: u64) -> String {
    scaled(number, 1_024, &["B", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"])
}

/// `250m` below one core, else `1.5`.
#[must_use]
pub fn cores(millis: u64) -> String {
    match millis {
        0..1_000 => format!("{millis}m"),
        _ => trim_zero(&format!("{}.{}", millis / 1_000, millis % 1_000 / 100)).to_owned(),
    }
}

/// A share from 0 to 1 as whole percent.
#[must_use]
pub fn percent(share: f64) -> String {
    format!("{:.0}%", share * 100.0)
}

/// Divides by `step` until at most three digits are left; one digit after the point below ten.
fn scaled(number: u64, step: u64, units: &[&str]) -> String {
    let mut unit = 0;
    let mut divisor = 1_u64;
    while unit + 1 < units.len() && number / divisor >= step.min(1_000) {
        divisor = divisor.saturating_mul(step);
        unit += 1;
    }
    let whole = number / divisor;
    let tenth = u128::from(number % divisor) * 10 / u128::from(divisor);
    let suffix = units.get(unit).copied().unwrap_or_default();
    if unit > 0 && whole < 10 && tenth > 0 { format!("{whole}.{tenth}{suffix}") } else { format!("{whole}{suffix}") }
}

fn trim_zero(text: &str) -> &str {
    text.strip_suffix(".0").unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_keep_two_units_at_most() {
        let shown: Vec<String> = [-3, 0, 31, 60, 250, 240, 900, 3_600, 18_060, 86_400, 453_600, 40 * 86_400 + 3_700]
            .into_iter()
            .map(duration)
            .collect();
        assert_eq!(shown, ["0s", "0s", "31s", "1m", "4m10s", "4m", "15m", "1h", "5h1m", "1d", "5d6h", "40d"]);
    }

    #[test]
    fn counts_have_three_digits_at_most() {
        let shown: Vec<String> =
            [0, 310, 999, 1_000, 3_140, 88_000, 999_999, 1_200_000, u64::MAX].into_iter().map(count).collect();
        assert_eq!(shown, ["0", "310", "999", "1k", "3.1k", "88k", "999k", "1.2M", "18E"]);
    }

    #[test]
    fn sizes_and_rates_carry_their_unit() {
        assert_eq!(
            (bytes(4 << 30), bytes(1_288_490_188), bytes(1_000), bytes(1_023)),
            ("4Gi".into(), "1.1Gi".into(), "0.9Ki".into(), "0.9Ki".into())
        );
        assert_eq!(
            (rate(0.04), rate(-2.5), rate(12.4), rate(5_120.0)),
            ("0".into(), "-2.5".into(), "12".into(), "5.1k".into())
        );
        assert_eq!((cores(250), cores(4_000), cores(1_500)), ("250m".into(), "4".into(), "1.5".into()));
        assert_eq!(
            (milliseconds(812), milliseconds(1_250), milliseconds(60_000)),
            ("812ms".into(), "1.2s".into(), "1m".into())
        );
    }
}
