use super::*;

const PIPELINE: &str = r#"apiVersion: flowdeck.dev/v1
kind: Pipeline
metadata:
  name: expert-matching
  team: Data Infrastructure
  taxonomy: [Data, Processing, Stream Processing]
  tracker: IDFSP
  icon: {acronym: EM, colour: blue}
spec:
  environments: [qal, e2e, prd]
  runtime: operator
  flinkVersion: "2.2"
  order: [vep-data-api, [match-making, was-incident]]
  processors:
    - name: vep-data-api
      artifact: com.intuit.strmprocess:vep-was:1.0.0
      revision: 44
      replicas: 3
      cpu: 4
      memory: 4Gi
      offsetVersion: 1
      inputs: [clickstream]
      outputs: [engagements]
      config: |
        {
          "flink": {"beam": {"parallelism": 3, "maxParallelism": 360}}
        }
    - {name: match-making, artifact: "g:a:1", replicas: 3, cpu: 0.5, memory: 16G, inputs: [engagements], outputs: [routed]}
    - {name: was-incident, artifact: "g:a:1", replicas: 1, cpu: 1, memory: 512Mi, inputs: [engagements], outputs: [incidents]}
"#;

fn words(text: &str) -> Vec<String> {
    let checked = check(text, &Judgement::default());
    checked.problems.iter().map(|it| format!("{}:{} {} {}", it.line, it.column, it.path, it.message)).collect()
}

#[track_caller]
fn says(change: (&str, &str), said: &str) {
    let (from, to) = change;
    assert!(PIPELINE.contains(from), "{from}");
    let found = words(&PIPELINE.replacen(from, to, 1));
    assert!(found.iter().any(|words| words.contains(said)), "{to}: {found:#?}");
}

#[test]
fn a_good_pipeline_has_nothing_against_it() {
    assert_eq!(words(PIPELINE), Vec::<String>::new());
    let checked = check(&format!("# two\n{PIPELINE}---\n{PIPELINE}"), &Judgement::default());
    assert_eq!(checked.documents.len(), 2);
    assert!(checked.is_valid());
}

#[test]
fn the_rules_of_the_portal_hold() {
    says(
        ("name: expert-matching", "name: a234567890123456789012345678"),
        "4:9 metadata.name has 28 characters; 27 are",
    );
    says(("name: expert-matching", "name: 4ever"), "must start with a letter");
    says(("name: expert-matching", "name: expert_matching"), "only letters, digits and hyphens");
    says(("tracker: IDFSP", "temporary: true"), "10:28 spec.environments prd is production");
    says(("tracker: IDFSP", "tracker: idf"), "in capitals");
    says(("tracker: IDFSP", "alias: Intuit.Data"), "metadata.alias must be lowercase");
    says(("[Data, Processing, Stream Processing]", "[Data]"), "three levels");
    says(("acronym: EM", "acronym: EXPERT"), "one to four letters");
    let long = format!("description: {}", "x".repeat(257));
    says(("tracker: IDFSP", &long), "has 257 characters; 256 are the most");
}

#[test]
fn sizes_and_configuration_are_checked_where_they_stand() {
    says(("memory: 4Gi", "memory: 4 gigs"), "memory must be an amount with a unit");
    says(("cpu: 4\n", "cpu: 0\n"), "must be more than 0 cores");
    says(("replicas: 3\n", "replicas: 0\n"), "must be from 1 to");
    says(("vep-was:1.0.0", "vep-was"), "must be group:artifact:version");
    says(
        ("\"parallelism\": 3", "\"parallelism\": 400"),
        "26:45 spec.processors.vep-data-api.config flink.beam.parallelism 400 is more than",
    );
    says(("flinkVersion: \"2.2\"", "flinkVersion: newest"), "must be a version such as 2.2");
    says(("inputs: [clickstream]", "inputs: [click stream]"), "is no topic's name");
}

#[test]
fn a_wrong_graph_is_named() {
    says(("inputs: [clickstream]", "inputs: [routed]"), "reads what comes of its own output");
    says(("outputs: [incidents]", "outputs: [routed]"), "routed is also written by match-making");
    says(("name: was-incident", "name: match-making"), "is the name of two processors");
    says(("[match-making, was-incident]", "match-making"), "spec.order does not name was-incident");
    says(("[match-making, was-incident]", "[match-making, was-incident, who]"), "names who, which is no processor");
    says(("inputs: [engagements], outputs: [routed]", "outputs: [routed]"), "reads no topic that it writes");
    let types = "inputs: [engagements], outputs: [routed], types: {engagements: Request}";
    assert_eq!(words(&PIPELINE.replace("inputs: [engagements], outputs: [routed]", types)), Vec::<String>::new());
    let reader = PIPELINE.replace("inputs: [engagements], outputs: [routed]", types);
    let clash = words(&reader.replace(
        "      outputs: [engagements]",
        "      outputs: [engagements]\n      types: {engagements: Engagement}",
    ));
    let said = "match-making.types engagements is Request here, but vep-data-api writes Engagement";
    assert!(clash.iter().any(|words| words.contains(said)), "{clash:#?}");
    says(
        ("inputs: [engagements], outputs: [routed]", "outputs: [routed], types: {other: A}"),
        "neither reads nor writes",
    );
}

#[test]
fn what_is_no_manifest_says_why() {
    says(("flowdeck.dev/v1", "flowdeck.dev/v2"), "1:13 apiVersion flowdeck.dev/v2 is newer than this program");
    says(("flowdeck.dev/v1", "apps/v1"), "apps/v1 is unknown");
    says(("kind: Pipeline", "kind: Pipelines"), "2:7 kind Pipelines is unknown; it is one of Pipeline, Processor");
    says(("  team:", "  teem:"), "unknown field");
    says(("  team:", "  name: again\n  team:"), "duplicate");
    says(("replicas: 3\n", "replicas: three\n"), "18:");
    assert_eq!(words("# nothing\n---\n"), ["1:1  there is no manifest in it"]);
    assert!(!words("a: [").is_empty());
}
