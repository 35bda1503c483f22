//! What became of the flips: one row each, the newest first.

use std::cmp::Ordering;

use crate::app::table::{Column, Row};
use crate::model::route::record::Receipt;

/// Columns of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiptColumn {
    /// Number of the control record.
    Epoch,
    /// When the trouble began, or the request came.
    When,
    /// From which lane to which.
    Flip,
    /// Why it was written.
    Cause,
    /// Time until every partition had acknowledged.
    Done,
    /// Whether that was in time.
    Sla,
    /// Longest time without a transaction.
    Gap,
    /// Records lost.
    Lost,
    /// Records twice.
    Duplicated,
    /// Records out of order.
    Reordered,
    /// Records compared.
    Compared,
    /// Who wanted it.
    Who,
    /// Why they wanted it.
    Why,
}

/// One receipt.
#[derive(Clone, Debug, PartialEq)]
pub struct ReceiptRow(pub Receipt);

impl ReceiptRow {
    /// Whether somebody should look at it.
    #[must_use]
    pub const fn is_bad(&self) -> bool {
        let audit = &self.0.audit;
        audit.lost + audit.duplicated + audit.reordered > 0 || !self.0.within_sla
    }

    /// All of it, to be copied.
    #[must_use]
    pub fn text(&self) -> String {
        serde_json::to_string_pretty(&self.0).unwrap_or_default()
    }
}

impl Row for ReceiptRow {
    type Key = u64;
    type Column = ReceiptColumn;
    const COLUMNS: &'static [Column<ReceiptColumn>] = &[
        Column::number(ReceiptColumn::Epoch, "NO", 4),
        Column::number(ReceiptColumn::When, "AGO", 6),
        Column::text(ReceiptColumn::Flip, "FLIP", 13).up_to(30),
        Column::text(ReceiptColumn::Cause, "CAUSE", 8),
        Column::number(ReceiptColumn::Done, "DONE IN", 7),
        Column::text(ReceiptColumn::Sla, "SLA", 6).rank(2),
        Column::number(ReceiptColumn::Gap, "GAP", 6),
        Column::number(ReceiptColumn::Lost, "LOST", 4),
        Column::number(ReceiptColumn::Duplicated, "DUPL", 4),
        Column::number(ReceiptColumn::Reordered, "REORD", 5),
        Column::number(ReceiptColumn::Compared, "OF", 6).rank(1),
        Column::text(ReceiptColumn::Who, "WHO", 10).up_to(16).rank(3),
        Column::text(ReceiptColumn::Why, "WHY", 14).up_to(60).rank(3).first(),
    ];

    fn key(&self) -> u64 {
        self.0.epoch
    }

    fn worst_first(&self, other: &Self) -> Ordering {
        other.0.epoch.cmp(&self.0.epoch)
    }

    fn compare(&self, other: &Self, column: ReceiptColumn) -> Ordering {
        let (left, right) = (&self.0, &other.0);
        match column {
            ReceiptColumn::Epoch => left.epoch.cmp(&right.epoch),
            ReceiptColumn::When => right.since_ms.cmp(&left.since_ms),
            ReceiptColumn::Flip => (&left.from, &left.to).cmp(&(&right.from, &right.to)),
            ReceiptColumn::Cause => left.cause.word().cmp(right.cause.word()),
            ReceiptColumn::Done => left.acknowledged_after_ms.cmp(&right.acknowledged_after_ms),
            ReceiptColumn::Sla => left.within_sla.cmp(&right.within_sla),
            ReceiptColumn::Gap => left.gap_ms.cmp(&right.gap_ms),
            ReceiptColumn::Lost => left.audit.lost.cmp(&right.audit.lost),
            ReceiptColumn::Duplicated => left.audit.duplicated.cmp(&right.audit.duplicated),
            ReceiptColumn::Reordered => left.audit.reordered.cmp(&right.audit.reordered),
            ReceiptColumn::Compared => left.audit.compared.cmp(&right.audit.compared),
            ReceiptColumn::Who => left.who.cmp(&right.who),
            ReceiptColumn::Why => left.why.cmp(&right.why),
        }
    }

    fn words(&self, text: &mut String) {
        let receipt = &self.0;
        text.push_str(&format!("{} {} {} ", receipt.epoch, receipt.from, receipt.to));
        for word in [receipt.cause.word(), &receipt.who, &receipt.why] {
            text.push_str(word);
            text.push(' ');
        }
    }

    fn wanted(&self, column: ReceiptColumn) -> usize {
        match column {
            ReceiptColumn::Flip => self.0.from.len() + self.0.to.len() + 4,
            ReceiptColumn::Who => self.0.who.len(),
            ReceiptColumn::Why => self.0.why.len(),
            _ => 0,
        }
    }
}
