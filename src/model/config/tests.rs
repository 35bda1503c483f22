use super::*;

/// The document of the talk.
const TALK: &str = r#"{
    "flink" : {
        "beam" : {
            "checkpointTimeoutMillis" : 600000,
            "checkpointingInterval" : 600000,
            "checkpointingMode" : "AT_LEAST_ONCE",
            "maxParallelism" : 360,
            "minPauseBetweenCheckpoints" : 480000,
            "numberOfExecutionRetries" : 3
        },
        "conf" : {
            "env.java.opts" : "-Dcom.sun.management.jmxremote -Dcom.sun.management.jmxremote.authenticate=false",
            "state.checkpoints.num-retained" : 3,
            "taskmanager" : {
                "numberOfTaskSlots" : 1
            }
        }
    },
    "beam" : {
        "java" : {
            "runner" : "FlinkRunner"
        }
    }
}"#;

fn words(document: &str) -> Vec<String> {
    words_with(document, Setting::default())
}

fn words_with(document: &str, setting: Setting) -> Vec<String> {
    let problems = check(document, setting);
    problems.iter().map(|it| format!("{}:{} {} {}", it.line, it.column, it.path, it.message)).collect()
}

#[test]
fn the_talks_document_has_two_old_names_and_no_error() {
    let problems = check(TALK, Setting { task_managers: Some(60), ..Setting::default() });
    assert!(problems.iter().all(|problem| problem.severity == Severity::Warning), "{problems:#?}");
    let instead: Vec<&str> = problems.iter().filter_map(|problem| problem.instead.as_deref()).collect();
    assert_eq!(instead, ["env.java.opts.all", "execution.checkpointing.num-retained"]);
    assert_eq!((problems[0].line, problems[0].column), (12, 13));
}

#[test]
fn what_nobody_reads_is_named_with_the_likely_key() {
    let found = words(&TALK.replace("maxParallelism", "maxParalelism").replace("\"java\"", "\"jawa\""));
    assert!(
        found[0].starts_with("7:13 flink.beam.maxParalelism unknown option; did you mean maxParallelism?"),
        "{found:?}"
    );
    assert!(found.last().unwrap().contains("beam.jawa nobody reads this"), "{found:?}");
}

#[test]
fn parallelism_keeps_to_its_limits() {
    let document = r#"{"flink": {"beam": {"parallelism": 400, "maxParallelism": 360}, "conf": {"taskmanager.numberOfTaskSlots": 2}}}"#;
    let found = words_with(document, Setting { task_managers: Some(60), ..Setting::default() });
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("400 is more than flink.beam.maxParallelism = 360"), "{found:?}");
    assert!(found[1].contains("60 TaskManagers with 2 each have 120"), "{found:?}");
    assert_eq!(words(&document.replace("400", "360")), Vec::<String>::new());
}

#[test]
fn a_job_that_takes_every_slot_keeps_to_its_limit_too() {
    let document = r#"{"flink": {"beam": {"maxParallelism": 360}, "conf": {"taskmanager.numberOfTaskSlots": 2}}}"#;
    let with =
        |task_managers: u32| words_with(document, Setting { task_managers: Some(task_managers), ..Setting::default() });
    let found = with(181);
    let said = "181 TaskManagers with 2 slots each make a parallelism of 362, more than 360";
    assert!(found.len() == 1 && found[0].contains(said), "{found:?}");
    assert_eq!(with(180), Vec::<String>::new());
    assert_eq!(words(document), Vec::<String>::new(), "nobody said how many there are");
}

#[test]
fn json_must_be_json() {
    for (document, said) in [
        ("{\"flink\": {},}", "1:13  not JSON: trailing commas are not allowed"),
        ("{ // why\n}", "1:3  not JSON: comments are not allowed"),
        ("[]", "1:1  the document must be one JSON object"),
        ("{\"flink\": {\"beam\": 1}}", "1:20 flink.beam must be an object"),
        ("{\"flink\": {\"beam\": {\"parallelism\": 1, \"parallelism\": 2}}}", "stands twice: first in line 1"),
        (
            "{\"flink\": {\"conf\": {\"state.backend.type\": \"rocksdb\",\n \"state.backend\": \"hashmap\"}}}",
            "stands twice: as flink.conf.state.backend.type in line 1",
        ),
    ] {
        assert!(words(document).iter().any(|words| words.contains(said)), "{document}: {:?}", words(document));
    }
    assert_eq!(words(""), Vec::<String>::new());
    assert!(words(&"[".repeat(100_000))[0].contains("nesting"));
    assert!(words(&" ".repeat(LONGEST + 1))[0].contains("are the most"));
}

#[test]
fn values_are_what_their_options_take() {
    let conf = |text: &str| format!("{{\"flink\": {{\"conf\": {{{text}}}}}}}");
    for (text, said) in [
        ("\"execution.checkpointing.interval\": \"10 parsecs\"", "must be a length of time such as"),
        ("\"taskmanager.numberOfTaskSlots\": true", "must be a whole number"),
        ("\"taskmanager.numberOfTaskSlots\": null", "must be a whole number"),
        ("\"execution.checkpointing.mode\": \"ONCE\"", "must be one of EXACTLY_ONCE, AT_LEAST_ONCE"),
        ("\"akka.watch.threshold\": 12", "Flink 2.3 does not read it; Flink 1.20 does"),
        ("\"taskmanager.memory.managed.fraction\": 0.95", "leave none for the heap"),
        ("\"taskmanager.memory.network.fraction\": 1.5", "from 0 to less than 1"),
        ("\"execution.checkpointing.interval\": \"5 ms\"", "closer than 10 ms"),
        ("\"execution.checkpointing.timeout\": \"5 min\"", "has no effect"),
    ] {
        assert!(words(&conf(text)).iter().any(|words| words.contains(said)), "{text}: {:?}", words(&conf(text)));
    }
    let beam = "{\"flink\": {\"beam\": {\"checkpointingMode\": \"exactly_once\"}}}";
    assert_eq!(check(beam, Setting::default())[0].instead.as_deref(), Some("EXACTLY_ONCE"));
    let own = conf("\"kubernetes\": {\"cluster-id\": \"x\"}");
    assert_eq!(words(&own), Vec::<String>::new());
    let with_operator = Setting { with_operator: true, ..Setting::default() };
    assert!(words_with(&own, with_operator)[0].contains("the operator sets this itself"));
}

mod never_panics {
    use proptest::prelude::*;

    use super::super::*;

    proptest! {
        #[test]
        fn on_anything(document in "\\PC{0,80}") {
            for problem in check(&document, Setting::default()) {
                prop_assert!(problem.line >= 1 && problem.column >= 1);
            }
        }

        #[test]
        fn on_a_damaged_document(at in 0..super::TALK.len(), with in "[{}\\[\\],:\"\\\\é0-9 ]{0,3}") {
            let (before, after) = super::TALK.split_at(at);
            for problem in check(&format!("{before}{with}{after}"), Setting::default()) {
                prop_assert!(problem.line >= 1 && problem.column >= 1);
            }
        }
    }
}

#[test]
fn a_secret_in_clear_is_refused_and_not_repeated() {
    let of = |value: &str| {
        let document = format!(r#"{{"flink": {{"conf": {{"security.ssl.rest.key-password": "{value}"}}}}}}"#);
        check(&document, Setting::default())
    };
    let problems = of("hunter2");
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(
        (problems[0].severity, problems[0].path.as_str()),
        (Severity::Error, "flink.conf.security.ssl.rest.key-password")
    );
    assert!(problems[0].message.contains("secret in clear") && !problems[0].message.contains("hunter2"));
    assert_eq!(of(""), []);
    assert_eq!(of("${SSL_PASSWORD}"), []);
    let switches = r#"{"flink": {"conf": {"security.delegation.tokens.enabled": false, "security.kerberos.fetch.delegation-token": true}}}"#;
    assert!(check(switches, Setting::default()).iter().all(|it| !it.message.contains("secret")));
}
