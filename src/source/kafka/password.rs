//! A password from a command, so that it need not be in a file.
//!
//! The command runs within a limit of time, without an input, and as a job in the background: the screen may be drawn
//! already, and a command that wants to ask a person there is stopped by the terminal, and then ended here. Its output
//! is the secret: only its exit status and its standard error are ever shown.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::properties::PropertiesError;

/// Longest time that the command may take: a vault over a slow line, not a person at a prompt.
const LIMIT: Duration = Duration::from_secs(15);
/// Longest wait for the last words of a command that has ended.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Bytes of a line that are read.
const LONGEST_LINE: u64 = 64 * 1024;

/// First line of the command's standard output.
pub(super) fn from_command(command: &[String]) -> Result<String, PropertiesError> {
    within(LIMIT, command)
}

fn within(limit: Duration, command: &[String]) -> Result<String, PropertiesError> {
    let (program, arguments) = command.split_first().ok_or_else(|| PropertiesError::Password {
        program: String::new(),
        reason: "is empty: name a program and its arguments, or leave it away".to_owned(),
    })?;
    let failed = |reason: String| PropertiesError::Password { program: program.clone(), reason };
    let mut child = Command::new(program)
        .args(arguments)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| failed(format!("does not start: {error}")))?;
    let output = first_line(child.stdout.take());
    let complaint = first_line(child.stderr.take());
    let status = wait(&mut child, limit).map_err(|reason| {
        end(&mut child);
        failed(reason)
    })?;
    // What the command has started may hold the pipes open for as long as it likes.
    let line = |pipe: &Receiver<String>| pipe.recv_timeout(LAST_WORDS).unwrap_or_default();
    if !status.success() {
        return Err(failed(format!("failed ({status}): {}", line(&complaint))));
    }
    Some(line(&output)).filter(|line| !line.is_empty()).ok_or_else(|| failed("printed nothing".to_owned()))
}

/// The first line that comes out of a pipe. It is read to its end all the same, by a thread of its own, because a full
/// pipe would stop the command for ever.
fn first_line(pipe: Option<impl Read + Send + 'static>) -> Receiver<String> {
    let (sender, line) = mpsc::channel();
    std::thread::spawn(move || {
        let Some(pipe) = pipe else { return };
        let mut pipe = BufReader::new(pipe);
        let mut bytes = Vec::new();
        let read = pipe.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut bytes);
        let text = String::from_utf8_lossy(&bytes);
        if sender.send(text.lines().next().unwrap_or_default().to_owned()).is_err() {
            tracing::debug!("nobody waits for the password command any more");
        }
        if let Err(error) = read.and_then(|_| std::io::copy(&mut pipe, &mut std::io::sink())) {
            tracing::debug!(%error, "password command's output ended early");
        }
    });
    line
}

fn wait(child: &mut Child, limit: Duration) -> Result<ExitStatus, String> {
    let begun = Instant::now();
    let stopped = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) => {}
            Err(error) => return Err(format!("cannot be waited for: {error}")),
        }
        if matches!(waitid(WaitId::Pid(Pid::from_child(child)), stopped), Ok(Some(_))) {
            return Err("wants to ask at the terminal: it must give the password without".to_owned());
        }
        if begun.elapsed() >= limit {
            return Err(format!("did not end within {} s", limit.as_secs()));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Ends a command and what it has started, and takes its status, so that it leaves nothing behind.
fn end(child: &mut Child) {
    if let Err(error) = kill_process_group(Pid::from_child(child), Signal::KILL) {
        tracing::debug!(%error, "password command could not be stopped");
    }
    if let Err(error) = child.wait() {
        tracing::debug!(%error, "password command could not be waited for");
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::test_kill_process;

    use super::*;

    fn shell(script: &str, argument: &str) -> Vec<String> {
        ["sh", "-c", script, "sh", argument].map(str::to_owned).to_vec()
    }

    #[test]
    fn what_a_command_leaves_running_is_not_waited_for() {
        let begun = Instant::now();
        let password = from_command(&shell("echo sesame; echo more; sleep 30 & exit 0", "")).unwrap();
        assert_eq!(password, "sesame");
        assert!(begun.elapsed() < LIMIT, "{:?}", begun.elapsed());
    }

    #[test]
    fn a_command_that_does_not_end_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("processes");
        let script = "sleep 60 & echo $$ $! > $1; wait";
        let error = within(Duration::from_secs(3), &shell(script, &file.display().to_string())).unwrap_err();
        assert!(error.to_string().contains("did not end within 3 s"), "{error}");
        let processes = std::fs::read_to_string(&file).unwrap();
        let own: i32 = processes.split_whitespace().next().unwrap().parse().unwrap();
        let gone = |process: i32| test_kill_process(Pid::from_raw(process).unwrap()).is_err();
        assert!(gone(own), "not even an entry in the table of processes");
    }

    #[test]
    fn a_command_that_is_stopped_is_not_waited_for() {
        let begun = Instant::now();
        // What the terminal does to a job in the background that reads from it.
        let error = from_command(&shell("kill -STOP $$; echo late", "")).unwrap_err();
        assert!(error.to_string().contains("wants to ask at the terminal"), "{error}");
        assert!(begun.elapsed() < LIMIT, "{:?}", begun.elapsed());
    }

    #[test]
    fn a_command_runs_in_the_background() {
        let script = "read -r _ _ _ _ group _ < /proc/self/stat; test $group = $$ && echo own";
        assert_eq!(from_command(&shell(script, "")).unwrap(), "own");
    }
}
