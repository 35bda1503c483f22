//! Drawing: state in, cells out. Nothing here changes anything.
//!
//! One file per part of the screen. All text goes through [`text::clean`], all looks come from
//! [`theme::Theme`].

pub mod canvas;
pub mod foot;
pub mod head;
pub mod pipelines;
pub mod standing;
pub mod table;
pub mod text;
pub mod theme;
pub mod why;

use ratatui::Frame;
use ratatui::layout::Rect;

use self::canvas::Canvas;
pub use self::theme::{Colours, Theme};
use crate::app::screen::Screen;
use crate::app::{State, layout};

/// Draws the console.
pub fn draw(state: &State, theme: &Theme, frame: &mut Frame<'_>) {
    let area = frame.area();
    let mut canvas = Canvas { buffer: frame.buffer_mut(), theme };
    if layout::too_small((area.width, area.height)) {
        too_small(&mut canvas, area);
        return;
    }
    let body = Rect { height: area.height - 1, ..area };
    match state.screen() {
        Screen::Pipelines(screen) => pipelines::draw(&mut canvas, body, state, screen),
    }
    foot::draw(&mut canvas, Rect { y: area.y + area.height - 1, height: 1, ..area }, state);
}

fn too_small(canvas: &mut Canvas<'_>, area: Rect) {
    let theme = *canvas.theme;
    let (columns, rows) = layout::SMALLEST;
    canvas.write(area, 0, "flowdeck", theme.accent());
    canvas.write(area, 1, &format!("needs {columns}x{rows}"), theme.text());
    canvas.write(area, 2, &format!("this is {}x{}", area.width, area.height), theme.text());
    canvas.write(area, 3, "q quits", theme.dim());
}
