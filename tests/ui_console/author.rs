//! The form of a new processor: rules while it is typed, and nothing written before it is asked for.

use std::path::PathBuf;

use flowdeck::app::Effect;
use insta::assert_snapshot;

use super::bench::Bench;

fn form() -> Bench {
    Bench::new(80, 24).press(":").typed("author").press("enter")
}

fn begun(bench: &Bench) -> Option<(PathBuf, usize)> {
    bench.effects.iter().rev().find_map(|effect| match effect {
        Effect::Begin(folder, files) => Some((folder.clone(), files.len())),
        _ => None,
    })
}

#[test]
fn an_empty_form_says_what_belongs_where() {
    assert_snapshot!("author_empty", form().screen());
}

#[test]
fn a_rule_is_named_while_the_name_is_typed() {
    let bench = form().typed("abcdefghijklmnopqrstuvwxyz-");
    assert!(bench.screen().contains("must start with a letter"), "{}", bench.screen());
    let bench = bench.typed("1");
    assert!(bench.screen().contains("has 28 characters; 27 are the most"), "{}", bench.screen());
    assert_snapshot!("author_too_long", bench.screen());
    let bench = bench.press("backspace backspace");
    assert!(bench.screen().contains("A letter first"), "{}", bench.screen());
    // What is wrong elsewhere stands in the way, and the form goes there.
    let bench = bench.press("f2");
    assert!(bench.screen().contains("nothing is written yet: team"), "{}", bench.screen());
    assert_eq!(begun(&bench), None);
}

#[test]
fn a_whole_form_becomes_a_project() {
    let bench = form().typed("click-filter").press("tab").typed("Data Infrastructure").press("down down");
    let bench = bench.typed("Data > Processing > Streams").press("enter").typed("IDFSP").press("tab").press("space");
    let screen = bench.screen();
    assert!(screen.contains("private") && screen.contains("data.processing.streams.clickfilter"), "{screen}");
    // To the starter, and on to the other one.
    let bench = bench.press("down down down down down down down").press("space");
    assert_snapshot!("author_whole", bench.screen());
    let bench = bench.press("f2");
    assert_eq!(begun(&bench), Some((PathBuf::from("click-filter"), 12)));
    assert_snapshot!("author_120x40", {
        let bench = Bench::new(120, 40).press(":").typed("author").press("enter");
        bench.typed("click-filter").press("tab").screen()
    });
}

#[test]
fn what_was_typed_is_not_dropped_by_one_key() {
    let bench = form().typed("click-filter").press("esc");
    assert!(bench.screen().contains("esc once more drops it"), "{}", bench.screen());
    let bench = bench.typed("s").press("esc");
    assert!(bench.screen().contains("esc once more drops it"), "{}", bench.screen());
    assert!(!bench.press("esc").screen().contains("a new processor"));
    assert!(!form().press("esc").screen().contains("a new processor"));
}

#[test]
fn a_small_terminal_shows_the_field_that_is_typed() {
    let bench = Bench::new(40, 10).press(":").typed("author").press("enter").press("up");
    assert!(bench.screen().contains("folder"), "{}", bench.screen());
}
