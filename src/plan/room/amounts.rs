//! Amounts of what pods ask for, by Kubernetes' names: CPU in thousandths of a core, anything else in its own unit.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::model::quantity;
use crate::plan::object::scalar;

/// Amounts by name: `cpu`, `memory`, `nvidia.com/gpu`.
pub type Amounts = BTreeMap<String, u64>;

/// One amount as an object writes it; `None` when it is none.
#[must_use]
pub fn amount(name: &str, value: &Value) -> Option<u64> {
    let text = scalar(value)?;
    if is_cpu(name) { quantity::cpu_millis(&text) } else { quantity::bytes(&text) }
}

/// Amounts as an object writes them.
#[must_use]
pub fn amounts(value: Option<&Value>) -> Amounts {
    let fields = value.and_then(Value::as_object).into_iter().flatten();
    fields.filter_map(|(name, value)| Some((name.clone(), amount(name, value)?))).collect()
}

/// Adds amounts to others.
pub fn add(to: &mut Amounts, more: &Amounts) {
    for (name, amount) in more {
        let sum = to.entry(name.clone()).or_default();
        *sum = sum.saturating_add(*amount);
    }
}

/// Takes amounts from others.
pub fn take(from: &mut Amounts, less: &Amounts) {
    for (name, amount) in less {
        if let Some(left) = from.get_mut(name) {
            *left = left.saturating_sub(*amount);
        }
    }
}

/// The larger of each.
pub fn raise(to: &mut Amounts, others: &Amounts) {
    for (name, amount) in others {
        let here = to.entry(name.clone()).or_default();
        *here = (*here).max(*amount);
    }
}

/// `cpu`, `requests.cpu`, `limits.cpu`.
fn is_cpu(name: &str) -> bool {
    matches!(name, "cpu" | "requests.cpu" | "limits.cpu")
}

/// One amount in words: `2 cpu`, `4 GiB`, `3`.
#[must_use]
pub fn word(name: &str, amount: u64) -> String {
    if is_cpu(name) {
        return format!("{} cpu", decimals(amount, 1000));
    }
    let last = name.rsplit('.').next().unwrap_or(name);
    if last == "memory" || last.ends_with("storage") || last.starts_with("hugepages") {
        return memory(amount);
    }
    amount.to_string()
}

/// All of them in words: `2 cpu, 4 GiB, 1 nvidia.com/gpu`.
#[must_use]
pub fn words(amounts: &Amounts) -> String {
    let shown = amounts.iter().filter(|(_, amount)| **amount > 0);
    let one = |(name, amount): (&String, &u64)| match name.as_str() {
        "cpu" | "memory" => word(name, *amount),
        other => format!("{} {other}", word(other, *amount)),
    };
    let said: Vec<String> = shown.map(one).collect();
    if said.is_empty() { "no stated size".to_owned() } else { said.join(", ") }
}

fn memory(bytes: u64) -> String {
    const KIB: u64 = 1 << 10;
    const MIB: u64 = 1 << 20;
    const GIB: u64 = 1 << 30;
    match bytes {
        0 => "0 GiB".to_owned(),
        GIB.. if bytes.is_multiple_of(MIB) && !bytes.is_multiple_of(GIB) && bytes < 10 * GIB => {
            format!("{} MiB", bytes / MIB)
        }
        GIB.. => format!("{} GiB", decimals(bytes, GIB)),
        MIB.. => format!("{} MiB", decimals(bytes, MIB)),
        KIB.. => format!("{} KiB", decimals(bytes, KIB)),
        _ => format!("{bytes} bytes"),
    }
}

/// A number over a unit, with no more than two digits after the point.
fn decimals(number: u64, unit: u64) -> String {
    let hundredths = u128::from(number % unit) * 100 / u128::from(unit);
    let text = format!("{}.{hundredths:02}", number / unit);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn amounts_are_read_and_said() {
        let read = amounts(Some(&json!({"cpu": 2, "memory": "4Gi", "nvidia.com/gpu": "1", "odd": "x"})));
        assert_eq!(words(&read), "2 cpu, 4 GiB, 1 nvidia.com/gpu");
        assert_eq!(amount("requests.cpu", &json!("250m")), Some(250));
        for (name, number, said) in [
            ("limits.cpu", 1_250, "1.25 cpu"),
            ("requests.memory", 1_811_939_328, "1728 MiB"),
            ("memory", 16 << 30, "16 GiB"),
            ("memory", 12_345_678_901, "11.49 GiB"),
            ("memory", 512 << 20, "512 MiB"),
            ("pods", 12, "12"),
        ] {
            assert_eq!(word(name, number), said);
        }
        assert_eq!(words(&Amounts::new()), "no stated size");
    }
}
