//! Pipelines rendered, applied and changed on the real API server, with the operator's real resource definitions.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::stack::{Namespace, Settings, eventually, flink_submit, kubectl, kubectl_with, variable};

/// Settings for one environment, with what it gives to pipelines.
pub fn settings(environment: &str, namespace: &str, more: &str) -> Settings {
    let deploy = "image = \"registry.example.com/{artifact}:{revision}\"\nstate = \"s3://state/{namespace}/{processor}\"\n\
                  kafka-secret = \"kafka-client\"";
    let more = format!("[environment.kafka]\nbootstrap = \"broker:9093\"\n[environment.deploy]\n{deploy}\n{more}");
    Settings::named(environment, &variable("STACK_KUBECONFIG"), &[namespace], &more)
}

#[test]
fn every_example_rendered_for_both_runtimes_passes_the_servers_dry_run() {
    let namespace = Namespace::new("rendered");
    let settings = settings("qal", &namespace.0, "");
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/config/examples");
    let (mut manifests, mut objects) = (0, 0);
    for entry in std::fs::read_dir(examples).unwrap() {
        let path = entry.unwrap().path().to_string_lossy().into_owned();
        if !path.ends_with(".yaml") {
            continue;
        }
        manifests += 1;
        for runtime in ["operator", "standalone"] {
            let output = settings.command(&["render", "-f", &path, "--runtime", runtime, "-o", "json"]);
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let rendered: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
            for object in &rendered {
                let arguments = ["apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-"];
                kubectl_with(&arguments, &object.to_string());
                objects += 1;
            }
        }
    }
    println!("{manifests} manifests, {objects} objects");
    assert!(manifests >= 2 && objects >= 8);
}

/// Follows the operator's documented transitions, as far as a deployment's status tells them: a new spec is seen, a
/// running job is STABLE and RUNNING, a suspended one SUSPENDED with the savepoint that it stopped with.
pub struct Reconciler {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Reconciler {
    pub fn of(namespace: &str) -> Self {
        let (stop, namespace) = (Arc::new(AtomicBool::new(false)), namespace.to_owned());
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                for object in items(&namespace, "flinkdeployments") {
                    reconcile(&namespace, &object);
                }
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Reconciler {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// All objects of a kind.
pub fn items(namespace: &str, kind: &str) -> Vec<Value> {
    let list: Value = serde_json::from_str(&kubectl(&["get", kind, "-n", namespace, "-o", "json"])).unwrap();
    list["items"].as_array().unwrap().clone()
}

fn reconcile(namespace: &str, object: &Value) {
    let generation = &object["metadata"]["generation"];
    if object["status"]["observedGeneration"] == *generation {
        return;
    }
    let suspended = object["spec"]["job"]["state"] == "suspended";
    let name = object["metadata"]["name"].as_str().unwrap();
    let job = if suspended {
        json!({"state": "FINISHED", "upgradeSavepointPath": format!("s3://state/{namespace}/{name}/savepoints/1")})
    } else {
        json!({"state": "RUNNING"})
    };
    let status = json!({"status": {
        "observedGeneration": generation,
        "lifecycleState": if suspended { "SUSPENDED" } else { "STABLE" },
        "jobManagerDeploymentStatus": if suspended { "MISSING" } else { "READY" },
        "jobStatus": job,
    }});
    // A namespace on its way out takes no status.
    let mut command = std::process::Command::new(variable("STACK_KUBECTL"));
    command.args(["--kubeconfig", &variable("STACK_KUBECONFIG"), "patch", "flinkdeployment", name, "-n", namespace]);
    command.args(["--subresource=status", "--type=merge", "-p", &status.to_string()]);
    drop(command.output().unwrap());
}

/// A pipeline of two.
pub const MANIFEST: &str = r#"apiVersion: flowdeck.dev/v1
kind: Pipeline
metadata: {name: clicks, team: data}
spec:
  environments: [qal, prd]
  processors:
    - name: sessionization
      artifact: "com.example:sessions:1.0.0"
      revision: 7
      replicas: 15
      cpu: 1
      memory: 2Gi
      offsetVersion: 1
      inputs: [clickstream]
      outputs: [sessions]
      config: '{"flink": {"beam": {"checkpointTimeoutMillis": 600000, "maxParallelism": 360}}}'
    - {name: counter, artifact: "com.example:counter:1.0.0", replicas: 2, cpu: 0.5, memory: 1Gi, inputs: [sessions]}
"#;

/// A manifest in a file of the test's own.
pub fn file(text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipeline.yaml");
    std::fs::write(&path, text).unwrap();
    let path = path.to_string_lossy().into_owned();
    (folder, path)
}

/// Runs a command that answers with a report; its code and the report.
#[track_caller]
pub fn report(settings: &Settings, arguments: &[&str]) -> (i32, Value, String) {
    let output = settings.command(&[arguments, &["-o", "json"]].concat());
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    let report = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output.status.code().unwrap(), report, words)
}

/// Runs a command that must do what it is asked to.
#[track_caller]
pub fn done(settings: &Settings, arguments: &[&str]) -> Value {
    let (code, report, words) = report(settings, arguments);
    assert_eq!((code, &report["outcome"]), (0, &json!("done")), "{arguments:?}: {words} {report:#}");
    report
}

/// What somebody wants, of all objects that a pipeline may have: without what the server and the revision write.
pub fn wanted(namespace: &str) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for kind in ["flinkdeployments", "deployments", "statefulsets", "services", "configmaps"] {
        for mut object in items(namespace, kind) {
            let name = object["metadata"]["name"].as_str().unwrap().to_owned();
            if name == "kube-root-ca.crt" || name.starts_with("flowdeck.") {
                continue;
            }
            object.as_object_mut().unwrap().remove("status");
            let metadata = object["metadata"].as_object_mut().unwrap();
            for noise in ["managedFields", "resourceVersion", "uid", "generation", "creationTimestamp"] {
                metadata.remove(noise);
            }
            if let Some(annotations) = object["metadata"]["annotations"].as_object_mut() {
                annotations.remove("flowdeck.dev/revision");
                // The Deployment controller's own count of templates.
                annotations.remove("deployment.kubernetes.io/revision");
            }
            found.insert(format!("{kind}/{name}"), object);
        }
    }
    found
}

/// TaskManagers that a processor is meant to have.
pub fn replicas(namespace: &str, name: &str) -> Value {
    wanted(namespace)[&format!("flinkdeployments/{name}")]["spec"]["taskManager"]["replicas"].clone()
}

#[test]
fn a_pipeline_is_applied_enlarged_and_rolled_back() {
    let namespace = Namespace::new("life");
    let (settings, _operator) = (settings("qal", &namespace.0, ""), Reconciler::of(&namespace.0));
    let (_folder, path) = file(MANIFEST);
    let first = done(&settings, &["apply", "-f", &path, "--yes", "--wait"]);
    assert_eq!(first["revision"], 1);
    let before = wanted(&namespace.0);
    assert_eq!(before.len(), 4, "{:?}", before.keys());

    // The same again is nothing.
    let (code, same, _) = report(&settings, &["apply", "-f", &path, "--yes"]);
    assert_eq!((code, &same["outcome"]), (0, &json!("unchanged")), "{same:#}");
    assert_eq!(settings.command(&["diff", "-f", &path, "--exit-code"]).status.code(), Some(0));

    // A larger one is forecast to restart from a savepoint, on its own.
    let (_larger, larger) = file(&MANIFEST.replace("replicas: 15", "replicas: 20").replace("600000", "900000"));
    let differs = settings.command(&["diff", "-f", &larger, "--exit-code", "-o", "json"]);
    assert_eq!(differs.status.code(), Some(5));
    assert_eq!(wanted(&namespace.0), before, "a diff changes nothing");
    let second = done(&settings, &["apply", "-f", &larger, "--yes", "--wait"]);
    assert_eq!(second["revision"], 2);
    let effects: Vec<(&Value, &Value)> =
        second["forecasts"].as_array().unwrap().iter().map(|it| (&it["processor"], &it["effect"])).collect();
    assert_eq!(
        effects,
        [(&json!("counter"), &json!("nothing")), (&json!("sessionization"), &json!("restarts-from-savepoint"))]
    );
    assert_eq!(replicas(&namespace.0, "sessionization"), 20);

    // Back, object by object as it was.
    let third = done(&settings, &["rollback", "clicks", "--yes", "--wait"]);
    assert_eq!(third["revision"], 3);
    assert_eq!(wanted(&namespace.0), before);
}

#[test]
fn a_pipeline_stops_starts_and_goes() {
    let namespace = Namespace::new("stops");
    let (settings, _operator) = (settings("qal", &namespace.0, ""), Reconciler::of(&namespace.0));
    let (_folder, path) = file(MANIFEST);
    done(&settings, &["apply", "-f", &path, "--yes", "--wait"]);
    let before = wanted(&namespace.0);

    // Stopped: nothing but the state differs; started: nothing at all.
    let stopped = done(&settings, &["stop", "clicks", "--yes", "--wait"]);
    assert!(stopped["steps"].to_string().contains("stopped, savepoint s3://"), "{stopped:#}");
    let mut expected = before.clone();
    for name in ["flinkdeployments/sessionization", "flinkdeployments/counter"] {
        expected.get_mut(name).unwrap()["spec"]["job"]["state"] = json!("suspended");
    }
    assert_eq!(wanted(&namespace.0), expected);
    done(&settings, &["deploy", "clicks", "--yes", "--wait"]);
    assert_eq!(wanted(&namespace.0), before);

    // Restarted: a number, which the next apply leaves.
    done(&settings, &["restart", "clicks", "--yes", "--wait"]);
    assert!(wanted(&namespace.0)["flinkdeployments/counter"]["spec"]["restartNonce"].is_number());
    let (_, same, _) = report(&settings, &["apply", "-f", &path, "--yes"]);
    assert_eq!(same["outcome"], "unchanged", "{same:#}");
    assert_eq!(done(&settings, &["scale", "clicks", "counter", "--replicas", "5", "--yes"])["revision"], 2);
    assert_eq!((replicas(&namespace.0, "counter"), replicas(&namespace.0, "sessionization")), (json!(5), json!(15)));

    let history = settings.json(&["history", "clicks", "-o", "json"]);
    let states: Vec<&str> = history.as_array().unwrap().iter().map(|it| it["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["superseded", "deployed"]);
    let said = settings.command(&["history", "clicks", "--diff", "1", "2"]);
    assert!(String::from_utf8_lossy(&said.stdout).contains("spec.taskManager.replicas: 2 → 5"));

    // What runs is not taken away unasked; then everything goes but what was said to stay.
    let (code, _, words) = report(&settings, &["decommission", "clicks", "--yes"]);
    assert!(code == 7 && words.contains("it still runs"), "{code} {words}");
    done(&settings, &["stop", "clicks", "--yes", "--wait"]);
    done(&settings, &["decommission", "clicks", "--yes"]);
    eventually("an empty namespace", || wanted(&namespace.0).is_empty().then_some(()));
    assert_eq!(settings.json(&["history", "clicks", "-o", "json"]).as_array().unwrap().len(), 2);
    let audit = settings.json(&["audit", "clicks", "-o", "json"]);
    let lines: Vec<String> = audit
        .as_array()
        .unwrap()
        .iter()
        .filter(|it| it["outcome"] == "done")
        .map(|it| it["verb"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(lines, ["apply", "stop", "deploy", "restart", "scale", "stop", "decommission"]);
}

#[test]
fn two_editors_are_put_together_or_told() {
    let namespace = Namespace::new("editors");
    let settings = settings("qal", &namespace.0, "");
    let (_base, base) = file(MANIFEST);
    done(&settings, &["apply", "-f", &base, "--yes"]);
    // Both start from revision 1; one is first.
    let (_first, first) = file(&MANIFEST.replace("replicas: 2,", "replicas: 3,"));
    done(&settings, &["apply", "-f", &first, "--base", "1", "--yes"]);
    let (_second, second) =
        file(&MANIFEST.replace("\"maxParallelism\": 360", "\"maxParallelism\": 360, \"parallelism\": 10"));
    done(&settings, &["apply", "-f", &second, "--base", "1", "--yes"]);
    let both = wanted(&namespace.0);
    assert_eq!(replicas(&namespace.0, "counter"), 3);
    assert_eq!(both["flinkdeployments/sessionization"]["spec"]["job"]["parallelism"], 10);
    // The same field asks.
    let (_third, third) = file(&MANIFEST.replace("replicas: 2,", "replicas: 4,"));
    let (code, _, words) = report(&settings, &["apply", "-f", &third, "--base", "1", "--yes"]);
    assert_eq!(code, 6, "{words}");
    assert!(words.contains("spec.processors.counter.replicas: 4 here, 3 there (was 2)"), "{words}");
    assert_eq!(wanted(&namespace.0), both);
}

#[test]
fn fields_of_others_are_named_and_taken_only_when_it_is_meant() {
    let namespace = Namespace::new("owners");
    let settings = settings("qal", &namespace.0, "");
    let (_folder, path) = file(MANIFEST);
    done(&settings, &["apply", "-f", &path, "--yes"]);
    let nine = r#"{"spec":{"taskManager":{"replicas":9}}}"#;
    let arguments = ["patch", "flinkdeployment", "counter", "-n", namespace.0.as_str(), "--type=merge", "-p", nine];
    kubectl(&[&arguments[..], &["--field-manager=ann"]].concat());
    let before = wanted(&namespace.0);
    let (_larger, larger) = file(&MANIFEST.replace("replicas: 2,", "replicas: 3,"));
    let (code, refused, words) = report(&settings, &["apply", "-f", &larger, "--yes"]);
    assert_eq!(code, 6, "{words}");
    assert!(words.contains(".spec.taskManager.replicas is set by ann"), "{words} {refused:#}");
    assert_eq!(wanted(&namespace.0), before);
    done(&settings, &["apply", "-f", &larger, "--yes", "--force-conflicts"]);
    assert_eq!(replicas(&namespace.0, "counter"), 3);
}

#[test]
fn what_may_not_be_is_refused_before_anything_is_sent() {
    let namespace = Namespace::new("refused");
    let (_folder, path) = file(MANIFEST);
    let nothing = || assert!(wanted(&namespace.0).is_empty() && items(&namespace.0, "configmaps").len() <= 1);
    let refused = |settings: &Settings, arguments: &[&str], code: i32, said: &str| {
        let (found, _, words) = report(settings, &[&["apply", "-f", path.as_str()][..], arguments].concat());
        assert!(found == code && words.contains(said), "{found}: {words}");
        nothing();
    };
    refused(
        &settings("qal", &namespace.0, "change-windows = [\"Mon 00:00-00:01\"]"),
        &["--yes"],
        7,
        "outside of the change windows",
    );
    let mut more = Settings::named("prd", &variable("STACK_KUBECONFIG"), &[&namespace.0], "protection = \"protected\"");
    refused(&more, &["--yes"], 7, "--confirm clicks");
    more = Settings::named("prd", &variable("STACK_KUBECONFIG"), &[&namespace.0], "protection = \"read-only\"");
    refused(&more, &["--yes", "--confirm", "clicks"], 7, "read-only");
    let viewer = Settings::named("qal", &variable("STACK_KUBECONFIG_VIEWER"), &[&namespace.0], "");
    refused(&viewer, &["--yes"], 1, "forbidden");
    refused(&settings("qal", &namespace.0, ""), &[], 2, "--yes");
    refused(&settings("dev", &namespace.0, ""), &["--yes"], 1, "does not name environment dev");
    let (_temporary, temporary) = file(&MANIFEST.replace("team: data", "team: data, temporary: true"));
    let (code, _, words) = report(&settings("prd", &namespace.0, ""), &["apply", "-f", &temporary, "--yes"]);
    assert!(code == 1 && words.contains("temporary"), "{code} {words}");
    nothing();
    // The server's own schema has the last word.
    let (_odd, odd) = file(&MANIFEST.replace("  environments", "  flinkVersion: '3.7'\n  environments"));
    let (code, _, words) = report(&settings("qal", &namespace.0, ""), &["apply", "-f", &odd, "--yes"]);
    assert!(code == 1 && words.contains("flinkVersion"), "{code} {words}");
    nothing();
    // What Argo CD keeps is left to it.
    let owned = json!({"apiVersion": "flink.apache.org/v1beta1", "kind": "FlinkDeployment", "metadata": {"name": "counter",
        "namespace": namespace.0, "annotations": {"argocd.argoproj.io/tracking-id": "shop:x"}}, "spec": {"flinkVersion": "v2_2", "job": {"jarURI": "local:///x.jar"}}});
    kubectl_with(&["apply", "-f", "-"], &owned.to_string());
    let (code, _, words) =
        report(&settings("qal", &namespace.0, ""), &["stop", "counter", "--yes", "--accept-state-loss"]);
    assert!(code == 7 && words.contains("Argo CD (shop:x)"), "{code} {words}");
}

#[test]
fn a_pipeline_is_promoted_with_its_own_sizes() {
    let (qal, prd) = (Namespace::new("promote-qal"), Namespace::new("promote-prd"));
    let config = variable("STACK_KUBECONFIG");
    let second = format!(
        "[[environment]]\nname = \"prd\"\nkubeconfig = {config:?}\nnamespaces = [{:?}]\nprotection = \"protected\"\n",
        prd.0
    );
    let settings = Settings::named("qal", &config, &[&qal.0], &second);
    let overrides = "  overrides: {prd: {counter: {replicas: 8}}}\n  processors:";
    let (_folder, path) = file(&MANIFEST.replace("  processors:", overrides));
    done(&settings, &["apply", "-e", "qal", "-f", &path, "--yes"]);
    let promote = ["promote", "clicks", "--from", "qal", "--to", "prd", "--yes"];
    let (code, _, words) = report(&settings, &promote);
    assert!(code == 7 && words.contains("--confirm clicks"), "{code} {words}");
    done(&settings, &[&promote[..], &["--confirm", "clicks"]].concat());
    assert_eq!((replicas(&qal.0, "counter"), replicas(&prd.0, "counter")), (json!(2), json!(8)));
    let history = settings.json(&["history", "clicks", "-e", "prd", "-o", "json"]);
    assert_eq!(history[0]["note"], "promoted from qal, revision 1");
}

#[test]
fn somebody_elses_pipeline_is_stopped_in_its_own_terms_and_adopted() {
    let namespace = Namespace::new("adopted");
    let live = json!({"apiVersion": "flink.apache.org/v1beta1", "kind": "FlinkDeployment",
        "metadata": {"name": "orders", "namespace": namespace.0},
        "spec": {"flinkVersion": "v2_2", "image": "flink:2.2", "flinkConfiguration": {"taskmanager.numberOfTaskSlots": "2"},
            "jobManager": {"resource": {"cpu": 1, "memory": "1Gi"}}, "taskManager": {"resource": {"cpu": 1, "memory": "1Gi"}},
            "job": {"jarURI": "local:///x.jar", "upgradeMode": "last-state", "parallelism": 2, "state": "running"}}});
    kubectl_with(&["apply", "-f", "-"], &live.to_string());
    let (settings, _operator) = (settings("qal", &namespace.0, ""), Reconciler::of(&namespace.0));
    let name = "flinkdeployments/orders";
    let mut before = wanted(&namespace.0)[name].clone();
    done(&settings, &["stop", "orders", "--yes", "--wait"]);
    let stopped = wanted(&namespace.0)[name].clone();
    before["spec"]["job"]["state"] = json!("suspended");
    assert_eq!(stopped, before);
    done(&settings, &["deploy", "orders", "--yes", "--wait"]);
    done(&settings, &["adopt", "orders", "--yes"]);
    let adopted = wanted(&namespace.0)[name].clone();
    assert_eq!(adopted["metadata"]["labels"]["app.kubernetes.io/managed-by"], "flowdeck");
    assert_eq!(settings.json(&["history", "orders", "-o", "json"])[0]["verb"], "adopt");
}

#[test]
fn a_real_job_takes_a_savepoint_and_runs_on() {
    flink_submit("healthy");
    let settings = Settings::admin(&["flink-live"]);
    let output = settings.command(&["savepoint", "flink-live", "--yes", "-o", "json"]);
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{words}");
    let steps: Value = serde_json::from_slice(&output.stdout).unwrap();
    let place = steps[0]["message"].as_str().unwrap().strip_prefix("file:").unwrap().to_owned();
    assert!(std::path::Path::new(&place).join("_metadata").exists(), "{place}");
    let jobs = settings.json(&["get", "jobs", "-o", "json"]);
    assert!(jobs.to_string().contains("RUNNING"), "{jobs}");
}
