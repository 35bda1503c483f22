//! The binary on a terminal: it starts, keeps to the size, ends, and always gives the terminal back.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use support::{Console, FLOWDECK};

/// A kubeconfig that leads nowhere: port 1 refuses.
fn nowhere() -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kubeconfig");
    let text = "apiVersion: v1\nkind: Config\ncurrent-context: nowhere\nclusters:\n- {name: n, cluster: {server: 'http://127.0.0.1:1'}}\n\
                users:\n- {name: u, user: {token: t}}\ncontexts:\n- {name: nowhere, context: {cluster: n, user: u}}\n";
    std::fs::write(&path, text).unwrap();
    let path = path.to_string_lossy().into_owned();
    (directory, path)
}

fn console(columns: u16, rows: u16) -> (tempfile::TempDir, Console) {
    let (directory, kubeconfig) = nowhere();
    let home = directory.path().to_string_lossy().into_owned();
    let console = Console::start(&["--kubeconfig", &kubeconfig], &[("HOME", &home)], columns, rows);
    (directory, console)
}

#[test]
fn the_first_frame_comes_from_nothing_and_q_gives_the_terminal_back() {
    let (_directory, mut console) = console(80, 24);
    console.sees("flowdeck");
    assert!(console.terminal().alternate_screen() && console.terminal().hide_cursor());
    console.press("q");
    assert!(console.ends().success());
    assert!(!console.terminal().alternate_screen() && !console.terminal().hide_cursor());
    assert!(!console.terminal().bracketed_paste());
}

#[test]
fn a_dead_api_server_is_named_and_keys_answer() {
    let (_directory, mut console) = console(80, 24);
    console.until("the dead server is named", |screen| screen.contains("refused") || screen.contains("down"));
    console.press("?");
    console.sees("help: pipelines");
    console.press("\x1b");
    // An escape with a byte right behind it would be another key.
    console.sees_no("help: pipelines");
    console.press("\x03");
    assert!(console.ends().success());
}

#[test]
fn signals_restore_the_terminal_and_the_exit_code_says_which() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 129), (Signal::INT, 130)] {
        let (_directory, mut console) = console(80, 24);
        console.sees("flowdeck");
        console.signal(signal);
        let status = console.ends();
        assert_eq!((status.code(), status.signal()), (Some(code), None));
        assert!(!console.terminal().alternate_screen(), "{signal:?}");
    }
}

#[test]
fn suspended_it_gives_the_terminal_to_the_shell_and_comes_back_with_a_whole_frame() {
    let (directory, kubeconfig) = nowhere();
    let home = directory.path().to_string_lossy().into_owned();
    let variables = [("HOME", home.as_str()), ("PS1", "shell> ")];
    let mut shell = Console::run("bash", &["--norc", "--noprofile", "-i"], &variables, (100, 30));
    shell.sees("shell>");
    shell.press(&format!("{FLOWDECK} --kubeconfig {kubeconfig}\r"));
    shell.until("the console", |screen| screen.starts_with(" flowdeck "));
    for round in 1..=2 {
        shell.press("\x1a");
        // What the shell said the first time is on its screen again before it speaks the second time.
        shell.until("the shell", |screen| screen.matches("Stopped").count() == round);
        assert!(!shell.terminal().alternate_screen() && !shell.terminal().hide_cursor());
        shell.press("echo the shell $((20 + 22)) answers\r");
        shell.sees("the shell 42 answers");
        shell.press("fg\r");
        shell.until("the console again", |screen| screen.starts_with(" flowdeck "));
        assert!(shell.terminal().alternate_screen());
    }
    shell.press("q");
    shell.sees("shell>");
    shell.press("echo ended with $?\r");
    shell.sees("ended with 0");
}

#[test]
fn without_a_shell_to_continue_it_a_suspend_changes_nothing() {
    let (_directory, mut console) = console(80, 24);
    console.sees("flowdeck");
    console.press("\x1a");
    console.press("?");
    console.sees("help: pipelines");
    assert!(console.terminal().alternate_screen());
}

#[test]
fn a_storm_of_sizes_ends_in_the_last_one() {
    let (_directory, mut console) = console(80, 24);
    console.sees("flowdeck");
    for step in 0..200_u16 {
        console.resize(1 + step * 7 % 200, 1 + step * 13 % 60);
    }
    console.resize(1, 1);
    console.watch(Duration::from_millis(100));
    console.resize(120, 40);
    console.until("the header at 120x40", |screen| screen.lines().next().is_some_and(|line| line.contains("flowdeck")));
    console.press("q");
    assert!(console.ends().success());
}

#[test]
fn without_a_terminal_it_says_what_to_use_instead() {
    let (directory, kubeconfig) = nowhere();
    let output = Command::new(FLOWDECK)
        .args(["--kubeconfig", &kubeconfig])
        .env("HOME", directory.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(words.contains("needs a terminal") && words.contains("flowdeck get pipelines"), "{words}");
}

#[test]
fn a_dumb_terminal_is_refused_with_a_sentence() {
    let (_directory, kubeconfig) = nowhere();
    let mut console = Console::start(&["--kubeconfig", &kubeconfig], &[("TERM", "dumb")], 80, 24);
    let status = console.ends();
    assert_eq!(status.code(), Some(2));
    assert!(console.screen().contains("TERM=dumb cannot show a full screen"), "{}", console.screen());
}

#[test]
fn colours_and_glyphs_follow_the_environment() {
    let (_directory, kubeconfig) = nowhere();
    let arguments = ["--kubeconfig", kubeconfig.as_str(), "--ascii"];
    let mut console = Console::start(&arguments, &[("NO_COLOR", "1")], 80, 24);
    console.sees("flowdeck");
    console.watch(Duration::from_millis(300));
    assert!(console.screen().is_ascii(), "{}", console.screen());
    let coloured = (30..=37).chain(90..=97).any(|colour| {
        let sent = String::from_utf8_lossy(&console.sent);
        sent.contains(&format!("\x1b[{colour}m")) || sent.contains("\x1b[38;")
    });
    assert!(!coloured);
}

#[test]
fn a_key_is_on_screen_before_the_clock_ticks() {
    let (_directory, mut console) = console(80, 24);
    console.sees("flowdeck");
    console.watch(Duration::from_millis(500));
    let mut slowest = Duration::ZERO;
    for _ in 0..20 {
        console.press("?");
        slowest = slowest.max(console.sees("help: pipelines"));
        console.press("\x1b");
        slowest = slowest.max(console.sees_no("help: pipelines"));
    }
    // Far below the tick of the clock, which would hide a frame that waits for it.
    assert!(slowest < Duration::from_millis(150), "{slowest:?}");
}

#[test]
fn what_was_typed_survives_a_kill_and_is_saved_once_asked() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().to_string_lossy().into_owned();
    let file = directory.path().join("tuned.json");
    std::fs::write(&file, "{}\n").unwrap();
    let path = file.to_string_lossy().into_owned();
    let start = || Console::start(&["edit", &path], &[("HOME", &home), ("XDG_STATE_HOME", &home)], 80, 24);
    let mut console = start();
    console.sees("1   {}");
    console.press("\x1b[C\"flink\": {}");
    console.sees("{\"flink\": {}}");
    // The draft is on the disk soon after the letter is on the screen.
    let drafts = directory.path().join("flowdeck/drafts");
    // A name with a dot in front is still being written.
    let is_whole = |path: &std::path::Path| !path.file_name().unwrap().to_string_lossy().starts_with('.');
    let kept = || {
        let mut paths = std::fs::read_dir(&drafts).ok()?.map(|entry| entry.unwrap().path());
        std::fs::read_to_string(paths.find(|path| is_whole(path))?).ok()
    };
    console.until("the draft", |_| kept().is_some_and(|text| text.contains(r#"{\"flink\": {}}"#)));
    console.signal(Signal::KILL);
    console.ends();
    let mut console = start();
    console.sees("draft of");
    console.sees("{\"flink\": {}}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "{}\n");
    console.press("\x1bOQ");
    console.sees("saved");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "{\"flink\": {}}\n");
    console.press("\x1b");
    assert!(console.ends().success());
    assert_eq!(kept(), None);
}

#[test]
fn an_editor_of_ones_own_may_be_interrupted_and_gives_its_text_back() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().to_string_lossy().into_owned();
    let file = directory.path().join("tuned.json").to_string_lossy().into_owned();
    // It waits for a line, survives Ctrl-C as editors do, and then writes.
    let editor = directory.path().join("editor");
    std::fs::write(&editor, "trap 'echo interrupted' INT; echo waiting; read line; echo '{\"flink\": {}}' > \"$1\"\n")
        .unwrap();
    let editor = format!("bash {}", editor.display());
    let variables = [("HOME", home.as_str()), ("XDG_STATE_HOME", &home), ("VISUAL", &editor)];
    let mut console = Console::start(&["edit", &file], &variables, 80, 24);
    console.sees("Nothing is wrong");
    console.press("\x1b[15~");
    console.sees("waiting");
    console.press("\x03");
    console.sees("interrupted");
    console.press("\r");
    console.sees("1   {\"flink\": {}}");
    console.press("\x03");
    assert!(console.ends().success());
}
