//! What keys do in a log.

use super::{Least, LogScreen, SIDE_STEP};
use crate::action::Action;
use crate::app::Effect;
use crate::app::screen::Outcome;
use crate::model::log::Anchor;

/// Events around a match, from one press to the next.
const CONTEXTS: [u8; 3] = [0, 3, 10];

/// Answers to an intent.
pub(super) fn act(screen: &mut LogScreen, action: Action) -> Outcome {
    if screen.bar.is_some()
        && let Some(outcome) = in_histogram(screen, action)
    {
        return outcome;
    }
    match action {
        Action::Open => return screen.trace(),
        Action::Fold => fold(screen),
        Action::Follow => follow(screen),
        Action::Histogram => {
            let bars = screen.news.as_ref().map_or(0, |news| news.histogram.bars.len());
            screen.bar = bars.checked_sub(1);
        }
        Action::NextMatch | Action::PreviousMatch => return next_match(screen, action),
        Action::OnlyMatches => {
            screen.only_matches = !screen.only_matches;
            screen.ask_again();
        }
        Action::Context => {
            let now = CONTEXTS.iter().position(|context| *context == screen.context).unwrap_or(0);
            screen.context = CONTEXTS.get((now + 1) % CONTEXTS.len()).copied().unwrap_or(0);
            screen.ask_again();
        }
        Action::LeastLevel => {
            screen.least = match screen.least {
                Least::All => Least::Warn,
                Least::Warn => Least::Error,
                Least::Error => Least::All,
            };
            screen.ask_again();
        }
        Action::OnlyExceptions => {
            screen.exceptions = !screen.exceptions;
            screen.ask_again();
        }
        Action::Fields => {
            screen.facets = !screen.facets;
            screen.ask_again();
        }
        Action::Left => screen.column = screen.column.saturating_sub(SIDE_STEP),
        Action::Right => screen.column = (screen.column + SIDE_STEP).min(4_096),
        Action::Copy => {
            return screen.selected().map_or(Outcome::Ignored, |row| Outcome::Copy(row.text.to_string()));
        }
        Action::Save => {
            let path = format!("{}-{}.log", screen.target.key().name, screen.now.format("%Y%m%dT%H%M%SZ"));
            screen.ask_again();
            screen.save = Some(path.into());
        }
        Action::Pager => return Outcome::Effect(Effect::Read(screen.page_text())),
        other => return moved(screen, other),
    }
    Outcome::Done
}

/// While a bar is chosen, the arrows move it and the log follows.
fn in_histogram(screen: &mut LogScreen, action: Action) -> Option<Outcome> {
    let (bar, histogram) = (screen.bar?, &screen.news.as_ref()?.histogram);
    let last = histogram.bars.len().saturating_sub(1);
    let next = match action {
        Action::Left => bar.saturating_sub(1),
        Action::Right => (bar + 1).min(last),
        Action::Top => 0,
        Action::Bottom => last,
        Action::NextMatch => (bar + 1..=last).find(|at| histogram.bars.get(*at).is_some_and(|it| it.count > 0))?,
        Action::PreviousMatch => (0..bar).rev().find(|at| histogram.bars.get(*at).is_some_and(|it| it.count > 0))?,
        Action::Back | Action::Histogram | Action::Open => {
            screen.bar = None;
            return Some(Outcome::Done);
        }
        _ => return None,
    };
    let (time, _) = histogram.span(next)?;
    screen.bar = Some(next);
    screen.follows = false;
    screen.ask(Anchor::Time(time));
    Some(Outcome::Done)
}

fn fold(screen: &mut LogScreen) {
    if let Some(number) = screen.selected().map(|row| row.number)
        && !screen.opened.remove(&number)
    {
        screen.opened.insert(number);
    }
}

fn follow(screen: &mut LogScreen) {
    screen.follows = !screen.follows;
    screen.ask_again();
}

fn next_match(screen: &mut LogScreen, action: Action) -> Outcome {
    if !screen.is_filtered() {
        return Outcome::Say("Nothing is looked for: / looks for something.");
    }
    let Some(number) = screen.selected().map(|row| row.number) else { return Outcome::Ignored };
    let forward = action == Action::NextMatch;
    let place = |rows: &[crate::logs::news::Row]| {
        if forward {
            rows.iter().position(|row| row.matches && row.number > number)
        } else {
            rows.iter().rposition(|row| row.matches && row.number < number)
        }
    };
    screen.follows = false;
    if let Some(found) = place(&screen.rows) {
        screen.cursor = found;
        if matches!(screen.anchor, Anchor::End) {
            screen.ask_again();
        } else {
            screen.ask_for_more();
        }
        return Outcome::Done;
    }
    screen.ask(if forward { Anchor::NextMatch(number) } else { Anchor::PreviousMatch(number) });
    Outcome::Done
}

fn moved(screen: &mut LogScreen, action: Action) -> Outcome {
    let page = screen.height.saturating_sub(1).max(1);
    let half = page.div_ceil(2);
    let last = screen.rows.len().saturating_sub(1);
    let next = match action {
        Action::Up => screen.cursor.saturating_sub(1),
        Action::Down => screen.cursor + 1,
        Action::PageUp => screen.cursor.saturating_sub(page),
        Action::PageDown => screen.cursor + page,
        Action::HalfUp => screen.cursor.saturating_sub(half),
        Action::HalfDown => screen.cursor + half,
        Action::Top => {
            screen.follows = false;
            screen.cursor = 0;
            screen.ask(Anchor::Event(0));
            screen.rows.clear();
            return Outcome::Done;
        }
        Action::Bottom => {
            screen.follows = true;
            screen.cursor = last;
            screen.ask(Anchor::End);
            return Outcome::Done;
        }
        _ => return Outcome::Ignored,
    }
    .min(last);
    if next != screen.cursor || !screen.follows {
        screen.cursor = next;
        if screen.follows {
            screen.follows = false;
            screen.ask_again();
        } else {
            screen.ask_for_more();
        }
    }
    Outcome::Done
}
