//! The terminal: taken when the console starts, given back whatever happens.
//!
//! The guard restores it when dropped, the panic hook before the message is printed, and a suspend
//! before the shell gets the foreground. Frames are written as one synchronized update each, through a
//! buffer, so that an SSH session sees one packet and never half a screen.

use std::cell::Cell;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::clipboard::CopyToClipboard;
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::style::Print;
use crossterm::terminal::{BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen};
use crossterm::{cursor, execute, queue, terminal};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;

/// A frame of a big terminal fits, so that it leaves in one write.
const BUFFER_BYTES: usize = 128 * 1024;

/// Whether the terminal is in our hands, for the panic hook.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Why there is no terminal to draw on.
#[derive(Debug, thiserror::Error)]
pub enum TerminalError {
    /// Input or output is a file or a pipe.
    #[error(
        "the console needs a terminal, and {0} is not one. For output to a file or a pipe use `flowdeck get pipelines`"
    )]
    NotATerminal(&'static str),
    /// The terminal cannot move its cursor.
    #[error(
        "TERM={0} cannot show a full screen. Set TERM to what your terminal is (xterm-256color suits most), or use `flowdeck get pipelines`"
    )]
    Dumb(String),
    /// The operating system refuses.
    #[error("the terminal cannot be set up: {0}")]
    Io(#[from] io::Error),
}

/// Counts what goes to the terminal.
#[derive(Debug)]
pub struct Meter<W> {
    inner: W,
    written: Rc<Cell<u64>>,
}

impl<W: Write> Write for Meter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.written.set(self.written.get() + u64::try_from(written).unwrap_or(0));
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// What the console draws on.
pub type Screen = Terminal<CrosstermBackend<Meter<BufWriter<io::Stdout>>>>;

/// The terminal while it is ours.
#[derive(Debug)]
pub struct Guard {
    screen: Screen,
    written: Rc<Cell<u64>>,
    notices: Notices,
}

/// How attention is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notices {
    /// By the terminal's bell.
    Bell,
    /// Also by a notice on the desktop of whoever sits at the terminal (OSC 9).
    Desktop,
}

/// Letters of a notice on the desktop.
const NOTICE_LETTERS: usize = 200;

/// The sequence that has a terminal show a notice on the desktop; nothing in the text can end it early.
fn desktop_notice(text: &str) -> String {
    let clean: String = text.chars().filter(|letter| !letter.is_control()).take(NOTICE_LETTERS).collect();
    format!("\u{1b}]9;flowdeck: {clean}\u{1b}\\")
}

impl Guard {
    /// Takes the terminal.
    ///
    /// # Errors
    ///
    /// When there is none, or none that can show a full screen.
    pub fn take(notices: Notices) -> Result<Self, TerminalError> {
        if !io::stdin().is_terminal() {
            return Err(TerminalError::NotATerminal("standard input"));
        }
        if !io::stdout().is_terminal() {
            return Err(TerminalError::NotATerminal("standard output"));
        }
        if let Ok(term) = std::env::var("TERM")
            && (term == "dumb" || term.is_empty())
        {
            return Err(TerminalError::Dumb(term));
        }
        restore_on_panic();
        enter()?;
        let written = Rc::new(Cell::new(0));
        let meter = Meter { inner: BufWriter::with_capacity(BUFFER_BYTES, io::stdout()), written: written.clone() };
        let screen = Terminal::new(CrosstermBackend::new(meter))?;
        Ok(Self { screen, written, notices })
    }

    /// Columns and rows.
    ///
    /// # Errors
    ///
    /// When the terminal is gone.
    pub fn size(&self) -> io::Result<(u16, u16)> {
        terminal::size()
    }

    /// Bytes written so far.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written.get()
    }

    /// Draws one frame as one synchronized update; only what differs from the last is sent.
    ///
    /// # Errors
    ///
    /// When the terminal is gone.
    pub fn draw(&mut self, render: impl FnOnce(&mut ratatui::Frame<'_>)) -> io::Result<()> {
        queue!(self.screen.backend_mut(), BeginSynchronizedUpdate)?;
        self.screen.draw(render)?;
        execute!(self.screen.backend_mut(), EndSynchronizedUpdate)
    }

    /// Puts text on the terminal's clipboard, also through SSH (OSC 52).
    ///
    /// # Errors
    ///
    /// When the terminal is gone.
    pub fn copy(&mut self, text: &str) -> io::Result<()> {
        execute!(self.screen.backend_mut(), CopyToClipboard::to_clipboard_from(text))
    }

    /// Rings the bell, and has the desktop say why if that is wanted.
    ///
    /// # Errors
    ///
    /// When the terminal is gone.
    pub fn ring(&mut self, why: &str) -> io::Result<()> {
        let notice = match self.notices {
            Notices::Desktop => desktop_notice(why),
            Notices::Bell => String::new(),
        };
        execute!(self.screen.backend_mut(), Print('\u{7}'), Print(notice))
    }

    /// Has the next frame drawn whole, as after somebody else wrote on the screen.
    ///
    /// # Errors
    ///
    /// When the terminal is gone.
    pub fn redraw(&mut self) -> io::Result<()> {
        let (columns, rows) = terminal::size()?;
        self.screen.resize(ratatui::layout::Rect::new(0, 0, columns, rows))
    }

    /// Gives the terminal to the shell and stops the process until it is continued.
    ///
    /// The whole process group is stopped, as a shell expects of its foreground job: a `cargo run`
    /// around us would otherwise go on waiting in front of it. Where no shell could continue us the kernel
    /// ignores the signal, and the screen just comes back.
    ///
    /// # Errors
    ///
    /// When the terminal is gone.
    pub fn suspend(&mut self) -> io::Result<()> {
        leave();
        rustix::process::kill_current_process_group(rustix::process::Signal::TSTP)?;
        self.resume()
    }

    /// Gives the terminal to another program, until [`Self::resume`].
    pub fn release(&mut self) {
        leave();
    }

    /// Takes the terminal again and has the next frame drawn whole.
    ///
    /// # Errors
    ///
    /// When the terminal is gone.
    pub fn resume(&mut self) -> io::Result<()> {
        enter()?;
        self.redraw()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        leave();
    }
}

fn enter() -> io::Result<()> {
    TAKEN.store(true, Ordering::SeqCst);
    terminal::enable_raw_mode()?;
    execute!(io::stdout(), EnterAlternateScreen, EnableBracketedPaste, cursor::Hide)
}

/// Best effort: the terminal may be gone already, and then there is nobody to tell.
fn leave() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let restored =
        execute!(io::stdout(), EndSynchronizedUpdate, DisableBracketedPaste, LeaveAlternateScreen, cursor::Show);
    let cooked = terminal::disable_raw_mode();
    if let Err(error) = restored.and(cooked) {
        tracing::warn!(%error, "the terminal could not be restored");
    }
}

/// Logs the panic, restores the terminal, then prints the message where it can be read.
///
/// A panic elsewhere than in the thread that draws ends one task and not the screen, so it is only logged.
fn restore_on_panic() {
    let print = std::panic::take_hook();
    let draws = std::thread::current().id();
    std::panic::set_hook(Box::new(move |panic| {
        tracing::error!(%panic, "panic");
        if std::thread::current().id() != draws && TAKEN.load(Ordering::SeqCst) {
            return;
        }
        leave();
        print(panic);
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_cannot_be_ended_by_what_it_says() {
        let notice = desktop_notice("prd: \u{1b}]0;x\u{7}a\u{9c}b\u{1b}\\");
        assert_eq!(notice, "\u{1b}]9;flowdeck: prd: ]0;xab\\\u{1b}\\");
        assert!(desktop_notice(&"x".repeat(10_000)).len() < 250);
    }
}
