//! A real Flink, reached through the API server's service proxy.

use crate::stack::{Settings, eventually, flink_submit, stackctl};

#[test]
fn a_failing_job_shows_the_root_cause_of_its_exception() {
    let job = flink_submit("failing");
    stackctl(&["job", "flink-live", "flink-live", &job, "failing"]);
    let settings = Settings::admin(&["flink-live"]);
    let failure = eventually("a failure in the history", || {
        let rows = settings.json(&["get", "jobs", "-o", "json"]);
        let rows = rows.as_array()?.clone();
        let row = rows.iter().find(|row| row["job"]["id"] == job.as_str())?;
        row["job"]["failures"].get(0).cloned()
    });
    println!("root cause: {}", failure["root"]);
    let trace = failure["trace"].as_str().unwrap();
    let deepest = trace.lines().filter_map(|line| line.strip_prefix("Caused by: ")).next_back().unwrap();
    let root =
        format!("{}: {}", failure["root"]["class"].as_str().unwrap(), failure["root"]["message"].as_str().unwrap());
    assert_eq!(root, deepest);

    let mut console = settings.console(120, 40);
    console.sees("flink-live");
    console.press("\r");
    let class = failure["root"]["class"].as_str().unwrap().rsplit('.').next().unwrap().to_owned();
    console.sees(&class);
    console.press("q");
}
