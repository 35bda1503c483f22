//! A console without a terminal: events go in, the screen comes out as text.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use flowdeck::app::editor::EditorScreen;
use flowdeck::app::{Effect, Options, State, update};
use flowdeck::event::{Draft, Event};
use flowdeck::keymap::Chord;
use flowdeck::model::change::Change;
use flowdeck::model::manifest::Judgement;
use flowdeck::ui::{self, Colours, Theme};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;

use super::world;

pub struct Bench {
    pub state: State,
    pub effects: Vec<Effect>,
    pub theme: Theme,
}

impl Bench {
    pub fn new(columns: u16, rows: u16) -> Self {
        let state = State::new(Options { now: world::now(), size: (columns, rows) });
        Self { state, effects: Vec::new(), theme: Theme::new(Colours::Full, false) }
    }

    /// A console that writes a text.
    pub fn editing(path: &str, text: &str, draft: Option<Draft>) -> Self {
        let options = Options { now: world::now(), size: (80, 24) };
        let path = std::sync::Arc::from(std::path::Path::new(path));
        let editor = EditorScreen::new(path, Some(text.into()), draft, Judgement::default());
        Self { state: State::editing(options, editor), ..Self::new(80, 24) }
    }

    pub fn ascii(mut self) -> Self {
        self.theme = Theme::new(Colours::None, true);
        self
    }

    pub fn send(mut self, event: Event) -> Self {
        self.effects.extend(update(&mut self.state, event));
        self
    }

    pub fn apply(self, changes: Vec<Change>) -> Self {
        self.send(Event::Changed(changes))
    }

    /// Presses keys, written as in the table of actions and separated by spaces.
    pub fn press(mut self, keys: &str) -> Self {
        for key in keys.split(' ').filter(|key| !key.is_empty()) {
            self = self.send(Event::Key(event_of(key)));
        }
        self
    }

    /// Types letters.
    pub fn typed(mut self, text: &str) -> Self {
        for letter in text.chars() {
            self = self.send(Event::Key(KeyEvent::new(KeyCode::Char(letter), KeyModifiers::NONE)));
        }
        self
    }

    pub fn buffer(&self) -> Buffer {
        let (columns, rows) = self.state.size();
        let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
        terminal.draw(|frame| ui::draw(&self.state, &self.theme, frame)).unwrap();
        terminal.backend().buffer().clone()
    }

    pub fn screen(&self) -> String {
        let buffer = self.buffer();
        let columns = usize::from(buffer.area.width).max(1);
        let lines: Vec<String> = buffer
            .content
            .chunks(columns)
            .map(|line| line.iter().map(ratatui::buffer::Cell::symbol).collect::<String>().trim_end().to_owned())
            .collect();
        lines.join("\n")
    }
}

fn event_of(key: &str) -> KeyEvent {
    let chord = Chord::parse(key).unwrap_or_else(|| panic!("{key} is no key"));
    chord.event()
}
