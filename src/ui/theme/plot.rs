//! What curves are made of: dots in cells, shades, bars of a sparkline, and how healthy looks.

use ratatui::style::Style;

use super::{Theme, Tone};
use crate::model::signal::{AlertState, Health};
use crate::ui::text::Charset;

impl Theme {
    /// Dots of one cell: columns and rows of them.
    #[must_use]
    pub const fn dots(self) -> (usize, usize) {
        match self.charset {
            Charset::Unicode => (2, 4),
            Charset::Ascii => (1, 3),
        }
    }

    /// A cell with some of its dots set: bit `row * columns + column`, from the top left.
    #[must_use]
    pub fn dotted(self, bits: u8) -> char {
        // Braille numbers its dots down the left column, then down the right one, the last row last.
        const BRAILLE: [u32; 8] = [0x01, 0x08, 0x02, 0x10, 0x04, 0x20, 0x40, 0x80];
        match self.charset {
            Charset::Unicode => {
                let places = BRAILLE.into_iter().enumerate().filter(|(place, _)| bits & (1 << place) != 0);
                char::from_u32(0x2800 + places.map(|(_, value)| value).sum::<u32>()).unwrap_or(' ')
            }
            Charset::Ascii => match bits {
                0 => ' ',
                0b001 => '"',
                0b010 => '-',
                0b100 => '_',
                _ => '|',
            },
        }
    }

    /// A bar of a sparkline, for a share from 0 to 1.
    #[must_use]
    pub fn spark(self, share: f64) -> char {
        match self.charset {
            Charset::Unicode => step(&['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'], share),
            Charset::Ascii => step(&['_', '.', '-', '=', '*', '#'], share),
        }
    }

    /// A cell of a heat map, for a share from 0 to 1; 0 is empty.
    #[must_use]
    pub fn shade(self, share: f64) -> char {
        match self.charset {
            _ if share <= 0.0 => ' ',
            Charset::Unicode => step(&['░', '▒', '▓', '█'], share),
            Charset::Ascii => step(&['.', ':', '*', '#'], share),
        }
    }

    /// The foot of a chart where there are data; a gap has none.
    #[must_use]
    pub const fn ground(self) -> &'static str {
        self.pick("─", ".")
    }

    /// A tick of the scale of a chart; the lowest one is also its foot.
    #[must_use]
    pub const fn tick(self, lowest: Lowest) -> &'static str {
        match lowest {
            Lowest::Yes => self.pick("┼", "+"),
            Lowest::No => self.pick("┤", "|"),
        }
    }

    /// What marks a moment under a chart.
    #[must_use]
    pub const fn moment(self) -> &'static str {
        self.pick("▲", "^")
    }

    /// The sign of a service without data.
    #[must_use]
    pub const fn no_data(self) -> &'static str {
        self.pick("·", ".")
    }

    /// How a health looks.
    #[must_use]
    pub const fn health(self, health: Health) -> Style {
        self.tone(match health.level() {
            0 => Tone::Good,
            1 | 2 => Tone::Warn,
            _ => Tone::Bad,
        })
    }

    /// Sign of an alert's state.
    #[must_use]
    pub const fn alert_glyph(self, state: AlertState) -> &'static str {
        match state {
            AlertState::Firing => self.pick("✖", "x"),
            AlertState::Pending => self.pick("◐", "~"),
            AlertState::Resolved => self.pick("○", "o"),
        }
    }
}

/// Whether a tick is the lowest one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lowest {
    /// It is.
    Yes,
    /// There are some below.
    No,
}

/// Tone of an alert's state.
#[must_use]
pub const fn alert_tone(state: AlertState) -> Tone {
    match state {
        AlertState::Firing => Tone::Bad,
        AlertState::Pending => Tone::Warn,
        AlertState::Resolved => Tone::Quiet,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "the share is bounded before the cast, and steps are few"
)]
fn step(steps: &[char], share: f64) -> char {
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    let place = (share * steps.len() as f64).ceil() as usize;
    steps.get(place.saturating_sub(1)).copied().unwrap_or(' ')
}
