use proptest::prelude::*;

use super::*;
use crate::engine::Spec;
use crate::engine::expression::Inputs;

const CONTEXT: Context<'static> = Context { dimensions: &[], slo_percent: Some(99.9) };

fn document(name: &str, content: &str) -> Document {
    Document { name: name.into(), content: content.as_bytes().into() }
}

fn read(content: &str) -> (Overrides, Vec<Refusal>) {
    Overrides::read(&[document("overrides.json", content)], &Overrides::default(), &CONTEXT)
}

fn rules(text: &str) -> Rules {
    let spec = include_str!("../../../config/examples/golden-signals.toml");
    Rules::new(&Spec::parse(&format!("{spec}\n{text}")).unwrap()).unwrap()
}

fn window(service: &str, requests: u64, errors: u64) -> Inputs {
    Inputs { service: service.into(), requests, errors, ..Inputs::samples().pop().unwrap() }
}

fn set(content: &str) -> Arc<Overrides> {
    let with_host = Context { dimensions: &["svcHost".into()], ..CONTEXT };
    let (overrides, refusals) = Overrides::read(&[document("o.json", content)], &Overrides::default(), &with_host);
    assert_eq!(refusals, []);
    overrides.into()
}

#[test]
fn both_forms_are_read() {
    let one = r#"{"service": "rum", "owner": "monitoring", "health": "requestCount < 60 ? 0 : availability > 99.0 ? 0 : 3",
        "swimlane": "service == 'rum' ? \"ec2\" : \"\"", "tags": {"tier": "1"}, "slo": 99.95}"#;
    let many = format!(r#"{{"services": {{"rum": {}, "tax": {{}}}}}}"#, one.replace("\"service\": \"rum\",", ""));
    for (content, count) in [(one.to_owned(), 1), (many, 2)] {
        let (overrides, refusals) = read(&content);
        assert_eq!((refusals, overrides.len()), (vec![], count));
        let rum = overrides.get("rum").unwrap();
        assert_eq!((rum.slo_percent, rum.owner.as_deref()), (Some(99.95), Some("monitoring")));
        assert_eq!(rum.tags.get("tier").map(String::as_str), Some("1"));
        assert!(rum.health.is_some() && rum.swimlane.is_some());
    }
}

#[test]
fn one_mistake_refuses_the_file_and_says_where() {
    for (content, expected) in [
        ("", "not JSON: EOF"),
        ("[]", "line 1, column 1: a file of overrides is an object, and this is an array"),
        ("{}", "line 1, column 1: service is missing, or services"),
        ("{\"service\": 3}", "line 1, column 13: service is the name of one, and this is a number"),
        ("{\"service\": \"\"}", "the name of a service has 1 to 256 bytes"),
        ("{\"service\": \"a\",\n \"helth\": \"0\"}", "line 2, column 2: a: there is no helth: an override has health"),
        ("{\"service\": \"a\", \"health\": 0}", "line 1, column 28: a: health is a string, and this is a number"),
        ("{\"service\": \"a\", \"health\": \"0\", \"health\": \"1\"}", "line 1, column 33: health is here twice"),
        ("{\"services\": {\"a\": {}, \"a\": {}}}", "line 1, column 24: service a is here twice"),
        ("{\"services\": {}, \"version\": 1}", "line 1, column 18: version does not belong beside services"),
        ("{\"services\": []}", "services has one override for each name, and this is an array"),
        ("{\"services\": {\"a\": \"0\"}}", "a: an override is an object, and this is a string"),
        ("{\"services\": {\"a\": {\"service\": \"a\"}}}", "a: it has its name already"),
        ("{\"service\": \"a\", \"slo\": 100}", "a: slo is a percentage between 0 and 100"),
        ("{\"service\": \"a\", \"slo\": \"99\"}", "a: slo is a percentage between 0 and 100"),
        (
            "{\"service\": \"a\", \"tags\": {\"b\": 1}}",
            "line 1, column 32: a: tags b: a tag is a string, and this is a number",
        ),
        ("{\"service\": \"a\", \"tags\": {\"b\": \"1\", \"b\": \"2\"}}", "a: tags: b is here twice"),
        (
            "{\"services\": {\n  \"a\": {\"health\": \"0\"},\n  \"b\": {\"health\": \"availability > 99 ? 0 : 4\"}}}",
            "line 3, column 19: b: health: line 1, column 25: health is from 0 (well) to 3 (down), and this is 4",
        ),
        (
            "{\"service\": \"a\", \"health\": \"0 / (requestCount - 60)\"}",
            "a: health: tried on a window of 60 requests with 1 errors: it divides by zero",
        ),
        ("{\"service\": \"a\", \"health\": \"tags.tier == '1' ? 1 : 0\"}", "there is no key \"tier\""),
        ("{\"service\": \"a\", \"health\": \"requestCount\"}", "health is from 0 to 3"),
        (
            "{\"service\": \"a\", \"swimlane\": \"1\"}",
            "a: swimlane: line 1, column 1: a swimlane is a string, and this gives an int",
        ),
        ("{\"service\": \"a\", \"swimlane\": \"svcHots\"}", "there is no svcHots here"),
    ] {
        let (overrides, refusals) = read(content);
        assert!(overrides.is_empty() && overrides.version().is_none(), "{content}");
        let said = refusals.first().unwrap_or_else(|| panic!("{content} is accepted")).to_string();
        assert!(said.starts_with("overrides.json: ") && said.contains(expected), "{content}\n{said}");
    }
    let (_, refusals) = Overrides::read(
        &[Document { name: "x".into(), content: Arc::from(&b"{\"service\": \"\xff\"}"[..]) }],
        &Overrides::default(),
        &CONTEXT,
    );
    assert!(refusals.first().unwrap().sentence.contains("not UTF-8 at byte 13"));
}

#[test]
fn a_refused_file_keeps_what_it_said() {
    let good = |service: &str, level: u8| format!(r#"{{"service": "{service}", "health": "{level}"}}"#);
    let level = |set: &Overrides, service: &str| {
        set.get(service).and_then(|entry| entry.health.as_ref().map(|health| health.expression().source().to_string()))
    };
    let (first, refusals) =
        Overrides::read(&[document("a", &good("a", 1)), document("b", &good("b", 1))], &Overrides::default(), &CONTEXT);
    assert_eq!((refusals.len(), first.len()), (0, 2));
    let (second, refusals) =
        Overrides::read(&[document("a", &good("a", 2)), document("b", &good("b", 9))], &first, &CONTEXT);
    assert_eq!(refusals.iter().map(|refusal| &*refusal.file).collect::<Vec<_>>(), ["b"]);
    assert_eq!((level(&second, "a").as_deref(), level(&second, "b").as_deref()), (Some("2"), Some("1")));
    assert_eq!(second.version(), first.version());
    // Of two that name one service the later is refused.
    let (third, refusals) =
        Overrides::read(&[document("a", &good("a", 2)), document("b", &good("a", 3))], &second, &CONTEXT);
    assert!(refusals.first().unwrap().sentence.contains("a is in a already"));
    assert_eq!((level(&third, "a").as_deref(), level(&third, "b").as_deref()), (Some("2"), Some("1")));
    // A file that is gone is gone.
    let (fourth, refusals) = Overrides::read(&[document("a", &good("a", 2))], &third, &CONTEXT);
    assert_eq!((refusals.len(), fourth.len()), (0, 1));
    assert_ne!(fourth.version(), first.version());
}

#[test]
fn the_version_is_what_sha256sum_says() {
    let (overrides, _) = read("{\"service\": \"a\"}");
    // printf '{"service": "a"}' | sha256sum
    assert_eq!(overrides.version().map(|version| &**version), Some("6abae1b30ee4"));
}

#[test]
fn the_owner_then_the_spec_then_availability() {
    let mut rules = rules("[expressions]\nhealth = 'requestCount / (errorCount - 4) > 1000 ? 1 : 0'");
    let own =
        r#"{"services": {"own": {"health": "errorCount == 1 ? 3 : 0 / (errorCount - 77)"}, "slo": {"slo": 50.0}}}"#;
    rules.apply(set(own));
    let judged = rules.health(0, &window("own", 100, 1));
    assert_eq!((judged.health.level(), &*judged.rule.from, judged.fault), (3, "o.json", None));
    let judged = rules.health(0, &window("own", 100, 77));
    assert_eq!((judged.health.level(), &*judged.rule.from), (0, "spec"));
    assert_eq!(judged.fault.as_deref(), Some("own: health: it divides by zero"));
    let judged = rules.health(0, &window("another", 1_000, 4));
    assert_eq!((judged.health.level(), &*judged.rule.from), (1, "default"));
    assert_eq!(judged.fault.as_deref(), Some("another: health: it divides by zero"));
    let expected =
        "errorCount < 3 ? 0 : availability >= 99.9 ? 0 : availability >= 99.6 ? 1 : availability >= 98.56 ? 2 : 3";
    assert_eq!(&*judged.rule.text, expected);
    let judged = rules.health(0, &window("slo", 1_000, 4));
    assert_eq!(
        (judged.health.level(), rules.slo_percent("slo"), rules.slo_percent("own")),
        (0, Some(50.0), Some(99.9))
    );
    assert_eq!(rules.faults().0, 3);
    assert_eq!((&*rules.rule("own").from, &*rules.rule("another").from), ("o.json", "spec"));
}

#[test]
fn a_set_holds_from_the_next_window_on() {
    let mut rules = rules("");
    rules.apply(set(r#"{"service": "a", "health": "1"}"#));
    let level = |rules: &mut Rules, start| rules.health(start, &window("a", 100, 0)).health.level();
    assert_eq!((level(&mut rules, -50_000), level(&mut rules, 0), level(&mut rules, 10_000)), (1, 1, 1));
    assert_eq!(rules.apply(set(r#"{"service": "a", "health": "2"}"#)), Some(20_000));
    // Late events of a window that was judged already change no rule of it.
    assert_eq!((level(&mut rules, 10_000), level(&mut rules, 20_000)), (1, 2));
    assert_eq!(rules.apply(set(r#"{"service": "a", "health": "3"}"#)), Some(30_000));
    assert_eq!(rules.apply(set(r#"{"service": "a", "health": "0"}"#)), Some(30_000));
    assert_eq!((level(&mut rules, 10_000), level(&mut rules, 20_000), level(&mut rules, 30_000)), (1, 2, 0));
    for start in 4..40 {
        rules.apply(set(r#"{"service": "a", "health": "3"}"#));
        assert_eq!(level(&mut rules, start * 10_000), 3);
    }
    assert_eq!(rules.sets_kept(), 4);
}

proptest! {
    /// Whatever a file holds, it is read or refused.
    #[test]
    fn soups_of_json(pieces in prop::collection::vec(prop::sample::select(&[
        "{", "}", "[", "]", ":", ",", "\"services\"", "\"service\"", "\"health\"", "\"a\"", "\"0\"", "1", "null", "\"slo\"", "99.9", "\"tags\"", "\"\\u0000\"",
    ][..]), 0..30)) {
        let (overrides, refusals) = read(&pieces.concat());
        prop_assert!(refusals.len() <= 1 && (refusals.is_empty() || overrides.is_empty()));
    }
}
