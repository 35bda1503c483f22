//! Drawing: state in, cells out. Nothing here changes anything.
//!
//! One file per part of the screen. All text goes through [`text::clean`], all looks come from
//! [`theme::Theme`].

pub mod author;
pub mod canvas;
pub mod change;
pub mod changes;
pub mod chart;
pub mod compose;
pub mod document;
pub mod editor;
pub mod environments;
pub mod events;
pub mod exceptions;
pub mod flow;
pub mod foot;
pub mod groups;
pub mod head;
pub mod help;
pub mod history;
pub mod job;
pub mod logs;
pub mod manage;
pub mod palette;
pub mod pipeline;
pub mod pipelines;
pub mod pod;
pub mod pods;
pub mod route;
pub mod signals;
pub mod standing;
pub mod table;
pub mod text;
pub mod theme;
pub mod title;
pub mod topics;
pub mod tune;
pub mod why;

use ratatui::Frame;
use ratatui::layout::Rect;

use self::canvas::Canvas;
pub use self::theme::{Colours, Theme};
use crate::app::screen::Screen;
use crate::app::{Layer, State, layout};

/// Draws the console.
pub fn draw(state: &State, theme: &Theme, frame: &mut Frame<'_>) {
    let area = frame.area();
    let mut canvas = Canvas { buffer: frame.buffer_mut(), theme };
    if layout::too_small((area.width, area.height)) {
        too_small(&mut canvas, area);
        return;
    }
    // The terminal has just changed its size, and the event that says so is on its way.
    if (area.width, area.height) != state.size() {
        return;
    }
    let body = Rect { height: area.height - 1, ..area };
    match state.layer() {
        Some(Layer::Help(offset)) => help::draw(&mut canvas, body, state, *offset),
        Some(Layer::Palette(palette)) => {
            screen(&mut canvas, body, state);
            palette::draw(&mut canvas, body, palette);
        }
        Some(Layer::Filter(..)) | None => screen(&mut canvas, body, state),
    }
    foot::draw(&mut canvas, Rect { y: area.y + area.height - 1, height: 1, ..area }, state);
}

fn screen(canvas: &mut Canvas<'_>, area: Rect, state: &State) {
    match state.screen() {
        Screen::Pipelines(screen) => pipelines::draw(canvas, area, state, screen),
        Screen::Pipeline(screen) => pipeline::draw(canvas, area, state, screen),
        Screen::Pod(screen) => pod::draw(canvas, area, state, screen),
        Screen::Job(screen) => job::draw(canvas, area, state, screen),
        Screen::Document(screen) => document::draw(canvas, area, state, screen),
        Screen::Logs(screen) => logs::draw(canvas, area, state, screen),
        Screen::Exceptions(screen) => exceptions::draw(canvas, area, state, screen),
        Screen::Topics(screen) => topics::draw(canvas, area, state, screen),
        Screen::Topic(screen) => topics::draw_one(canvas, area, state, screen),
        Screen::Groups(screen) => groups::draw(canvas, area, state, screen),
        Screen::Group(screen) => groups::draw_one(canvas, area, state, screen),
        Screen::Events(screen) => events::draw(canvas, area, state, screen),
        Screen::Environments(screen) => environments::draw(canvas, area, state, screen),
        Screen::Signals(screen) => signals::draw(canvas, area, state, screen),
        Screen::Service(screen) => signals::service::draw(canvas, area, state, screen),
        Screen::Trial(screen) => signals::trial::draw(canvas, area, state, screen),
        Screen::Flows(screen) => signals::pipelines::draw(canvas, area, state, screen),
        Screen::Alerts(screen) => signals::alerts::draw(canvas, area, state, screen),
        Screen::Verbs(screen) => changes::verbs(canvas, area, state, screen),
        Screen::Question(screen) => change::question(canvas, area, state, screen),
        Screen::Change(screen) => change::draw(canvas, area, state, screen),
        Screen::Changes(screen) => changes::draw(canvas, area, state, screen),
        Screen::Route(screen) => route::draw(canvas, area, state, screen),
        Screen::History(screen) => history::draw(canvas, area, state, screen),
        Screen::Compose(screen) => compose::draw(canvas, area, state, screen),
        Screen::Manage(screen) => manage::draw(canvas, area, state, screen),
        Screen::Tune(screen) => tune::draw(canvas, area, state, screen),
        Screen::Editor(screen) => editor::draw(canvas, area, state, screen),
        Screen::Author(screen) => author::draw(canvas, area, state, screen),
    }
}

fn too_small(canvas: &mut Canvas<'_>, area: Rect) {
    let theme = *canvas.theme;
    let (columns, rows) = layout::SMALLEST;
    canvas.write(area, 0, "flowdeck", theme.accent());
    canvas.write(area, 1, &format!("needs {columns}x{rows}"), theme.text());
    canvas.write(area, 2, &format!("this is {}x{}", area.width, area.height), theme.text());
    canvas.write(area, 3, "q quits", theme.dim());
}
