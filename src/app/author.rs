//! The form of a new processor: its rules are checked as one types, and what it makes can be seen before it is written.
//!
//! The rules are those of all manifests; a field only says which of them it breaks. Nothing is written before somebody
//! asks for it, and nothing is ever written over.

use std::path::PathBuf;

use crossterm::event::{KeyCode, KeyEvent};

use super::Effect;
use super::input::Input;
use super::layout::Layout;
use super::screen::{Cause, Outcome, Part, World};
use crate::action::{Action, Place};
use crate::model::config::{Problem, Severity};
use crate::model::interest::Interest;
use crate::model::manifest::draft::Draft;
use crate::model::manifest::{Judgement, Kind};
use crate::plan::starter::{ProjectFile, Starter, project};

/// Colours that an icon may have.
const COLOURS: [&str; 7] = ["red", "green", "yellow", "blue", "magenta", "cyan", "grey"];

/// A field of the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldName {
    /// Name.
    Name,
    /// Team.
    Team,
    /// Description.
    Description,
    /// Taxonomy.
    Taxonomy,
    /// Key in the tracker.
    Tracker,
    /// Who may find it.
    Visibility,
    /// Asset alias.
    Alias,
    /// Acronym of the icon.
    Acronym,
    /// Colour of the icon.
    Colour,
    /// Whose it is.
    Owner,
    /// Whether it expires.
    Temporary,
    /// Coordinates.
    Artifact,
    /// The project to begin with.
    Starter,
    /// Where it is written.
    Folder,
}

impl FieldName {
    /// All of them, in the order of the form.
    pub const ALL: [Self; 14] = [
        Self::Name,
        Self::Team,
        Self::Description,
        Self::Taxonomy,
        Self::Tracker,
        Self::Visibility,
        Self::Alias,
        Self::Acronym,
        Self::Colour,
        Self::Owner,
        Self::Temporary,
        Self::Artifact,
        Self::Starter,
        Self::Folder,
    ];

    /// What stands before it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Team => "team",
            Self::Description => "description",
            Self::Taxonomy => "taxonomy",
            Self::Tracker => "tracker key",
            Self::Visibility => "visibility",
            Self::Alias => "asset alias",
            Self::Acronym => "icon acronym",
            Self::Colour => "icon colour",
            Self::Owner => "owner",
            Self::Temporary => "temporary",
            Self::Artifact => "artifact",
            Self::Starter => "starter",
            Self::Folder => "folder",
        }
    }

    /// What belongs there.
    #[must_use]
    pub const fn help(self) -> &'static str {
        match self {
            Self::Name => "A letter first; letters, digits and hyphens; 27 characters at most.",
            Self::Team => "Who answers for it.",
            Self::Description => "What it is for, in 256 characters at most; may stay empty.",
            Self::Taxonomy => "Where it belongs: three levels, such as Data > Processing > Streams; may stay empty.",
            Self::Tracker => "Key of its project in the issue tracker, in capitals; may stay empty.",
            Self::Visibility => "Public: everybody may find it. Private: its team.",
            Self::Alias => {
                "Unique name for people: lowercase letters and digits between dots. Made from the rest unless given."
            }
            Self::Acronym => "One to four letters or digits; may stay empty.",
            Self::Colour => "Colour of the icon.",
            Self::Owner => "Whether it is your own or somebody else's.",
            Self::Temporary => "A temporary one expires 30 days on, and never goes to production.",
            Self::Artifact => "Coordinates, group:artifact:version. Made from team and name unless given.",
            Self::Starter => {
                "The project to begin with: a local run, a test, golden signals. None: the manifest alone."
            }
            Self::Folder => {
                "Where it is written. Made from the name unless given; what is there is never written over."
            }
        }
    }

    /// Whether it is chosen from a few rather than typed.
    #[must_use]
    pub const fn is_choice(self) -> bool {
        matches!(self, Self::Visibility | Self::Colour | Self::Owner | Self::Temporary | Self::Starter)
    }

    /// Whether a problem at a place of the manifest is this field's.
    fn has(self, path: &str) -> bool {
        let own = match self {
            Self::Name => "metadata.name",
            Self::Team => "metadata.team",
            Self::Description => "metadata.description",
            Self::Taxonomy => "metadata.taxonomy",
            Self::Tracker => "metadata.tracker",
            Self::Alias => "metadata.alias",
            Self::Acronym => "metadata.icon.acronym",
            Self::Artifact => "spec.artifact",
            Self::Visibility | Self::Colour | Self::Owner | Self::Temporary | Self::Starter | Self::Folder => {
                return false;
            }
        };
        path == own
    }
}

/// The screen.
#[derive(Debug)]
pub struct AuthorScreen {
    /// Which field keys go to.
    pub focus: usize,
    /// What is wrong with the manifest.
    pub problems: Vec<Problem>,
    draft: Draft,
    starter: Option<Starter>,
    folder: String,
    /// The field that is typed into.
    input: Input,
    /// Fields that somebody has been at: an empty form is not wrong yet.
    touched: Vec<FieldName>,
    /// First row on screen.
    top: usize,
    height: usize,
    /// Whether something was typed that was not written.
    unwritten: bool,
    /// Whether somebody was told that leaving drops it.
    warned: bool,
}

impl Default for AuthorScreen {
    fn default() -> Self {
        let mut screen = Self {
            focus: 0,
            problems: Vec::new(),
            draft: Draft::new(Kind::Processor),
            starter: Some(Starter::BeamJava),
            folder: String::new(),
            input: Input::default(),
            touched: Vec::new(),
            top: 0,
            height: FieldName::ALL.len(),
            unwritten: false,
            warned: false,
        };
        screen.check();
        screen.unwritten = false;
        screen
    }
}

impl AuthorScreen {
    /// Lines of the parts: below the form stands what is wrong, or what belongs there.
    #[must_use]
    pub const fn layout(size: (u16, u16)) -> Layout {
        Layout::new(size, 2, 3)
    }

    /// The field that keys go to.
    #[must_use]
    pub fn field(&self) -> FieldName {
        FieldName::ALL.get(self.focus).copied().unwrap_or(FieldName::Name)
    }

    /// The line that is typed; `None` where a value is chosen.
    #[must_use]
    pub fn input(&self) -> Option<&Input> {
        (!self.field().is_choice()).then_some(&self.input)
    }

    /// First row on screen.
    #[must_use]
    pub const fn top(&self) -> usize {
        self.top
    }

    /// What a field holds, and whether it was made from the rest.
    #[must_use]
    pub fn value(&self, field: FieldName) -> (String, bool) {
        let given = |typed: &str, made: String| if typed.is_empty() { (made, true) } else { (typed.to_owned(), false) };
        let plain = |text: &str| (text.to_owned(), false);
        let draft = &self.draft;
        match field {
            FieldName::Name => plain(&draft.name),
            FieldName::Team => plain(&draft.team),
            FieldName::Description => plain(&draft.description),
            FieldName::Taxonomy => plain(&draft.taxonomy),
            FieldName::Tracker => plain(&draft.tracker),
            FieldName::Visibility => plain(if draft.is_private { "private" } else { "public" }),
            FieldName::Alias => given(&draft.alias, draft.alias()),
            FieldName::Acronym => plain(&draft.acronym),
            FieldName::Colour => plain(&draft.colour),
            FieldName::Owner => plain(if draft.is_third_party { "third party" } else { "own" }),
            FieldName::Temporary => plain(if draft.is_temporary { "yes" } else { "no" }),
            FieldName::Artifact => given(&draft.artifact, draft.artifact()),
            FieldName::Starter => plain(self.starter.map_or("none", Starter::word)),
            FieldName::Folder => given(&self.folder, draft.name.to_lowercase()),
        }
    }

    /// What is wrong with a field that somebody has been at.
    #[must_use]
    pub fn problem(&self, field: FieldName) -> Option<&Problem> {
        let touched = self.touched.contains(&field);
        self.problems.iter().find(|it| field.has(&it.path)).filter(|_| touched)
    }

    /// How many rules are broken in all.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.problems.iter().filter(|it| it.severity == Severity::Error).count()
    }

    /// The files that it makes.
    #[must_use]
    pub fn files(&self) -> Vec<ProjectFile> {
        match self.starter {
            Some(starter) => project(&self.draft, starter),
            None => {
                vec![ProjectFile { path: "processor.yaml".to_owned(), text: self.draft.manifest(), is_program: false }]
            }
        }
    }

    fn check(&mut self) {
        (self.unwritten, self.warned) = (true, false);
        self.problems = self.draft.problems(&Judgement::default());
    }

    /// The text that a field is typed into.
    fn text_mut(&mut self, field: FieldName) -> Option<&mut String> {
        let draft = &mut self.draft;
        Some(match field {
            FieldName::Name => &mut draft.name,
            FieldName::Team => &mut draft.team,
            FieldName::Description => &mut draft.description,
            FieldName::Taxonomy => &mut draft.taxonomy,
            FieldName::Tracker => &mut draft.tracker,
            FieldName::Alias => &mut draft.alias,
            FieldName::Acronym => &mut draft.acronym,
            FieldName::Artifact => &mut draft.artifact,
            FieldName::Folder => &mut self.folder,
            _ => return None,
        })
    }

    /// Takes what was typed over into the draft.
    fn changed(&mut self) -> Outcome {
        let (field, text) = (self.field(), self.input.text());
        if let Some(place) = self.text_mut(field) {
            *place = text;
        }
        self.touch(field);
        self.check();
        Outcome::Done
    }

    fn touch(&mut self, field: FieldName) {
        if !self.touched.contains(&field) {
            self.touched.push(field);
        }
    }

    fn go(&mut self, to: usize) -> Outcome {
        let left = self.field();
        self.touch(left);
        self.focus = to % FieldName::ALL.len();
        let field = self.field();
        let text = self.text_mut(field).map(|text| text.clone()).unwrap_or_default();
        self.input = Input::new(&text);
        self.scroll();
        Outcome::Done
    }

    fn scroll(&mut self) {
        let height = self.height.max(1);
        self.top = self.top.clamp((self.focus + 1).saturating_sub(height), self.focus);
    }

    /// The next value of a field that is chosen.
    fn choose(&mut self, step: usize) -> Outcome {
        let field = self.field();
        let draft = &mut self.draft;
        match field {
            FieldName::Visibility => draft.is_private = !draft.is_private,
            FieldName::Owner => draft.is_third_party = !draft.is_third_party,
            FieldName::Temporary => draft.is_temporary = !draft.is_temporary,
            FieldName::Colour => {
                let at = COLOURS.iter().position(|colour| *colour == draft.colour).unwrap_or(0);
                let next = (at + step) % COLOURS.len();
                COLOURS.get(next).copied().unwrap_or("blue").clone_into(&mut draft.colour);
            }
            FieldName::Starter => {
                let all: Vec<Option<Starter>> = Starter::ALL.into_iter().map(Some).chain([None]).collect();
                let at = all.iter().position(|it| *it == self.starter).unwrap_or(0);
                self.starter = all.get((at + step) % all.len()).copied().flatten();
            }
            _ => return Outcome::Ignored,
        }
        self.check();
        Outcome::Done
    }

    fn write(&mut self) -> Outcome {
        FieldName::ALL.into_iter().for_each(|field| self.touch(field));
        if let Some(problem) = self.problems.iter().find(|it| it.severity == Severity::Error) {
            let at = FieldName::ALL.iter().position(|field| field.has(&problem.path));
            let label = at.and_then(|at| FieldName::ALL.get(at)).map_or("the manifest", |field| field.label());
            let words = format!("nothing is written yet: {label} {}", problem.message);
            self.go(at.unwrap_or(self.focus));
            return Outcome::Tell(words);
        }
        self.unwritten = false;
        let (folder, _) = self.value(FieldName::Folder);
        Outcome::Effect(Effect::Begin(PathBuf::from(folder), self.files()))
    }
}

impl Part for AuthorScreen {
    fn place(&self) -> Place {
        Place::Author
    }

    fn refresh(&mut self, world: &World<'_>, cause: &Cause<'_>) -> bool {
        self.height = usize::from(Self::layout(world.size).body);
        self.scroll();
        matches!(cause, Cause::Shown)
    }

    fn act(&mut self, action: Action, _world: &World<'_>) -> Outcome {
        let count = FieldName::ALL.len();
        match action {
            Action::Down | Action::NextPart | Action::Accept => self.go(self.focus + 1),
            Action::Up | Action::PreviousPart => self.go(self.focus + count - 1),
            Action::Save => self.write(),
            Action::Back if self.unwritten && !self.warned => {
                self.warned = true;
                Outcome::Say("nothing of it is written: F2 writes it, esc once more drops it")
            }
            _ => Outcome::Ignored,
        }
    }

    fn typed(&mut self, key: &KeyEvent, _world: &World<'_>) -> Outcome {
        if self.field().is_choice() {
            return match key.code {
                KeyCode::Char(' ') | KeyCode::Right => self.choose(1),
                KeyCode::Left => self.choose(COLOURS.len() * 3 - 1),
                _ => Outcome::Ignored,
            };
        }
        if self.input.press(key) { self.changed() } else { Outcome::Ignored }
    }

    fn pasted(&mut self, text: &str, _world: &World<'_>) -> Outcome {
        if self.field().is_choice() {
            return Outcome::Ignored;
        }
        self.input.insert(text);
        self.changed()
    }

    fn offers(&self, _action: Action, _world: &World<'_>) -> bool {
        true
    }

    fn interest(&self, _world: &World<'_>, _interest: &mut Interest) {}
}
