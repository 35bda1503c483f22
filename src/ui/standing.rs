//! What stands in place of a list that has no rows: why that is, and what to do next.

use ratatui::layout::Rect;
use ratatui::style::Style;

use super::canvas::Canvas;
use super::text;
use super::theme::{Theme, Tone};
use crate::app::State;
use crate::app::standing::{Standing, Standings};
use crate::model::{Time, human};

/// Draws it for the list of pipelines.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State) {
    let words = Words {
        things: "pipelines",
        none: "No Flink pipelines here.",
        next: "flowdeck looks for FlinkDeployments and for JobManager and TaskManager pods. Another cluster: --context; other namespaces: -n or -A.",
    };
    explain(canvas, area, state, (&words, state.overview().standings()));
}

/// How a list names what it holds.
#[derive(Clone, Copy, Debug)]
pub struct Words {
    /// Plural of what is listed.
    pub things: &'static str,
    /// Said when there are none.
    pub none: &'static str,
    /// What to do next then.
    pub next: &'static str,
}

/// Says why there are no rows.
pub fn explain(canvas: &mut Canvas<'_>, area: Rect, state: &State, (words, standings): (&Words, &Standings)) {
    let theme = *canvas.theme;
    let filter = state.screen().part().filter();
    let mut lines: Vec<(String, Style)> = Vec::new();
    if !filter.is_empty() && state.filtered().is_some() {
        lines.push((format!("No row has “{filter}” in any column."), theme.strong()));
        lines.push(("esc clears the filter".to_owned(), theme.dim()));
    } else if standings.is_empty() {
        lines.push(("Connecting…".to_owned(), theme.strong()));
        lines.push(("flowdeck reads your kubeconfig and asks the cluster.".to_owned(), theme.dim()));
    } else if standings.iter().all(|(_, standing)| standing.is_complete()) {
        lines.push((words.none.to_owned(), theme.strong()));
        lines.extend(partial(standings, theme));
        lines.push((words.next.to_owned(), theme.dim()));
    } else {
        for (name, standing) in standings {
            lines.extend(of_environment(name, standing, words, (theme, state.now())));
        }
    }
    let wrapped: Vec<(String, Style)> = lines
        .into_iter()
        .flat_map(|(line, style)| {
            let clean = text::clean_in(&line, theme.charset()).into_owned();
            let parts = text::wrap(&clean, usize::from(area.width.saturating_sub(8)));
            parts.into_iter().map(move |part| (part, style))
        })
        .collect();
    canvas.centred(area, &wrapped);
}

fn partial(standings: &Standings, theme: Theme) -> Vec<(String, Style)> {
    standings
        .iter()
        .filter_map(|(name, standing)| match standing {
            Standing::Partial(kinds, why) => {
                Some((format!("{name}: {kinds} may not be listed: {why}"), theme.tone(Tone::Warn)))
            }
            _ => None,
        })
        .collect()
}

fn of_environment(name: &str, standing: &Standing, words: &Words, (theme, now): (Theme, Time)) -> Vec<(String, Style)> {
    let next = |at: Time| human::duration((at - now).num_seconds());
    match standing {
        Standing::Connecting => vec![(format!("{name}: connecting…"), theme.strong())],
        Standing::Loading => vec![(format!("{name}: loading {}…", words.things), theme.strong())],
        Standing::Live | Standing::Partial(..) => vec![(format!("{name}: no {}", words.things), theme.text())],
        Standing::Stale(since, why, _) => vec![(
            format!("{name}: no {}, as of {} ago: {why}", words.things, human::age(*since, now)),
            theme.tone(Tone::Warn),
        )],
        Standing::Unreachable(since, why, next_try) => vec![
            (format!("{name}: not reachable for {}: {why}", human::age(*since, now)), theme.tone(Tone::Bad)),
            (format!("next try in {}; r tries now, L shows all links", next(*next_try)), theme.dim()),
        ],
        Standing::Forbidden(why) => vec![
            (format!("{name}: forbidden: {why}"), theme.tone(Tone::Bad)),
            ("ask for list and watch on pods and deployments, or narrow it with -n".to_owned(), theme.dim()),
        ],
    }
}
