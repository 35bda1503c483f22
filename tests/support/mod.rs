//! Drives the built `flowdeck` as a person does: in a pseudo-terminal, by keys, reading the screen.
//!
//! Nothing here sleeps: every wait is for text on the screen or for the process to end, with a deadline.

#![allow(dead_code, reason = "each test file uses its part")]

use std::io::{Read, Write};
use std::num::NonZero;
use std::process::{Child, ExitStatus};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use pty_process::Size;
use pty_process::blocking::{Command, Pty};

/// How long a wait lasts before it is a failure.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The built binary.
pub const FLOWDECK: &str = env!("CARGO_BIN_EXE_flowdeck");

/// `flowdeck` on a terminal.
pub struct Console {
    child: Child,
    pty: std::sync::Arc<Pty>,
    output: Receiver<Vec<u8>>,
    parser: vt100::Parser,
    /// All bytes that it sent so far.
    pub sent: Vec<u8>,
    started: Instant,
}

impl Console {
    /// Starts `flowdeck` with arguments and variables on a terminal of a size.
    pub fn start(arguments: &[&str], variables: &[(&str, &str)], columns: u16, rows: u16) -> Self {
        Self::run(FLOWDECK, arguments, variables, (columns, rows))
    }

    /// Starts any program on a terminal of a size in columns and rows.
    pub fn run(program: &str, arguments: &[&str], variables: &[(&str, &str)], (columns, rows): (u16, u16)) -> Self {
        let (pty, pts) = pty_process::blocking::open().unwrap();
        pty.resize(Size::new(rows, columns)).unwrap();
        let mut command = Command::new(program).args(arguments).env("TERM", "xterm-256color").env("LANG", "C.UTF-8");
        command = command.env_remove("NO_COLOR").env_remove("COLORTERM").env_remove("KUBECONFIG");
        for (name, value) in variables {
            command = command.env(name, value);
        }
        let started = Instant::now();
        let child = command.spawn(pts).unwrap();
        let pty = std::sync::Arc::new(pty);
        let (sender, output) = mpsc::channel();
        let reader = pty.clone();
        std::thread::spawn(move || {
            let mut buffer = vec![0_u8; 65_536];
            while let Ok(count) = (&*reader).read(&mut buffer) {
                if count == 0 || sender.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        let size = |number: u16| NonZero::new(number).unwrap();
        let parser = vt100::Parser::new(size(rows), size(columns), 0);
        Self { child, pty, output, parser, sent: Vec::new(), started }
    }

    /// Presses keys: text as it is, or control bytes.
    pub fn press(&self, keys: &str) {
        (&*self.pty).write_all(keys.as_bytes()).unwrap();
    }

    /// Changes the size of the terminal.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        self.parser.screen_mut().set_size(NonZero::new(rows).unwrap(), NonZero::new(columns).unwrap());
        self.pty.resize(Size::new(rows, columns)).unwrap();
    }

    /// What is on the screen now.
    pub fn screen(&self) -> String {
        self.parser.screen().contents()
    }

    /// The terminal's own view.
    pub fn terminal(&self) -> &vt100::Screen {
        self.parser.screen()
    }

    /// Time since the process was started.
    pub fn since_start(&self) -> Duration {
        self.started.elapsed()
    }

    /// The process id.
    pub fn id(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    /// Waits until the screen holds; answers how long that took.
    pub fn until(&mut self, what: &str, holds: impl Fn(&str) -> bool) -> Duration {
        self.until_within(PATIENCE, what, holds)
    }

    /// The same with a deadline of one's own.
    pub fn until_within(&mut self, patience: Duration, what: &str, holds: impl Fn(&str) -> bool) -> Duration {
        let begun = Instant::now();
        loop {
            if holds(&self.screen()) {
                return begun.elapsed();
            }
            let left = patience.checked_sub(begun.elapsed()).unwrap_or_default();
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.take(&bytes),
                Err(error) => {
                    let ended = self.child.try_wait().unwrap().map(|status| format!(" and it ended: {status}"));
                    // A panic message may have scrolled off a tiny screen.
                    let last =
                        String::from_utf8_lossy(&self.sent[self.sent.len().saturating_sub(6_000)..]).into_owned();
                    let ended = ended.map(|ended| format!("{ended}, saying {last}")).unwrap_or_default();
                    panic!("waited {patience:?} for {what} ({error}){ended}; the screen is:\n{}", self.screen())
                }
            }
        }
    }

    /// Waits for text.
    pub fn sees(&mut self, text: &str) -> Duration {
        self.until(&format!("{text:?}"), |screen| screen.contains(text))
    }

    /// Waits for text to go.
    pub fn sees_no(&mut self, text: &str) -> Duration {
        self.until(&format!("no {text:?}"), |screen| !screen.contains(text))
    }

    /// Takes in what was sent for a while, without waiting for anything in particular.
    pub fn watch(&mut self, span: Duration) -> u64 {
        let (begun, before) = (Instant::now(), self.sent.len());
        while let Ok(bytes) = self.output.recv_timeout(span.checked_sub(begun.elapsed()).unwrap_or_default()) {
            self.take(&bytes);
        }
        u64::try_from(self.sent.len() - before).unwrap()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let id = rustix::process::Pid::from_raw(self.id()).unwrap();
        rustix::process::kill_process(id, signal).unwrap();
    }

    /// Waits for the process to end and takes in what it still sent.
    pub fn ends(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                while let Ok(bytes) = self.output.recv_timeout(Duration::from_millis(200)) {
                    self.take(&bytes);
                }
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "it did not end; the screen is:\n{}", self.screen());
            if let Ok(bytes) = self.output.recv_timeout(Duration::from_millis(20)) {
                self.take(&bytes);
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.parser.process(bytes);
        self.sent.extend_from_slice(bytes);
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
