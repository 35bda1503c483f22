//! The Show of the router: in the demo an incident makes blue unwell, the controller flips, and nothing is lost.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use support::Console;

/// The incident comes seconds after the start; a build without optimizations beside a compiler takes its time.
const PATIENCE: Duration = Duration::from_mins(2);

/// The row of the flip that nobody asked for, once it is there: its columns from the flip on.
fn failover(screen: &str) -> Option<Vec<&str>> {
    let row = screen.lines().find(|line| line.contains("blue › green") && line.contains("failover"))?;
    Some(row.split_whitespace().skip_while(|word| *word != "failover").collect())
}

#[test]
fn the_incident_makes_blue_unwell_and_the_controller_flips_without_a_loss() {
    let mut console = Console::start(&["demo", "--pace", "2"], &[], 120, 40);
    console.until_within(PATIENCE, "pipelines", |screen| screen.contains("expert-matching"));
    console.press(":router\r");
    console.until_within(PATIENCE, "the route", |screen| screen.contains("prd › routes › match-making"));
    console.until_within(PATIENCE, "blue's trouble", |screen| screen.contains("blue is unwell"));
    console.until_within(PATIENCE, "the other lane", |screen| screen.contains("green is active by control record 2"));
    console.until_within(PATIENCE, "the receipt", |screen| failover(screen).is_some());
    let screen = console.screen();
    let row = failover(&screen).unwrap();
    // failover, time with its unit, SLA, gap, lost, duplicated, reordered, compared
    assert_eq!(row.get(3), Some(&"kept"), "{row:?}\n{screen}");
    assert_eq!(row.get(5..8), Some(["0", "0", "0"].as_slice()), "{row:?}\n{screen}");
    let compared: u64 = row.get(8).unwrap().parse().unwrap();
    assert!(compared > 0, "{row:?}\n{screen}");
    console.until_within(PATIENCE, "green at work", |screen| {
        let lanes = screen.lines().find(|line| line.contains("green active") && line.contains("● well"));
        lanes.is_some() && screen.lines().any(|line| line.contains("output") && line.matches("grows").count() >= 1)
    });
    console.press("f");
    console.until("what would change", |screen| screen.contains("- active lane: green"));
    console.press("back again\r");
    console.until("the name asked for", |screen| screen.contains("type prd to confirm"));
    console.press("prd\r");
    // Blue's sink still fails: the controller says so, and keeps the records where they are well.
    console.until_within(PATIENCE, "the answer", |screen| {
        ["refused", "done"].iter().any(|word| screen.contains(&format!("flip to blue: {word}: ")))
    });
    console.press("q");
}
