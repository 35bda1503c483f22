//! How coarse the past becomes, and when.

/// Levels of the ladder.
pub(super) const LEVELS: usize = 4;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
/// A day, and an hour for charts that begin at a round step.
const LONGEST: i64 = 25 * HOUR;
/// Windows of one service that are kept by themselves at most.
const MOST_WINDOWS: i64 = 360;

/// How fine points are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resolution {
    /// The spec's windows.
    Window,
    /// A minute, or the windows nearest to it.
    Minute,
    /// Five minutes.
    FiveMinutes,
    /// A quarter of an hour.
    QuarterHour,
}

impl Resolution {
    /// All of them, finest first.
    pub const ALL: [Self; LEVELS] = [Self::Window, Self::Minute, Self::FiveMinutes, Self::QuarterHour];
}

/// One level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "names say their unit")]
pub(super) struct Level {
    /// Length of a step, milliseconds; a multiple of the level's before.
    pub(super) step_ms: i64,
    /// For so long sketches are kept.
    sketches_ms: i64,
    /// For so long points are kept.
    pub(super) points_ms: i64,
}

/// The levels, from the finest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan([Level; LEVELS]);

impl Plan {
    /// A plan for windows of a length. Revisions come for as long as the lateness lasts.
    pub(super) fn new(window_ms: i64, lateness_ms: i64) -> Self {
        let windows = lateness_ms.saturating_add(2 * window_ms).max(20 * MINUTE);
        let mut step_ms = window_ms.max(1);
        Self(
            [
                (step_ms, windows.min(MOST_WINDOWS * step_ms), 65 * MINUTE),
                (MINUTE, 80 * MINUTE, 6 * HOUR + 15 * MINUTE),
                (5 * MINUTE, 100 * MINUTE, LONGEST),
                (15 * MINUTE, LONGEST, LONGEST),
            ]
            .map(|(wanted, sketches_ms, points_ms)| {
                step_ms *= (wanted + step_ms - 1) / step_ms;
                Level { step_ms, sketches_ms, points_ms }
            }),
        )
    }

    /// The level of a number.
    pub(super) fn level(&self, level: usize) -> Level {
        let [first, ..] = self.0;
        self.0.get(level).copied().unwrap_or(first)
    }

    pub(super) fn window_ms(&self) -> i64 {
        self.level(0).step_ms
    }

    /// How far it looks back.
    pub(super) fn longest_ms(&self) -> i64 {
        self.0.iter().map(|level| level.sketches_ms.max(level.points_ms)).max().unwrap_or(LONGEST)
    }

    /// Before which time a level gives its sketches away: a whole step of the next level.
    pub(super) fn cut(&self, level: usize, now: i64, horizon_ms: i64) -> i64 {
        let next = self.level((level + 1).min(LEVELS - 1)).step_ms;
        let kept = self.0.iter().take(level + 1).map(|level| level.sketches_ms).max().unwrap_or(LONGEST);
        start(now.saturating_sub(kept.min(horizon_ms)), next)
    }

    /// The finest resolution whose points reach so far back.
    pub(super) fn resolution(&self, range_ms: i64) -> Resolution {
        let reaches = self.0.iter().position(|level| level.points_ms >= range_ms);
        reaches.and_then(|level| Resolution::ALL.get(level)).copied().unwrap_or(Resolution::QuarterHour)
    }
}

/// Start of the step that holds a time.
pub(super) const fn start(time: i64, step_ms: i64) -> i64 {
    time.div_euclid(step_ms).saturating_mul(step_ms)
}
