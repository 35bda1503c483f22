//! Golden signals of services: the list, and the charts of the selected one below it.

pub mod alerts;
pub mod charts;
pub mod pipelines;
pub mod service;
pub mod trial;

use ratatui::layout::Rect;
use ratatui::style::Style;

use super::canvas::Canvas;
use super::chart;
use super::events::order;
use super::head::plural;
use super::table::{self, Cell, Cells};
use super::text;
use super::theme::{Sign, Theme, Tone};
use super::title::{self, Title};
use crate::app::State;
use crate::app::signals::{ServiceColumn, ServiceRow, SignalsScreen};
use crate::model::signal::{Point, Reading, Saturation};
use crate::model::{Time, human};

/// From here on saturation is worth a look, in percent.
const SATURATED: f64 = 80.0;

/// Draws the screen above the foot.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, screen: &SignalsScreen) {
    let layout = SignalsScreen::layout(state.size());
    head(canvas, area, state, screen);
    let list = Rect { y: area.y + layout.head, height: layout.body, ..area };
    if screen.table.counts().0 == 0 {
        explain(canvas, list, state, screen);
        return;
    }
    let cells = ServiceCells { theme: *canvas.theme, width: trend_width(screen) };
    table::draw(canvas, list, &screen.table, &cells);
    silences(canvas, list, screen);
    let (Some(row), true) = (screen.table.selected(), layout.detail > 0) else { return };
    let below = Rect { y: list.y + list.height, height: layout.detail, ..area };
    let world = state.world();
    let look = charts::Look {
        environment: &row.environment,
        now: Some(&row.now),
        history: screen.history(&world).map(|history| &**history),
        lens: &screen.lens,
        marks: crate::app::signals::service::deploys(&world, &row.environment, Some(&row.now)),
        rows: SignalsScreen::plot_rows(state.size()),
    };
    charts::caption(canvas, Rect { height: 1, ..below }, state, &look);
    let plots = Rect { y: below.y + 1, height: below.height.saturating_sub(2), ..below };
    charts::four(canvas, plots, &look);
    let rule = Rect { y: below.y + below.height.saturating_sub(1), height: 1, ..below };
    service::rule_line(
        canvas,
        rule,
        (state, screen.snapshot(&world).get(&row.environment).map(|signals| &**signals)),
        &row.now,
    );
}

fn trend_width(screen: &SignalsScreen) -> usize {
    let trend = screen.table.columns().into_iter().find(|(column, _)| column.id == ServiceColumn::Trend);
    trend.map_or(0, |(_, width)| usize::from(width))
}

/// The line that says whether anything is wrong.
fn head(canvas: &mut Canvas<'_>, area: Rect, state: &State, screen: &SignalsScreen) {
    let tally = &screen.tally;
    let mut warnings = Vec::new();
    if tally.unhealthy > 0 {
        warnings.push(format!("{} unhealthy", tally.unhealthy));
    }
    if tally.firing > 0 {
        warnings.push(plural(tally.firing, "alert"));
    }
    let mut facts = vec![plural(tally.services, "service")];
    if let Some(since) = screen.lens.held_since() {
        warnings.push(format!("frozen at {}", since.format("%H:%M:%S")));
    } else if tally.services > 0 {
        facts.push(format!("{} ev/s", human::rate(tally.records_per_second)));
        facts.extend(tally.behind_ms.map(behind));
    }
    if tally.silent > 0 {
        facts.push(format!("{} silent", tally.silent));
    }
    facts.extend(screen.readings.iter().filter_map(|(name, reading)| progress(name, reading)));
    facts.extend(screen.producers.iter().cloned());
    facts.push(order(&screen.table));
    let warning = (!warnings.is_empty()).then(|| warnings.join("  "));
    title::draw(canvas, area, state, &Title { crumbs: vec!["golden signals"], facts, warning, ..Title::default() });
}

/// How far the newest events lie back.
fn behind(ms: i64) -> String {
    format!("{} behind", human::duration(ms / 1_000))
}

/// What keeps an environment from being live, in few words.
fn progress(name: &str, reading: &Reading) -> Option<String> {
    match reading {
        Reading::Live => None,
        Reading::Starting => Some(format!("{name} starting")),
        Reading::CatchingUp(percent) => Some(format!("{name} catching up, {percent}%")),
        Reading::Stalled(..) => Some(format!("{name} stalled")),
        Reading::Failed(_) => Some(format!("{name} failed")),
    }
}

/// What stands in place of the list.
fn explain(canvas: &mut Canvas<'_>, area: Rect, state: &State, screen: &SignalsScreen) {
    let theme = *canvas.theme;
    let mut lines: Vec<(String, Style)> = Vec::new();
    if !screen.table.filter().is_empty() && screen.table.counts().1 > 0 {
        lines.push((format!("No service has “{}” in any column.", screen.table.filter()), theme.strong()));
        lines.push(("esc clears the filter".to_owned(), theme.dim()));
    } else if screen.readings.is_empty() {
        lines.push(("No golden signals are configured.".to_owned(), theme.strong()));
        lines.push((
            "They are computed here, from a Kafka topic of service events: write a signals spec (TOML) and name it \
             in the settings of the environment: [environment.signals] spec = \"FILE\". config/examples has one."
                .to_owned(),
            theme.dim(),
        ));
    } else {
        for (name, reading) in &screen.readings {
            match screen.refusals.get(name).filter(|_| matches!(reading, Reading::Live | Reading::CatchingUp(_))) {
                Some(refusal) => {
                    lines.push((format!("{name}: nothing that is read can be counted"), theme.tone(Tone::Bad)));
                    lines.push((format!("{refusal}; R shows the last of them"), theme.dim()));
                }
                None => lines.extend(state_of(name, reading, (theme, state.now()))),
            }
        }
    }
    let wrapped = lines.into_iter().flat_map(|(line, style)| {
        let clean = text::clean_in(&line, theme.charset()).into_owned();
        let parts = text::wrap(&clean, usize::from(area.width.saturating_sub(8)));
        parts.into_iter().map(move |part| (part, style))
    });
    canvas.centred(area, &wrapped.collect::<Vec<_>>());
}

/// How reading stands, in whole sentences.
fn state_of(name: &str, reading: &Reading, (theme, now): (Theme, Time)) -> Vec<(String, Style)> {
    match reading {
        Reading::Starting => vec![(format!("{name}: starting; looking for where to read from…"), theme.strong())],
        Reading::CatchingUp(percent) => {
            vec![(format!("{name}: catching up, {percent}% read; services appear as windows close"), theme.strong())]
        }
        Reading::Live => vec![
            (format!("{name}: no events yet"), theme.strong()),
            (
                "the topic is read and holds nothing new; a service appears when its first window closes".to_owned(),
                theme.dim(),
            ),
        ],
        Reading::Stalled(since, why) => {
            vec![(format!("{name}: stalled for {}: {why}", human::age(*since, now)), theme.tone(Tone::Bad))]
        }
        Reading::Failed(why) => vec![(format!("{name}: {why}"), theme.tone(Tone::Bad))],
    }
}

/// Over the numbers of a service that has none: since when.
fn silences(canvas: &mut Canvas<'_>, list: Rect, screen: &SignalsScreen) {
    let theme = *canvas.theme;
    let mut start = 2;
    for (column, width) in screen.table.columns() {
        if column.id == ServiceColumn::Requests {
            break;
        }
        start += width + 1;
    }
    for (row, index) in screen.table.visible().zip(1..list.height) {
        let Some(silence) = row.now.silence else { continue };
        let place = Rect { x: list.x + start, width: list.width.saturating_sub(start), ..list };
        let selected = screen.table.offset() + usize::from(index) - 1 == screen.table.cursor();
        let mut pen = canvas.line(place, index);
        if selected {
            pen.over(Theme::selected);
        }
        pen.put(&format!("no data since {}", silence.since.format("%H:%M:%S")), theme.tone(Tone::Warn));
    }
}

struct ServiceCells {
    theme: Theme,
    width: usize,
}

impl Cells<ServiceRow> for ServiceCells {
    fn cell(&self, row: &ServiceRow, column: ServiceColumn) -> Cell {
        let mut cell = self.live_cell(row, column);
        if row.is_stale {
            cell.style = self.theme.dim();
        }
        cell
    }

    fn mark(&self, row: &ServiceRow) -> Option<(&'static str, Style)> {
        let theme = self.theme;
        if row.is_stale {
            return Some((theme.sign(Sign::Stale), theme.dim()));
        }
        row.is_alerting.then(|| (theme.sign(Sign::Attention), theme.tone(Tone::Bad)))
    }
}

impl ServiceCells {
    fn live_cell(&self, row: &ServiceRow, column: ServiceColumn) -> Cell {
        let (theme, point) = (self.theme, row.point());
        let toned = |text: Option<String>, style: Style| {
            text.map_or_else(|| Cell::new("", theme.dim()), |text| Cell::new(text, style))
        };
        let plain = |text: Option<String>| toned(text, theme.text());
        let ill = point.filter(|point| point.health.level() > 0);
        let ill = ill.map_or_else(|| theme.text(), |point| theme.health(point.health));
        let latency = |pick: fn(&Point) -> f64| plain(point.map(|point| micros(pick(point))));
        match column {
            ServiceColumn::Health => match point {
                Some(point) => Cell::new(point.health.level().to_string(), theme.health(point.health)),
                None => Cell::new(theme.no_data(), theme.dim()),
            },
            ServiceColumn::Environment => Cell::new(&*row.environment, theme.dim()),
            ServiceColumn::Service => Cell::keep_end(&*row.now.service, theme.text()),
            ServiceColumn::Swimlane => Cell::new(row.now.swimlane.as_deref().unwrap_or_default(), theme.dim()),
            ServiceColumn::Requests => plain(row.now.requests_per_second.map(human::rate)),
            ServiceColumn::Errors => toned(row.error_percent().map(percent), ill),
            ServiceColumn::Availability => toned(row.error_percent().map(|failed| availability(100.0 - failed)), ill),
            ServiceColumn::P50 => latency(|it| it.latency.p50_us),
            ServiceColumn::P95 => latency(|it| it.latency.p95_us),
            ServiceColumn::P99 => latency(|it| it.latency.p99_us),
            ServiceColumn::Saturation => {
                let known = point.and_then(|point| point.saturation.as_ref());
                known.map_or_else(|| Cell::new("", theme.dim()), |it| saturation_cell(theme, it))
            }
            ServiceColumn::Budget => {
                let left = row.now.budget_left_percent;
                let style = if left.is_some_and(|left| left < 0.0) { theme.tone(Tone::Warn) } else { theme.text() };
                toned(left.map(whole_percent), style)
            }
            ServiceColumn::Trend => Cell::new(chart::sparkline(theme, &row.now.trend, self.width), theme.dim()),
        }
    }
}

/// Saturation with the component that it is of.
fn saturation_cell(theme: Theme, saturation: &Saturation) -> Cell {
    let style = if saturation.percent >= SATURATED { theme.tone(Tone::Warn) } else { theme.text() };
    // A lag that grows may be any number of times what is worth a look.
    Cell::new(format!("{} {:.0}", saturation.component, saturation.percent.min(999.0)), style)
}

/// A share of failures, in percent: two digits after the point below 100.
#[must_use]
pub fn percent(value: f64) -> String {
    match value {
        value if value <= 0.0 => "0".to_owned(),
        value if value >= 99.995 => format!("{value:.0}"),
        value if value < 0.005 => "<0.01".to_owned(),
        value => format!("{value:.2}"),
    }
}

/// A share of successes, in percent: never 100 while anything failed.
#[must_use]
pub fn availability(value: f64) -> String {
    match value {
        value if value >= 100.0 => "100".to_owned(),
        value if value > 99.99 => ">99.99".to_owned(),
        value => format!("{value:.2}"),
    }
}

/// What is left of a budget, in percent without digits after the point.
#[must_use]
pub fn whole_percent(value: f64) -> String {
    if value < -999.0 { "<-999%".to_owned() } else { format!("{value:.0}%") }
}

/// A latency in microseconds as people read it.
#[must_use]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a latency is at most an hour")]
pub fn micros(value: f64) -> String {
    match value {
        value if value < 999.5 => format!("{value:.0}us"),
        value if value < 9_950.0 => format!("{:.1}ms", value / 1_000.0),
        value => human::milliseconds((value / 1_000.0).round() as u64),
    }
}
