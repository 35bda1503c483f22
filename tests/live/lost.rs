//! A connection that is lost at each step of each verb: the same command goes on where it ended, and the audit says so.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::deploy::{MANIFEST, done, file, items, report, wanted};
use crate::proxy::{Cut, Proxy, Seen, Which};
use crate::stack::{Namespace, Settings, kubectl, kubectl_with};

/// A place whose line can be cut, and one whose line holds, with one audit.
struct Stage {
    proxy: Proxy,
    settings: Settings,
    _folder: tempfile::TempDir,
}

impl Stage {
    /// For the environments qal and prd, each in a namespace.
    fn new(qal: &str, prd: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let proxy = Proxy::of_api_server();
        let config = proxy.kubeconfig(folder.path());
        let second =
            format!("[[environment]]\nname = \"prd\"\nkubeconfig = {config:?}\nnamespaces = [{prd:?}]\n{DEPLOY}");
        let settings = Settings::named("qal", &config, &[qal], &format!("{DEPLOY}\n{second}"));
        Self { proxy, settings, _folder: folder }
    }

    /// Runs a command with the line cut at a request; its code, unless that request never came.
    fn cut(&self, arguments: &[&str], (request, cut): (&Seen, Cut)) -> Option<(i32, String)> {
        self.proxy.plan(Some((Which::Like(request.clone()), cut)));
        let (code, _, words) = report(&self.settings, arguments);
        let was_cut = self.proxy.was_cut();
        self.proxy.plan(None);
        if !was_cut {
            assert_eq!(code, 0, "nothing was cut: {words}");
        }
        was_cut.then_some((code, words))
    }

    fn audit(&self) -> Vec<Value> {
        self.settings.json(&["audit", "-o", "json"]).as_array().unwrap().clone()
    }
}

const DEPLOY: &str = "[environment.deploy]\nstate = \"s3://state/{namespace}/{processor}\"";

/// What somebody wants of a namespace, but for what differs from one try to the next.
fn state(namespace: &str) -> BTreeMap<String, Value> {
    let mut state = wanted(namespace);
    for object in state.values_mut() {
        if let Some(spec) = object["spec"].as_object_mut() {
            spec.remove("restartNonce");
        }
    }
    state
}

/// States of all revisions in a namespace, by number.
fn revisions(namespace: &str) -> Vec<String> {
    let mut found: Vec<(u64, String)> = items(namespace, "configmaps")
        .iter()
        .filter(|it| it["metadata"]["labels"]["flowdeck.dev/revision-of"].is_string())
        .map(|it| {
            let number = it["metadata"]["name"].as_str().unwrap().rsplit(".v").next().unwrap().parse().unwrap();
            (number, it["metadata"]["labels"]["flowdeck.dev/state"].as_str().unwrap().to_owned())
        })
        .collect();
    found.sort();
    found.into_iter().map(|(_, state)| state).collect()
}

/// One verb: what is run with a cut line, where it works, and what leads back to where it began.
struct Case<'a> {
    verb: &'a str,
    run: Vec<&'a str>,
    namespace: &'a str,
    back: Vec<Vec<&'a str>>,
}

/// Cuts the line at each request of a verb in turn.
fn at_each_step(stage: &Stage, case: &Case<'_>) {
    let back = |stage: &Stage| {
        for step in &case.back {
            let (code, told, words) = report(&stage.settings, step);
            assert_eq!(code, 0, "{}: back with {step:?}: {words} {told:#}", case.verb);
        }
    };
    let before = state(case.namespace);
    stage.proxy.plan(None);
    done(&stage.settings, &case.run);
    let (requests, after) = (stage.proxy.seen(), state(case.namespace));
    assert_ne!(before.is_empty() && after.is_empty(), true, "{}: there is something to see", case.verb);
    let writes = requests.iter().filter(|it| it.is_write()).count();
    println!("{}: {} requests, {writes} of them writes", case.verb, requests.len());
    back(stage);
    assert_eq!(state(case.namespace), before, "{}: back again", case.verb);
    let first_write = requests.iter().position(Seen::is_write).unwrap();
    for (number, request) in requests.iter().enumerate() {
        let cuts: &[Cut] = if request.is_write() { &[Cut::Request, Cut::Answer] } else { &[Cut::Request] };
        for cut in cuts {
            let place = format!("{}, request {number} ({} {}) {cut:?}", case.verb, request.method, request.target);
            let lines = stage.audit().len();
            let Some((code, words)) = stage.cut(&case.run, (request, *cut)) else {
                assert!(!request.is_write(), "{place}: a write that not every run needs");
                assert_eq!(state(case.namespace), after, "{place}: nothing was cut");
                back(stage);
                continue;
            };
            assert_eq!(code, 1, "{place}: {words}");
            if number < first_write {
                assert_eq!(state(case.namespace), before, "{place}: nothing was changed");
                assert_eq!(stage.audit().len(), lines, "{place}: nothing was begun");
                continue;
            }
            let audit = stage.audit();
            let failed = audit.last().unwrap();
            assert_eq!((&failed["verb"], &failed["outcome"]), (&json!(case.verb), &json!("failed")), "{place}");
            assert!(!failed["message"].as_str().unwrap().is_empty(), "{place}");
            // The same again.
            let (code, told, words) = report(&stage.settings, &case.run);
            assert_eq!(code, 0, "{place}: again: {words} {told:#}");
            assert_eq!(state(case.namespace), after, "{place}: it is as it should be");
            let states = revisions(case.namespace);
            assert!(!states.contains(&"pending".to_owned()), "{place}: {states:?}");
            let audit = stage.audit();
            let last = audit.last().unwrap();
            let is_told = last["outcome"] == "done" && last["message"].as_str().unwrap().contains("resumes the try");
            // After the last write nothing may be left to do, and then there is nothing to tell.
            assert!(is_told || told["outcome"] == "unchanged", "{place}: {last:#} {told:#}");
            back(stage);
            assert_eq!(state(case.namespace), before, "{place}: back again");
        }
    }
}

#[test]
fn the_line_is_cut_at_each_request_of_each_verb() {
    let (qal, prd) = (Namespace::new("lost-qal"), Namespace::new("lost-prd"));
    let stage = Stage::new(&qal.0, &prd.0);
    let manifest = MANIFEST.replace("  processors:", "  overrides: {prd: {counter: {replicas: 8}}}\n  processors:");
    let (_base, base) = file(&manifest);
    let (_larger, larger) = file(&manifest.replace("replicas: 15", "replicas: 20"));
    let apply = |path| vec!["apply", "-e", "qal", "-f", path, "--yes"];
    let named = |verb| vec![verb, "-e", "qal", "clicks", "--yes"];
    let lossy = |verb| vec![verb, "-e", "qal", "clicks", "--yes", "--accept-state-loss"];
    let scale = |number| vec!["scale", "-e", "qal", "clicks", "counter", "--replicas", number, "--yes"];
    done(&stage.settings, &apply(&base));
    let here = qal.0.as_str();
    for case in [
        Case { verb: "apply", run: apply(&larger), namespace: here, back: vec![apply(&base)] },
        Case { verb: "stop", run: named("stop"), namespace: here, back: vec![named("deploy")] },
        Case { verb: "restart", run: named("restart"), namespace: here, back: vec![] },
        Case { verb: "scale", run: scale("5"), namespace: here, back: vec![scale("2")] },
        Case { verb: "decommission", run: lossy("decommission"), namespace: here, back: vec![apply(&base)] },
    ] {
        at_each_step(&stage, &case);
    }
    done(&stage.settings, &named("stop"));
    let deploy = Case { verb: "deploy", run: named("deploy"), namespace: here, back: vec![named("stop")] };
    at_each_step(&stage, &deploy);
    done(&stage.settings, &named("deploy"));
    done(&stage.settings, &apply(&larger));
    let rollback = Case { verb: "rollback", run: named("rollback"), namespace: here, back: vec![apply(&larger)] };
    at_each_step(&stage, &rollback);
    done(&stage.settings, &apply(&base));
    let promote = Case {
        verb: "promote",
        run: vec!["promote", "clicks", "--from", "qal", "--to", "prd", "--yes"],
        namespace: prd.0.as_str(),
        back: vec![vec!["decommission", "-e", "prd", "clicks", "--yes", "--accept-state-loss"]],
    };
    at_each_step(&stage, &promote);
}

#[test]
fn an_adoption_goes_on_too() {
    let (qal, prd) = (Namespace::new("lost-adopt"), Namespace::new("lost-adopt-prd"));
    let stage = Stage::new(&qal.0, &prd.0);
    let live = json!({"apiVersion": "flink.apache.org/v1beta1", "kind": "FlinkDeployment",
        "metadata": {"name": "orders", "namespace": qal.0}, "spec": {"flinkVersion": "v2_2", "job": {"jarURI": "local:///x.jar"}}});
    let run = ["adopt", "-e", "qal", "orders", "--yes"];
    let again = || {
        kubectl(&["delete", "flinkdeployments,configmaps", "--all", "-n", &qal.0]);
        kubectl_with(&["apply", "-f", "-"], &live.to_string());
    };
    again();
    stage.proxy.plan(None);
    done(&stage.settings, &run);
    let after = state(&qal.0);
    let requests = stage.proxy.seen();
    for (number, request) in requests.iter().enumerate().filter(|(_, it)| it.is_write()) {
        for cut in [Cut::Request, Cut::Answer] {
            again();
            let (code, words) = stage.cut(&run, (request, cut)).unwrap();
            assert_eq!(code, 1, "{number} {} {cut:?}: {words}", request.target);
            let (code, told, words) = report(&stage.settings, &run);
            // What the last answer alone did not tell was done.
            assert!(code == 0 || words.contains("is managed already"), "{number} {cut:?}: {words} {told:#}");
            assert_eq!((state(&qal.0), revisions(&qal.0)), (after.clone(), vec!["deployed".to_owned()]), "{number}");
        }
    }
}

#[test]
fn an_environment_that_vanishes_under_way_is_named_and_its_change_goes_on_elsewhere() {
    let (qal, prd) = (Namespace::new("vanishes"), Namespace::new("vanishes-prd"));
    let stage = Stage::new(&qal.0, &prd.0);
    let (_base, base) = file(MANIFEST);
    // The server goes away while somebody waits: that is said, with what it was that they waited for.
    let waiting = ["apply", "-e", "qal", "-f", base.as_str(), "--yes", "--wait", "--timeout", "2"];
    let (code, told, _) = report(&stage.settings, &waiting);
    assert!(code == 1 && told["message"].as_str().unwrap().contains("is not there after 2 s"), "{code} {told:#}");
    assert_eq!(revisions(&qal.0), ["deployed"]);
    // A namespace that is gone takes nothing.
    kubectl(&["delete", "namespace", &prd.0]);
    let nowhere = ["apply", "-e", "prd", "-f", base.as_str(), "--yes"];
    let (code, _, words) = report(&stage.settings, &nowhere);
    assert!(code == 1 && words.contains(&format!("namespaces \"{}\" not found", prd.0)), "{code} {words}");
    kubectl(&["create", "namespace", &prd.0]);
    done(&stage.settings, &nowhere);
    assert_eq!(state(&prd.0).len(), state(&qal.0).len());
    // A cluster that is gone is named by its address.
    let nobody = tempfile::tempdir().unwrap();
    let config = Proxy::before("http://127.0.0.1:1").kubeconfig(nobody.path());
    let settings = Settings::named("qal", &config, &[&qal.0], "");
    let (code, _, words) = report(&settings, &["stop", "clicks", "--yes"]);
    assert!(code == 1 && words.to_lowercase().contains("refused"), "{code} {words}");
}
