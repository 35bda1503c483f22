//! The two lanes, side by side where there is room.

use ratatui::layout::Rect;

use crate::model::route::Route;
use crate::model::route::record::{Health, LaneStatus, Status};
use crate::model::{Time, human};
use crate::ui::canvas::Canvas;
use crate::ui::theme::{Sign, Tone};

/// Narrower terminals have one line for each lane.
const SIDE_BY_SIDE: u16 = 64;
/// Lines of a lane.
const LINES: u16 = 6;

pub(super) fn draw(canvas: &mut Canvas<'_>, area: Rect, now: Time, (route, status): (&Route, &Status)) {
    let width = area.width / 2;
    for (place, lane) in (0_u16..).zip(status.lanes.iter().take(2)) {
        if area.width < SIDE_BY_SIDE {
            name(
                canvas,
                Rect { y: area.y + place, height: area.height.saturating_sub(place).min(1), ..area },
                now,
                (route, status, lane),
            );
        } else {
            let height = area.height.min(LINES);
            let area = Rect { x: area.x + place * width, width: width.saturating_sub(1), height, ..area };
            name(canvas, area, now, (route, status, lane));
            facts(canvas, area, now, (route, lane));
        }
    }
}

/// How far ages run on from what the status said: not at all once nobody says anything.
pub(super) fn seen_since(route: &Route, now: Time) -> i64 {
    if route.is_led(now) { route.age_ms(now).unwrap_or(0) } else { 0 }
}

fn name(canvas: &mut Canvas<'_>, area: Rect, now: Time, (route, status, lane): (&Route, &Status, &LaneStatus)) {
    let theme = *canvas.theme;
    let since = seen_since(route, now);
    let is_active = lane.name == status.lane;
    let (tone, glyph) = match lane.health {
        Health::Well => (Tone::Good, Sign::Healthy),
        Health::Unwell => (Tone::Bad, Sign::Problem),
        Health::Unknown => (Tone::Warn, Sign::Unknown),
    };
    let lasted = human::duration((lane.for_ms + since) / 1_000);
    let mut pen = canvas.line(area, 0);
    pen.put(if is_active { theme.sign(Sign::Arrow) } else { " " }, theme.accent()).skip(1);
    pen.put(&lane.name, theme.strong()).skip(1);
    pen.put(if is_active { "active" } else { "waits" }, if is_active { theme.accent() } else { theme.dim() });
    pen.skip(2).put(&format!("{} {} for {lasted}", theme.sign(glyph), lane.health.word()), theme.tone(tone));
}

fn facts(canvas: &mut Canvas<'_>, area: Rect, now: Time, (route, lane): (&Route, &LaneStatus)) {
    let theme = *canvas.theme;
    let since = seen_since(route, now);
    let unknown = || theme.sign(Sign::Unknown).to_owned();
    let topic = route.plan.iter().flat_map(|plan| &plan.lanes).find(|planned| *planned.name == *lane.name);
    let output = lane.quiet_ms.map_or_else(unknown, |quiet| match (quiet + since) / 1_000 {
        0..5 => "grows".to_owned(),
        seconds => format!("quiet for {}", human::duration(seconds)),
    });
    let watermark = lane.watermark_ms.map_or_else(unknown, |watermark| {
        let seen = route.status.as_ref().map_or(watermark, |status| status.at_ms) + since;
        format!("{} behind", human::duration((seen - watermark).max(0) / 1_000))
    });
    let rows = [
        ("topic", topic.map_or_else(unknown, |lane| lane.topic.to_string())),
        ("output", output),
        ("lag", lane.lag.map_or_else(unknown, |lag| format!("{} records", human::count(lag)))),
        ("watermark", watermark),
    ];
    for (row, (word, text)) in (1..).zip(rows) {
        canvas.line(area, row).skip(2).field(word, 10, theme.dim()).put(&text, theme.text());
    }
    let worst = |health| lane.checks.iter().find(|check| check.health == health);
    if let Some(check) = worst(Health::Unwell).or_else(|| worst(Health::Unknown)) {
        let tone = if check.health == Health::Unwell { Tone::Bad } else { Tone::Warn };
        canvas.line(area, LINES - 1).skip(2).put(&format!("{}: {}", check.name, check.words), theme.tone(tone));
    }
}
