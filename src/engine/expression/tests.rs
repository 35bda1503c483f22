use super::*;

fn health(source: &str) -> Result<HealthExpression, String> {
    HealthExpression::compile(source).map_err(|problem| problem.to_string())
}

fn window(requests: u64, errors: u64) -> Inputs {
    Inputs { requests, errors, ..Inputs::samples().pop().unwrap() }
}

fn level(source: &str, inputs: &Inputs) -> Result<u8, String> {
    let tags = Value::tags([("tier", "1")]);
    health(source)?.judge(inputs, &tags).map(crate::model::signal::Health::level)
}

#[test]
fn the_health_expression_of_the_talk() {
    for source in [
        "requestCount < 60 ? 0 : availability > 99.0 ? 0 : 3",
        "requestCount < 60 ? 0 :\n availability > 99.0 ? 0 : 3",
        "requestCount < 60 ? 0 :\r\n\tavailability > 99.0 ? 0 : 3",
    ] {
        for (requests, errors, expected) in [(59, 59, 0), (60, 0, 0), (60, 1, 3), (1_000, 10, 3), (1_000, 9, 0)] {
            assert_eq!(level(source, &window(requests, errors)), Ok(expected), "{source} {requests} {errors}");
        }
    }
}

#[test]
fn the_swimlane_expression_of_the_talk() {
    let source = r#"svcHost in ['engagement-ec2.a.intuit.com'] ? "ec2" : """#;
    let expression = SwimlaneExpression::compile(source, &["svcHost".into()]).unwrap();
    let lane = |host: &str| expression.lane("rum", &Value::tags([]), &[host]).unwrap();
    assert_eq!((&*lane("engagement-ec2.a.intuit.com"), &*lane("other"), &*lane("")), ("ec2", "", ""));
}

#[test]
fn every_name_has_its_value() {
    let inputs = Inputs {
        requests: 200,
        errors: 50,
        p50_ms: 1.0,
        p90_ms: 2.0,
        p95_ms: 3.0,
        p99_ms: 4.0,
        max_ms: 5.0,
        requests_per_second: 20.0,
        saturation_percent: Some(81.5),
        service: "rum".into(),
        swimlane: "ec2".into(),
        slo_percent: Some(99.9),
    };
    for condition in [
        "requestCount == 200",
        "errorCount == 50",
        "availability == 75.0",
        "errorRate == 25.0",
        "p50 == 1.0 && p90 == 2.0 && p95 == 3.0 && p99 == 4.0 && max == 5.0",
        "requestsPerSecond == 20.0",
        "saturation == 81.5",
        "service == 'rum' && swimlane == 'ec2'",
        "tags.tier == '1' && tags['tier'] == '1' && has(tags.tier) && !has(tags.owner) && 'tier' in tags",
        "slo == 99.9",
        "availability > 74 && 75 == availability",
    ] {
        assert_eq!(level(&format!("{condition} ? 2 : 0"), &inputs), Ok(2), "{condition}");
    }
}

#[test]
fn what_is_not_known_is_never_a_number() {
    let unknown = Inputs { saturation_percent: None, slo_percent: None, ..window(100, 0) };
    assert_eq!(level("saturation > 90.0 ? 3 : 0", &unknown), Err("saturation is not known".into()));
    assert_eq!(level("slo > availability ? 3 : 0", &unknown), Err("slo is not known".into()));
    assert_eq!(level("saturation > 90.0 || requestCount > 1 ? 1 : 0", &unknown), Ok(1));
    let broken = Inputs { p99_ms: f64::NAN, ..window(100, 0) };
    assert_eq!(level("p99 > 1.0 ? 1 : 0", &broken), Err("p99 is not known".into()));
    assert_eq!(level("0", &window(0, 0)), Err("there were no requests".into()));
}

#[test]
fn what_goes_wrong_is_an_error_and_not_the_end() {
    for (source, expected) in [
        ("requestCount / 0 > 1 ? 1 : 0", "it divides by zero"),
        ("requestCount % (errorCount - errorCount)", "it divides by zero"),
        ("requestCount + 9223372036854775807", "a whole number does not fit into 64 bits"),
        ("-(-9223372036854775808 + requestCount - requestCount)", "a whole number does not fit into 64 bits"),
        ("tags.owner == 'x' ? 1 : 0", "there is no key \"owner\""),
        ("requestCount", "it gives 100, and health is from 0 to 3"),
        ("[1, 2][requestCount]", "a list has nothing at 100"),
        ("int(service)", "\"sample\" is no int"),
    ] {
        assert_eq!(level(source, &window(100, 0)), Err(expected.to_owned()), "{source}");
    }
}

/// What is said of each, and under which column the caret stands.
#[test]
fn mistakes_are_named_where_they_are() {
    for (source, expected) in [
        ("", "line 1, column 1: there is no expression"),
        ("requestCout < 60 ? 0 : 3", "line 1, column 1: there is no requestCout here: did you mean requestCount?"),
        ("request_count < 60 ? 0 : 3", "did you mean requestCount?"),
        ("avail > 99 ? 0 : 3", "did you mean availability?"),
        ("xyzzy > 99 ? 0 : 3", "there is no xyzzy here: there are requestCount, errorCount, availability"),
        ("requestCount < 60 ? 0 :\n  avialability > 99 ? 0 : 3", "line 2, column 3: there is no avialability here"),
        ("requestCount < 60 ? 0 : 4", "line 1, column 25: health is from 0 (well) to 3 (down), and this is 4"),
        ("requestCount < 60 ? -1 : 0", "and this is -1"),
        ("availability", "health is an int from 0 (well) to 3 (down), and this gives a double"),
        ("requestCount > 1", "and this gives a bool"),
        ("dyn(1)", "and this gives a dyn"),
        (
            "requestCount < 60 ? 0 : 'bad'",
            "line 1, column 19: both outcomes of ? : must be of one type: this gives an int or a string",
        ),
        ("requestCount ? 0 : 1", "line 1, column 1: what stands before ? must be true or false, and this is an int"),
        (
            "errorCount / requestCount * 100.0 > 1.0 ? 1 : 0",
            "line 1, column 27: CEL does not mix int * double: write double(…) around the int",
        ),
        ("service > 1 ? 0 : 1", "a string cannot be compared with an int"),
        ("service == 1 ? 0 : 1", "a string never equals an int"),
        ("service in 'a' ? 0 : 1", "in needs a list such as [\"a\", \"b\"] at its right, and this is a string"),
        ("1 in ['a'] ? 0 : 1", "an int is never in a list(string)"),
        ("requestCount < 60 ? 0", "line 1, column 22: : is missing between the two outcomes of ? :, before the end"),
        ("(requestCount < 60 ? 0 : 1", ") is missing after what is in ( ), before the end"),
        ("requestCount < 60 ? 0 : 1 1", "line 1, column 27: the expression is over before 1"),
        ("requestCount = 60 ? 0 : 1", "line 1, column 14: CEL compares with =="),
        ("requestCount > 1 & true ? 0 : 1", "write && for \"and\""),
        ("if (true) 0", "CEL reserves the word if: choose with CONDITION ? THIS : THAT"),
        ("[1].exists(x, x > 1) ? 0 : 1", "there is no x here"),
        ("[1].map(1, 2) == [1] ? 0 : 1", "map walks a list"),
        ("service.startWith('a') ? 0 : 1", "there is no function startWith: did you mean startsWith?"),
        ("startsWith(service, 'a') ? 0 : 1", "startsWith is called as x.startsWith(y)"),
        ("service.matches(swimlane) ? 0 : 1", "the pattern of matches must be written out"),
        ("service.matches('(') ? 0 : 1", "this pattern cannot be used: unclosed group"),
        ("service == b'a' ? 0 : 1", "there are no bytes here"),
        ("service == null ? 0 : 1", "there is no null"),
        ("service == 'a\n ? 0 : 1", "line 1, column 12: this string does not end on its line: ' is missing"),
        ("service == 'a", "this string has no end: ' is missing"),
        ("service == '\\q' ? 0 : 1", "CEL knows no such escape"),
        ("service == ‘a’ ? 0 : 1", "is a quote of a word processor"),
        ("9223372036854775808", "does not fit into 64 bits with a sign"),
        ("requestCount > 60x ? 0 : 1", "a number cannot be followed by 'x'"),
        ("requestCount.p ? 0 : 1", ".p needs a map with strings as keys"),
        ("Foo{a: 1}", "there are no messages here"),
        ("size > 1 ? 0 : 1", "size is a function: write size(…)"),
        ("p99() > 1.0 ? 0 : 1", "p99 is a value, not a function"),
    ] {
        let said = health(source).expect_err(source);
        assert!(said.contains(expected), "{source}\n{said}");
    }
}

#[test]
fn the_caret_stands_under_the_place() {
    let said = health("requestCount < 60 ? 0 :\n  ävailability > 99 ? 0 : 3").unwrap_err();
    let expected = "line 2, column 3: ä means nothing here\n    ävailability > 99 ? 0 : 3\n    ^";
    assert_eq!(said, expected);
    let long = format!("{} requestCout > 1 ? 0 : 1", "true && ".repeat(20));
    let said = health(&long).unwrap_err();
    let (line, caret) = said
        .lines()
        .skip(1)
        .map(str::to_owned)
        .collect::<Vec<_>>()
        .split_first()
        .map(|(line, rest)| (line.clone(), rest.join("")))
        .unwrap();
    assert!(line.chars().count() <= 102, "{said}");
    assert!(line.chars().skip(caret.find('^').unwrap()).collect::<String>().starts_with("requestCout"), "{said}");
}

#[test]
fn nothing_is_too_much() {
    let terms = |count: usize, sign: &str| vec!["requestCount"; count].join(sign);
    let sum = |count: usize| vec!["1"; count].join("+");
    let huge = [
        sum(2_000),
        sum(101),
        format!("{}1{}", "(".repeat(2_000), ")".repeat(2_000)),
        format!("{}1{}", "[".repeat(2_000), "]".repeat(2_000)),
        format!("{}1{}", "{1:".repeat(1_000), "}".repeat(1_000)),
        format!("{}true ? 1 : 0", "!".repeat(4_000)),
        format!("{}1", "- ".repeat(2_000)),
        format!("{}1", "true?1:".repeat(500)),
        format!("tags{}", ".a".repeat(2_000)),
        format!("tags{}", "[''".repeat(1_000)),
        format!("{}1{}", "int(".repeat(900), ")".repeat(900)),
        format!("[{}] == [] ? 1 : 0", vec!["1"; 1_500].join(",")),
        terms(200, "||"),
        "(".repeat(4_096),
        "[".repeat(4_096),
        "-".repeat(4_096),
        "1".repeat(5_000),
    ];
    for source in &huge {
        let said = health(source).expect_err("too much");
        let words = ["too deep", "too long", "is missing", "does not fit"];
        assert!(words.iter().any(|word| said.contains(word)), "{said}");
        assert!(said.len() < 400, "{said}");
    }
}

/// The least that CEL wants of every implementation.
#[test]
fn what_cel_promises_is_not_too_much() {
    let chain = |sign: &str, term: &str, count: usize| vec![term; count].join(sign);
    for source in [
        format!("{} ? 1 : 0", chain(" || ", "service == 'a'", 32)),
        format!("{} ? 1 : 0", chain(" && ", "service == 'a'", 32)),
        format!("{}0", "requestCount > 1 ? 1 : ".repeat(24)),
        chain(" + ", "requestCount", 25),
        chain(" * ", "requestCount", 25),
        format!("size({}1{})", "[".repeat(12), "]".repeat(12)),
        format!("{}requestCount{}", "int(".repeat(12), ")".repeat(12)),
        format!("service in [{}] ? 1 : 0", chain(", ", "'host-17.example.com'", 150)),
    ] {
        health(&source).unwrap();
    }
}

#[test]
fn long_texts_cost_too_much() {
    let long: Arc<str> = "x".repeat(100_000).into();
    let inputs = Inputs { service: long, ..window(100, 0) };
    let doubled = format!("size({}) > 1 ? 1 : 0", vec!["service"; 60].join(" + "));
    assert!(level(&doubled, &inputs).unwrap_err().contains("too long"));
    assert!(level("service.matches('(x+x+)+y') ? 1 : 0", &inputs).unwrap_err().contains("too long"));
    assert_eq!(level("service == 'x' ? 1 : 0", &inputs), Ok(0));
}

#[test]
fn constants_are_computed_once() {
    let expression = health("service in ['a', 'b' + 'c'] ? 1 + 1 : {'x': 3}['x']").unwrap();
    let expression = expression.expression();
    assert!(
        matches!(&expression.root.part, Part::Choice(three) if matches!(three[1].part, Part::Literal(Value::Int(2))))
    );
    assert_eq!(expression.reads(), [11]);
    // What fails is left for the one who asks for it.
    assert_eq!(level("requestCount > 1 ? 1 : 1 / 0", &window(100, 0)), Ok(1));
}
