//! Writing a text: what is wrong shows while it is typed, and nothing that was typed is lost.

use std::sync::Arc;

use flowdeck::app::Effect;
use flowdeck::event::{Draft, Event, Saving};
use insta::assert_snapshot;

use super::bench::Bench;
use super::world;

const PATH: &str = "/home/me/streams/sessionization.json";
const DOCUMENT: &str = r#"{
  "flink": {
    "beam": {
      "checkpointTimeoutMillis": 600000,
      "checkpointingInterval": 600000,
      "maxParallelism": 360
    }
  }
}
"#;

fn editing() -> Bench {
    Bench::editing(PATH, DOCUMENT, None)
}

/// The draft that was kept last; `None` when it was dropped.
fn kept(bench: &Bench) -> Option<String> {
    let last = bench.effects.iter().rev().find_map(|effect| match effect {
        Effect::Keep(_, draft) => Some(draft.as_ref().map(|draft| draft.text.clone())),
        _ => None,
    });
    last.unwrap()
}

fn saves(bench: &Bench) -> Vec<(Arc<str>, Option<Arc<str>>)> {
    let saves = bench.effects.iter().filter_map(|effect| match effect {
        Effect::Save { text, base, .. } => Some((text.clone(), base.clone())),
        _ => None,
    });
    saves.collect()
}

fn answered(bench: Bench, saving: Saving) -> Bench {
    bench.send(Event::Saved(std::path::Path::new(PATH).into(), saving))
}

#[test]
fn a_misspelt_option_is_named_while_it_is_typed_and_tab_mends_it() {
    let bench = editing().press("ctrl-f").typed("llelism").press("enter left left").press("backspace");
    assert_snapshot!("editor_misspelt", bench.screen());
    let bench = bench.press("tab");
    assert!(bench.screen().contains("\"maxParallelism\": 360"), "{}", bench.screen());
    assert_eq!(kept(&bench), None, "it is the file's text again");
}

#[test]
fn keys_are_offered_with_what_they_do() {
    let bench = editing().press("ctrl-f").typed("\"max").press("enter").press("left enter up").typed("\"minP");
    assert_snapshot!("editor_offers", bench.screen());
    let bench = bench.press("tab").typed("480000,");
    assert!(bench.screen().contains("      \"minPauseBetweenCheckpoints\": 480000,"), "{}", bench.screen());
    assert!(!bench.screen().contains('✖'), "{}", bench.screen());
}

#[test]
fn numbers_are_checked_against_each_other() {
    let bench =
        editing().press("ctrl-f").typed("\"max").press("enter").press("left enter up").typed("\"parallelism\": 400,");
    assert_snapshot!("editor_across", bench.screen());
    assert_snapshot!("editor_ascii", bench.ascii().screen());
}

#[test]
fn every_letter_is_kept_and_undo_takes_it_back() {
    let bench = editing().press("enter").typed(" ");
    assert_eq!(kept(&bench).unwrap(), format!("\n {DOCUMENT}"));
    let bench = bench.press("ctrl-u ctrl-u");
    assert_eq!(kept(&bench), None);
    assert!(!bench.press("ctrl-r").screen().starts_with(" 1   {"));
}

#[test]
fn a_draft_comes_back_and_f4_goes_back_to_the_file() {
    let text = DOCUMENT.replace("360", "720");
    let draft = Draft { base: Some(DOCUMENT.into()), text, kept_at: world::ago(300) };
    let bench = Bench::editing(PATH, DOCUMENT, Some(draft));
    let screen = bench.screen();
    assert!(screen.contains("draft of 5m") && screen.contains("720"), "{screen}");
    let bench = bench.press("f4");
    assert!(bench.screen().contains("360"), "{}", bench.screen());
    assert_eq!(kept(&bench), None);
    assert!(bench.press("ctrl-u ctrl-u").screen().contains("720"), "clearing can be taken back");
}

#[test]
fn a_file_that_somebody_else_changed_is_not_overwritten_unasked() {
    let bench = editing().typed(" ").press("f2");
    assert_eq!(saves(&bench), [(format!(" {DOCUMENT}").into(), Some(DOCUMENT.into()))]);
    let bench = answered(bench, Saving::Overtaken(Some("{}".into())));
    assert_snapshot!("editor_overtaken", bench.screen());
    let theirs = bench.press("f4");
    assert!(theirs.screen().contains("1   {}"), "{}", theirs.screen());
    assert_eq!(kept(&theirs), None);
    let bench = answered(editing().typed(" ").press("f2"), Saving::Overtaken(Some("{}".into()))).press("f2");
    assert_eq!(saves(&bench).last(), Some(&(format!(" {DOCUMENT}").into(), Some("{}".into()))));
    let bench = answered(bench, Saving::Done(format!(" {DOCUMENT}").into()));
    assert!(bench.screen().contains("saved"), "{}", bench.screen());
    assert_eq!(kept(&bench), None);
}

#[test]
fn saving_that_fails_says_why_and_keeps_the_draft() {
    let bench = answered(editing().typed(" ").press("f2"), Saving::Failed("Permission denied (os error 13)".into()));
    assert!(bench.screen().contains("not saved: Permission denied"), "{}", bench.screen());
    assert_eq!(kept(&bench).unwrap(), format!(" {DOCUMENT}"));
}

#[test]
fn letters_are_never_commands_and_escape_leaves() {
    let bench = editing().typed("q?/:");
    assert!(bench.screen().contains("q?/:{"), "{}", bench.screen());
    assert!(!bench.effects.contains(&Effect::Quit));
    assert!(bench.press("esc").effects.contains(&Effect::Quit));
}

#[test]
fn what_is_pasted_stays_whole_and_harmless() {
    let bench = editing().send(Event::Paste("\u{1b}[31m\ta\r\nb 漢字\u{7}\n".into()));
    let screen = bench.screen();
    assert!(!screen.contains('\u{1b}') && !screen.contains('\u{7}'), "{screen}");
    assert_eq!(kept(&bench).unwrap(), format!("\u{1b}[31m\ta\nb 漢字\u{7}\n{DOCUMENT}"));
}

#[test]
fn the_users_own_editor_gets_the_text_and_gives_it_back_as_one_change() {
    let bench = editing().press("f5");
    assert_eq!(bench.effects.last(), Some(&Effect::Edit(DOCUMENT.to_owned(), ".json")));
    let bench = bench.send(Event::Edited(Ok("{}".into())));
    assert_eq!(kept(&bench).unwrap(), "{}");
    assert!(bench.press("ctrl-u ctrl-u").screen().contains("maxParallelism"));
    let bench = editing().send(Event::Edited(Err("emax was not found".into())));
    assert!(bench.screen().contains("no editor: emax was not found"), "{}", bench.screen());
}

#[test]
fn windows_line_ends_stay() {
    let bench = Bench::editing("a.json", "{\r\n}\r\n", None).typed(" ");
    assert_eq!(kept(&bench).unwrap(), " {\r\n}\r\n");
}
