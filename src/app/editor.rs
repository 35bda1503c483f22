//! A text that is being written: manifests and configuration documents, checked as one types.
//!
//! Keys that mean something to the editor come as intents; all others are typed into the text. What is typed is kept as a
//! draft outside at once, so that a lost connection loses nothing; the file itself changes only when it is saved.

mod brackets;
mod keys;
mod offered;
mod syntax;

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use ratatui_textarea::{CursorMove, TextArea};

use super::Effect;
use super::layout::Layout;
use super::screen::{Outcome, World};
use super::verbs;
use crate::action::Action;
use crate::event::{Draft, Saving};
use crate::model::Time;
use crate::model::config::spot::Offer;
use crate::model::config::{self, Problem, Setting, Severity};
use crate::model::key::PipelineKey;
use crate::model::manifest::{self, Judgement};
use crate::model::options::Known;
use crate::plan::intent::Ask;
use crate::plan::object::Id;
use crate::plan::own_terms;

pub use self::syntax::{Token, tokens};

/// Changes that can be taken back.
const UNDO: usize = 10_000;
/// Texts that are longer are checked once a second, not with every letter.
const SHORT: usize = 100_000;
/// Lines kept between the cursor and the edge.
const MARGIN: usize = 2;

/// What a text is, and so who checks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Manifests of pipelines and processors: YAML.
    Manifest,
    /// A configuration document: JSON.
    Configuration,
    /// An object of Kubernetes: YAML.
    Object,
}

/// Somebody else's object, which is edited instead of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its pipeline.
    pub key: PipelineKey,
    /// The object.
    pub id: Id,
}

/// The screen.
pub struct EditorScreen {
    /// The file.
    pub path: Arc<Path>,
    /// What it holds.
    pub language: Language,
    /// What is wrong with it, in the order of lines.
    pub problems: Vec<Problem>,
    /// What could be written at the cursor.
    pub offers: Vec<Offer>,
    /// The option at the cursor.
    pub option: Option<&'static Known>,
    /// When the draft that this began with was left; `None` when it began with the file.
    pub resumed: Option<Time>,
    /// Whether the file was changed by somebody else since it was read.
    pub is_behind: bool,
    /// What is edited instead of a file.
    pub target: Option<Target>,
    area: TextArea<'static>,
    /// The file as it was last read or written; `None` when there is none.
    base: Option<Arc<str>>,
    line_end: &'static str,
    judgement: Judgement,
    /// What is known of the processor beside its document.
    setting: Setting,
    /// Lines above the text.
    head: u16,
    unchecked: bool,
    find: String,
    top: usize,
    left: usize,
    width: usize,
    height: usize,
}

impl fmt::Debug for EditorScreen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("EditorScreen").field("path", &self.path).finish_non_exhaustive()
    }
}

impl EditorScreen {
    /// Opens a file with its text, or a new one, and with the draft that was left of it.
    #[must_use]
    pub fn new(path: Arc<Path>, file: Option<Arc<str>>, draft: Option<Draft>, judgement: Judgement) -> Self {
        let text = file.as_deref().unwrap_or_default().to_owned();
        let mut screen = Self {
            language: language(&path, &text),
            path,
            problems: Vec::new(),
            offers: Vec::new(),
            option: None,
            resumed: None,
            is_behind: false,
            target: None,
            area: area(&text),
            line_end: if text.contains("\r\n") { "\r\n" } else { "\n" },
            base: file,
            setting: Setting { flink: judgement.flink, ..Setting::default() },
            judgement,
            head: 1,
            unchecked: true,
            find: String::new(),
            top: 0,
            left: 0,
            width: 80,
            height: 1,
        };
        if let Some(draft) = draft.filter(|draft| draft.text != text) {
            screen.is_behind = draft.base != screen.base;
            screen.resumed = Some(draft.kept_at);
            screen.replace(&draft.text);
        }
        screen.check();
        screen
    }

    /// A configuration document within another screen, which has so many lines above it and keeps the draft.
    #[must_use]
    pub fn embedded(text: &str, head: u16, setting: Setting) -> Self {
        let judgement = Judgement { flink: setting.flink, ..Judgement::default() };
        let mut screen = Self::new(Path::new("document.json").into(), Some(text.into()), None, judgement);
        screen.head = head;
        screen.judge_by(setting);
        screen
    }

    /// Somebody else's object in its own terms, with the draft that was left of it.
    #[must_use]
    pub fn object(target: Target, (path, text): (Arc<Path>, Arc<str>), draft: Option<Draft>) -> Self {
        // What others did since the draft began is merged when it is made; so it goes on from where it began.
        let base = draft.as_ref().and_then(|draft| draft.base.clone()).unwrap_or_else(|| text.clone());
        let mut screen = Self::new(path, Some(base.clone()), draft, Judgement::default());
        screen.is_behind = base != text;
        (screen.language, screen.target, screen.unchecked) = (Language::Object, Some(target), true);
        screen.check();
        screen
    }

    /// Says what is known of the processor beside the document.
    pub fn judge_by(&mut self, setting: Setting) {
        if setting != self.setting {
            self.setting = setting;
            self.unchecked = true;
            self.check();
        }
    }

    /// Goes on with a text that was written before.
    pub fn resume(&mut self, text: &str) {
        if self.text() != text {
            self.replace(text);
            self.unchecked = true;
            self.check();
        }
    }

    /// Lines of the parts: below the text stands what is wrong or what may be written.
    #[must_use]
    pub const fn layout(&self, size: (u16, u16)) -> Layout {
        Layout::new(size, self.head, if size.1 >= 36 { 8 } else { 5 })
    }

    /// The text as the file would have it.
    #[must_use]
    pub fn text(&self) -> String {
        self.area.lines().join(self.line_end)
    }

    /// Its lines.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        self.area.lines()
    }

    /// Line and character of the cursor, from 0.
    #[must_use]
    pub fn cursor(&self) -> (usize, usize) {
        let cursor = self.area.cursor();
        (cursor.0, cursor.1)
    }

    /// Line and characters of what is selected.
    #[must_use]
    pub fn selection(&self) -> Option<((usize, usize), (usize, usize))> {
        self.area.selection_range()
    }

    /// The first line and character on screen.
    #[must_use]
    pub const fn view(&self) -> (usize, usize) {
        (self.top, self.left)
    }

    /// The bracket that belongs to the one at the cursor.
    #[must_use]
    pub fn partner(&self) -> Option<(usize, usize)> {
        brackets::partner(self.lines(), self.cursor())
    }

    /// The bytes of a line where the searched text stands.
    #[must_use]
    pub fn matches(&self, line: &str) -> Vec<Range<usize>> {
        let pattern = self.area.search_pattern();
        pattern.map_or_else(Vec::new, |pattern| pattern.find_iter(line).map(|found| found.range()).collect())
    }

    /// Whether it differs from the file.
    #[must_use]
    pub fn is_changed(&self) -> bool {
        self.base.as_deref() != Some(self.text().as_str())
    }

    /// The worst problem of a line, from 0.
    #[must_use]
    pub fn problem_of(&self, line: usize) -> Option<&Problem> {
        let problems = self.problems.iter().filter(|problem| problem.line == line + 1);
        problems.min_by_key(|problem| problem.severity)
    }

    /// The first error, from the top.
    #[must_use]
    pub fn first_error(&self) -> Option<&Problem> {
        let errors = self.problems.iter().filter(|problem| problem.severity == Severity::Error);
        errors.min_by_key(|problem| (problem.line, problem.column))
    }

    /// How many errors and warnings there are.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let errors = self.problems.iter().filter(|problem| problem.severity == Severity::Error).count();
        (errors, self.problems.len() - errors)
    }

    /// What is to be kept outside: the draft, or nothing when the file says the same.
    #[must_use]
    pub fn draft(&self, now: Time) -> Effect {
        let text = self.text();
        let is_changed = self.base.as_deref() != Some(text.as_str());
        let draft = is_changed.then(|| Draft { base: self.base.clone(), text, kept_at: now });
        Effect::Keep(self.path.clone(), draft)
    }

    /// Takes a text in from outside, as one change.
    pub fn edited(&mut self, text: &str, now: Time) -> Effect {
        self.replace(text);
        self.changed(now)
    }

    /// What came of saving.
    pub fn saved(&mut self, path: &Path, saving: &Saving) -> bool {
        if path != &*self.path {
            return false;
        }
        match saving {
            Saving::Done(text) => {
                self.base = Some(text.clone());
                (self.is_behind, self.resumed) = (false, None);
            }
            // Whoever saves once more has been told.
            Saving::Overtaken(current) => {
                self.base.clone_from(current);
                self.is_behind = true;
            }
            Saving::Failed(_) => {}
        }
        true
    }

    fn replace(&mut self, text: &str) {
        let (line, letter) = self.cursor();
        self.area.cancel_selection();
        self.area.select_all();
        let yanked = self.area.yank_text();
        self.area.cut();
        self.area.set_yank_text(yanked);
        self.area.insert_str(text.replace("\r\n", "\n"));
        self.jump(line, letter);
    }

    fn jump(&mut self, line: usize, letter: usize) {
        let short = |number: usize| u16::try_from(number).unwrap_or(u16::MAX);
        self.area.move_cursor(CursorMove::Jump(short(line), short(letter)));
    }

    fn changed(&mut self, now: Time) -> Effect {
        self.unchecked = true;
        if self.area.lines().iter().map(String::len).sum::<usize>() <= SHORT {
            self.check();
        }
        self.follow();
        self.draft(now)
    }

    fn check(&mut self) {
        if !std::mem::take(&mut self.unchecked) {
            return;
        }
        let text = self.area.lines().join("\n");
        self.problems = match self.language {
            Language::Configuration => config::check(&text, self.setting),
            Language::Manifest => manifest::check(&text, &self.judgement).problems,
            Language::Object => own_terms::problems(&text),
        };
        self.look_around();
    }

    fn follow(&mut self) {
        let (line, letter) = self.cursor();
        let margin = MARGIN.min(self.height.saturating_sub(1) / 2);
        let most = self.lines().len().saturating_sub(1);
        self.top = self.top.min(line.saturating_sub(margin)).min(most);
        let last = (line + margin).min(most);
        self.top = self.top.max((last + 1).saturating_sub(self.height));
        self.left = self.left.min(letter.saturating_sub(8));
        self.left = self.left.max((letter + 1).saturating_sub(self.width));
    }

    /// A new line stands as far in as the one before it.
    fn break_line(&mut self) {
        let (line, letter) = self.cursor();
        let before = self.lines().get(line).map(|text| text.chars().take(letter));
        let indent: String = before.into_iter().flatten().take_while(|letter| letter.is_whitespace()).collect();
        self.area.insert_str(format!("\n{indent}"));
    }

    /// To the next problem after the cursor, and from the last one to the first.
    fn next_problem(&mut self) -> Outcome {
        let (line, letter) = self.cursor();
        let here = (line + 1, letter + 1);
        let after = self.problems.iter().find(|problem| (problem.line, problem.column) > here);
        let Some(problem) = after.or_else(|| self.problems.first()) else {
            return Outcome::Say("nothing is wrong with it");
        };
        let (line, letter) = (problem.line.saturating_sub(1), problem.column.saturating_sub(1));
        self.moved_to(line, letter)
    }

    fn moved_to(&mut self, line: usize, letter: usize) -> Outcome {
        self.jump(line, letter);
        self.moved()
    }

    fn moved(&mut self) -> Outcome {
        self.follow();
        self.look_around();
        Outcome::Done
    }

    fn page(&mut self, action: Action) -> Outcome {
        let (line, letter) = self.cursor();
        let step = self.height.saturating_sub(1).max(1);
        let last = self.lines().len().saturating_sub(1);
        let line = if action == Action::PageUp { line.saturating_sub(step) } else { (line + step).min(last) };
        self.moved_to(line, letter)
    }

    fn search(&mut self, action: Action) -> Outcome {
        if self.find.is_empty() {
            return Outcome::Say("nothing is searched; ctrl-f searches");
        }
        let found =
            if action == Action::NextMatch { self.area.search_forward(false) } else { self.area.search_back(false) };
        if found { self.moved() } else { Outcome::Say("it stands nowhere") }
    }

    fn clear(&mut self, now: Time) -> Outcome {
        if !self.is_changed() {
            return Outcome::Say("it is as it stands in the file");
        }
        let file = self.base.clone().unwrap_or_default();
        self.replace(&file);
        (self.is_behind, self.resumed) = (false, None);
        Outcome::Effect(self.changed(now))
    }

    fn save(&self, world: &World<'_>) -> Outcome {
        if !self.is_changed() {
            return Outcome::Say("nothing to save: it is as it was");
        }
        if let Some(Target { key, id }) = &self.target {
            if self.counts().0 > 0 {
                return Outcome::Say("nothing was sent: what is wrong comes first; F3 leads there");
            }
            let (base, mine) = (self.base.clone().unwrap_or_default(), self.text().into());
            let ask = Ask::Edit { id: id.clone(), base, mine, draft: self.path.clone() };
            return Outcome::Begin(verbs::intent(key, ask, world));
        }
        Outcome::Effect(Effect::Save { path: self.path.clone(), text: self.text().into(), base: self.base.clone() })
    }
}

/// An empty text has one line, as editors have it.
fn area(text: &str) -> TextArea<'static> {
    let text = text.replace("\r\n", "\n");
    let mut area = TextArea::new(text.split('\n').map(str::to_owned).collect());
    area.set_max_histories(UNDO);
    area.set_tab_length(2);
    area
}

/// A configuration document is JSON; what else there is are manifests.
fn language(path: &Path, text: &str) -> Language {
    let is_json = path.extension().is_some_and(|extension| extension == "json") || text.trim_start().starts_with('{');
    if is_json { Language::Configuration } else { Language::Manifest }
}
