//! Fine-tuning of one processor: a form and the editor of its configuration document, over one draft.
//!
//! What is typed is kept outside with every key, together with what it began from, so that a lost connection loses
//! nothing and what others did meanwhile is neither lost nor written over.

mod draft;
mod keys;
mod sheet;

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Effect;
use super::editor::EditorScreen;
use super::input::Input;
use super::layout::Layout;
use super::screen::{Outcome, Part, Screen, World};
use super::verbs;
use crate::action::Action;
use crate::event::Draft;
use crate::model::Time;
use crate::model::key::PipelineKey;
use crate::plan::dossier::Dossier;
use crate::plan::intent::Ask;
use crate::plan::object::Id;
use crate::plan::tune::{self, Field, Spot};
use crate::plan::verb::Verb;

pub use self::sheet::Sheet;

/// Lines above the document: title, two of the form, a rule.
pub const HEAD: u16 = 4;
/// Topics that are offered at a time.
const OFFERS: usize = 6;

/// Where keys go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Focus {
    /// A value of the form.
    Form(Field),
    /// The document.
    Document,
}

/// How far it is.
pub enum Known {
    /// The cluster was asked.
    Asking,
    /// Somebody else deployed it: one of its objects is edited in its own terms, and this one is chosen.
    Found(Vec<Id>, usize),
    /// It cannot be edited here, and why.
    Not(Arc<str>),
    /// It can.
    Sheet(Box<Sheet>),
}

/// The draft that was left.
enum Recalled {
    /// It is being looked for.
    Awaited,
    /// Here it is.
    Found(Draft),
    /// There is none, or it was laid out.
    Nothing,
}

/// The screen.
pub struct TuneScreen {
    /// The pipeline.
    pub key: PipelineKey,
    /// The processor.
    pub processor: Arc<str>,
    /// What is edited.
    pub known: Known,
    /// Where keys go.
    pub focus: Focus,
    /// The value of the form that keys go to.
    pub input: Input,
    /// Topics that fit what is typed.
    pub offers: Vec<Arc<str>>,
    /// When the draft that this began with was left.
    pub resumed: Option<Time>,
    path: Arc<Path>,
    draft: Recalled,
    dossier: Option<Arc<Dossier>>,
    /// Whether somebody was told that one more press drops what was typed.
    warned: bool,
}

impl fmt::Debug for TuneScreen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TuneScreen").field("key", &self.key).finish_non_exhaustive()
    }
}

/// Under which name the draft of a processor is kept.
#[must_use]
pub fn path_of(key: &PipelineKey, processor: &str) -> Arc<Path> {
    let parts = ["flowdeck:", &key.environment, &key.namespace, &key.name, processor];
    parts.iter().collect::<PathBuf>().into()
}

impl TuneScreen {
    /// Opens it.
    #[must_use]
    pub fn open(key: PipelineKey, processor: Arc<str>) -> Screen {
        let path = path_of(&key, &processor);
        Screen::Tune(Box::new(Self {
            key,
            processor,
            known: Known::Asking,
            focus: Focus::Form(Field::Replicas),
            input: Input::default(),
            offers: Vec::new(),
            resumed: None,
            path,
            draft: Recalled::Awaited,
            dossier: None,
            warned: false,
        }))
    }

    /// What has to be done outside when it opens.
    #[must_use]
    pub fn wanted(&self) -> Vec<Effect> {
        vec![Effect::Recall(self.path.clone()), Effect::Survey(self.key.clone())]
    }

    /// Lines of the parts.
    #[must_use]
    pub const fn layout(size: (u16, u16)) -> Layout {
        Layout::new(size, HEAD, if size.1 >= 36 { 8 } else { 5 })
    }

    /// Takes in the draft that was left.
    pub fn recalled(&mut self, path: &Path, draft: Option<&Draft>) -> bool {
        if *path != *self.path || !matches!(self.draft, Recalled::Awaited) {
            return false;
        }
        self.draft = draft.map_or(Recalled::Nothing, |draft| Recalled::Found(draft.clone()));
        self.begin();
        true
    }

    /// The sheet, once it is known.
    #[must_use]
    pub fn sheet(&self) -> Option<&Sheet> {
        match &self.known {
            Known::Sheet(sheet) => Some(sheet),
            _ => None,
        }
    }

    fn sheet_mut(&mut self) -> Option<&mut Sheet> {
        match &mut self.known {
            Known::Sheet(sheet) => Some(sheet),
            _ => None,
        }
    }

    /// Lays out what is known, as soon as it is.
    fn begin(&mut self) {
        let draft = match &self.draft {
            Recalled::Awaited => return,
            Recalled::Found(draft) => Some(draft),
            Recalled::Nothing => None,
        };
        let Some(dossier) = &self.dossier else { return };
        if let Known::Sheet(sheet) = &mut self.known {
            sheet.newest = dossier.current().map_or(sheet.newest, |it| it.number);
            return;
        }
        let began = draft.and_then(draft::began);
        let kept = |number: u64| dossier.revisions.iter().find(|it| it.number == number && it.manifest.is_some());
        if dossier.current().is_none() && !dossier.editable.is_empty() {
            self.known = Known::Found(dossier.editable.clone(), 0);
            return;
        }
        let entry = began.as_ref().and_then(|began| kept(began.revision)).or_else(|| dossier.current());
        match entry.ok_or_else(unmanaged).and_then(|entry| Sheet::of(entry, self.spot())) {
            Err(why) => self.known = Known::Not(why.into()),
            Ok(mut sheet) => {
                sheet.newest = dossier.current().map_or(sheet.revision, |it| it.number);
                if let (Some(began), Some(draft)) = (began, draft) {
                    sheet.resume(&began);
                    self.resumed = Some(draft.kept_at);
                }
                self.known = Known::Sheet(Box::new(sheet));
            }
        }
        self.draft = Recalled::Nothing;
        self.focus_on(self.focus);
    }

    fn spot(&self) -> Spot<'_> {
        Spot { environment: &self.key.environment, processor: &self.processor }
    }

    fn focus_on(&mut self, focus: Focus) {
        self.focus = focus;
        self.input = match (focus, self.sheet()) {
            // A list goes on, a number is another one.
            (Focus::Form(field), Some(sheet)) if field.is_topics() => Input::new(sheet.typed.get(field)),
            (Focus::Form(field), Some(sheet)) => Input::selected(sheet.typed.get(field)),
            _ => Input::default(),
        };
        self.offers.clear();
    }

    /// To the next or the previous value; past the last one comes the document.
    fn step(&mut self, back: Back) -> Outcome {
        let place = match self.focus {
            Focus::Form(field) => field as usize,
            Focus::Document => Field::ALL.len(),
        };
        let places = Field::ALL.len() + 1;
        let next = if back == Back::Yes { (place + places - 1) % places } else { (place + 1) % places };
        self.focus_on(Field::ALL.get(next).map_or(Focus::Document, |field| Focus::Form(*field)));
        Outcome::Done
    }

    /// A value of the form was typed.
    fn written(&mut self, world: &World<'_>) -> Outcome {
        let Focus::Form(field) = self.focus else { return Outcome::Ignored };
        let text = self.input.text();
        let Some(sheet) = self.sheet_mut() else { return Outcome::Ignored };
        sheet.write(field, text);
        self.offer(field, world);
        self.keep(world.now)
    }

    /// Topics of the cluster that hold what is typed last.
    fn offer(&mut self, field: Field, world: &World<'_>) {
        self.offers.clear();
        if !field.is_topics() {
            return;
        }
        let text = self.input.text();
        let last = text.rsplit(',').next().unwrap_or_default().trim().to_lowercase();
        let taken: HashSet<String> = tune::topics(&text).into_iter().collect();
        let names = world.inventory.topic_names().get(&self.key.environment).into_iter().flatten();
        let fits = |name: &&Arc<str>| !taken.contains(&***name) && name.to_lowercase().contains(&last);
        self.offers.extend(names.filter(fits).take(OFFERS).cloned());
    }

    fn take_topic(&mut self, world: &World<'_>) -> Option<Outcome> {
        let topic = self.offers.first()?.clone();
        let text = self.input.text();
        let before = text.rfind(',').and_then(|comma| text.get(..=comma)).unwrap_or_default();
        let gap = if before.is_empty() { "" } else { " " };
        self.input = Input::new(&format!("{before}{gap}{topic}"));
        let outcome = self.written(world);
        self.offers.clear();
        Some(outcome)
    }

    /// What is to be kept outside now.
    fn keep(&self, now: Time) -> Outcome {
        let draft = self.sheet().and_then(|sheet| draft::of(sheet, now));
        Outcome::Effect(Effect::Keep(self.path.clone(), draft))
    }

    /// What the editor answered, with a draft of all instead of one of the document.
    fn edited_by(&mut self, now: Time, work: impl FnOnce(&mut EditorScreen) -> Outcome) -> Outcome {
        let Some(sheet) = self.sheet_mut() else { return Outcome::Ignored };
        let outcome = work(&mut sheet.editor);
        sheet.typed.config = sheet.editor.text();
        match outcome {
            Outcome::Effect(Effect::Keep(..)) => self.keep(now),
            other => other,
        }
    }

    /// Takes a document in from the user's own editor.
    pub fn edited(&mut self, text: &str, now: Time) -> Option<Effect> {
        match self.edited_by(now, |editor| Outcome::Effect(editor.edited(text, now))) {
            Outcome::Effect(effect) => Some(effect),
            _ => None,
        }
    }

    /// To what is wrong in the form first, then in the document.
    fn next_problem(&mut self, world: &World<'_>) -> Outcome {
        if let Some(field) = self.sheet().and_then(Sheet::first_wrong)
            && self.focus != Focus::Form(field)
        {
            self.focus_on(Focus::Form(field));
            return Outcome::Done;
        }
        self.focus_on(Focus::Document);
        self.edited_by(world.now, |editor| editor.act(Action::NextProblem, world))
    }

    /// Back to the newest revision, without the draft; what was typed is gone then, so once more has to be pressed.
    fn clear(&mut self) -> Outcome {
        let changes = self.sheet().map_or(0, |sheet| sheet.counts().1);
        if changes > 0 && !self.warned {
            self.warned = true;
            let things = crate::model::human::counted(changes, "change");
            return Outcome::Tell(format!("F4 once more drops your {things}, and the draft of them"));
        }
        self.warned = false;
        let Some(entry) = self.dossier.as_ref().and_then(|it| it.current().cloned()) else { return Outcome::Ignored };
        match Sheet::of(&entry, self.spot()) {
            Ok(sheet) => self.known = Known::Sheet(Box::new(sheet)),
            Err(why) => return Outcome::Tell(why),
        }
        self.resumed = None;
        self.focus_on(self.focus);
        Outcome::Effect(Effect::Keep(self.path.clone(), None))
    }

    /// What was changed here goes over the newest revision, in sight.
    fn rebase(&mut self, world: &World<'_>) -> Outcome {
        let Some(entry) = self.dossier.as_ref().and_then(|it| it.current().cloned()) else { return Outcome::Ignored };
        let Some(sheet) = self.sheet().filter(|sheet| sheet.revision != entry.number) else {
            return Outcome::Say("it begins with the newest revision already");
        };
        match Sheet::of(&entry, self.spot()) {
            Err(why) => Outcome::Tell(why),
            Ok(mut newest) => {
                let began = draft::Began {
                    revision: entry.number,
                    base: newest.base.clone(),
                    typed: sheet.typed.rebased(&sheet.base, &newest.base),
                };
                newest.resume(&began);
                self.known = Known::Sheet(Box::new(newest));
                self.focus_on(self.focus);
                self.keep(world.now)
            }
        }
    }

    fn confirm(&self, world: &World<'_>) -> Outcome {
        let verb = Verb::Apply;
        if let Some(why) = self.dossier.as_ref().and_then(|it| it.reason(verb)) {
            return Outcome::Tell(format!("it cannot be applied: {why}"));
        }
        let Some(sheet) = self.sheet() else { return Outcome::Ignored };
        let (fields, document) = sheet.typed.differs(&sheet.base);
        if fields.is_empty() && !document {
            return Outcome::Say("nothing to apply: it is as it was deployed");
        }
        let errors = sheet.errors();
        if errors > 0 {
            let things = crate::model::human::counted(errors, "error");
            return Outcome::Tell(format!("nothing was sent: {things} first; F3 leads there"));
        }
        let Some(text) = sheet.manifest(self.spot()) else {
            return Outcome::Say("nothing was sent: the manifest cannot be written");
        };
        let ask = Ask::Apply { text: text.into(), base: sheet.revision, draft: Some(self.path.clone()) };
        Outcome::Begin(verbs::intent(&self.key, ask, world))
    }

    fn in_document(&mut self, action: Action, world: &World<'_>) -> Outcome {
        self.focus_on(Focus::Document);
        self.edited_by(world.now, |editor| editor.act(action, world))
    }
}

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Back {
    Yes,
    No,
}

fn unmanaged() -> String {
    "flowdeck did not deploy it: adopt it, or edit it where it is written".to_owned()
}
