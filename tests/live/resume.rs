//! Savepoints of a real job, the stop with one, and the start from it; by plain workloads and by the operator.
//!
//! Nothing runs containers here, so [`Launcher`] stands for the JobManager's: for each of its pods it starts the job on
//! the real Flink as the pod's arguments say. [`Operator`] does what the operator's documentation says of a
//! `FlinkDeployment`, with the same Flink.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use serde_json::{Value, json};

use crate::deploy::{done, file, items, report};
use crate::proxy::{Cut, Proxy, Which};
use crate::stack::{Namespace, Settings, eventually, flink_submit, variable};

const MANIFEST: &str = r#"apiVersion: flowdeck.dev/v1
kind: Pipeline
metadata: {name: counting, team: data}
spec:
  environments: [qal]
  runtime: standalone
  processors:
    - {name: counter, artifact: "com.example:counter:1.0.0", replicas: 1, cpu: 1, memory: 1Gi}
"#;

/// Asks the real Flink.
fn flink(path: &str, body: Option<&Value>) -> Value {
    let mut command = Command::new("curl");
    command.args(["-fsS", "-m", "30", &format!("{}{path}", variable("STACK_FLINK_URL"))]);
    if let Some(body) = body {
        command.args(["-H", "Content-Type: application/json", "-d", &body.to_string()]);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{path}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

fn job_state(job: &str) -> String {
    flink(&format!("/jobs/{job}"), None)["state"].as_str().unwrap().to_owned()
}

fn cancel(job: &str) {
    let address = format!("{}/jobs/{job}?mode=cancel", variable("STACK_FLINK_URL"));
    drop(Command::new("curl").args(["-fsS", "-m", "30", "-X", "PATCH", &address]).output().unwrap());
    eventually("an end of the job", || (job_state(job) != "RUNNING").then_some(()));
}

/// Starts the test job, from a savepoint or anew; its id.
fn start(savepoint: Option<&str>) -> String {
    let jars = flink("/jars", None);
    let jar = jars["files"][0]["id"].as_str().unwrap().to_owned();
    let mut body = json!({"programArgsList": ["healthy"]});
    if let Some(place) = savepoint {
        body["savepointPath"] = json!(place);
    }
    let job = flink(&format!("/jars/{jar}/run"), Some(&body))["jobid"].as_str().unwrap().to_owned();
    eventually("the job to run", || (job_state(&job) == "RUNNING").then_some(()));
    // Only then it has something to keep.
    eventually("a checkpoint", || {
        flink(&format!("/jobs/{job}/checkpoints"), None)["counts"]["completed"].as_u64().filter(|it| *it > 0)
    });
    job
}

/// What a job was restored from.
fn restored(job: &str) -> Option<String> {
    let checkpoints = flink(&format!("/jobs/{job}/checkpoints"), None);
    let restored = &checkpoints["latest"]["restored"];
    assert!(restored.is_null() || restored["is_savepoint"] == true, "{restored:#}");
    restored["external_path"].as_str().map(str::to_owned)
}

/// A thread that goes on until it is dropped.
struct Loop(Arc<AtomicBool>, Option<JoinHandle<()>>);

impl Loop {
    fn run(mut step: impl FnMut() + Send + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                step();
            }
        });
        Self(stop, Some(thread))
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
        let ended = self.1.take().map(JoinHandle::join);
        assert!(std::thread::panicking() || ended.is_none_or(|it| it.is_ok()), "the stand-in failed");
    }
}

/// The jobs that were started, oldest first.
type Jobs = Arc<std::sync::Mutex<Vec<String>>>;

/// Each JobManager's pod starts the job that its arguments name; a pod that goes takes its job along.
struct Launcher {
    jobs: Jobs,
    _loop: Loop,
}

impl Launcher {
    fn of(namespace: &str) -> Self {
        // A JobManager of one's own runs one job.
        let all = flink("/jobs/overview", None);
        let running = all["jobs"].as_array().unwrap().iter().filter(|it| it["state"] == "RUNNING");
        running.for_each(|it| cancel(it["jid"].as_str().unwrap()));
        let (jobs, namespace) = (Jobs::default(), namespace.to_owned());
        let started = jobs.clone();
        let mut pods: BTreeMap<String, String> = BTreeMap::new();
        let step = move || {
            let found = items(&namespace, "pods");
            let manager = |it: &&Value| it["metadata"]["labels"]["component"] == "jobmanager";
            let uid = |it: &Value| it["metadata"]["uid"].as_str().unwrap().to_owned();
            let gone: Vec<String> =
                pods.keys().filter(|known| !found.iter().any(|it| uid(it) == **known)).cloned().collect();
            for pod in gone {
                let job = pods.remove(&pod).unwrap();
                if job_state(&job) == "RUNNING" {
                    cancel(&job);
                }
            }
            for pod in found.iter().filter(manager) {
                if pods.contains_key(&uid(pod)) {
                    continue;
                }
                let arguments = pod["spec"]["containers"][0]["args"].as_array().unwrap();
                let at = arguments.iter().position(|it| it == "--fromSavepoint");
                let job = start(at.map(|at| arguments[at + 1].as_str().unwrap()));
                started.lock().unwrap().push(job.clone());
                pods.insert(uid(pod), job);
            }
        };
        Self { jobs, _loop: Loop::run(step) }
    }

    /// The job after so many others.
    fn job(&self, number: usize) -> String {
        eventually("the job", || self.jobs.lock().unwrap().get(number).cloned())
    }
}

fn settings(namespace: &str, kubeconfig: &str, flink: &str) -> Settings {
    let more = format!(
        "[environment.flink]\nurl = {flink:?}\n[environment.deploy]\nservice-account = \"default\"\nstate = \"s3://state/{{processor}}\""
    );
    Settings::named("qal", kubeconfig, &[namespace], &more)
}

/// The savepoint that a report tells of.
fn place(report: &Value) -> String {
    let steps = report["steps"].as_array().unwrap();
    let step = steps.iter().find(|it| it["step"].as_str().unwrap().contains("with a savepoint"));
    step.unwrap_or_else(|| panic!("{report:#}"))["message"].as_str().unwrap().to_owned()
}

/// From the JobManager's pod to the moment when the last task of its job was given out.
fn start_seconds(namespace: &str, job: &str) -> i64 {
    let pods = items(namespace, "pods");
    let manager = pods.iter().find(|it| it["metadata"]["labels"]["component"] == "jobmanager").unwrap();
    let made = manager["metadata"]["creationTimestamp"].as_str().unwrap();
    let made = chrono::DateTime::parse_from_rfc3339(made).unwrap().timestamp_millis();
    let detail = flink(&format!("/jobs/{job}"), None);
    let vertices = detail["vertices"].as_array().unwrap().iter().map(|it| it["start-time"].as_i64().unwrap());
    let last = vertices.max().unwrap().max(detail["timestamps"]["RUNNING"].as_i64().unwrap());
    (last - made + 999) / 1000
}

#[test]
fn a_real_job_stops_with_a_savepoint_and_goes_on_from_it() {
    let namespace = Namespace::new("resume");
    let url = variable("STACK_FLINK_URL");
    let settings = settings(&namespace.0, &variable("STACK_KUBECONFIG"), &url);
    let launcher = Launcher::of(&namespace.0);
    let (_folder, path) = file(MANIFEST);
    done(&settings, &["apply", "-f", &path, "--yes", "--wait"]);
    let first = launcher.job(0);
    assert_eq!(restored(&first), None);
    // Restarted: stopped with a savepoint, started from it.
    let restart = done(&settings, &["restart", "counting", "--yes", "--wait"]);
    let second = launcher.job(1);
    assert_eq!((job_state(&first).as_str(), restored(&second)), ("FINISHED", Some(place(&restart))));
    // Another size: the same way, and how long it is down is told by how long this start took.
    let expected = start_seconds(&namespace.0, &second);
    let wider = std::fs::read_to_string(&path).unwrap().replace("cpu: 1", "cpu: 2");
    std::fs::write(&path, wider).unwrap();
    let larger = done(&settings, &["apply", "-f", &path, "--yes", "--wait"]);
    assert_eq!(larger["forecasts"][0]["effect"], "restarts-from-savepoint", "{larger:#}");
    let restart = &larger["forecasts"][0]["restart"];
    println!("the last start: {restart}");
    assert_eq!(restart["seconds"], json!(expected), "{larger:#}");
    assert!(restart["measured"].as_str().unwrap().ends_with(&format!("took {expected} s")), "{restart}");
    let because = larger["forecasts"][0]["because"].to_string();
    assert!(because.contains("high-availability.type is not set"), "{because}");
    let third = launcher.job(2);
    assert_eq!(restored(&third), Some(place(&larger)));
    // Stopped, and started again.
    let stopped = done(&settings, &["stop", "counting", "--yes", "--wait"]);
    assert_eq!(job_state(&third), "FINISHED");
    assert!(std::path::Path::new(place(&stopped).strip_prefix("file:").unwrap()).join("_metadata").exists());
    done(&settings, &["deploy", "counting", "--yes", "--wait"]);
    let fourth = launcher.job(3);
    assert_eq!(restored(&fourth), Some(place(&stopped)));
    // A job that is gone has no savepoint to give: that is said, and nothing is done unless it is meant.
    cancel(&fourth);
    let (code, told, _) = report(&settings, &["stop", "counting", "--yes"]);
    let why = told["message"].as_str().unwrap();
    assert!(code == 1 && why.contains("could not be stopped with a savepoint: its job is CANCELED"), "{code} {told:#}");
    let meant = ["stop", "counting", "--yes", "--without-savepoint"];
    assert_eq!(report(&settings, &meant).0, 7);
    done(&settings, &[&meant[..], &["--accept-state-loss"]].concat());
    flink_submit("healthy");
}

#[test]
fn a_line_to_flink_that_is_cut_while_a_job_stops_loses_no_state() {
    let namespace = Namespace::new("resume-cut");
    let proxy = Proxy::before(&variable("STACK_FLINK_URL"));
    let settings = settings(&namespace.0, &variable("STACK_KUBECONFIG"), &proxy.url());
    let launcher = Launcher::of(&namespace.0);
    let (_folder, path) = file(MANIFEST);
    done(&settings, &["apply", "-f", &path, "--yes", "--wait"]);
    // The list of jobs, the request to stop, and the first question what came of it.
    let (mut number, mut failed) = (0, 0);
    for (request, cut) in [(0, Cut::Request), (1, Cut::Request), (1, Cut::Answer), (2, Cut::Request)] {
        let running = launcher.job(number);
        proxy.plan(Some((Which::Place(request), cut)));
        let (code, told, words) = report(&settings, &["stop", "counting", "--yes", "--wait"]);
        let asked = proxy.seen();
        proxy.plan(None);
        let stopped = if code == 0 {
            // The client asks a second time where that changes nothing.
            assert_eq!(asked[request].target, asked[request + 1].target, "{request} {cut:?}: {asked:?}");
            told
        } else {
            failed += 1;
            let why = told["message"].as_str().unwrap();
            assert!(why.contains("could not be stopped with a savepoint"), "{request} {cut:?}: {words} {told:#}");
            // The same command takes up what came of it, at the latest when Flink is done with the first one.
            eventually("the stop", || {
                let (code, told, _) = report(&settings, &["stop", "counting", "--yes", "--wait"]);
                (code == 0).then_some(told)
            })
        };
        assert_eq!(job_state(&running), "FINISHED", "{request} {cut:?}");
        done(&settings, &["deploy", "counting", "--yes", "--wait"]);
        number += 1;
        assert_eq!(restored(&launcher.job(number)), Some(place(&stopped)), "{request} {cut:?}");
    }
    let audit = settings.json(&["audit", "counting", "-o", "json"]);
    let resumed = audit.as_array().unwrap().iter().filter(|it| {
        it["verb"] == "stop" && it["outcome"] == "done" && it["message"].as_str().unwrap().contains("resumes the try")
    });
    println!("{failed} of 4 cuts were felt");
    assert!(failed >= 2);
    assert_eq!(resumed.count(), failed, "{audit:#}");
    cancel(&launcher.job(number));
    flink_submit("healthy");
}

#[test]
fn pods_that_nobody_can_make_are_named_with_the_reason() {
    let namespace = Namespace::new("resume-nobody");
    let more = "[environment.deploy]\nservice-account = \"nobody\"\nstate = \"s3://state/{processor}\"";
    let settings = Settings::named("qal", &variable("STACK_KUBECONFIG"), &[&namespace.0], more);
    let (_folder, path) = file(MANIFEST);
    let (code, told, _) = report(&settings, &["apply", "-f", &path, "--yes", "--wait", "--timeout", "5"]);
    let words = told["message"].as_str().unwrap();
    assert!(code == 1 && words.contains("serviceaccount \"nobody\" not found"), "{code} {told:#}");
}

/// Writes a status as the operator does.
fn tell(namespace: &str, name: &str, status: &Value) {
    let mut command = Command::new(variable("STACK_KUBECTL"));
    command.args(["--kubeconfig", &variable("STACK_KUBECONFIG"), "patch", "flinkdeployment", name, "-n", namespace]);
    // A namespace on its way out takes no status.
    drop(command.args(["--subresource=status", "--type=merge", "-p", &json!({"status": status}).to_string()]).output());
}

/// The operator's documented life of a deployment: UPGRADING while the job stops with a savepoint, DEPLOYED until the
/// job runs, STABLE then, SUSPENDED when it shall not run, and an error with its reason where it cannot.
fn operate(namespace: &str, object: &Value, jobs: &Jobs) {
    let (spec, status) = (&object["spec"], &object["status"]);
    let (name, generation) = (object["metadata"]["name"].as_str().unwrap(), &object["metadata"]["generation"]);
    let lifecycle = status["lifecycleState"].as_str().unwrap_or("CREATED");
    let job = status["jobStatus"]["jobId"].as_str();
    if lifecycle == "DEPLOYED" && job.is_some_and(|job| job_state(job) == "RUNNING") {
        let ready = json!({"lifecycleState": "STABLE", "jobManagerDeploymentStatus": "READY", "jobStatus": {"state": "RUNNING"}});
        return tell(namespace, name, &ready);
    }
    if status["observedGeneration"] == *generation {
        return;
    }
    if spec["image"].as_str().is_some_and(|image| image.contains("missing")) {
        let words = "back-off pulling image \"registry.example.com/missing:7\"";
        let error = json!({"type": "org.apache.flink.kubernetes.operator.exception.DeploymentFailedException", "message": words,
            "additionalMetadata": {"reason": "ImagePullBackOff"}, "throwableList": []});
        return tell(
            namespace,
            name,
            &json!({"observedGeneration": generation, "lifecycleState": "FAILED",
            "jobManagerDeploymentStatus": "ERROR", "error": error.to_string()}),
        );
    }
    let mut place = status["jobStatus"]["upgradeSavepointPath"].as_str().map(str::to_owned);
    if let Some(job) = job.filter(|job| job_state(job) == "RUNNING") {
        tell(namespace, name, &json!({"observedGeneration": generation, "lifecycleState": "UPGRADING"}));
        let trigger = flink(&format!("/jobs/{job}/stop"), Some(&json!({"drain": false})));
        let trigger = trigger["request-id"].as_str().unwrap().to_owned();
        place = Some(eventually("a savepoint", || {
            let answer = flink(&format!("/jobs/{job}/savepoints/{trigger}"), None);
            answer["operation"]["location"].as_str().map(str::to_owned)
        }));
    }
    if spec["job"]["state"] == "suspended" {
        return tell(
            namespace,
            name,
            &json!({"observedGeneration": generation, "lifecycleState": "SUSPENDED", "error": null,
            "jobManagerDeploymentStatus": "MISSING", "jobStatus": {"state": "FINISHED", "upgradeSavepointPath": place}}),
        );
    }
    let job = start(place.as_deref());
    jobs.lock().unwrap().push(job.clone());
    tell(
        namespace,
        name,
        &json!({"observedGeneration": generation, "lifecycleState": "DEPLOYED", "error": null,
        "jobManagerDeploymentStatus": "DEPLOYED_NOT_READY",
        "jobStatus": {"state": "RECONCILING", "jobId": job, "upgradeSavepointPath": place}}),
    );
}

#[test]
fn the_operators_life_of_a_deployment_is_told_step_by_step() {
    let namespace = Namespace::new("operated");
    let url = variable("STACK_FLINK_URL");
    let settings = settings(&namespace.0, &variable("STACK_KUBECONFIG"), &url);
    let (jobs, place) = (Jobs::default(), namespace.0.clone());
    let started = jobs.clone();
    let _operator = Loop::run(move || {
        items(&place, "flinkdeployments").iter().for_each(|object| operate(&place, object, &started));
    });
    let manifest = MANIFEST.replace("runtime: standalone", "runtime: operator");
    let (_folder, path) = file(&manifest);
    let steps = |report: &Value| -> Vec<String> {
        let steps = report["steps"].as_array().unwrap().iter();
        steps
            .filter(|it| it["step"] == "FlinkDeployment counter")
            .map(|it| it["message"].as_str().unwrap().to_owned())
            .collect()
    };
    // Deployed until STABLE and running.
    let first = done(&settings, &["apply", "-f", &path, "--yes", "--wait"]);
    assert_eq!(steps(&first).last().map(String::as_str), Some("running"), "{first:#}");
    // Upgraded with a savepoint: the new job goes on from it.
    std::fs::write(&path, manifest.replace("cpu: 1", "cpu: 2")).unwrap();
    let second = done(&settings, &["apply", "-f", &path, "--yes", "--wait"]);
    assert_eq!(second["forecasts"][0]["effect"], "restarts-from-savepoint");
    assert_eq!(steps(&second).last().map(String::as_str), Some("running"), "{second:#}");
    let job = jobs.lock().unwrap().last().unwrap().clone();
    let from = restored(&job).unwrap();
    assert_eq!(job_state(&jobs.lock().unwrap()[0]), "FINISHED");
    assert!(std::path::Path::new(from.strip_prefix("file:").unwrap()).join("_metadata").exists());
    // Stopped, with the savepoint told; started from it.
    let stopped = done(&settings, &["stop", "counting", "--yes", "--wait"]);
    let said = steps(&stopped).pop().unwrap();
    let from = said.strip_prefix("stopped, savepoint ").unwrap().to_owned();
    done(&settings, &["deploy", "counting", "--yes", "--wait"]);
    assert_eq!(restored(jobs.lock().unwrap().last().unwrap()), Some(from));
    // What fails is named with its reason, and taken back by a rollback.
    std::fs::write(&path, manifest.replace("artifact: \"com.example:counter", "artifact: \"com.example:missing"))
        .unwrap();
    let (code, told, words) = report(&settings, &["apply", "-f", &path, "--yes", "--wait"]);
    assert!(
        code == 1 && told["message"].as_str().unwrap().contains("back-off pulling image"),
        "{code} {words} {told:#}"
    );
    let back = done(&settings, &["rollback", "counting", "--yes", "--wait"]);
    assert_eq!(steps(&back).last().map(String::as_str), Some("running"), "{back:#}");
    let last = jobs.lock().unwrap().last().unwrap().clone();
    cancel(&last);
    flink_submit("healthy");
}
