//! Tumbling windows: what is counted where, and when it is told.
//!
//! Why: a number on a screen must be final or say that it is not. The rules are Apache Beam's, so that the same spec
//! means the same on a cluster: a window holds `[start, end)`, is told on time when the watermark reaches its end,
//! and again for late events, once for each batch that brought any, until the allowed lateness is over.
//!
//! How: open windows are kept in order of their start; each has a cell for every service that had an event. An event
//! is dropped when the watermark has reached the window's end plus the allowed lateness (the rule of Beam's Java SDK).
//!
//! It must not tell a pane for a service without events: that is "no data", not zero.

use std::sync::Arc;

use super::rejects::Reason;
use super::services::ServiceId;
use super::spec::{Accumulation, Spec};
use super::totals::{Tally, Totals};
use super::watermark::BEGINNING;

/// When a pane is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timing {
    /// The watermark reached the end of the window.
    OnTime,
    /// After that.
    Late,
}

impl Timing {
    /// As Beam spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OnTime => "on_time",
            Self::Late => "late",
        }
    }
}

/// What is told of one service in one window, or of one slice of a service. The key is (service, start); a higher index
/// replaces (accumulating) or adds to (discarding) a lower one.
#[derive(Clone, Debug, PartialEq)]
pub struct Pane<Whose = Arc<str>> {
    /// Start of the window, milliseconds since 1970.
    pub start: i64,
    /// The service.
    pub service: Whose,
    /// When it is told.
    pub timing: Timing,
    /// How many panes of this service and window were told before.
    pub index: u32,
    /// What was counted.
    pub totals: Totals,
}

#[derive(Clone, Debug, Default)]
struct Cell {
    tally: Tally,
    panes: u32,
    /// Whether it is in the list of cells with late events.
    late: bool,
}

#[derive(Clone, Debug)]
struct Window {
    start: i64,
    /// By service, the number of its cell; 0 for none.
    places: Vec<u32>,
    /// In order of their first event, from number 1.
    cells: Vec<Cell>,
    /// Whether the watermark has reached its end.
    closed: bool,
}

impl Window {
    /// The cell of a service, newly made if there is room for it.
    fn cell(&mut self, service: ServiceId, room: bool) -> Option<&mut Cell> {
        let index = service.0 as usize;
        if index >= self.places.len() {
            self.places.resize(index + 1, 0);
        }
        let place = self.places.get_mut(index)?;
        if *place == 0 && room {
            self.cells.push(Cell::default());
            *place = u32::try_from(self.cells.len()).ok()?;
        }
        self.cells.get_mut((*place as usize).checked_sub(1)?)
    }

    /// The cells there are, in order of their services.
    fn for_each(&mut self, mut what: impl FnMut(ServiceId, &mut Cell)) {
        for (service, place) in (0..).map(ServiceId).zip(&self.places) {
            if let Some(cell) = (*place as usize).checked_sub(1).and_then(|index| self.cells.get_mut(index)) {
                what(service, cell);
            }
        }
    }
}

/// The open windows.
#[derive(Clone, Debug)]
pub struct Windows {
    size: i64,
    lateness: i64,
    mode: Accumulation,
    window_limit: usize,
    cell_limit: usize,
    /// In order of start.
    open: Vec<Window>,
    cells: usize,
    /// Cells that got late events since they were last told.
    late: Vec<(i64, ServiceId)>,
    watermark: i64,
    /// Where the last event's window is.
    last: usize,
    /// Windows before this one were told by somebody else.
    first: i64,
}

impl Windows {
    /// No windows yet, and at most so many cells in them.
    pub fn new(spec: &Spec, cell_limit: u32) -> Self {
        let limit = |limit: u32| usize::try_from(limit).unwrap_or(usize::MAX);
        Self {
            size: spec.window.size.millis(),
            lateness: spec.window.allowed_lateness.millis(),
            mode: spec.window.mode,
            window_limit: limit(spec.limits.windows),
            cell_limit: limit(cell_limit),
            open: Vec::new(),
            cells: 0,
            late: Vec::new(),
            watermark: BEGINNING,
            last: 0,
            first: BEGINNING,
        }
    }

    /// Windows that start before this are not counted: they were told by an earlier run.
    pub fn begin_at(&mut self, start: i64) {
        self.first = start;
    }

    /// The start of the window of an event; an error when it comes too late.
    pub fn start(&self, time: i64) -> Result<i64, Reason> {
        let start = time.div_euclid(self.size).saturating_mul(self.size);
        if self.expired(start) && !self.was_told(start) { Err(Reason::Dropped) } else { Ok(start) }
    }

    /// Whether an earlier run has told a window.
    pub const fn was_told(&self, start: i64) -> bool {
        start < self.first
    }

    /// Counts an event in the window that [`Self::start`] gave; whether it was late.
    pub fn add(&mut self, start: i64, service: ServiceId, failed: bool, latency_us: u64) -> Result<bool, Reason> {
        let closed = self.closes(start);
        let place = self.place(start, closed)?;
        let room = self.cells < self.cell_limit;
        let window = self.open.get_mut(place).ok_or(Reason::Overflow)?;
        let before = window.cells.len();
        let cell = window.cell(service, room).ok_or(Reason::Overflow)?;
        cell.tally.add(failed, latency_us);
        if closed && !cell.late {
            cell.late = true;
            self.late.push((start, service));
        }
        self.cells += window.cells.len() - before;
        Ok(closed)
    }

    /// Length of a window, milliseconds.
    pub const fn size(&self) -> i64 {
        self.size
    }

    /// Notes what the event that was just counted told of saturation.
    pub fn note_full(&mut self, service: ServiceId, tenths: u16) {
        let window = self.open.get_mut(self.last);
        if let Some(cell) = window.and_then(|window| window.cell(service, false)) {
            cell.tally.note_full(tenths);
        }
    }

    /// Where the window is, newly opened if need be.
    fn place(&mut self, start: i64, closed: bool) -> Result<usize, Reason> {
        if self.open.get(self.last).is_some_and(|window| window.start == start) {
            return Ok(self.last);
        }
        let place = self.open.partition_point(|window| window.start < start);
        if self.open.get(place).is_none_or(|window| window.start != start) {
            if self.open.len() >= self.window_limit || self.cells >= self.cell_limit {
                return Err(Reason::Overflow);
            }
            // As many services as in the window before are to be expected.
            let expected = self.open.last().map_or(0, |window| window.cells.len());
            let places = Vec::with_capacity(self.open.last().map_or(0, |window| window.places.len()));
            let cells = Vec::with_capacity(expected.min(self.cell_limit - self.cells));
            self.open.insert(place, Window { start, places, cells, closed });
        }
        self.last = place;
        Ok(place)
    }

    const fn closes(&self, start: i64) -> bool {
        self.watermark >= start.saturating_add(self.size)
    }

    const fn expired(&self, start: i64) -> bool {
        self.watermark >= start.saturating_add(self.size).saturating_add(self.lateness)
    }

    /// Whether an event of such a window and service can be counted.
    pub fn has_room(&self, start: i64, service: ServiceId) -> bool {
        let place = self.open.partition_point(|window| window.start < start);
        let window = self.open.get(place).filter(|window| window.start == start);
        let known = window.and_then(|window| window.places.get(service.0 as usize)).is_some_and(|place| *place != 0);
        known || (self.cells < self.cell_limit && (window.is_some() || self.open.len() < self.window_limit))
    }

    /// Tells the cells that got late events: a batch ends.
    pub fn tell_late<Whose>(&mut self, name: impl Fn(ServiceId) -> Whose, panes: &mut Vec<Pane<Whose>>) {
        let mut late = std::mem::take(&mut self.late);
        late.sort_unstable();
        for (start, service) in late {
            let place = self.open.partition_point(|window| window.start < start);
            let window = self.open.get_mut(place).filter(|window| window.start == start);
            if let Some(cell) = window.and_then(|window| window.cell(service, false)) {
                cell.late = false;
                panes.push(cell.tell(start, name(service), Timing::Late, self.mode));
            }
        }
    }

    /// Moves the watermark, tells the windows that it closes and forgets those that it leaves behind.
    pub fn advance<Whose>(&mut self, watermark: i64, name: impl Fn(ServiceId) -> Whose, panes: &mut Vec<Pane<Whose>>) {
        if watermark <= self.watermark {
            return;
        }
        self.tell_late(&name, panes);
        self.watermark = watermark;
        // Without lateness no cell is told twice, so it gives away what it counted instead of a copy.
        let mode = if self.lateness == 0 { Accumulation::Discarding } else { self.mode };
        let due = self.open.partition_point(|window| watermark >= window.start.saturating_add(self.size));
        for window in self.open.iter_mut().take(due).filter(|window| !window.closed) {
            window.closed = true;
            let start = window.start;
            window.for_each(|service, cell| panes.push(cell.tell(start, name(service), Timing::OnTime, mode)));
        }
        let gone = self.size.saturating_add(self.lateness);
        let gone = self.open.partition_point(|window| watermark >= window.start.saturating_add(gone));
        let freed = self.open.drain(..gone).map(|window| window.cells.len()).sum::<usize>();
        self.cells -= freed;
    }

    /// How many windows are open.
    pub const fn open(&self) -> usize {
        self.open.len()
    }

    /// How many pairs of service and window are open.
    pub const fn cells(&self) -> usize {
        self.cells
    }

    /// Bytes held on the heap, to within small change.
    pub fn heap_bytes(&self) -> usize {
        let cells = |window: &Window| {
            let held = window.cells.iter().map(|cell| cell.tally.heap_bytes()).sum::<usize>();
            window.places.capacity() * size_of::<u32>() + window.cells.capacity() * size_of::<Cell>() + held
        };
        self.open.iter().map(cells).sum()
    }
}

impl Cell {
    fn tell<Whose>(&mut self, start: i64, service: Whose, timing: Timing, mode: Accumulation) -> Pane<Whose> {
        let index = self.panes;
        self.panes += 1;
        let totals = match mode {
            Accumulation::Accumulating => self.tally.totals().clone(),
            Accumulation::Discarding => self.tally.take(),
        };
        Pane { start, service, timing, index, totals }
    }
}
