use super::*;
use crate::model::manifest::{self, Document, Judgement};
use crate::plan::target::{KafkaClient, KafkaSecret};

const EXAMPLE: &str = include_str!("../../../config/examples/expert-matching.yaml");

fn pipeline(text: &str) -> Pipeline {
    let (mut documents, checked) = manifest::read(text, &Judgement::default());
    assert!(checked.is_valid(), "{:#?}", checked.problems);
    match documents.remove(0) {
        Document::Pipeline(pipeline) => *pipeline,
        Document::Processor(_) => panic!("not a pipeline"),
    }
}

fn target() -> Target {
    Target {
        environment: "qal".into(),
        namespace: "team".into(),
        image: "registry.example.com/{artifact}:{revision}-flink{flink}".into(),
        jar: "local:///opt/flink/usrlib/{artifact}.jar".into(),
        service_account: "flink".into(),
        state: Some("s3://state/{namespace}/{processor}".into()),
        kafka: KafkaClient {
            bootstrap: Some("broker:9093".into()),
            properties: [("security.protocol".to_owned(), "SASL_SSL".to_owned())].into(),
            secret: Some(KafkaSecret { name: "kafka-client".into(), keys: vec!["sasl.jaas.config".into()] }),
        },
    }
}

fn object<'a>(rendered: &'a Rendered, kind: &str, name: &str) -> &'a Value {
    rendered
        .objects()
        .find(|object| object["kind"] == kind && object["metadata"]["name"] == name)
        .unwrap_or_else(|| panic!("{kind} {name}"))
}

#[test]
fn a_processor_becomes_a_flink_deployment() {
    let rendered = render(&pipeline(EXAMPLE), &target(), Runtime::Operator).unwrap();
    assert_eq!(rendered.parts.len(), 4);
    let spec = &object(&rendered, "FlinkDeployment", "vep-data-api")["spec"];
    assert_eq!(spec["flinkVersion"], "v2_2");
    assert_eq!(spec["image"], "registry.example.com/vep-was-integ-project-svc:44-flink2.2");
    assert_eq!(spec["taskManager"], json!({"replicas": 3, "resource": {"cpu": 4.0, "memory": "4Gi"}}));
    assert_eq!((&spec["job"]["parallelism"], &spec["job"]["upgradeMode"]), (&json!(12), &json!("savepoint")));
    assert!(spec["job"]["args"].as_array().unwrap().contains(&json!("--maxParallelism=360")), "{spec}");
    let configuration = &spec["flinkConfiguration"];
    assert_eq!(configuration["taskmanager.numberOfTaskSlots"], "4");
    assert_eq!(configuration["execution.checkpointing.savepoint-dir"], "s3://state/team/vep-data-api/savepoints");
    let metadata = &object(&rendered, "FlinkDeployment", "vep-engagement")["metadata"];
    assert_eq!(metadata["labels"][PART_OF], "expert-matching");
    assert_eq!(metadata["annotations"]["flowdeck.dev/group"], "expert-matching.vep-engagement.v1");
    assert_eq!(metadata["annotations"]["flowdeck.dev/inputs"], "vep-events");
}

#[test]
fn without_a_place_for_state_a_restart_is_said_to_lose_it() {
    let rendered = render(&pipeline(EXAMPLE), &Target { state: None, ..target() }, Runtime::Operator).unwrap();
    assert_eq!(object(&rendered, "FlinkDeployment", "vep-data-api")["spec"]["job"]["upgradeMode"], "stateless");
    assert!(rendered.notes.iter().any(|note| note.contains("loses its state")), "{:?}", rendered.notes);
}

#[test]
fn a_processor_becomes_plain_workloads() {
    let rendered = render(&pipeline(EXAMPLE), &target(), Runtime::Standalone).unwrap();
    let workers = object(&rendered, "StatefulSet", "vep-data-api-taskmanager");
    assert_eq!(workers["spec"]["replicas"], 3);
    let labels = &workers["spec"]["template"]["metadata"]["labels"];
    assert_eq!((&labels["component"], &labels["app"]), (&json!("taskmanager"), &json!("vep-data-api")));
    let jobs = object(&rendered, "Deployment", "vep-data-api-jobmanager");
    let arguments = jobs["spec"]["template"]["spec"]["containers"][0]["args"].as_array().unwrap();
    assert_eq!(arguments[0], "standalone-job");
    assert!(arguments.contains(&json!("--parallelism=12")));
    let text = object(&rendered, "ConfigMap", "vep-data-api-config")["data"]["config.yaml"].as_str().unwrap();
    assert!(text.contains("taskmanager.memory.process.size: \"4096m\"\n"), "{text}");
    assert!(text.contains("jobmanager.rpc.address: \"vep-data-api-jobmanager\"\n"), "{text}");
}

#[test]
fn kafka_is_found_and_its_secret_is_only_named() {
    for runtime in [Runtime::Operator, Runtime::Standalone] {
        let rendered = render(&pipeline(EXAMPLE), &target(), runtime).unwrap();
        let text = object(&rendered, "ConfigMap", "vep-data-api-kafka")["data"]["client.properties"].as_str().unwrap();
        let expected =
            "bootstrap.servers=broker:9093\ngroup.id=expert-matching.vep-data-api.v1\nsecurity.protocol=SASL_SSL\n";
        assert!(text.starts_with(expected), "{text}");
        assert!(text.contains("sasl.jaas.config=${directory:/opt/flowdeck/kafka-secret:sasl.jaas.config}"), "{text}");
        let all = serde_json::to_string(&rendered.parts).unwrap();
        assert!(all.contains(r#""secret":{"secretName":"kafka-client"}"#), "{all}");
    }
}

#[test]
fn values_of_properties_come_back_as_java_reads_them() {
    assert_eq!(kafka::escaped(r"a\b"), r"a\\b");
    assert_eq!(kafka::escaped(" ä\n😀"), r"\ \u00e4\n\ud83d\ude00");
}

#[test]
fn an_environment_has_its_own_sizes() {
    let text = EXAMPLE.replace(
        "  processors:\n",
        "  overrides:\n    prd:\n      vep-engagement: {replicas: 9, memory: 8Gi}\n  processors:\n",
    );
    let pipeline = pipeline(&text);
    let of = |environment: &str| {
        let target = Target { environment: environment.into(), ..target() };
        let rendered = render(&pipeline, &target, Runtime::Operator).unwrap();
        object(&rendered, "FlinkDeployment", "vep-engagement")["spec"]["taskManager"].clone()
    };
    assert_eq!((&of("qal")["replicas"], &of("prd")["replicas"]), (&json!(3), &json!(9)));
    assert_eq!(of("prd")["resource"]["memory"], "8Gi");
}

#[test]
fn a_pipeline_does_not_go_where_it_does_not_belong() {
    let error = render(&pipeline(EXAMPLE), &Target { environment: "dev".into(), ..target() }, Runtime::Operator);
    let words = error.unwrap_err().to_string();
    assert!(words.contains("dev") && words.contains("qal, e2e, prd"), "{words}");
}

#[test]
fn a_changed_kafka_address_changes_the_pods_and_a_revision_does_not() {
    let pods = |target: &Target, revision: u64| {
        let mut rendered = render(&pipeline(EXAMPLE), target, Runtime::Operator).unwrap();
        rendered.stamp(revision);
        object(&rendered, "FlinkDeployment", "vep-data-api")["spec"]["podTemplate"].clone()
    };
    let mut moved = target();
    moved.kafka.bootstrap = Some("other:9093".into());
    assert_eq!(pods(&target(), 1), pods(&target(), 2));
    assert_ne!(pods(&target(), 1), pods(&moved, 1));
}

#[test]
fn units_are_said_in_the_reader_s_own() {
    assert_eq!(flink::operator_memory("4Gi"), "4Gi");
    assert_eq!(flink::operator_memory("16G"), "16000000000b");
    assert_eq!(flink::flink_memory("512Mi"), "512m");
    assert_eq!((flink::cores(0.5), flink::cores(4.0)), ("500m".to_owned(), "4".to_owned()));
}

#[test]
fn a_script_of_sql_is_run_by_flinks_own_program() {
    let script = "SET 'a' = '$b';\nSELECT 1;\n";
    let text = |version: &str| {
        let step = json!({"name": "s", "artifact": "g:a:1", "replicas": 1, "cpu": 1, "memory": "2Gi", "sql": script});
        let spec = json!({"environments": ["qal"], "flinkVersion": version, "processors": [step]});
        let metadata = json!({"name": "s", "team": "t"});
        json!({"apiVersion": manifest::API_VERSION, "kind": "Pipeline", "metadata": metadata, "spec": spec}).to_string()
    };
    let of = |runtime| render(&pipeline(&text("2.2")), &target(), runtime).unwrap();
    let rendered = of(Runtime::Operator);
    let job = &object(&rendered, "FlinkDeployment", "s")["spec"]["job"];
    assert_eq!(job["entryClass"], "org.apache.flink.table.runtime.application.SqlDriver");
    assert_eq!(job["args"], json!(["--script", script]));
    let rendered = of(Runtime::Standalone);
    let arguments =
        &object(&rendered, "Deployment", "s-jobmanager")["spec"]["template"]["spec"]["containers"][0]["args"];
    let class = "org.apache.flink.table.runtime.application.SqlDriver";
    let doubled = script.replace('$', "$$");
    assert_eq!(arguments, &json!(["standalone-job", "--job-classname", class, "--script", doubled]));
    let old = render(&pipeline(&text("1.20")), &target(), Runtime::Operator);
    assert_eq!(old, Err(RenderError::Script("s".to_owned())));
}
