//! Specs that are taken, and specs that are refused with their reason.

use super::*;

const EXAMPLE: &str = include_str!("../../../config/examples/route.toml");

#[test]
fn the_example_is_taken_and_shows_every_default() {
    let spec = Spec::parse(EXAMPLE).unwrap();
    assert_eq!((spec.name.as_str(), spec.lanes.len()), ("golden-signals", LANES));
    let defaults = (WorkerRules::default(), Checks::default(), Guard::default(), Sla::default());
    assert_eq!((spec.worker, spec.checks, spec.guard, spec.sla), defaults);
    assert_eq!(spec.rollout, Rollout::default());
}

#[test]
fn what_is_left_out_has_its_default() {
    let end = EXAMPLE.find("[worker]").unwrap();
    let short = Spec::parse(EXAMPLE.get(..end).unwrap()).unwrap();
    assert_eq!(short, Spec::parse(EXAMPLE).unwrap());
}

#[test]
fn refusals_say_why() {
    let cases = [
        ("mode = \"split\"", "mode = \"select\"", "write a [destination]"),
        ("[rollout]", "[destination]\ntopic = \"t\"\n[rollout]", "belong to mode"),
        ("mode = \"split\"", "mode = \"sideways\"", "unknown variant"),
        ("mode = \"split\"", "mode = \"split\"\ncolour = 1", "unknown field"),
        ("name = \"green\"", "name = \"blue\"", "both lanes have it"),
        ("name = \"green\"", "name = \"gr een\"", "letters, digits"),
        ("initial = \"blue\"", "initial = \"red\"", "no lane has this name"),
        ("topic = \"events.green\"", "topic = \"events.blue\"", "for two things"),
        ("topic = \"events.green\"", "topic = \"events\"", "for two things"),
        ("topic = \"events.green\"", "topic = \"events/green\"", "Kafka takes"),
        ("commit_every = \"100ms\"", "commit_every = \"1ms\"", "10ms to 2s"),
        ("commit_every = \"100ms\"", "commit_every = \"1h\"", "10ms to 2s"),
        ("commit_records = 20000", "commit_records = 0", "1 to 1000000"),
        ("unhealthy_for = \"15s\"", "unhealthy_for = \"4m\"", "uses up the whole"),
        ("flip = \"3m\"", "flip = \"0s\"", "more than nothing"),
        ("pipeline = \"golden-signals-green\"", "pipeline = \"golden-signals-blue\"", "two copies, each its own"),
        ("[rollout]", "[compare]\nsignals = \"s\"\nwindows = 31\n[rollout]", "1 to 30"),
        ("[rollout]", "[health]\nsignals = \"s\"\ntopic = \"t\"\nlevel = 4\n[rollout]", "1 to 3"),
        ("output = \"signals.green\"", "service = \"s\"", "write a [health]"),
        ("http = \"http://", "http = \"ftp://", "http:// or https://"),
    ];
    for (good, bad, reason) in cases {
        assert!(EXAMPLE.contains(good), "{good}");
        let said = Spec::parse(&EXAMPLE.replacen(good, bad, 1)).unwrap_err().to_string();
        assert!(said.contains(reason), "{bad}: {said}");
    }
}

const SELECT: &str = include_str!("../../../config/examples/route-select.toml");

#[test]
fn a_route_that_selects_reads_the_lanes_and_writes_one_topic() {
    let spec = Spec::parse(SELECT).unwrap();
    assert_eq!((spec.reads(), spec.writes()), (vec!["signals.of.blue", "signals.of.green"], vec!["signals"]));
    assert_eq!(spec.select, Some(Select::default()), "the example shows every default");
    let [blue, _] = spec.lanes.as_slice() else { panic!("{:?}", spec.lanes) };
    assert_eq!((blue.output.as_deref(), spec.feeds(blue)), (Some("signals.of.blue"), "events"));
    for (good, bad, reason) in [
        ("hold = \"15m\"", "hold = \"25h\"", "24h"),
        ("window = \"key\"", "window = \"\"", "name of a field"),
        ("topic = \"signals\"", "topic = \"events\"", "for two things"),
        ("group = \"signals-of-blue\"", "output = \"elsewhere\"", "a lane's topic is its output"),
    ] {
        assert!(SELECT.contains(good), "{good}");
        let said = Spec::parse(&SELECT.replacen(good, bad, 1)).unwrap_err().to_string();
        assert!(said.contains(reason), "{bad}: {said}");
    }
}

#[test]
fn a_route_has_two_lanes() {
    let third = format!("{EXAMPLE}\n[[lane]]\nname = \"red\"\ntopic = \"events.red\"\n");
    assert_eq!(Spec::parse(&third), Err(SpecError::Lanes(3)));
}

#[test]
fn what_is_optional_is_shown_as_a_comment_that_is_right() {
    let lines =
        EXAMPLE.lines().filter_map(|line| line.strip_prefix("#   ").filter(|line| !line.starts_with("flowdeck")));
    let optional: String = lines.map(|line| format!("{line}\n")).collect();
    let spec = Spec::parse(&format!("{EXAMPLE}\n{optional}")).unwrap();
    let (compare, health) = (spec.compare.unwrap(), spec.health.unwrap());
    assert_eq!((compare.windows, health.level, health.windows), (3, 3, 2));
    assert_eq!(compare.signals.path(), Path::new("golden-signals.toml"));
}
