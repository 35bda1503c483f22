//! One service: how it is, its promise, its rule, large charts, and its slices compared.

use ratatui::layout::Rect;

use super::{charts, micros, percent, whole_percent};
use crate::app::State;
use crate::app::signals::service::{ServiceScreen, SliceColumn, SliceRow};
use crate::app::signals::trial::word;
use crate::model::human;
use crate::model::signal::{AlertState, OverridesState, ServiceNow, Signals};
use crate::ui::canvas::Canvas;
use crate::ui::head::plural;
use crate::ui::table::{self, Cell, Cells};
use crate::ui::theme::{self, Theme, Tone};
use crate::ui::title::{self, Title};

/// Width of the words before the lines.
const WORD: u16 = 8;

/// Draws the screen above the foot.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, screen: &ServiceScreen) {
    let layout = screen.layout(state.size());
    let world = state.world();
    let snapshot = screen.lens.snapshot(world.inventory);
    let signals = snapshot.get(&screen.environment).map(|signals| &**signals);
    head(canvas, area, state, screen);
    let body = Rect { y: area.y + layout.head, height: layout.body, ..area };
    let (Some(now), Some(signals)) = (&screen.now, signals) else {
        let words = [
            ("Nothing is known of this service.".to_owned(), canvas.theme.strong()),
            ("It has had no events for a day, or its signals are still starting.".to_owned(), canvas.theme.dim()),
        ];
        canvas.centred(body, &words);
        return;
    };
    let line = |row: u16| Rect { y: area.y + row, height: 1, ..area };
    promise_line(canvas, line(1), now);
    alert_line(canvas, line(2), state, (signals, now));
    rule_line(canvas, line(3), (state, Some(signals)), now);
    if screen.has_overrides {
        overrides_line(canvas, line(4), state, &signals.overrides);
    }
    let look = charts::Look {
        environment: &screen.environment,
        now: Some(now),
        history: screen.history(&world).map(|history| &**history),
        lens: &screen.lens,
        marks: screen.marks.clone(),
        rows: screen.plot_rows(state.size()),
    };
    charts::caption(canvas, Rect { height: 1, ..body }, state, &look);
    charts::four(canvas, Rect { y: body.y + 1, height: body.height.saturating_sub(1), ..body }, &look);
    if layout.detail > 0 {
        let below = Rect { y: body.y + body.height, height: layout.detail, ..area };
        table::draw(canvas, below, &screen.slices, &SliceCells { theme: *canvas.theme, chosen: screen.slice.as_ref() });
    }
}

fn head(canvas: &mut Canvas<'_>, area: Rect, state: &State, screen: &ServiceScreen) {
    let mut facts = Vec::new();
    if let Some((dimension, value)) = &screen.slice {
        let value = if value.is_empty() { "(none)" } else { value };
        facts.push(format!("only {dimension} {value}"));
    }
    let warning = screen.lens.held_since().map(|since| format!("frozen at {}", since.format("%H:%M:%S")));
    let crumbs = vec![&*screen.environment, "signals", &*screen.service];
    title::draw(canvas, area, state, &Title { crumbs, facts, warning, ..Title::default() });
}

/// Health, promise, what is left of it, swimlane, tags.
fn promise_line(canvas: &mut Canvas<'_>, area: Rect, now: &ServiceNow) {
    let theme = *canvas.theme;
    let mut pen = canvas.line(area, 0);
    pen.skip(1).field("health", WORD, theme.dim());
    match (&now.point, now.silence) {
        (Some(point), _) => {
            pen.put(word(point.health), theme.health(point.health));
        }
        (None, Some(silence)) => {
            pen.put(&format!("no data since {}", silence.since.format("%H:%M:%S")), theme.tone(Tone::Warn));
        }
        (None, None) => {
            pen.put("its first window is not closed yet", theme.dim());
        }
    }
    if let Some(objective) = now.objective_percent {
        pen.skip(3).put("SLO ", theme.dim()).put(&format!("{objective}%"), theme.text());
    }
    if let Some(left) = now.budget_left_percent {
        let style = theme.tone(if left < 0.0 { Tone::Bad } else { Tone::Good });
        pen.skip(3).put("budget left ", theme.dim()).put(&whole_percent(left), style).skip(1);
        let bar = theme.bar(left / 100.0, 10);
        pen.put(&bar, style);
    }
    if let Some(saturation) = now.point.as_ref().and_then(|point| point.saturation.as_ref()) {
        let text = format!("{} {:.0}%", saturation.component, saturation.percent);
        pen.skip(3).put("saturation ", theme.dim()).put(&text, theme.text());
    }
    if let Some(lane) = &now.swimlane {
        pen.skip(3).put("lane ", theme.dim()).put(lane, theme.text());
    }
    for (name, value) in &*now.tags {
        pen.skip(3).put(&format!("{name} "), theme.dim()).put(value, theme.text());
    }
}

/// The worst alert of the service.
fn alert_line(canvas: &mut Canvas<'_>, area: Rect, state: &State, (signals, now): (&Signals, &ServiceNow)) {
    let theme = *canvas.theme;
    let mut mine = signals.alerts.iter().filter(|alert| alert.service == now.service);
    let mut pen = canvas.line(area, 0);
    pen.skip(1).field("alerts", WORD, theme.dim());
    let Some(worst) = mine.next() else {
        pen.put("none", theme.dim());
        return;
    };
    let style = theme.tone(theme::alert_tone(worst.state));
    let more = mine.filter(|alert| alert.state != AlertState::Resolved).count();
    pen.put(theme.alert_glyph(worst.state), style).skip(1).put(&worst.rule, style);
    pen.put(&format!(" for {}: ", human::age(worst.since, state.now())), theme.dim()).put(&worst.summary, theme.text());
    if more > 0 {
        pen.at_end(&format!("+{more} more "), theme.dim());
    }
}

/// The kind of a place, for a line that has other things to say.
fn brief(place: &str) -> &str {
    match place.split_once("://") {
        Some(("s3", _)) => "S3",
        Some((_, rest)) => rest.split('/').next().unwrap_or(rest),
        None => place.rsplit('/').next().unwrap_or(place),
    }
}

/// The rule that holds, where it is from, and what is wrong with the side input.
pub fn rule_line(canvas: &mut Canvas<'_>, area: Rect, (state, signals): (&State, Option<&Signals>), now: &ServiceNow) {
    let theme = *canvas.theme;
    let mut pen = canvas.line(area, 0);
    pen.skip(1).field("rule", WORD, theme.dim());
    let overrides = signals.map(|signals| &signals.overrides);
    let mut from = match &*now.rule.from {
        place @ ("spec" | "default") => place.to_owned(),
        place => format!("from {}", brief(place)),
    };
    if let Some(fetched) = overrides.and_then(|it| it.fetched).filter(|_| from.starts_with("from ")) {
        from.push_str(&format!(", {} ago", human::age(fetched, state.now())));
    }
    let error = overrides.and_then(|it| it.error.as_ref()).map(|error| format!("side input: {error}"));
    let fault = signals.and_then(|it| Some((it.faults, it.last_fault.as_ref()?)));
    let trouble = error.or_else(|| fault.map(|(times, reason)| format!("no answer {times} times: {reason}")));
    if let Some(words) = trouble {
        let room = usize::from(pen.left()).saturating_sub(crate::ui::text::width(&words) + 3);
        let room = u16::try_from(room).unwrap_or(0).max(pen.left() / 3);
        pen.put_in(&now.rule.text, room, theme.text()).skip(2).put(&words, theme.tone(Tone::Warn));
        return;
    }
    let room = pen.left().saturating_sub(u16::try_from(crate::ui::text::width(&from)).unwrap_or(0) + 3);
    pen.put_in(&now.rule.text, room, theme.text()).at_end(&format!("{from} "), theme.dim());
}

/// How the side input stands: which one is in force since when, and why there is no newer one.
fn overrides_line(canvas: &mut Canvas<'_>, area: Rect, state: &State, overrides: &OverridesState) {
    let theme = *canvas.theme;
    let mut pen = canvas.line(area, 0);
    pen.skip(1).field("input", WORD, theme.dim());
    let held = overrides.fetched.map(|fetched| {
        let age = human::age(fetched, state.now());
        let since = overrides.applied.map(|at| format!(", in force since the window {}", at.format("%H:%M:%S")));
        (format!("of {} ({age} ago)", fetched.format("%H:%M:%S")), since.unwrap_or_default())
    });
    let services = plural(overrides.services, "service");
    let next = overrides.next_try.map(|at| (at - state.now()).num_seconds().max(0));
    let next = next.map(|seconds| format!("next try in {}", human::duration(seconds))).unwrap_or_default();
    match (&overrides.error, held) {
        (None, None) => pen.put("not fetched yet", theme.dim()),
        (None, Some((of, since))) => pen.put(&format!("{services}, {of}{since}"), theme.text()),
        (Some(error), Some((of, _))) => {
            pen.put(&format!("the last good one, {of}, holds for {services}; "), theme.text());
            pen.put(error, theme.tone(Tone::Warn))
        }
        (Some(error), None) => {
            pen.put("none was ever good, so only the spec holds; ", theme.text()).put(error, theme.tone(Tone::Warn))
        }
    };
    pen.at_end(&format!(" {next} "), theme.dim());
}

struct SliceCells<'a> {
    theme: Theme,
    chosen: Option<&'a (std::sync::Arc<str>, std::sync::Arc<str>)>,
}

impl Cells<SliceRow> for SliceCells<'_> {
    fn cell(&self, row: &SliceRow, column: SliceColumn) -> Cell {
        let (theme, latency) = (self.theme, &row.point.latency);
        let is_chosen = self.chosen.is_some_and(|(name, value)| *name == row.dimension && *value == row.value);
        let plain = if is_chosen { theme.accent() } else { theme.text() };
        match column {
            SliceColumn::Dimension => Cell::new(&*row.dimension, theme.dim()),
            SliceColumn::Value => Cell::new(row.word(), plain),
            SliceColumn::Requests => Cell::new(human::count(row.point.requests), plain),
            SliceColumn::Errors => Cell::new(percent(row.error_percent()), plain),
            SliceColumn::P50 => Cell::new(micros(latency.p50_us), plain),
            SliceColumn::P95 => Cell::new(micros(latency.p95_us), plain),
            SliceColumn::P99 => Cell::new(micros(latency.p99_us), plain),
        }
    }
}
