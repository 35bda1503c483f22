use super::super::json::Field;
use super::*;

const SAMPLE: &str = include_str!("../../../config/examples/golden-signals.toml");

fn with(change: impl Fn(&str) -> String) -> Result<Spec, String> {
    Spec::parse(&change(SAMPLE)).map_err(|error| error.to_string())
}

#[test]
fn the_example_shows_every_default() {
    let spec = Spec::parse(SAMPLE).unwrap();
    assert_eq!((&spec.error, &spec.window), (&ErrorRule::default(), &Window::default()));
    assert_eq!((&spec.watermark, &spec.limits), (&Watermark::default(), &Limits::default()));
    let bare = Spec::parse(
        "name='a'\n[source]\nformat='json'\ntime={field='ts',unit='ms'}\nlatency={field='l',unit='us'}\n[key]\nservice='svc'\n",
    )
    .unwrap();
    assert_eq!((bare.window, bare.limits), (spec.window, spec.limits));
}

#[test]
fn an_unknown_key_is_refused_with_its_line() {
    let message = with(|text| text.replace("allowed_lateness", "alowed_lateness")).unwrap_err();
    assert!(message.contains("alowed_lateness") && message.contains("line "), "{message}");
}

#[test]
fn wrong_values_are_refused_with_a_way_out() {
    for (from, to, expected) in [
        ("size = \"10s\"", "size = \"10\"", "\"10\" is not a length of time: write a whole number and ms, s, m or h"),
        ("size = \"10s\"", "size = \"0s\"", "window.size = 0s: a window lasts from 100ms to 24h"),
        ("availability = 99.9", "availability = 100.0", "slo.availability = 100: it is a percentage between"),
        ("availability = 99.9", "availability = nan", "slo.availability = NaN"),
        ("services = 10000", "services = 0", "limits.services = 0: a limit is from 1"),
        ("service = \"svc\"", "service = \"a..b\"", "key.service = \"a..b\": a path is keys joined by dots"),
        ("service = \"svc\"", "service = []", "key.service = \"\": a path is keys"),
        ("service = \"svc\"", "service = \"ts.name\"", "the field ts.name cannot be a value and hold another field"),
        ("service = \"svc\"", "service = 3", "a path such as \"a.b\""),
        ("value = 500", "value = \"500\"", "error.op = \">=\": text, true and false have no order"),
        ("value = 500", "value = inf", "not a number that can be compared"),
        ("unit = \"ms\"", "unit = \"min\"", "unknown variant `min`"),
    ] {
        assert!(SAMPLE.contains(from), "{from}");
        let message = with(|text| text.replace(from, to)).unwrap_err();
        assert!(message.contains(expected), "{to}: {message}");
    }
}

#[test]
fn keys_with_dots_are_arrays() {
    let spec = with(|text| text.replace("service = \"svc\"", "service = [\"resource\", \"service.name\"]")).unwrap();
    assert_eq!(spec.key.unwrap().service.keys(), ["resource", "service.name"]);
}

#[test]
fn rules_compare_like_with_like() {
    let rule = |op, value| ErrorRule { op, value, ..ErrorRule::default() };
    let at_least = rule(Comparison::AtLeast, Operand::Integer(500));
    assert_eq!([499, 500, 501].map(|status| at_least.failed(&Field::Integer(status)).unwrap()), [false, true, true]);
    assert_eq!(at_least.failed(&Field::Float(499.5)), Some(false));
    assert_eq!(at_least.failed(&Field::Text("500".into())), None);
    assert_eq!(at_least.failed(&Field::Null), None);
    let not = rule(Comparison::NotEqual, Operand::Text("OK".into()));
    assert_eq!(["OK", "UNSET"].map(|code| not.failed(&Field::Text(code.into())).unwrap()), [false, true]);
    assert_eq!(rule(Comparison::Equal, Operand::Bool(true)).failed(&Field::Bool(true)), Some(true));
    assert_eq!(rule(Comparison::Below, Operand::Float(0.5)).failed(&Field::Integer(0)), Some(true));
    assert_eq!(rule(Comparison::AtMost, Operand::Integer(1)).failed(&Field::Integer(1)), Some(true));
    assert_eq!(rule(Comparison::Above, Operand::Integer(1)).failed(&Field::Integer(1)), Some(false));
}

#[test]
fn spans_print_as_they_are_written() {
    for text in ["1500ms", "10s", "2m", "1h", "0s"] {
        let spec = with(|sample| sample.replace("delay = \"5s\"", &format!("delay = \"{text}\""))).unwrap();
        assert_eq!(spec.watermark.delay.to_string(), text);
    }
}

#[test]
fn expressions_and_overrides() {
    let with = |more: &str| Spec::parse(&format!("{SAMPLE}\n{more}"));
    let spec = with("[expressions]\nhealth = '0'\n[overrides]\nlocation = 's3://bucket/key'").unwrap();
    let place = spec.overrides.unwrap();
    assert_eq!((place.location.as_str(), place.refresh.millis()), ("s3://bucket/key", 300_000));
    for (more, expected) in [
        (
            "[expressions]\nhealth = 'requestCout < 60 ? 0 : 3'",
            "expressions.health: line 1, column 1: there is no requestCout here",
        ),
        ("[expressions]\nhelth = '0'", "unknown field `helth`"),
        ("[overrides]\nlocation = ' '", "overrides.location"),
        ("[overrides]\nlocation = 'x'\nrefresh = '10ms'", "overrides.refresh"),
    ] {
        let said = with(more).unwrap_err().to_string();
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn each_format_is_told_what_it_needs_and_nothing_else() {
    let lines = include_str!("../../../config/examples/access-log.toml");
    let spans = include_str!("../../../config/examples/otlp-spans.toml");
    for (sample, from, to, expected) in [
        (lines, "$host", "$vhost", "key.service = host: the pattern has no such field"),
        (lines, "$request_time $host", "$request_time$host", "two fields touch"),
        (lines, "format = \"line\"", "format = \"json\"", "only lines have a pattern"),
        (lines, "latency =", "# latency =", "source.latency = (nothing): say which field it is"),
        (spans, "kinds = [\"server\", \"consumer\"]", "kinds = []", "name at least one kind"),
        (spans, "[\"server\"", "[\"sever\"", "unknown variant `sever`"),
        (spans, "format = \"otlp_proto\"", "format = \"json\"", "source.time = (nothing): say which field it is"),
        (spans, "kinds =", "time = { field = \"a\", unit = \"ms\" }\nkinds =", "spans have their own: leave it out"),
    ] {
        assert!(sample.contains(from), "{from}");
        Spec::parse(sample).unwrap();
        let message = Spec::parse(&sample.replace(from, to)).unwrap_err().to_string();
        assert!(message.contains(expected), "{to}: {message}");
    }
}

#[test]
fn a_source_is_aggregated_by_a_word_or_by_a_key() {
    let word = "\nsource = \"aggregated\"\n[events]\n";
    let by_word = with(|text| text.replace("\n[source]\n", word)).unwrap();
    let by_key = with(|text| text.replace("read = \"events\"", "read = \"aggregated\"")).unwrap();
    assert_eq!(by_word, by_key);
    assert_eq!((by_word.source.read, &*by_word.topics()[0]), (Read::Aggregated, "signals.v1"));
    // Rows that were counted by the same spec with [source] are of the same meaning.
    let counted = with(str::to_owned).unwrap();
    assert_eq!(crate::engine::contract::sha(&by_word), crate::engine::contract::sha(&counted));
    for (to, expected) in [
        ("\n[events]\n", "missing field `source`"),
        ("\n[events]\nformat = 'json'\n[source]\n", "events = {…}: it stands beside source = \"aggregated\""),
        ("\nsource = \"agregated\"\n[events]\n", "a table, or \"aggregated\""),
        ("\nsource = \"aggregated\"\n[evnts]\n", "unknown field `evnts`"),
    ] {
        let message = with(|text| text.replace("\n[source]\n", to)).unwrap_err();
        assert!(message.contains(expected), "{to}: {message}");
    }
    let bare = Spec::parse("name = 'a'\nsource = 'aggregated'\n").unwrap_err().to_string();
    assert!(bare.contains("source = \"aggregated\": name the [source] of the spec"), "{bare}");
    let message =
        with(|text| text.replace("\n[source]\n", word).replace("unit = \"us\"", "unit = \"min\"")).unwrap_err();
    assert!(message.contains("line ") && message.contains("unknown variant `min`"), "{message}");
    let message = with(|text| text.replace("\n[source]\n", word).replace("rows =", "# rows =")).unwrap_err();
    assert!(message.contains("source.rows = (nothing)"), "{message}");
}

#[test]
fn dimensions_have_names_that_expressions_can_use() {
    let with = |more: &str| Spec::parse(&format!("{SAMPLE}\n{more}")).map_err(|error| error.to_string());
    let one = "[[dimensions]]\nname = 'svcHost'\nfield = 'host'\n";
    let lane = "[expressions]\nswimlane = \"svcHost in ['a'] ? 'ec2' : ''\"\n";
    let spec = with(&format!("{one}{lane}")).unwrap();
    assert_eq!((spec.dimensions[0].values, &*spec.dimension_names()[0]), (20, "svcHost"));
    let nine: String = (0..9).map(|number| one.replace("svcHost", &format!("d{number}"))).collect();
    for (more, expected) in [
        (lane.to_owned(), "expressions.swimlane: line 1, column 1: there is no svcHost here"),
        (format!("{one}{one}"), "dimensions.name = svcHost: two dimensions have it"),
        (one.replace("svcHost", "svc-host"), "dimensions.name = svc-host: it is letters"),
        (one.replace("svcHost", "tags"), "expressions use this name for something else"),
        (one.replace("'host'", "'host..name'"), "dimensions.field = \"host..name\": a path is keys"),
        (one.replace("'host'", "'ts.name'"), "ts.name cannot be a value and hold another field"),
        (format!("{one}values = 0\n"), "dimensions.values = 0: 1 to 1000"),
        (nine, "dimensions = 9: there are 8 at most"),
    ] {
        let said = with(&more).unwrap_err();
        assert!(said.contains(expected), "{more}: {said}");
    }
    let lines = include_str!("../../../config/examples/access-log.toml");
    let said = Spec::parse(&format!("{lines}\n{}", one.replace("'host'", "'vhost'"))).unwrap_err().to_string();
    assert!(said.contains("dimensions.field = vhost: the pattern has no such field"), "{said}");
}
