//! One Flink job, and the two lines that stand for it elsewhere.

use std::sync::Arc;

use ratatui::layout::Rect;
use ratatui::style::Style;

use super::canvas::Canvas;
use super::pipelines::job_cell;
use super::pods::share_cell;
use super::table::{self, Cell, Cells};
use super::theme::{Sign, Theme, Tone};
use super::title::{self, Title};
use super::why;
use crate::app::State;
use crate::app::job::{FailureColumn, FailureRow, Focus, JobScreen, VertexColumn, VertexRow};
use crate::model::change::Fetched;
use crate::model::job::{Checkpoints, Job, Offender};
use crate::model::key::ProcessorKey;
use crate::model::view::ProcessorView;
use crate::model::{Time, human, job};

/// Width of the words before the lines.
const WORD: u16 = 7;

/// `job RESTARTING 4m, 8 restarts; last checkpoint 9m ago, 1.2Gi in 812ms`.
pub fn line(canvas: &mut Canvas<'_>, area: Rect, line: u16, (state, key): (&State, &ProcessorKey)) {
    let theme = *canvas.theme;
    let processor = state.inventory().processor(key);
    let fetched = processor.and_then(|processor| processor.job.as_ref());
    let operator = processor.and_then(|processor| processor.operator());
    let mut pen = canvas.line(area, line);
    pen.skip(1).field("job", WORD, theme.dim());
    let words = match fetched {
        Some(Fetched::Ready(job)) => {
            let cell = job_cell(theme, job.state);
            pen.put(&cell.text, cell.style);
            pen.put(&format!(" {}", summary(job, state.now())), theme.text());
            return;
        }
        None if operator.is_some_and(|operator| operator.suspended) => "suspended".to_owned(),
        None if operator.is_some_and(|operator| operator.session_cluster) => {
            "session cluster: its jobs are processors of their own".to_owned()
        }
        None => operator
            .and_then(|operator| operator.job)
            .map_or_else(|| "asking Flink…".to_owned(), |job| format!("{} by the operator; asking Flink…", job.word())),
        Some(missing) => trouble(missing, state.now()),
    };
    pen.put(&words, theme.dim());
}

/// Why there is no job to show.
fn trouble(missing: &Fetched<Box<Job>>, now: Time) -> String {
    match missing {
        Fetched::Ready(_) => String::new(),
        Fetched::NotFound => "none on this cluster".to_owned(),
        Fetched::Forbidden(why) => format!("forbidden: {why}"),
        Fetched::Failed(since, why) => format!("Flink does not answer for {}: {why}", human::age(*since, now)),
    }
}

fn summary(job: &Job, now: Time) -> String {
    let mut words = human::age(job.state_since.unwrap_or(job.started_at), now);
    match job.restarts {
        Some(1) => words.push_str(", 1 restart"),
        Some(restarts) => words.push_str(&format!(", {restarts} restarts")),
        None => {}
    }
    if let Some(checkpoints) = &job.checkpoints {
        words.push_str(&format!("; {}", checkpoint(checkpoints, now)));
    }
    words
}

fn checkpoint(checkpoints: &Checkpoints, now: Time) -> String {
    let mut words = checkpoints.last.as_ref().map_or_else(
        || "no checkpoint yet".to_owned(),
        |last| format!("last checkpoint {} ago", human::age(last.completed_at, now)),
    );
    if checkpoints.failed_in_a_row > 0 {
        words.push_str(&format!(", {} failed since", checkpoints.failed_in_a_row));
    }
    if let Some(last) = &checkpoints.last {
        words.push_str(&format!("; {} in {}", human::bytes(last.size_bytes), human::milliseconds(last.duration_ms)));
    }
    words
}

/// `hot Match (2 of 3) busy 98%, holds back Sessionize   lag 1.2M, p2 leads`.
pub fn hot_line(canvas: &mut Canvas<'_>, area: Rect, line: u16, (state, view): (&State, &ProcessorView)) {
    let theme = *canvas.theme;
    let job = state.inventory().processor(&view.key).and_then(|processor| processor.job());
    let mut pen = canvas.line(area, line);
    pen.skip(1).field("hot", WORD, theme.dim());
    match job.map(|job| (job::offender(&job.vertices), job.vertices.is_empty())) {
        Some((_, false)) if job.is_some_and(|job| job.tasks.0 == 0) => pen.put("no vertex runs", theme.dim()),
        Some((Some(offender), _)) => pen.put(&offending(&offender), theme.tone(Tone::Warn)),
        Some((None, false)) => pen.put("no vertex stands out", theme.text()),
        _ => pen.put(theme.sign(Sign::Unknown), theme.dim()),
    };
    if let Some(words) = lag(state, view) {
        pen.skip(3).put(&words, theme.text());
    }
}

fn offending(offender: &Offender) -> String {
    let subtask =
        offender.subtask.map_or_else(String::new, |index| format!(" ({} of {})", index + 1, offender.parallelism));
    let holds = if offender.holds_back.is_empty() {
        String::new()
    } else {
        format!(", holds back {}", offender.holds_back.join(", "))
    };
    format!("{}{subtask} busy {}{holds}", offender.vertex, human::percent(offender.busy))
}

fn lag(state: &State, view: &ProcessorView) -> Option<String> {
    let group = state.inventory().group_of(&view.key)?;
    let mut words = format!("lag {}", human::count(group.lag_records()?));
    if let Some(behind) = group.behind_ms().filter(|behind| *behind > 0) {
        words.push_str(&format!(" {}", human::milliseconds(behind)));
    }
    if let Some(worst) = group.worst() {
        words.push_str(&format!(", p{} leads", worst.partition));
    }
    match (group.growth_per_second(), group.drain_seconds()) {
        (Some(growth), _) if growth > 0.0 => words.push_str(&format!(", grows {}/s", human::rate(growth))),
        (_, Some(seconds)) if seconds >= 1.0 => words.push_str(&format!(", gone in {}", drain(seconds))),
        _ => {}
    }
    Some(words)
}

/// Seconds until lag is gone, in words.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "saturates, which is right for a display")]
pub fn drain(seconds: f64) -> String {
    human::duration(seconds.min(1e12) as i64)
}

/// Draws the screen above the foot.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, screen: &JobScreen) {
    let layout = JobScreen::layout(state.size());
    top(canvas, Rect { height: layout.head, ..area }, state, screen);
    let body = Rect { y: area.y + layout.head, height: layout.body, ..area };
    let upper = screen.vertex_lines(layout.body);
    vertices(canvas, Rect { height: upper, ..body }, state, screen);
    let lower = Rect { y: body.y + upper + 1, height: body.height.saturating_sub(upper + 1), ..body };
    failures(canvas, lower, state, screen);
    if layout.detail > 0 {
        let detail = Rect { y: body.y + body.height + 1, height: layout.detail, ..area };
        below(canvas, detail, screen);
    }
}

fn top(canvas: &mut Canvas<'_>, area: Rect, state: &State, screen: &JobScreen) {
    let theme = *canvas.theme;
    let title = Title {
        crumbs: vec![&screen.key.environment, &screen.key.name, "job"],
        verdict: screen.view.as_ref().map(|view| &view.verdict),
        warning: match (&screen.view, &screen.job, &screen.trouble) {
            (None, ..) => Some("gone from the cluster".to_owned()),
            (_, Some(_), Some(Fetched::Failed(since, _))) => {
                Some(format!("as of {} ago", human::age(*since, state.now())))
            }
            (_, Some(_), Some(_)) => Some("as last seen".to_owned()),
            _ => None,
        },
        ..Title::default()
    };
    title::draw(canvas, area, state, &title);
    line(canvas, area, 1, (state, &screen.key));
    if let Some(view) = &screen.view {
        hot_line(canvas, area, 2, (state, view));
    }
    let Some(job) = screen.job.as_ref() else { return };
    canvas.line(area, 3).skip(1).field("id", WORD, theme.dim()).put(&job.id, theme.text()).skip(3).put(
        &format!("up {}   parallelism {}   {}", human::age(job.started_at, state.now()), parallelism(job), job.name),
        theme.dim(),
    );
    let mut words = format!("{} of {} tasks run", job.tasks.0, job.tasks.1);
    if let Some(seconds) = job.watermark_lag_seconds(state.now()) {
        words.push_str(&format!(", watermark {} behind", human::duration(seconds)));
    }
    if let Some(checkpoints) = &job.checkpoints {
        words.push_str(&format!(
            "; {} checkpoints, {} failed, {} under way",
            human::count(checkpoints.completed),
            checkpoints.failed,
            checkpoints.in_progress
        ));
    }
    canvas.line(area, 4).skip(1).field("tasks", WORD, theme.dim()).put(&words, theme.text());
}

fn parallelism(job: &Job) -> String {
    job.parallelism().map_or_else(|| "unknown".to_owned(), |number| number.to_string())
}

fn vertices(canvas: &mut Canvas<'_>, area: Rect, state: &State, screen: &JobScreen) {
    let theme = *canvas.theme;
    if screen.vertices.counts().0 > 0 {
        let cells = JobCells { theme, now: state.now(), focused: screen.focus == Focus::Vertices };
        table::draw(canvas, area, &screen.vertices, &cells);
        return;
    }
    let words = match &screen.trouble {
        _ if !screen.vertices.filter().is_empty() => {
            format!("no vertex has “{}”; esc clears the filter", screen.vertices.filter())
        }
        None if screen.job.is_some() => "vertices are on their way…".to_owned(),
        None => "asking Flink for its vertices…".to_owned(),
        Some(missing) => format!("{}; r asks again now", trouble(missing, state.now())),
    };
    why::paragraph(canvas, Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area }, "", &words);
}

fn failures(canvas: &mut Canvas<'_>, area: Rect, state: &State, screen: &JobScreen) {
    let theme = *canvas.theme;
    if screen.failures.counts().0 > 0 {
        let cells = JobCells { theme, now: state.now(), focused: screen.focus == Focus::Failures };
        table::draw(canvas, area, &screen.failures, &cells);
    } else if screen.job.as_ref().is_some() {
        let words = match screen.failures.filter() {
            "" => "no exceptions in its history".to_owned(),
            filter => format!("no exception has “{filter}”; esc clears the filter"),
        };
        canvas.line(area, 0).skip(2).put(&words, theme.dim());
    }
}

/// Below the lists: the selected failure in full.
fn below(canvas: &mut Canvas<'_>, area: Rect, screen: &JobScreen) {
    match (screen.focus, screen.failures.selected(), screen.vertices.selected()) {
        (Focus::Failures, Some(FailureRow(failure)), _) => {
            why::paragraph(canvas, area, "root", &format!("{}: {}", failure.root.class, failure.root.message));
        }
        (Focus::Vertices, _, Some(row)) => why::paragraph(canvas, area, "name", &row.vertex.name),
        _ => {}
    }
}

struct JobCells {
    theme: Theme,
    now: Time,
    focused: bool,
}

impl Cells<VertexRow> for JobCells {
    fn cell(&self, row: &VertexRow, column: VertexColumn) -> Cell {
        let (theme, vertex) = (self.theme, &row.vertex);
        let plain = theme.text();
        let rate = |value: Option<f64>| Cell::known(value.map(human::rate), theme);
        let share = |value: Option<f64>| value.map_or_else(|| Cell::unknown(theme), |it| share_cell(theme, it, 4));
        match column {
            VertexColumn::Name => Cell::new(&*vertex.name, if row.offends { theme.strong() } else { plain }),
            VertexColumn::Status => {
                let style = if &*vertex.status == "RUNNING" { plain } else { theme.tone(Tone::Warn) };
                Cell::new(&*vertex.status, style)
            }
            VertexColumn::Parallelism => {
                let style = if vertex.running < vertex.parallelism { theme.tone(Tone::Warn) } else { plain };
                Cell::new(format!("{}/{}", vertex.running, vertex.parallelism), style)
            }
            VertexColumn::Busy => share(vertex.busy_max),
            VertexColumn::Backpressure => share(vertex.backpressure_max),
            VertexColumn::In => rate(vertex.records_in_per_second),
            VertexColumn::Out => rate(vertex.records_out_per_second),
            VertexColumn::Watermark => Cell::known(vertex.watermark.map(|at| human::age(at, self.now)), theme),
            VertexColumn::Maximum => Cell::known(vertex.max_parallelism.map(|bound| bound.to_string()), theme),
        }
    }

    fn mark(&self, row: &VertexRow) -> Option<(&'static str, Style)> {
        row.offends.then(|| (self.theme.sign(Sign::Attention), self.theme.tone(Tone::Warn)))
    }

    fn focused(&self) -> bool {
        self.focused
    }
}

impl Cells<FailureRow> for JobCells {
    fn cell(&self, row: &FailureRow, column: FailureColumn) -> Cell {
        let (theme, failure) = (self.theme, &row.0);
        let known = |text: &Option<Arc<str>>| Cell::known(text.as_ref().map(ToString::to_string), theme);
        match column {
            FailureColumn::At => Cell::new(failure.at.format("%H:%M:%S").to_string(), theme.dim()),
            FailureColumn::Age => Cell::new(human::age(failure.at, self.now), theme.text()),
            FailureColumn::Task => known(&failure.task),
            FailureColumn::TaskManager => known(&failure.task_manager),
            FailureColumn::Root => {
                let root = &failure.root;
                let words = if root.message.is_empty() {
                    root.short_class().to_owned()
                } else {
                    format!("{}: {}", root.short_class(), root.message)
                };
                Cell::new(words, theme.text())
            }
        }
    }

    fn focused(&self) -> bool {
        self.focused
    }
}
