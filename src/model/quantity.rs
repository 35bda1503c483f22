//! Quantities: Kubernetes' notation, and Flink's where the operator takes both.

/// Reads a Kubernetes quantity such as `500m`, `1.5Gi`, `2e3`; `None` when it is none.
#[must_use]
pub fn quantity(text: &str) -> Option<f64> {
    let text = text.trim();
    let (number, suffix) = split(text)?;
    let scale = match suffix {
        "" => 1.0,
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 1024.0,
        "Mi" => 1_048_576.0,
        "Gi" => 1_073_741_824.0,
        "Ti" => 1_099_511_627_776.0,
        "Pi" => 1_125_899_906_842_624.0,
        "Ei" => 1_152_921_504_606_846_976.0,
        _ => return None,
    };
    Some(number * scale)
}

/// CPU in thousandths of a core, rounded up.
#[must_use]
pub fn cpu_millis(text: &str) -> Option<u64> {
    whole(quantity(text)? * 1000.0)
}

/// Memory in bytes, rounded up.
#[must_use]
pub fn bytes(text: &str) -> Option<u64> {
    whole(quantity(text)?)
}

/// Memory as the operator reads `resource.memory`: Flink's notation first (`2048m` is mebibytes), then
/// Kubernetes'.
#[must_use]
pub fn flink_bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at_checked(digits)?;
    let scale: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" | "bytes" => 1,
        "k" | "kb" | "kibibytes" => 1 << 10,
        "m" | "mb" | "mebibytes" => 1 << 20,
        "g" | "gb" | "gibibytes" => 1 << 30,
        "t" | "tb" | "tebibytes" => 1 << 40,
        _ => return bytes(text),
    };
    number.parse::<u64>().ok()?.checked_mul(scale).or_else(|| bytes(text))
}

/// Splits the number, which may have an exponent, from its suffix.
fn split(text: &str) -> Option<(f64, &str)> {
    let plain = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit() || ".+-".contains(c)).len();
    let (number, suffix) = text.split_at_checked(plain)?;
    if let Some(exponent) = suffix.strip_prefix(['e', 'E'])
        && exponent.parse::<i32>().is_ok()
    {
        return text.parse().ok().map(|number| (number, ""));
    }
    number.parse().ok().map(|number| (number, suffix))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked against the range")]
fn whole(value: f64) -> Option<u64> {
    // A little less than the next number is the noise of a decimal fraction, not a part of a byte.
    let rounded = (value - 1e-6).ceil();
    (0.0..1.8e19).contains(&rounded.abs()).then(|| rounded.max(0.0) as u64).filter(|_| value >= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kubernetes_quantities() {
        for (text, millis) in
            [("500m", 500), ("2", 2000), ("0.1", 100), ("1e3", 1_000_000), ("250000u", 250), ("3n", 1)]
        {
            assert_eq!(cpu_millis(text), Some(millis), "{text}");
        }
        for (text, size) in [
            ("128Mi", 134_217_728),
            ("1G", 1_000_000_000),
            ("1.5Gi", 1_610_612_736),
            ("2048m", 3),
            ("1E", 1_000_000_000_000_000_000),
            ("0", 0),
        ] {
            assert_eq!(bytes(text), Some(size), "{text}");
        }
        for text in ["", "Gi", "1x", "-1", "1.2.3", "ä", "NaN", "inf", "99999999999999999999E"] {
            assert_eq!(bytes(text), None, "{text}");
        }
    }

    #[test]
    fn flink_sizes_come_first() {
        for (text, size) in [
            ("2048m", 2048 << 20),
            ("2g", 2 << 30),
            ("2 gb", 2 << 30),
            ("2Gi", 2 << 30),
            ("1.5Gi", 1_610_612_736),
            ("1024", 1024),
        ] {
            assert_eq!(flink_bytes(text), Some(size), "{text}");
        }
        assert_eq!(flink_bytes("lots"), None);
    }
}
