//! How the lines of the terminal are shared out, so that `update` knows how many rows a list shows.

/// Narrower or lower than this, nothing useful fits.
pub const SMALLEST: (u16, u16) = (40, 8);
/// From here on a panel stands beside the list.
pub const SIDE_FROM: u16 = 160;

/// Lines and columns of the parts of a screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Lines of the title and what stands under it.
    pub head: u16,
    /// Lines of the body: the list with its headings.
    pub body: u16,
    /// Lines that tell more of the selection, under a blank one.
    pub detail: u16,
    /// Columns of the list.
    pub width: u16,
    /// Columns of the panel on the right; 0 when there is none.
    pub side: u16,
}

impl Layout {
    /// Shares out the terminal: `head` lines on top, `detail` lines wanted below the list.
    #[must_use]
    pub const fn new(size: (u16, u16), head: u16, detail: u16) -> Self {
        let rows = size.1.saturating_sub(1);
        let head = if head + 2 > rows { rows.saturating_sub(2) } else { head };
        let left = rows.saturating_sub(head);
        let room = left.saturating_sub(9);
        let detail = if room >= 3 && detail > 0 {
            if detail < room { detail } else { room }
        } else if left >= 10 && detail > 0 {
            1
        } else {
            0
        };
        let taken = if detail > 0 { detail + 1 } else { 0 };
        Self { head, body: left.saturating_sub(taken), detail, width: size.0, side: 0 }
    }

    /// Lines below a list of what needs explaining, on a terminal of so many rows.
    #[must_use]
    pub const fn explanation(rows: u16) -> u16 {
        match rows {
            36.. => 8,
            28.. => 5,
            _ => 3,
        }
    }

    /// The same, and more where a list of so many rows under `head` lines leaves room for it.
    #[must_use]
    pub fn explanation_below(rows: u16, head: u16, listed: usize) -> u16 {
        // The list's headings, a blank line and the hints take one each.
        let taken = usize::from(head) + listed + 3;
        let free = usize::from(rows).saturating_sub(taken).min(8);
        Self::explanation(rows).max(u16::try_from(free).unwrap_or(0))
    }

    /// Puts a panel beside the list where the terminal is wide; it takes the place of the detail below.
    #[must_use]
    pub const fn with_side(size: (u16, u16), head: u16, detail: u16) -> Self {
        if size.0 < SIDE_FROM {
            return Self::new(size, head, detail);
        }
        let mut layout = Self::new(size, head, 0);
        layout.side = 58;
        layout.width = size.0 - layout.side;
        layout
    }

    /// Rows of the list, without its headings.
    #[must_use]
    pub const fn list(&self) -> u16 {
        self.body.saturating_sub(1)
    }
}

/// Whether the terminal is too small for any screen.
#[must_use]
pub const fn too_small(size: (u16, u16)) -> bool {
    size.0 < SMALLEST.0 || size.1 < SMALLEST.1
}
