//! A password from a command, so that it need not be in a file.
//!
//! The command runs without a terminal and within a limit of time, before any screen is drawn. Its output is
//! the secret: only its exit status and its standard error are ever shown.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::properties::PropertiesError;

/// Longest time that the command may take: a vault over a slow line, not a person at a prompt.
const LIMIT: Duration = Duration::from_secs(15);

/// First line of the command's standard output.
pub(super) fn from_command(command: &[String]) -> Result<String, PropertiesError> {
    let (program, arguments) = command.split_first().ok_or_else(|| PropertiesError::Password {
        program: String::new(),
        reason: "is empty: name a program and its arguments, or leave it away".to_owned(),
    })?;
    let failed = |reason: String| PropertiesError::Password { program: program.clone(), reason };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| failed(format!("does not start: {error}")))?;
    // Both pipes are read by threads of their own, because a full pipe would stop the command for ever.
    let output = drain(child.stdout.take());
    let complaint = drain(child.stderr.take());
    let status = wait(&mut child).map_err(&failed)?;
    let output = output.join().unwrap_or_default();
    let complaint = complaint.join().unwrap_or_default();
    if !status.success() {
        let complaint = complaint.lines().next().unwrap_or_default().to_owned();
        return Err(failed(format!("failed ({status}): {complaint}")));
    }
    match output.lines().next() {
        Some(line) if !line.is_empty() => Ok(line.to_owned()),
        _ => Err(failed("printed nothing".to_owned())),
    }
}

fn drain(pipe: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(pipe) = pipe
            && let Err(error) = pipe.take(64 * 1024).read_to_end(&mut bytes)
        {
            tracing::debug!(%error, "password command's output ended early");
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn wait(child: &mut Child) -> Result<std::process::ExitStatus, String> {
    let begun = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) if begun.elapsed() < LIMIT => std::thread::sleep(Duration::from_millis(10)),
            Ok(None) => {
                if let Err(error) = child.kill() {
                    tracing::debug!(%error, "password command could not be stopped");
                }
                return Err(format!("did not end within {} s", LIMIT.as_secs()));
            }
            Err(error) => return Err(format!("cannot be waited for: {error}")),
        }
    }
}
