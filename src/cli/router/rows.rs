//! A route's status and receipts as text.

use crate::cli::output::{Column, Table, clean};
use crate::model::Time;
use crate::model::route::record::{Health, Receipt, Status};

const RECEIPTS: &[Column<Receipt>] = &[
    Column { title: "EPOCH", right: true, wide: false, cell: |it, _| it.epoch.to_string() },
    Column { title: "FLIP", right: false, wide: false, cell: |it, _| format!("{} to {}", it.from, it.to) },
    Column { title: "CAUSE", right: false, wide: false, cell: |it, _| it.cause.word().to_owned() },
    Column {
        title: "DONE IN",
        right: true,
        wide: false,
        cell: |it, _| it.acknowledged_after_ms.map_or_else(|| "-".into(), seconds),
    },
    Column {
        title: "SLA",
        right: false,
        wide: false,
        cell: |it, _| if it.within_sla { "kept" } else { "broken" }.into(),
    },
    Column { title: "GAP MS", right: true, wide: false, cell: |it, _| it.gap_ms.to_string() },
    Column { title: "LOST", right: true, wide: false, cell: |it, _| it.audit.lost.to_string() },
    Column { title: "DUPLICATED", right: true, wide: false, cell: |it, _| it.audit.duplicated.to_string() },
    Column { title: "REORDERED", right: true, wide: false, cell: |it, _| it.audit.reordered.to_string() },
    Column { title: "OF", right: true, wide: false, cell: |it, _| measured(it) },
    Column { title: "WHO", right: false, wide: false, cell: |it, _| it.who.clone() },
    Column { title: "WHY", right: false, wide: false, cell: |it, _| it.why.clone() },
];

fn measured(receipt: &Receipt) -> String {
    let mark = if receipt.audit.unmeasured.is_some() { "?" } else { "" };
    format!("{}{mark}", receipt.audit.compared)
}

fn seconds(millis: i64) -> String {
    format!("{}.{} s", millis / 1_000, millis.rem_euclid(1_000) / 100)
}

/// One line for each flip, and one for each that could not be measured.
pub(super) fn receipts(receipts: &[Receipt], now: Time) -> String {
    let mut table = Table::new(RECEIPTS, true);
    receipts.iter().for_each(|receipt| table.widen(receipt, now));
    let mut text = if receipts.is_empty() { String::new() } else { table.heading() };
    receipts.iter().for_each(|receipt| text.push_str(&table.line(receipt, now)));
    for receipt in receipts {
        if let Some(words) = &receipt.audit.unmeasured {
            text.push_str(&format!("{}: not measured: {}\n", receipt.epoch, clean(words)));
        }
    }
    text
}

/// How a route stands.
pub(super) fn status(status: &Status, age_ms: i64) -> String {
    let (lane, words) = status.active();
    let mut text =
        format!("route {}: {} {words} by control record {}\n", clean(&status.route), clean(lane), status.epoch);
    text.push_str(&format!("controller {}, {} s ago\n", clean(&status.leader), age_ms / 1_000));
    if let Some(flip) = &status.flip {
        let state = if flip.running_ms > flip.sla_ms { "SLA BROKEN" } else { "SLA" };
        text.push_str(&format!(
            "flip {} to {}: {} of {} partitions have acknowledged, {} of {} ({state})\n",
            clean(&flip.from),
            clean(&flip.to),
            flip.acknowledged,
            flip.partitions,
            seconds(flip.running_ms),
            seconds(flip.sla_ms),
        ));
    }
    if let Some(hold) = &status.hold {
        text.push_str(&format!("held by {}: {}\n", clean(&hold.who), clean(&hold.why)));
    }
    if let Some(shadow) = &status.shadow {
        text.push_str(&format!("{} gets every record too\n", clean(shadow)));
    }
    if let Some(found) = &status.comparison {
        let word = match found.health {
            Health::Well => "the lanes say the same",
            Health::Unwell => "the lanes differ",
            Health::Unknown => "the lanes cannot be compared yet",
        };
        text.push_str(&format!("{word}: {}\n", clean(&found.words)));
    }
    for words in status.held_back.iter().chain(&status.troubles) {
        text.push_str(&format!("! {}\n", clean(words)));
    }
    for lane in &status.lanes {
        let active = if lane.name == status.lane { "active" } else { "waits" };
        text.push_str(&format!(
            "lane {} ({active}): {} for {}\n",
            clean(&lane.name),
            lane.health.word(),
            seconds(lane.for_ms)
        ));
        for check in &lane.checks {
            text.push_str(&format!("  {} {}: {}\n", clean(&check.name), check.health.word(), clean(&check.words)));
        }
    }
    let left = status.partitions.iter().filter_map(|partition| Some(partition.end? - partition.routed?));
    text.push_str(&format!("{} partitions, {} records to route\n", status.partitions.len(), left.sum::<i64>()));
    text
}
