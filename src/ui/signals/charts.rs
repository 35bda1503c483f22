//! The four charts of a service over one time: requests, errors, latency, health.

use ratatui::layout::Rect;

use super::{availability, micros, percent};
use crate::app::State;
use crate::app::signals::lens::Lens;
use crate::model::human;
use crate::model::signal::{Health, Mark, Point, ServiceHistory, ServiceNow};
use crate::ui::canvas::Canvas;
use crate::ui::chart::{self, Chart, Curve};
use crate::ui::theme::Tone;

/// What charts are drawn of.
pub struct Look<'a> {
    /// Environment of the service.
    pub environment: &'a str,
    /// The service; `None` until it was seen.
    pub now: Option<&'a ServiceNow>,
    /// Its points; `None` until they are there.
    pub history: Option<&'a ServiceHistory>,
    /// Through which time is seen.
    pub lens: &'a Lens,
    /// Deploys and alerts.
    pub marks: Vec<Mark>,
    /// Lines of one chart.
    pub rows: u16,
}

impl Look<'_> {
    /// The point under the cursor, or the newest one; with its number.
    fn read_out(&self) -> Option<(usize, Option<&Point>)> {
        let history = self.history?;
        let newest = || history.points.iter().rposition(Option::is_some);
        let step = self.lens.step(history).or_else(newest)?;
        Some((step, history.points.get(step).and_then(Option::as_ref)))
    }
}

/// The line above the charts: which service, how far back, and the values under the cursor.
pub fn caption(canvas: &mut Canvas<'_>, area: Rect, state: &State, look: &Look<'_>) {
    let theme = *canvas.theme;
    let mut pen = canvas.line(area, 0);
    pen.skip(1);
    if let Some(now) = look.now {
        let room = usize::from(pen.left()) / 4;
        let name = crate::ui::text::cut_front(&now.service, room.max(12), theme.charset()).into_owned();
        pen.put(&name, theme.strong());
    }
    pen.skip(2).put(look.lens.range.word(), theme.accent()).skip(2);
    if let Some(until) = look.lens.until {
        let words = format!("until {}", until.format("%H:%M"));
        pen.put(&words, theme.tone(Tone::Warn)).skip(2);
    }
    let Some(history) = look.history else {
        pen.put("asking…", theme.dim());
        return;
    };
    let Some((step, point)) = look.read_out() else {
        pen.put("no data in this range", theme.dim());
        return;
    };
    let at = history.start + chrono::Duration::milliseconds(history.step_ms * i64::try_from(step).unwrap_or(0));
    let style = if look.lens.cursor.is_some() { theme.accent() } else { theme.dim() };
    pen.put(&at.format("%H:%M:%S").to_string(), style).skip(2);
    match point {
        None => pen.put("no data", theme.tone(Tone::Warn)),
        Some(point) => {
            for words in values(point, history.step_ms) {
                if pen.put_whole(&words, theme.text()) {
                    pen.skip(2);
                }
            }
            &mut pen
        }
    };
    if look.lens.cursor.is_none() && look.lens.until.is_none() {
        let age = human::age(at, state.now());
        pen.at_end(&format!("{age} ago "), theme.dim());
    }
}

/// The values of a point, the telling ones first.
#[expect(clippy::cast_precision_loss, reason = "counts of a step")]
fn values(point: &Point, step_ms: i64) -> Vec<String> {
    let rate = point.requests as f64 * 1_000.0 / step_ms.max(1) as f64;
    let latency = &point.latency;
    let mut words = vec![format!("{}/s", human::rate(rate))];
    let available = point.availability_percent();
    words.extend(available.map(|available| format!("err {}%", percent(100.0 - available))));
    words.push(format!("p99 {}", micros(latency.p99_us)));
    words.push(format!("health {}", point.health.level()));
    words.push(format!("p50 {}", micros(latency.p50_us)));
    words.push(format!("p95 {}", micros(latency.p95_us)));
    words.extend(point.saturation.as_ref().map(|it| format!("{} {:.0}%", it.component, it.percent)));
    words.push(format!("max {}", micros(latency.max_us)));
    words.extend(available.map(|available| format!("avail {}", availability(available))));
    words
}

/// Draws the charts, two beside each other, and the times below them.
pub fn four(canvas: &mut Canvas<'_>, area: Rect, look: &Look<'_>) {
    let Some(history) = look.history else { return };
    let half = area.width / 2;
    let cursor = look.lens.step(history);
    let place = |right: u16, below: u16| Rect {
        x: area.x + right * half,
        y: area.y + below * look.rows,
        width: half,
        height: look.rows,
    };
    chart::draw(canvas, place(0, 0), &Chart { cursor, ..requests(history) });
    chart::draw(canvas, place(1, 0), &Chart { cursor, ..errors(history) });
    if look.lens.with_heat {
        chart::heat(canvas, place(0, 1), ("heat", history, cursor));
    } else {
        chart::draw(canvas, place(0, 1), &Chart { cursor, ..latency(history) });
    }
    chart::draw(canvas, place(1, 1), &Chart { cursor, ..health(history) });
    let marks: Vec<&Mark> = look.marks.iter().chain(&*history.marks).collect();
    for side in 0..2 {
        let below = Rect { height: 1, ..place(side, 2) };
        chart::times(canvas, below, history.into(), &marks);
    }
}

fn series(history: &ServiceHistory, value: impl Fn(&Point) -> Option<f64>) -> Vec<Option<f64>> {
    history.points.iter().map(|point| point.as_ref().and_then(&value)).collect()
}

fn top(curves: &[&Vec<Option<f64>>], least: f64) -> f64 {
    chart::round_top(curves.iter().flat_map(|curve| curve.iter().flatten().copied()), least)
}

#[expect(clippy::cast_precision_loss, reason = "counts of a step")]
fn requests(history: &ServiceHistory) -> Chart<'static> {
    let step = history.step_ms.max(1) as f64;
    let values = series(history, |point| Some(point.requests as f64 * 1_000.0 / step));
    let top = top(&[&values], 1.0);
    let curves = vec![Curve { values, style: |theme, _| theme.accent() }];
    Chart { titles: &["req/s"], top, label: human::rate, curves, cursor: None }
}

fn errors(history: &ServiceHistory) -> Chart<'static> {
    let values = series(history, |point| point.availability_percent().map(|available| 100.0 - available));
    let top = top(&[&values], 1.0).min(100.0);
    let style = |theme: crate::ui::Theme, value: f64| if value > 0.0 { theme.tone(Tone::Bad) } else { theme.dim() };
    Chart { titles: &["err%"], top, label: short, curves: vec![Curve { values, style }], cursor: None }
}

fn latency(history: &ServiceHistory) -> Chart<'static> {
    let median = series(history, |point| Some(point.latency.p50_us));
    let slow = series(history, |point| Some(point.latency.p99_us));
    let top = top(&[&median, &slow], 1_000.0);
    let curves = vec![
        Curve { values: median, style: |theme, _| theme.dim() },
        Curve { values: slow, style: |theme, _| theme.accent() },
    ];
    Chart { titles: &["p99", "p50"], top, label: scale_micros, curves, cursor: None }
}

fn health(history: &ServiceHistory) -> Chart<'static> {
    health_chart(&["health"], series(history, |point| Some(f64::from(point.health.level()))))
}

/// A chart of levels of health.
#[must_use]
pub fn health_chart<'a>(titles: &'a [&'a str], values: Vec<Option<f64>>) -> Chart<'a> {
    #[expect(clippy::cast_possible_truncation, reason = "levels are 0 to 3")]
    let style =
        |theme: crate::ui::Theme, value: f64| theme.health(Health::new(value.round() as i64).unwrap_or(Health::WELL));
    let curves = vec![Curve { values, style }];
    Chart { titles, top: 3.0, label: level, curves, cursor: None }
}

/// A number without needless digits.
fn short(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
}

/// A latency on a scale.
fn scale_micros(value: f64) -> String {
    if value <= 0.0 { "0".to_owned() } else { micros(value).replace(".0", "") }
}

/// A health on a scale; there is none between the whole ones.
fn level(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { String::new() }
}
