//! The receipts, as rows.

use ratatui::style::Style;

use crate::app::route::receipts::{ReceiptColumn, ReceiptRow};
use crate::model::{Time, human};
use crate::ui::table::{self, Cell};
use crate::ui::theme::{Sign, Theme, Tone};

pub(super) struct Cells {
    pub(super) theme: Theme,
    pub(super) now: Time,
}

impl table::Cells<ReceiptRow> for Cells {
    fn cell(&self, row: &ReceiptRow, column: ReceiptColumn) -> Cell {
        let (theme, receipt) = (self.theme, &row.0);
        let audit = &receipt.audit;
        let plain = |text: String| Cell::new(text, theme.text());
        let zero = |number: u64| match number {
            0 if audit.compared == 0 => Cell::unknown(theme),
            0 => Cell::new("0", theme.tone(Tone::Good)),
            number => Cell::new(number.to_string(), theme.tone(Tone::Bad)),
        };
        match column {
            ReceiptColumn::Epoch => Cell::new(receipt.epoch.to_string(), theme.dim()),
            ReceiptColumn::When => {
                plain(human::duration((self.now.timestamp_millis() - receipt.since_ms).max(0) / 1_000))
            }
            ReceiptColumn::Flip => plain(format!("{} {} {}", receipt.from, theme.sign(Sign::Crumb), receipt.to)),
            ReceiptColumn::Cause => plain(receipt.cause.word().to_owned()),
            ReceiptColumn::Done => Cell::known(receipt.acknowledged_after_ms.map(super::tenths), theme),
            ReceiptColumn::Sla if receipt.within_sla => Cell::new("kept", theme.tone(Tone::Good)),
            ReceiptColumn::Sla => Cell::new("broken", theme.tone(Tone::Bad)),
            ReceiptColumn::Gap => plain(human::milliseconds(receipt.gap_ms.max(0).unsigned_abs())),
            ReceiptColumn::Lost => zero(audit.lost),
            ReceiptColumn::Duplicated => zero(audit.duplicated),
            ReceiptColumn::Reordered => zero(audit.reordered),
            ReceiptColumn::Compared if audit.unmeasured.is_some() => {
                Cell::new(format!("{}?", audit.compared), theme.tone(Tone::Warn))
            }
            ReceiptColumn::Compared => Cell::new(audit.compared.to_string(), theme.dim()),
            ReceiptColumn::Who => plain(receipt.who.clone()),
            ReceiptColumn::Why => plain(receipt.why.clone()),
        }
    }

    fn mark(&self, row: &ReceiptRow) -> Option<(&'static str, Style)> {
        row.is_bad().then(|| (self.theme.sign(Sign::Attention), self.theme.tone(Tone::Bad)))
    }
}
