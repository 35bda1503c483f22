//! A list that keeps its place: sorted, filtered, scrolled, with a selection that follows its row.
//!
//! All lists of the console are this one. Rows stay typed; what is drawn is decided in `ui`. The selection
//! is a key and not a number, so that updates and new orders cannot move it to another row. Until the
//! user moves, it rests on the first row, which is the worst.

use std::cmp::Ordering;

use crate::action::Action;

/// A list as far as the layers over a screen deal with it: its filter, and how much passes.
pub trait Listed {
    /// The filter, in small letters; empty without one.
    fn filter(&self) -> &str;
    /// Rows that pass the filter.
    fn rows_shown(&self) -> usize;
    /// Filters by a text in any column.
    fn set_filter(&mut self, filter: &str);
}

impl<R: Row> Listed for Table<R> {
    fn filter(&self) -> &str {
        Self::filter(self)
    }

    fn rows_shown(&self) -> usize {
        self.counts().0
    }

    fn set_filter(&mut self, filter: &str) {
        Self::set_filter(self, filter);
    }
}

/// Columns of this rank or a higher one come only once those that grow first have all that they want.
const LUXURY: u8 = 4;

/// Which side of its cell a value leans to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// One column of a list.
#[derive(Clone, Copy, Debug)]
pub struct Column<C> {
    /// Which.
    pub id: C,
    /// Heading.
    pub title: &'static str,
    /// Cells that it needs at least.
    pub width: u16,
    /// Cells that it takes at most when there is room.
    pub widest: u16,
    /// Which side values lean to.
    pub align: Align,
    /// Columns with a higher rank go first when the terminal is narrow.
    pub rank: u8,
    /// Whether it takes spare room before the others do.
    pub grows_first: bool,
    /// Whether the first sort by it puts the largest on top.
    pub largest_first: bool,
    /// Whether it gets all that it wants before columns of a higher rank get anything.
    pub whole: bool,
}

impl<C> Column<C> {
    /// A column of words.
    #[must_use]
    pub const fn text(id: C, title: &'static str, width: u16) -> Self {
        Self {
            id,
            title,
            width,
            widest: width,
            align: Align::Left,
            rank: 0,
            grows_first: false,
            largest_first: false,
            whole: false,
        }
    }

    /// A column of numbers.
    #[must_use]
    pub const fn number(id: C, title: &'static str, width: u16) -> Self {
        Self {
            id,
            title,
            width,
            widest: width,
            align: Align::Right,
            rank: 0,
            grows_first: false,
            largest_first: true,
            whole: false,
        }
    }

    /// Lets it grow up to a width.
    #[must_use]
    pub const fn up_to(mut self, widest: u16) -> Self {
        self.widest = widest;
        self
    }

    /// Lets it take spare room before the others do.
    #[must_use]
    pub const fn first(mut self) -> Self {
        self.grows_first = true;
        self
    }

    /// Lets columns of a higher rank be left out before it is cut.
    #[must_use]
    pub const fn whole(mut self) -> Self {
        self.whole = true;
        self
    }

    /// Sets when it is left out.
    #[must_use]
    pub const fn rank(mut self, rank: u8) -> Self {
        self.rank = rank;
        self
    }
}

/// A row of a list.
pub trait Row: PartialEq {
    /// By what it is found again.
    type Key: Clone + PartialEq;
    /// Its columns.
    type Column: Copy + PartialEq + 'static;
    /// The columns from left to right.
    const COLUMNS: &'static [Column<Self::Column>];

    /// Its key.
    fn key(&self) -> Self::Key;
    /// The list's own order: the worst first, and the same for the same rows.
    fn worst_first(&self, other: &Self) -> Ordering;
    /// Order by one column, smallest first.
    fn compare(&self, other: &Self, column: Self::Column) -> Ordering;
    /// Everything that a filter may find, separated by spaces.
    fn words(&self, text: &mut String);
    /// Cells that the value wants in a column that can grow.
    fn wanted(&self, _column: Self::Column) -> usize {
        0
    }
}

/// An order that the user chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort<C> {
    /// By which column; `None` is the list's own order.
    pub column: Option<C>,
    /// Turned round.
    pub reversed: bool,
}

/// A list.
#[derive(Debug)]
pub struct Table<R: Row> {
    rows: Vec<R>,
    shown: Vec<usize>,
    sort: Sort<R::Column>,
    filter: String,
    selected: Option<R::Key>,
    cursor: usize,
    offset: usize,
    width: u16,
    height: usize,
    wanted: Vec<u16>,
}

impl<R: Row> Default for Table<R> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            shown: Vec::new(),
            sort: Sort { column: None, reversed: false },
            filter: String::new(),
            selected: None,
            cursor: 0,
            offset: 0,
            width: 80,
            height: 1,
            wanted: Vec::new(),
        }
    }
}

impl<R: Row> Table<R> {
    /// Takes new rows in; says whether anything on screen changed.
    pub fn set_rows(&mut self, mut rows: Vec<R>) -> bool {
        let sort = self.sort;
        rows.sort_by(|left, right| compare(left, right, sort));
        let before = std::mem::replace(&mut self.rows, rows);
        let before_shown = std::mem::take(&mut self.shown);
        let (offset, cursor, wanted) = (self.offset, self.cursor, self.wanted.clone());
        self.wanted = R::COLUMNS.iter().map(|column| self.widest(column)).collect();
        self.arrange();
        let old = before_shown.iter().skip(offset).take(self.height).filter_map(|index| before.get(*index));
        (offset, cursor, before_shown.len()) != (self.offset, self.cursor, self.shown.len())
            || wanted != self.wanted
            || !old.eq(self.visible())
    }

    fn widest(&self, column: &Column<R::Column>) -> u16 {
        if column.widest == column.width {
            return column.width;
        }
        let wanted = self.rows.iter().map(|row| row.wanted(column.id)).max().unwrap_or(0);
        u16::try_from(wanted).unwrap_or(u16::MAX).clamp(column.width, column.widest)
    }

    /// Makes room for so many rows, in so many cells.
    pub fn fit(&mut self, width: u16, height: u16) {
        self.width = width;
        self.height = usize::from(height).max(1);
        self.scroll_to_cursor();
    }

    /// Filters by a text in any column.
    pub fn set_filter(&mut self, filter: &str) {
        self.filter = filter.to_lowercase();
        self.arrange();
    }

    /// The filter, in small letters; empty without one.
    #[must_use]
    pub fn filter(&self) -> &str {
        &self.filter
    }

    /// Carries a movement or a sort out; false when it is none of these.
    pub fn act(&mut self, action: Action) -> bool {
        let last = self.shown.len().saturating_sub(1);
        let page = self.height.saturating_sub(1).max(1);
        match action {
            Action::Up => self.move_to(self.cursor.saturating_sub(1)),
            Action::Down => self.move_to(self.cursor.saturating_add(1)),
            Action::PageUp => self.move_to(self.cursor.saturating_sub(page)),
            Action::PageDown => self.move_to(self.cursor.saturating_add(page)),
            Action::HalfUp => self.move_to(self.cursor.saturating_sub(page.div_ceil(2))),
            Action::HalfDown => self.move_to(self.cursor.saturating_add(page.div_ceil(2))),
            Action::Top => self.move_to(0),
            Action::Bottom => self.move_to(last),
            Action::SortNext => self.sort_by(1),
            Action::SortPrevious => self.sort_by(-1),
            Action::SortReverse => {
                self.sort.reversed = !self.sort.reversed;
                self.resort();
            }
            _ => return false,
        }
        true
    }

    /// Moves the selection to a row.
    pub fn select(&mut self, key: &R::Key) {
        self.selected = Some(key.clone());
        self.arrange();
    }

    /// Keeps the selection on the row where it is, whatever comes.
    pub fn pin(&mut self) {
        self.selected = self.selected().map(Row::key);
    }

    /// The selected row; `None` when the list is empty.
    #[must_use]
    pub fn selected(&self) -> Option<&R> {
        self.shown.get(self.cursor).and_then(|index| self.rows.get(*index))
    }

    /// Number of the selected row among those shown.
    #[must_use]
    pub const fn cursor(&self) -> usize {
        self.cursor
    }

    /// Number of the first row on screen.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// The order that the user chose.
    #[must_use]
    pub const fn sort(&self) -> Sort<R::Column> {
        self.sort
    }

    /// Heading of the column that the list is sorted by; `None` for its own order.
    #[must_use]
    pub fn sort_title(&self) -> Option<&'static str> {
        let id = self.sort.column?;
        R::COLUMNS.iter().find(|column| column.id == id).map(|column| column.title)
    }

    /// How many rows pass the filter, and how many there are.
    #[must_use]
    pub const fn counts(&self) -> (usize, usize) {
        (self.shown.len(), self.rows.len())
    }

    /// The rows on screen.
    pub fn visible(&self) -> impl Iterator<Item = &R> {
        self.shown.iter().skip(self.offset).take(self.height).filter_map(|index| self.rows.get(*index))
    }

    /// All rows, in order.
    #[must_use]
    pub fn rows(&self) -> &[R] {
        &self.rows
    }

    /// The columns that fit, with the cells that each gets. Two cells lie before them and one between two.
    #[must_use]
    pub fn columns(&self) -> Vec<(Column<R::Column>, u16)> {
        let width = self.width.saturating_sub(2);
        let chosen = self.chosen(width);
        let mut sizes = self.least();
        let mut room = usize::from(width).saturating_sub(total(&sizes, &chosen));
        for first in [true, false] {
            for (index, column) in R::COLUMNS.iter().enumerate() {
                let (Some(true), Some(size)) = (chosen.get(index), sizes.get_mut(index)) else { continue };
                if column.grows_first == first {
                    let wanted = self.wanted.get(index).copied().unwrap_or(column.width);
                    let grown = usize::from(wanted.saturating_sub(*size)).min(room);
                    room -= grown;
                    *size += u16::try_from(grown).unwrap_or(0);
                }
            }
        }
        let shown = R::COLUMNS.iter().zip(sizes).zip(chosen).filter(|(_, keep)| *keep);
        shown.map(|((column, size), _)| (*column, size)).collect()
    }

    /// Cells that each column needs at least; the one that is sorted by has room for the arrow after its heading.
    fn least(&self) -> Vec<u16> {
        let wanted = R::COLUMNS.iter().enumerate().map(|(index, column)| {
            let wanted = self.wanted.get(index).copied().unwrap_or(column.width);
            let least = if column.whole { wanted.max(column.width) } else { column.width };
            let heading = u16::try_from(column.title.len()).unwrap_or(u16::MAX).saturating_add(1);
            if self.sort.column == Some(column.id) { least.max(heading) } else { least }
        });
        wanted.collect()
    }

    /// Which columns there is room for: those of the highest rank go first.
    fn chosen(&self, width: u16) -> Vec<bool> {
        let least = self.least();
        let mut chosen: Vec<bool> = vec![true; R::COLUMNS.len()];
        let mut ranks: Vec<u8> = R::COLUMNS.iter().map(|column| column.rank).collect();
        ranks.sort_unstable();
        while let Some(rank) = ranks.pop()
            && rank > 0
        {
            let wishes = if rank >= LUXURY { self.wishes(&least, &chosen) } else { 0 };
            if total(&least, &chosen) + wishes <= usize::from(width) {
                break;
            }
            for (column, keep) in R::COLUMNS.iter().zip(&mut chosen) {
                *keep = *keep && column.rank < rank;
            }
        }
        chosen
    }

    /// Cells that the columns that grow first want on top of the least that they need.
    fn wishes(&self, least: &[u16], chosen: &[bool]) -> usize {
        let columns = R::COLUMNS.iter().zip(least).zip(chosen).zip(&self.wanted);
        columns
            .filter(|(((column, _), keep), _)| **keep && column.grows_first)
            .map(|(((_, least), _), wanted)| usize::from(wanted.saturating_sub(*least)))
            .sum()
    }

    /// Sorts by the column so many places further on, among those on screen and the list's own order.
    fn sort_by(&mut self, step: isize) {
        let columns = self.columns();
        let places = columns.len() + 1;
        let now = self
            .sort
            .column
            .and_then(|id| columns.iter().position(|(column, _)| column.id == id))
            .map_or(0, |index| index + 1);
        let next = now.checked_add_signed(step).map_or(places - 1, |next| next % places);
        let column = next.checked_sub(1).and_then(|index| columns.get(index)).map(|(column, _)| column);
        self.sort = Sort {
            column: column.map(|column| column.id),
            reversed: column.is_some_and(|column| column.largest_first),
        };
        self.resort();
    }

    fn resort(&mut self) {
        let sort = self.sort;
        self.rows.sort_by(|left, right| compare(left, right, sort));
        self.arrange();
    }

    fn move_to(&mut self, cursor: usize) {
        self.cursor = cursor.min(self.shown.len().saturating_sub(1));
        self.pin();
        self.scroll_to_cursor();
    }

    /// Filters, and finds the selected row again; when it is gone, its neighbour is selected.
    fn arrange(&mut self) {
        let mut text = String::new();
        let filter = &self.filter;
        self.shown = self
            .rows
            .iter()
            .enumerate()
            .filter(|(_, row)| {
                if filter.is_empty() {
                    return true;
                }
                text.clear();
                row.words(&mut text);
                text.to_lowercase().contains(filter)
            })
            .map(|(index, _)| index)
            .collect();
        let found = self
            .selected
            .as_ref()
            .map(|key| self.shown.iter().position(|index| self.rows.get(*index).is_some_and(|row| row.key() == *key)));
        self.cursor = match found {
            Some(Some(position)) => position,
            Some(None) => self.cursor.min(self.shown.len().saturating_sub(1)),
            None => 0,
        };
        if self.selected.as_ref().is_some_and(|key| !self.rows.iter().any(|row| row.key() == *key)) {
            self.pin();
        }
        self.scroll_to_cursor();
    }

    fn scroll_to_cursor(&mut self) {
        let most = self.shown.len().saturating_sub(self.height);
        self.offset = self.offset.min(self.cursor).max((self.cursor + 1).saturating_sub(self.height)).min(most);
    }
}

fn total(sizes: &[u16], chosen: &[bool]) -> usize {
    sizes.iter().zip(chosen).filter(|(_, keep)| **keep).map(|(size, _)| usize::from(*size) + 1).sum()
}

fn compare<R: Row>(left: &R, right: &R, sort: Sort<R::Column>) -> Ordering {
    let own = left.worst_first(right);
    let order = sort.column.map_or(own, |column| left.compare(right, column));
    let order = if sort.reversed { order.reverse() } else { order };
    order.then(own)
}
