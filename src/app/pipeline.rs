//! One pipeline: its processors as a graph, and the pods of the one that is chosen.

use std::sync::Arc;

use super::compose::ComposeScreen;
use super::document::DocumentScreen;
use super::exceptions::ExceptionsScreen;
use super::flow::{self, FlowLine, Piece};
use super::history::HistoryScreen;
use super::layout::Layout;
use super::logs::{LogScreen, NEVER_RESTARTED};
use super::manage::ManageScreen;
use super::pods::{self, PodRow};
use super::route;
use super::screen::{Cause, Outcome, Part, Screen, World};
use super::table::{Row, Table};
use super::verbs::{self, VerbsScreen};
use crate::action::{Action, Place};
use crate::model::interest::{self, Depth, Interest};
use crate::model::key::{KafkaKey, PipelineKey, ProcessorKey};
use crate::model::log::Target;
use crate::model::view::{self, ProcessorView};
use crate::plan::verb::Verb;

/// The screen.
#[derive(Debug)]
pub struct PipelineScreen {
    /// The pipeline.
    pub key: PipelineKey,
    /// Its processors from source to sink.
    pub processors: Vec<ProcessorView>,
    /// How they hang together.
    pub flow: Vec<FlowLine>,
    /// The pods of the chosen processor.
    pub pods: Table<PodRow>,
    /// Links to other tools: name and address.
    pub links: Vec<(Arc<str>, String)>,
    /// The link whose address is shown, by its number from 0.
    pub shown_link: Option<usize>,
    chosen: Option<ProcessorKey>,
}

/// Lines above the list of pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Lines of the graph.
    pub flow: u16,
    /// Whether there is room for the place, the links and a blank line.
    pub roomy: bool,
}

impl Head {
    const fn lines(self) -> u16 {
        1 + self.flow + if self.roomy { 3 } else { 0 } + 3
    }
}

impl PipelineScreen {
    /// Opens it; the worst processor is chosen.
    #[must_use]
    pub fn new(key: PipelineKey) -> Self {
        Self {
            key,
            processors: Vec::new(),
            flow: Vec::new(),
            pods: Table::default(),
            links: Vec::new(),
            shown_link: None,
            chosen: None,
        }
    }

    /// What stands above the list.
    #[must_use]
    pub fn head(&self, size: (u16, u16)) -> Head {
        let roomy = size.1 >= 20;
        let most = match size.1 {
            40.. => 8,
            20.. => 3,
            _ => 1,
        };
        Head { flow: u16::try_from(self.flow.len()).unwrap_or(most).min(most), roomy }
    }

    /// Lines of the parts.
    #[must_use]
    pub fn layout(&self, size: (u16, u16)) -> Layout {
        let head = self.head(size).lines();
        Layout::with_side(size, head, Layout::explanation_below(size.1, head, self.pods.rows().len()))
    }

    /// The chosen processor.
    #[must_use]
    pub fn processor(&self) -> Option<&ProcessorView> {
        let chosen = self.chosen.as_ref()?;
        self.processors.iter().find(|view| view.key == *chosen)
    }

    fn processor_name(&self) -> Option<Arc<str>> {
        self.chosen.as_ref().map(|key| key.name.clone())
    }

    /// Its number.
    #[must_use]
    pub fn chosen(&self) -> Option<usize> {
        let chosen = self.chosen.as_ref()?;
        self.processors.iter().position(|view| view.key == *chosen)
    }

    fn look(&mut self, world: &World<'_>) -> bool {
        let members = world.inventory.processors_of(&self.key);
        let views: Vec<ProcessorView> =
            members.filter_map(|(key, _)| view::processor(world.inventory, key, world.now)).collect();
        let views = in_order(views);
        let mut changed = views != self.processors;
        self.processors = views;
        if self.processor().is_none() {
            let worst = self.processors.iter().min_by_key(|view| view.verdict.condition);
            self.chosen = worst.map(|view| view.key.clone());
        }
        self.flow = flow::lines(&self.processors);
        let links = self.linked(world);
        changed |= links != self.links;
        self.links = links;
        self.look_at_pods(world) || changed
    }

    fn look_at_pods(&mut self, world: &World<'_>) -> bool {
        let rows = match &self.chosen {
            Some(key) => pods::rows(world.inventory, key, self.pods.rows(), world.now),
            None => Vec::new(),
        };
        let changed = self.pods.set_rows(rows);
        let layout = self.layout(world.size);
        self.pods.fit(layout.width, layout.list());
        changed
    }

    fn linked(&self, world: &World<'_>) -> Vec<(Arc<str>, String)> {
        let processor = self.chosen.as_ref().map_or(&self.key.name, |key| &key.name);
        let environment = world.inventory.environment(&self.key.environment);
        let templates = environment.into_iter().flat_map(|it| &it.links).take(9);
        templates
            .map(|(name, template)| {
                let parts = [
                    ("environment", &self.key.environment),
                    ("namespace", &self.key.namespace),
                    ("pipeline", &self.key.name),
                    ("processor", processor),
                ];
                let filled =
                    |text: String, (part, value): (&str, &Arc<str>)| text.replace(&format!("{{{part}}}"), value);
                let address = parts.into_iter().fold(template.to_string(), filled);
                (name.clone(), address)
            })
            .collect()
    }

    /// Chooses the processor so many places further on.
    fn choose(&mut self, step: isize, world: &World<'_>) -> Outcome {
        let count = self.processors.len();
        let Some(now) = self.chosen().filter(|_| count > 1) else { return Outcome::Ignored };
        let next = now.checked_add_signed(step).map_or(count - 1, |next| next % count);
        self.chosen = self.processors.get(next).map(|view| view.key.clone());
        self.shown_link = None;
        self.pods = Table::default();
        self.links = self.linked(world);
        self.look_at_pods(world);
        Outcome::Done
    }

    fn show_link(&mut self, number: usize) -> Outcome {
        if number >= self.links.len() {
            return Outcome::Ignored;
        }
        self.shown_link = Some(number);
        Outcome::Done
    }

    fn copied(&self) -> Outcome {
        let link = self.shown_link.and_then(|number| self.links.get(number)).map(|(_, address)| address.clone());
        let pod = || self.pods.selected().map(|row| row.view.pod.key.name.to_string());
        link.or_else(pod).map_or(Outcome::Ignored, Outcome::Copy)
    }
}

/// Processors from source to sink, as the graph shows them.
fn in_order(views: Vec<ProcessorView>) -> Vec<ProcessorView> {
    let lines = flow::lines(&views);
    let mut places: Vec<usize> = Vec::new();
    for piece in lines.iter().flat_map(|line| &line.pieces) {
        if let Piece::Processor(index) = piece {
            places.push(*index);
        }
    }
    let mut ordered: Vec<(usize, ProcessorView)> = views
        .into_iter()
        .enumerate()
        .map(|(index, view)| (places.iter().position(|place| *place == index).unwrap_or(usize::MAX), view))
        .collect();
    ordered.sort_by_key(|(place, _)| *place);
    ordered.into_iter().map(|(_, view)| view).collect()
}

impl Part for PipelineScreen {
    fn place(&self) -> Place {
        Place::Pipeline
    }

    fn refresh(&mut self, world: &World<'_>, cause: &Cause<'_>) -> bool {
        match cause {
            Cause::Changed(touched)
                if !touched.pipelines.contains(&self.key)
                    && !touched.usage
                    && !touched.kafka
                    && !touched.environments =>
            {
                false
            }
            _ => self.look(world),
        }
    }

    fn act(&mut self, action: Action, world: &World<'_>) -> Outcome {
        match action {
            Action::NextPart => self.choose(1, world),
            Action::PreviousPart => self.choose(-1, world),
            Action::Open => {
                self.pods.pin();
                self.pods.selected().map_or(Outcome::Ignored, |row| Outcome::open(Screen::pod(row.key())))
            }
            Action::Job => self.chosen.clone().map_or(Outcome::Ignored, |key| Outcome::open(Screen::job(key))),
            Action::Log => match &self.chosen {
                Some(key) => Outcome::open(LogScreen::open(Target::Processor(key.clone()), "", world.now)),
                None => Outcome::Ignored,
            },
            Action::Verbs => Outcome::open(VerbsScreen::open(self.key.clone(), self.processor_name())),
            Action::History => Outcome::open(HistoryScreen::open(self.key.clone())),
            Action::Compose => Outcome::open(ComposeScreen::open(self.key.clone())),
            Action::Manage => Outcome::open(ManageScreen::open(self.key.clone())),
            Action::Edit => verbs::begin(&self.key, self.processor_name().as_deref(), Verb::Apply, world),
            Action::Do(verb) => verbs::begin(&self.key, self.processor_name().as_deref(), verb, world),
            Action::Exceptions => Outcome::open(ExceptionsScreen::open(Target::Pipeline(self.key.clone()))),
            Action::PreviousLog => match self.pods.selected().map(|row| &row.view.pod) {
                None => Outcome::Ignored,
                Some(pod) if pod.restarts == 0 => Outcome::Say(NEVER_RESTARTED),
                Some(pod) => Outcome::open(LogScreen::open(Target::Previous(pod.key.clone(), None), "", world.now)),
            },
            Action::Yaml => match self.pods.selected() {
                Some(row) => Outcome::open(DocumentScreen::yaml(&row.view.pod)),
                None => Outcome::Ignored,
            },
            Action::ShowLink(number) => self.show_link(usize::from(number).saturating_sub(1)),
            Action::ShowAgain => self.show_link(self.shown_link.unwrap_or(0)),
            Action::Back if self.shown_link.is_some() => {
                self.shown_link = None;
                Outcome::Done
            }
            Action::Router => route::open_for(world, &self.key),
            Action::Copy => self.copied(),
            other => {
                let moved = self.pods.act(other);
                if moved {
                    self.shown_link = None;
                }
                Outcome::moved(moved)
            }
        }
    }

    fn offers(&self, action: Action, world: &World<'_>) -> bool {
        match action {
            Action::Router => route::of_pipeline(world, &self.key).is_some(),
            Action::NextPart | Action::PreviousPart => self.processors.len() > 1,
            Action::ShowLink(number) => usize::from(number) <= self.links.len(),
            Action::ShowAgain => !self.links.is_empty(),
            Action::Job | Action::Log => self.chosen.is_some(),
            Action::PreviousLog => self.pods.selected().is_some_and(|row| row.view.pod.restarts > 0),
            Action::Open | Action::Yaml | Action::Copy => self.pods.selected().is_some(),
            _ => true,
        }
    }

    fn interest(&self, world: &World<'_>, interest: &mut Interest) {
        let chosen = self.chosen.iter();
        let others = self.processors.iter().map(|view| &view.key).filter(|key| Some(*key) != self.chosen.as_ref());
        for key in chosen.chain(others) {
            let depth = if Some(key) == self.chosen.as_ref() { Depth::Detail } else { Depth::Summary };
            interest.jobs.extend(interest::job_interest(world.inventory, key, depth));
            match interest::group_interest(world.inventory, key, true) {
                Some(group) => {
                    interest.groups.insert(group);
                }
                None => {
                    interest.kafka_names.insert(key.environment.clone());
                }
            }
        }
        if let Some(view) = self.processor() {
            interest.accounts.insert(view.key.sibling(view.service_account.clone()));
            let topics = view.inputs.iter().chain(&view.outputs);
            interest.topics.extend(topics.map(|topic| KafkaKey::new(view.key.environment.clone(), topic.clone())));
        }
        interest.usage.insert(self.key.environment.clone());
    }

    fn filter(&self) -> &str {
        self.pods.filter()
    }

    fn rows_shown(&self) -> usize {
        self.pods.counts().0
    }

    fn set_filter(&mut self, filter: &str) {
        self.pods.set_filter(filter);
    }
}
