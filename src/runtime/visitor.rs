//! The user's pager or editor, which has the terminal for a while.
//!
//! It runs beside the loop and not in it: what happens meanwhile is taken in, so that alerts go out and no queue fills.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use tokio::process::{Child, Command};

/// What the shell says when there is no such command.
const NOT_FOUND: i32 = 127;

/// A program with a text of ours, which goes when it does.
#[derive(Debug)]
pub struct Visitor {
    child: Child,
    command: String,
    file: TextFile,
}

#[derive(Debug)]
struct TextFile(PathBuf);

impl Visitor {
    /// Starts the command that the first of some variables names, with a text in a file that only the user may read.
    ///
    /// # Errors
    ///
    /// When there is no place for the text, or no shell.
    pub fn start(variables: &[&str], otherwise: &str, text: &str, suffix: &str) -> io::Result<Self> {
        let set = |name: &&str| std::env::var(name).ok().filter(|command| !command.trim().is_empty());
        let command = variables.iter().find_map(set).unwrap_or_else(|| otherwise.to_owned());
        let path = std::env::temp_dir().join(format!("flowdeck-text-{}{suffix}", std::process::id()));
        let mut opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        let file = TextFile(path);
        opened.write_all(text.as_bytes())?;
        // As every program does it: the variable may hold arguments.
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("{command} \"$1\"")).arg("sh").arg(&file.0).kill_on_drop(true);
        Ok(Self { child: shell.spawn()?, command, file })
    }

    /// Waits until it ends; may be given up and called again.
    ///
    /// # Errors
    ///
    /// When there is no such command.
    pub async fn ended(&mut self) -> io::Result<()> {
        match self.child.wait().await?.code() {
            Some(NOT_FOUND) => Err(io::Error::other(format!("{} was not found", self.command))),
            _ => Ok(()),
        }
    }

    /// What the text is now.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or is not UTF-8.
    pub fn text(&self) -> io::Result<String> {
        std::fs::read_to_string(&self.file.0)
    }
}

impl Drop for TextFile {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            tracing::warn!(%error, path = %self.0.display(), "a text could not be taken away");
        }
    }
}
