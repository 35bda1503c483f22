//! One route: lanes side by side, the SLA's clock, the flip step by step, and the receipts below.

mod dialog;
mod lanes;
mod receipts;

use ratatui::layout::Rect;

use super::canvas::Canvas;
use super::table;
use super::theme::{Sign, Tone};
use super::title::{self, Title};
use crate::app::State;
use crate::app::route::{Asked, RouteScreen};
use crate::model::environment::Link;
use crate::model::route::Route;
use crate::model::route::record::{FlipStatus, Health, Status};
use crate::model::{Time, human};

/// First lines of the parts of the head.
const LANES: u16 = 5;
const FLIP: u16 = 12;
/// On a terminal with fewer lines the dialog takes all of it below the title.
const ROOMY: u16 = 22;
/// Cells of the bar of the clock.
const BAR: u16 = 24;

/// Draws the screen above the foot.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, screen: &RouteScreen) {
    let layout = RouteScreen::layout(state.size());
    let head = Rect { height: layout.head, ..area };
    let below = Rect { y: area.y + layout.head, height: layout.body, ..area };
    let Some(route) = &screen.route else {
        title::draw(canvas, head, state, &Title { crumbs: vec!["routes"], ..Title::default() });
        nothing(canvas, Rect { y: area.y + 2, height: area.height.saturating_sub(2), ..area });
        return;
    };
    heading(canvas, head, state, (screen, route));
    if let Some(dialog) = &screen.dialog {
        let from = if state.size().1 >= ROOMY { FLIP - 1 } else { 1 };
        standing(canvas, Rect { height: from, ..area }, state.now(), route);
        let area = Rect { y: area.y + from, height: area.height.saturating_sub(from), ..area };
        dialog::draw(canvas, area, dialog, route);
        return;
    }
    standing(canvas, head, state.now(), route);
    flip(canvas, head, state.now(), (screen, route));
    if screen.table.counts().0 == 0 {
        let words = match (&route.link, route.receipts.is_empty()) {
            (_, false) => "No receipt has this text.",
            (Link::Up { .. }, true) => "No flip yet; each one leaves a receipt here.",
            _ => "",
        };
        let dim = canvas.theme.dim();
        canvas.line(below, 0).skip(1).put(words, dim);
        return;
    }
    table::draw(canvas, below, &screen.table, &receipts::Cells { theme: *canvas.theme, now: state.now() });
}

fn nothing(canvas: &mut Canvas<'_>, area: Rect) {
    let theme = *canvas.theme;
    canvas.centred(
        area,
        &[
            ("No routes.".to_owned(), theme.strong()),
            ("A route sends a topic to one of two copies of a pipeline, and can change over.".to_owned(), theme.text()),
            ("Set environment.routes to their specs: see config/examples/route.toml.".to_owned(), theme.dim()),
        ],
    );
}

fn heading(canvas: &mut Canvas<'_>, area: Rect, state: &State, (screen, route): (&RouteScreen, &Route)) {
    let (number, count) = screen.number;
    let facts = if count > 1 { vec![format!("{number} of {count}")] } else { Vec::new() };
    let is_old = route.status.is_some() && !route.is_led(state.now());
    let title = Title {
        crumbs: vec![&route.key.environment, "routes", &route.key.name],
        warning: is_old.then(|| format!("stale: last heard {} ago", age(route, state.now()))),
        facts,
        ..Title::default()
    };
    title::draw(canvas, area, state, &title);
}

fn age(route: &Route, now: Time) -> String {
    human::duration(route.age_ms(now).unwrap_or(0) / 1_000)
}

/// State, what is wrong, clock and lanes.
fn standing(canvas: &mut Canvas<'_>, area: Rect, now: Time, route: &Route) {
    let theme = *canvas.theme;
    let (words, tone) = link(route, now);
    let Some(status) = &route.status else {
        canvas.line(area, 1).skip(1).put(&words, theme.tone(tone));
        canvas.line(area, 2).skip(1).put(next_step(route), theme.dim());
        return;
    };
    let mut pen = canvas.line(area, 1);
    let (lane, does) = status.active();
    pen.skip(1).put(lane, theme.strong()).skip(1).put(&does, theme.text());
    pen.skip(1).put(&format!("by control record {}", status.epoch), theme.dim());
    pen.skip(3).put(&words, theme.tone(tone));
    if let Some((words, tone)) = concern(status) {
        canvas.line(area, 2).skip(1).put(&words, theme.tone(tone));
    }
    clock(canvas, area, now, (route, status));
    let lanes = Rect { y: area.y + LANES, height: area.height.saturating_sub(LANES), ..area };
    lanes::draw(canvas, lanes, now, (route, status));
}

fn link(route: &Route, now: Time) -> (String, Tone) {
    let leader = |status: &Status| format!("controller {}, {} ago", status.leader, age(route, now));
    match (&route.link, &route.status) {
        (Link::Forbidden { error, .. }, _) => (format!("forbidden: {error}"), Tone::Bad),
        (Link::Down { error, .. }, _) if route.plan.is_none() => {
            (format!("the spec cannot be used: {error}"), Tone::Bad)
        }
        (Link::Down { error, next_try, .. }, _) => {
            let next = human::duration((*next_try - now).num_seconds().max(0));
            (format!("cannot be read: {error}; next try in {next}"), Tone::Bad)
        }
        (Link::Idle | Link::Connecting, None) => ("asking Kafka…".to_owned(), Tone::Warn),
        (Link::Up { .. }, None) => ("no controller has ever led this route".to_owned(), Tone::Warn),
        (_, Some(status)) if route.is_led(now) => (leader(status), Tone::Quiet),
        (Link::Up { .. }, Some(_)) => {
            (format!("no controller for {}; records go on as it says", age(route, now)), Tone::Bad)
        }
        (Link::Idle | Link::Connecting, Some(_)) => ("asking Kafka again…".to_owned(), Tone::Warn),
    }
}

const fn next_step(route: &Route) -> &'static str {
    match (&route.link, &route.plan) {
        (_, None) => "Mend the file: it is read again every few seconds.",
        (Link::Up { .. }, _) => "Start one: flowdeck router controller --spec FILE",
        _ => "",
    }
}

/// What somebody should know first.
fn concern(status: &Status) -> Option<(String, Tone)> {
    if let Some(words) = &status.held_back {
        return Some((words.clone(), Tone::Bad));
    }
    if let Some(hold) = &status.hold {
        return Some((format!("held by {}: {}", hold.who, hold.why), Tone::Warn));
    }
    let compared = status.comparison.as_ref().map(|found| (found.health, found.words.as_str()));
    if let (Some(shadow), found) = (&status.shadow, compared) {
        let (health, words) = found.unwrap_or_default();
        let tone = if health == Health::Unwell { Tone::Bad } else { Tone::Warn };
        let colon = if words.is_empty() { "" } else { ": " };
        return Some((format!("{shadow} gets every record too{colon}{words}"), tone));
    }
    status.troubles.first().map(|words| (words.clone(), Tone::Warn))
}

/// The clock of the promise: it runs from the first sign of trouble until all partitions have changed their lane.
fn clock(canvas: &mut Canvas<'_>, area: Rect, now: Time, (route, status): (&Route, &Status)) {
    let theme = *canvas.theme;
    let since = lanes::seen_since(route, now);
    let promised = route.plan.as_ref().map_or(0, |plan| plan.sla_ms);
    let unwell = status.lanes.iter().find(|lane| lane.name == status.lane && lane.health == Health::Unwell);
    let (running, words) = match (&status.flip, unwell) {
        (Some(flip), _) => match flip.acknowledged_after_ms {
            Some(after) => (after, "all partitions have changed"),
            None => (flip.running_ms + since, "running"),
        },
        (None, Some(lane)) => (lane.for_ms + since, "the active lane is unwell"),
        (None, None) => {
            let words = format!("{} for a flip; the clock stands", human::duration(promised / 1_000));
            canvas.line(area, 3).skip(1).field("SLA", 5, theme.dim()).put(&words, theme.dim());
            return;
        }
    };
    let share = ratio(running, promised);
    let tone = match share {
        share if share >= 1.0 => Tone::Bad,
        share if share >= 0.5 => Tone::Warn,
        _ => Tone::Good,
    };
    let words = format!("{} of {}, {words}", tenths(running), human::duration(promised / 1_000));
    canvas
        .line(area, 3)
        .skip(1)
        .field("SLA", 5, theme.dim())
        .put(&theme.bar(share, BAR), theme.tone(tone))
        .skip(1)
        .put(&words, theme.tone(tone));
}

#[expect(clippy::cast_precision_loss, reason = "a share of two short times")]
fn ratio(part: i64, whole: i64) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// Seconds with one decimal.
fn tenths(millis: i64) -> String {
    format!("{}.{} s", millis / 1_000, millis.rem_euclid(1_000) / 100)
}

/// The flip on its way, what was asked last, or how the last flip went.
fn flip(canvas: &mut Canvas<'_>, area: Rect, now: Time, (screen, route): (&RouteScreen, &Route)) {
    let theme = *canvas.theme;
    if let Some(flip) = route.status.as_ref().and_then(|status| status.flip.as_ref()) {
        steps(canvas, area, flip);
    } else if let Some(asked) = &screen.asked {
        let (words, tone) = answered(asked, now);
        canvas.line(area, FLIP).skip(1).put(&words, theme.tone(tone));
    }
}

fn answered(asked: &Asked, now: Time) -> (String, Tone) {
    match &asked.granted {
        None => (format!("{}: asked {} ago, no answer yet", asked.words, human::age(asked.at, now)), Tone::Warn),
        Some(Ok(answer)) if answer.accepted => (format!("{}: done: {}", asked.words, answer.words), Tone::Good),
        Some(Ok(answer)) => (format!("{}: refused: {}", asked.words, answer.words), Tone::Bad),
        Some(Err(why)) => (format!("{}: no answer: {why}", asked.words), Tone::Bad),
    }
}

fn steps(canvas: &mut Canvas<'_>, area: Rect, flip: &FlipStatus) {
    let theme = *canvas.theme;
    let cause = flip.cause.map_or("flip", |cause| cause.word());
    canvas
        .line(area, FLIP)
        .skip(1)
        .put(&format!("flip {}", flip.epoch), theme.accent())
        .skip(1)
        .put(&format!("{} {} {}", flip.from, theme.sign(Sign::Arrow), flip.to), theme.strong())
        .skip(2)
        .put(&format!("{cause}, by {}: {}", flip.who, flip.why), theme.text());
    let all = flip.acknowledged >= flip.partitions && flip.partitions > 0;
    let decided = format!("decided after {}", tenths(flip.decided_after_ms));
    let partitions = format!("{} of {} partitions changed", flip.acknowledged, flip.partitions);
    let done = |is_done: bool| if is_done { theme.tone(Tone::Good) } else { theme.tone(Tone::Warn) };
    let mut pen = canvas.line(area, FLIP + 1);
    pen.skip(1).put(&decided, done(true)).skip(1).put(theme.sign(Sign::Crumb), theme.dim()).skip(1);
    pen.put(&partitions, done(all)).skip(1).put(theme.sign(Sign::Crumb), theme.dim()).skip(1);
    if all {
        pen.put("comparing records", done(false));
    } else {
        pen.put("compare records", theme.dim());
    }
    pen.skip(1).put(theme.sign(Sign::Crumb), theme.dim()).skip(1).put("receipt", theme.dim());
}
