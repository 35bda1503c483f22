//! The demo's platform, seen through the clients that the console uses.
#![expect(clippy::expect_used, clippy::panic, reason = "a test says what it expected")]

use std::process::Command;
use std::time::Duration;

use flowdeck::demo::{Incident, ObjectName, Options, Platform};
use flowdeck::settings;
use futures_util::{AsyncBufReadExt, StreamExt, TryStreamExt};
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::authorization::v1::SelfSubjectAccessReview;
use k8s_openapi::api::core::v1::{Event as KubernetesEvent, Namespace, Pod, ServiceAccount};
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, LogParams, Patch, PatchParams,
    PostParams,
};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Client, Config};

const EXPERT: &str = "data-processing-expert-usw2-prd";
const PATIENCE: Duration = Duration::from_secs(20);

async fn platform(pace: f64) -> Platform {
    Platform::start(Options { seed: 7, pace }).await.expect("the platform starts")
}

async fn client(platform: &Platform, context: &str) -> Client {
    let kubeconfig = Kubeconfig::read_from(platform.kubeconfig()).expect("a kubeconfig");
    let options = KubeConfigOptions { context: Some(context.to_owned()), ..KubeConfigOptions::default() };
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.expect("a context");
    Client::try_from(config).expect("a client")
}

fn flink_deployments() -> ApiResource {
    ApiResource::from_gvk_with_plural(
        &GroupVersionKind::gvk("flink.apache.org", "v1beta1", "FlinkDeployment"),
        "flinkdeployments",
    )
}

/// Asks an API server with the administrator's token and nothing else.
async fn plain(platform: &Platform, environment: &str, path: &str) -> reqwest::Response {
    let text = std::fs::read_to_string(platform.kubeconfig()).expect("a kubeconfig");
    let name = format!("- name: demo-{environment}\n  user:\n    token: ");
    let token = text.split(&name).nth(1).and_then(|rest| rest.lines().next()).expect("a token");
    let server = platform
        .addresses()
        .into_iter()
        .find_map(|(what, address)| (what == format!("{environment} kubernetes")).then_some(address))
        .expect("an address");
    reqwest::Client::new().get(format!("{server}{path}")).bearer_auth(token).send().await.expect("an answer")
}

async fn json(reply: reqwest::Response) -> serde_json::Value {
    serde_json::from_str(&reply.text().await.expect("a text")).expect("JSON")
}

/// Asks again until the answer is there, or until nobody would wait any longer.
async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("in vain: {what}"))
}

#[tokio::test]
async fn pods_are_listed_in_pages_and_by_selector() {
    let platform = platform(1.0).await;
    let pods: Api<Pod> = Api::all(client(&platform, "demo-prd").await);
    let all = pods.list(&ListParams::default()).await.expect("a list");
    assert_eq!(all.items.len(), 39);
    let mut seen = 0;
    let mut parameters = ListParams::default().limit(10);
    loop {
        let page = pods.list(&parameters).await.expect("a page");
        seen += page.items.len();
        let Some(token) = page.metadata.continue_.filter(|token| !token.is_empty()) else { break };
        parameters = parameters.continue_token(&token);
    }
    assert_eq!(seen, 39);
    let chosen = ListParams::default().labels("component in (jobmanager),app=sessionization");
    let managers = pods.list(&chosen).await.expect("a list");
    let manager = managers.items.first().expect("a JobManager");
    assert_eq!(manager.metadata.name.as_deref(), Some("sessionization-7548bc9df5-bc5zk"));
    let status = manager.status.clone().unwrap_or_default().container_statuses.unwrap_or_default();
    assert_eq!(status.first().map(|status| status.restart_count), Some(8));
    platform.stop().await;
}

#[tokio::test]
async fn both_ways_of_watching_see_the_same() {
    let platform = platform(1.0).await;
    let client = client(&platform, "demo-prd").await;
    for config in [watcher::Config::default(), watcher::Config::default().streaming_lists()] {
        let pods: Api<Pod> = Api::namespaced(client.clone(), EXPERT);
        let mut events = watcher(pods, config).boxed();
        let mut names = 0;
        loop {
            match events.try_next().await.expect("an event").expect("more events") {
                Event::InitApply(_) => names += 1,
                Event::InitDone => break,
                _ => {}
            }
        }
        assert_eq!(names, 12);
    }
}

#[tokio::test]
async fn a_viewer_is_told_no_in_the_servers_words() {
    let platform = platform(1.0).await;
    let client = client(&platform, "demo-prd-viewer").await;
    let pods: Api<Pod> = Api::namespaced(client.clone(), EXPERT);
    assert_eq!(pods.list(&ListParams::default()).await.expect("allowed").items.len(), 12);
    let namespaces: Api<Namespace> = Api::all(client);
    let error = namespaces.list(&ListParams::default()).await.expect_err("forbidden");
    assert!(
        error.to_string().contains(
            "namespaces is forbidden: User \"viewer\" cannot list resource \"namespaces\" in API group \"\" at the cluster scope"
        ),
        "{error}"
    );
}

#[tokio::test]
async fn flink_answers_through_the_service_proxy() {
    let platform = platform(1.0).await;
    let client = client(&platform, "demo-prd").await;
    let get = async |path: &str| -> serde_json::Value {
        let request = http::Request::get(path).body(Vec::new()).expect("a request");
        let text = client.request_text(request).await.expect("an answer");
        serde_json::from_str(&text).expect("JSON")
    };
    let base =
        "/api/v1/namespaces/data-processingpt-ecsstatefuliks2-usw2-prd/services/sessionization-rest:rest/proxy/v1";
    let overview = get(&format!("{base}/overview")).await;
    assert_eq!(overview["taskmanagers"], 15);
    let jobs = get(&format!("{base}/jobs/overview")).await;
    let job = &jobs["jobs"][0];
    assert_eq!((job["state"].as_str(), job["tasks"]["running"].as_u64()), (Some("RUNNING"), Some(45)));
    let id = job["jid"].as_str().expect("an id");
    let details = get(&format!("{base}/jobs/{id}")).await;
    let vertex = details["vertices"][1]["id"].as_str().expect("a vertex");
    let metrics =
        get(&format!("{base}/jobs/{id}/vertices/{vertex}/subtasks/metrics?get=busyTimeMsPerSecond&agg=max")).await;
    assert!(metrics[0]["max"].as_f64().expect("a number") > 100.0, "{metrics}");
    let checkpoints = get(&format!("{base}/jobs/{id}/checkpoints")).await;
    assert_eq!(checkpoints["history"].as_array().map(Vec::len), Some(10));

    let prd = platform.environment("prd").expect("prd");
    prd.kill_flink();
    // Without kube's client, which asks again and again on a 503.
    let reply = plain(&platform, "prd", &format!("{base}/overview")).await;
    assert_eq!(reply.status(), 503);
    let text = reply.text().await.expect("a text");
    assert!(text.contains("connection refused"), "{text}");
}

#[tokio::test]
async fn a_deployment_that_was_just_made_comes_up() {
    let platform = platform(20.0).await;
    let client = client(&platform, "demo-e2e").await;
    let api: Api<DynamicObject> = Api::namespaced_with(client, "data-processing-expert-usw2-e2e", &flink_deployments());
    eventually("all four processors are stable", async || {
        let list = api.list(&ListParams::default()).await.expect("a list");
        let stable = list.items.iter().filter(|item| item.data["status"]["lifecycleState"] == "STABLE").count();
        (stable == 4).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_dead_api_server_comes_back_on_its_port() {
    let platform = platform(1.0).await;
    let pods: Api<Pod> = Api::all(client(&platform, "demo-qal").await);
    let qal = platform.environment("qal").expect("qal");
    qal.kill_kubernetes();
    eventually("the port refuses", async || pods.list(&ListParams::default()).await.err()).await;
    qal.start_kubernetes().await.expect("the port is free");
    assert_eq!(pods.list(&ListParams::default()).await.expect("a list").items.len(), 11);
}

/// TaskManager pods that are ready.
async fn ready(pods: &Api<Pod>, selector: &str) -> usize {
    let list = pods.list(&ListParams::default().labels(selector)).await.expect("a list");
    let is_ready = |pod: &&Pod| {
        let conditions = pod.status.as_ref().and_then(|status| status.conditions.clone()).unwrap_or_default();
        conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
    };
    list.items.iter().filter(is_ready).count()
}

#[tokio::test]
async fn the_first_incident_breaks_what_it_says() {
    let platform = platform(10.0).await;
    let prd = platform.environment("prd").expect("prd");
    let client = client(&platform, "demo-prd").await;
    prd.start_incident(Incident::SinkFailure);
    let pods: Api<Pod> = Api::namespaced(client.clone(), EXPERT);
    eventually("a TaskManager is killed for memory", async || {
        let list = pods.list(&ListParams::default().labels("app=vep-int-match-making")).await.expect("a list");
        list.items.into_iter().find(|pod| {
            let status = pod.status.clone().unwrap_or_default().container_statuses.unwrap_or_default();
            status.iter().any(|container| {
                container.restart_count == 1
                    && container
                        .last_state
                        .as_ref()
                        .and_then(|state| state.terminated.as_ref())
                        .is_some_and(|ended| ended.exit_code == 137 && ended.reason.as_deref() == Some("OOMKilled"))
            })
        })
    })
    .await;
    assert!(prd.lag("expert-matching.vep-int-match-making", "matches.v2") > 5_000);

    let base = format!("/api/v1/namespaces/{EXPERT}/services/vep-int-match-making-rest:8081/proxy");
    let jobs = json(plain(&platform, "prd", &format!("{base}/jobs/overview")).await).await;
    let id = jobs["jobs"][0]["jid"].as_str().expect("a job");
    let failures = json(plain(&platform, "prd", &format!("{base}/jobs/{id}/exceptions")).await).await;
    let entries = failures["exceptionHistory"]["entries"].as_array().expect("entries");
    assert!(entries.iter().any(|entry| {
        entry["stacktrace"].as_str().is_some_and(|trace| trace.contains("KafkaWriter : failed to send 1 records"))
    }));
    let events: Api<KubernetesEvent> = Api::namespaced(client.clone(), EXPERT);
    let killed = events.list(&ListParams::default().fields("reason=OOMKilling")).await.expect("a list");
    assert!(!killed.items.is_empty());

    prd.end_incident();
    eventually("the job runs again and catches up", async || {
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), EXPERT, &flink_deployments());
        let object = api.get("vep-int-match-making").await.expect("an object");
        (object.data["status"]["jobStatus"]["state"] == "RUNNING").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_skewed_key_holds_back_everything_before_it() {
    let platform = platform(1.0).await;
    platform.environment("prd").expect("prd").start_incident(Incident::Skew);
    let base = "/api/v1/namespaces/data-processing-goldensignals-usw2-prd/services/golden-signals-rest:rest/proxy/v1";
    let jobs = json(plain(&platform, "prd", &format!("{base}/jobs/overview")).await).await;
    let id = jobs["jobs"][0]["jid"].as_str().expect("a job").to_owned();
    let job = json(plain(&platform, "prd", &format!("{base}/jobs/{id}")).await).await;
    let pressure = async |vertex: usize| {
        let id_of_vertex = job["vertices"][vertex]["id"].as_str().expect("a vertex");
        json(plain(&platform, "prd", &format!("{base}/jobs/{id}/vertices/{id_of_vertex}/backpressure")).await).await
    };
    eventually("the source is held back", async || (pressure(0).await["backpressureLevel"] == "high").then_some(()))
        .await;
    let hot = pressure(2).await;
    let busy = |subtask: usize| hot["subtasks"][subtask]["busyRatio"].as_f64().unwrap_or_default();
    assert!(busy(1) > 0.95 && busy(0) < 0.5, "{hot}");
}

#[tokio::test]
async fn a_lost_task_manager_restarts_the_job() {
    let platform = platform(20.0).await;
    let namespace = "data-processingpt-ecsstatefuliks2-usw2-prd";
    let pods: Api<Pod> = Api::namespaced(client(&platform, "demo-prd").await, namespace);
    platform.environment("prd").expect("prd").start_incident(Incident::LostTaskManager);
    eventually("one of fifteen is missing", async || (ready(&pods, "component=taskmanager").await == 14).then_some(()))
        .await;
    let base = format!("/api/v1/namespaces/{namespace}/services/sessionization-rest:rest/proxy");
    let metrics = format!("{base}/jobs/metrics?get=numRestarts&agg=max");
    eventually("the job has restarted", async || {
        let metrics = json(plain(&platform, "prd", &metrics).await).await;
        (metrics[0]["max"].as_f64()? >= 1.0).then_some(())
    })
    .await;
    eventually("all fifteen are back", async || (ready(&pods, "component=taskmanager").await == 15).then_some(()))
        .await;
}

#[tokio::test]
async fn a_native_task_manager_is_replaced_under_another_name() {
    let platform = platform(20.0).await;
    let pods: Api<Pod> = Api::namespaced(client(&platform, "demo-prd").await, "data-processing-goldensignals-usw2-prd");
    let workers = ListParams::default().labels("component=taskmanager");
    let before = pods.list(&workers).await.expect("a list");
    let victim = before.items[0].metadata.name.clone().expect("a name");
    assert!(platform.environment("prd").expect("prd").oom_kill(&victim));
    assert_eq!(
        pods.get(&victim).await.expect("still there").status.and_then(|status| status.phase).as_deref(),
        Some("Failed")
    );
    eventually("the failed pod is gone and six are ready", async || {
        let gone = pods.get_opt(&victim).await.expect("an answer").is_none();
        (gone && ready(&pods, "component=taskmanager").await == 6).then_some(())
    })
    .await;
}

#[tokio::test]
async fn scaling_by_patch_brings_and_takes_pods() {
    let platform = platform(20.0).await;
    let client = client(&platform, "demo-e2e").await;
    let namespace = "data-processingpt-ecsstatefuliks2-usw2-e2e";
    let sets: Api<StatefulSet> = Api::namespaced(client.clone(), namespace);
    let pods: Api<Pod> = Api::namespaced(client, namespace);
    for wanted in [7, 3] {
        let patch = serde_json::json!({"spec": {"replicas": wanted}});
        sets.patch_scale("sessionization", &PatchParams::default(), &Patch::Merge(&patch)).await.expect("scaled");
        eventually("the pods follow", async || {
            let list = pods.list(&ListParams::default().labels("component=taskmanager")).await.expect("a list");
            let settled = list.items.len() == wanted && ready(&pods, "component=taskmanager").await == wanted;
            settled.then_some(())
        })
        .await;
    }
    let status = sets.get_status("sessionization").await.expect("a status").status.unwrap_or_default();
    assert_eq!(status.replicas, 3);
}

#[tokio::test]
async fn a_suspended_deployment_loses_its_pods_and_comes_back() {
    let platform = platform(20.0).await;
    let client = client(&platform, "demo-prd").await;
    let namespace = "data-processing-incident-usw2-prd";
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &flink_deployments());
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let lifecycle = async |wanted: &str| {
        let object = api.get("incident-stream").await.expect("an object");
        (object.data["status"]["lifecycleState"] == wanted).then_some(object)
    };
    let patch = serde_json::json!({"spec": {"job": {"state": "suspended"}}});
    api.patch("incident-stream", &PatchParams::default(), &Patch::Merge(&patch)).await.expect("patched");
    let suspended = eventually("it is suspended", async || lifecycle("SUSPENDED").await).await;
    assert!(suspended.data["status"]["jobStatus"]["upgradeSavepointPath"].as_str().is_some());
    eventually("its pods are gone", async || {
        (pods.list(&ListParams::default()).await.ok()?.items.is_empty()).then_some(())
    })
    .await;
    let deployments: Api<Deployment> = Api::namespaced(client, namespace);
    assert!(deployments.get_opt("incident-stream").await.expect("an answer").is_none());

    assert!(platform.environment("prd").expect("prd").resume("incident-stream"));
    eventually("it is stable again", async || lifecycle("STABLE").await).await;
    assert_eq!(ready(&pods, "component=taskmanager").await, 3);
}

#[tokio::test]
async fn applying_is_dry_run_refused_and_forced() {
    let platform = platform(1.0).await;
    let client = client(&platform, "demo-prd").await;
    let api: Api<DynamicObject> = Api::namespaced_with(client, EXPERT, &flink_deployments());
    let before = api.get("vep-int-match-making").await.expect("an object");
    let mine = serde_json::json!({
        "apiVersion": "flink.apache.org/v1beta1",
        "kind": "FlinkDeployment",
        "metadata": {"name": "vep-int-match-making"},
        "spec": {"taskManager": {"replicas": 5}},
    });
    let parameters = PatchParams::apply("flowdeck").dry_run();
    let error = api.patch("vep-int-match-making", &parameters, &Patch::Apply(&mine)).await.expect_err("a conflict");
    let kube::Error::Api(status) = error else { panic!("{error}") };
    assert!(status.is_conflict());
    let causes = status.details.expect("details").causes;
    assert_eq!(causes[0].field, ".spec.taskManager.replicas");
    assert!(status.message.contains("conflict with \"argocd-controller\""), "{}", status.message);

    let forced =
        api.patch("vep-int-match-making", &parameters.clone().force(), &Patch::Apply(&mine)).await.expect("dry");
    assert_eq!(forced.data["spec"]["taskManager"]["replicas"], 5);
    let unchanged = api.get("vep-int-match-making").await.expect("an object");
    assert_eq!(unchanged.metadata.resource_version, before.metadata.resource_version);

    let wrong = serde_json::json!({"spec": {"job": {"upgradeMode": "sometimes"}}});
    let error =
        api.patch("vep-int-match-making", &PatchParams::default(), &Patch::Merge(&wrong)).await.expect_err("invalid");
    assert!(error.to_string().contains("supported values: \"last-state\", \"savepoint\", \"stateless\""), "{error}");
    let stale = serde_json::json!({"metadata": {"resourceVersion": "1"}, "spec": {"restartNonce": 4}});
    let error =
        api.patch("vep-int-match-making", &PatchParams::default(), &Patch::Merge(&stale)).await.expect_err("stale");
    assert!(error.to_string().contains("the object has been modified"), "{error}");
}

#[tokio::test]
async fn a_new_deployment_is_taken_up_and_deleted_again() {
    let platform = platform(20.0).await;
    let client = client(&platform, "demo-qal").await;
    let namespace = "data-processing-sandbox-usw2-qal";
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &flink_deployments());
    let object: DynamicObject = serde_json::from_value(serde_json::json!({
        "apiVersion": "flink.apache.org/v1beta1",
        "kind": "FlinkDeployment",
        "metadata": {"name": "fresh", "annotations": {"flowdeck.dev/inputs": "clickstream"}},
        "spec": {
            "flinkVersion": "v1_20",
            "image": "flink:1.20",
            "flinkConfiguration": {"taskmanager": {"numberOfTaskSlots": 2}},
            "taskManager": {"resource": {"cpu": 1, "memory": "2048m"}},
            "job": {"jarURI": "local:///a.jar", "parallelism": 4, "state": "running", "upgradeMode": "stateless"},
        },
    }))
    .expect("an object");
    api.create(&PostParams::default(), &object).await.expect("created");
    assert!(
        matches!(api.create(&PostParams::default(), &object).await, Err(kube::Error::Api(status)) if status.code == 409)
    );
    eventually("it runs", async || {
        let object = api.get("fresh").await.expect("an object");
        (object.data["status"]["lifecycleState"] == "STABLE").then_some(())
    })
    .await;
    let pods: Api<Pod> = Api::namespaced(client, namespace);
    assert_eq!(ready(&pods, "app=fresh").await, 3);
    api.delete("fresh", &DeleteParams::default()).await.expect("deleted");
    eventually("its pods are gone", async || {
        let list = pods.list(&ListParams::default().labels("app=fresh")).await.expect("a list");
        list.items.is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn logs_are_tailed_and_followed() {
    let platform = platform(1.0).await;
    let client = client(&platform, "demo-e2e").await;
    let pods: Api<Pod> = Api::namespaced(client, "data-processingpt-ecsstatefuliks2-usw2-e2e");
    let tail = LogParams { tail_lines: Some(5), timestamps: true, ..LogParams::default() };
    let text = pods.logs("sessionization-3", &tail).await.expect("a log");
    assert_eq!(text.lines().count(), 5, "{text}");
    assert!(text.lines().all(|line| line.starts_with("20")), "{text}");
    let wrong = LogParams { container: Some("sidecar".into()), ..LogParams::default() };
    let error = pods.logs("sessionization-3", &wrong).await.expect_err("no such container");
    assert!(error.to_string().contains("container sidecar is not valid for pod sessionization-3"), "{error}");

    let follow = LogParams { follow: true, tail_lines: Some(0), ..LogParams::default() };
    let mut lines = pods.log_stream("sessionization-3", &follow).await.expect("a stream").lines();
    let next = tokio::time::timeout(PATIENCE, lines.try_next()).await.expect("in time").expect("a line");
    assert!(next.is_some_and(|line| line.contains(" - ")));
}

#[tokio::test]
async fn a_watch_that_fell_behind_is_told_to_start_over() {
    let platform = platform(1.0).await;
    let client = client(&platform, "demo-e2e").await;
    let pods: Api<Pod> = Api::all(client);
    let e2e = platform.environment("e2e").expect("e2e");
    let name = ObjectName {
        group: "",
        plural: "pods",
        namespace: "data-processingpt-ecsstatefuliks2-usw2-e2e",
        name: "sessionization-0",
    };
    assert!(e2e.patch(name, &serde_json::json!({"metadata": {"labels": {"seen": "yes"}}})));
    let seen = pods.list(&ListParams::default().labels("seen=yes")).await.expect("a list");
    assert_eq!(seen.items.len(), 1);
    e2e.compact();
    let path = "/api/v1/pods?watch=true&resourceVersion=1&timeoutSeconds=1";
    let text = plain(&platform, "e2e", path).await.text().await.expect("a text");
    assert!(text.contains("\"type\":\"ERROR\"") && text.contains("\"code\":410"), "{text}");
}

#[tokio::test]
async fn access_roles_and_metrics_are_there() {
    let platform = platform(1.0).await;
    let admin = client(&platform, "demo-prd").await;
    let review: SelfSubjectAccessReview = serde_json::from_value(serde_json::json!({
        "spec": {"resourceAttributes": {"verb": "patch", "group": "flink.apache.org", "resource": "flinkdeployments", "namespace": EXPERT}},
    }))
    .expect("a review");
    for (client, allowed) in [(admin.clone(), true), (client(&platform, "demo-prd-viewer").await, false)] {
        let reviews: Api<SelfSubjectAccessReview> = Api::all(client);
        let answer = reviews.create(&PostParams::default(), &review).await.expect("an answer");
        assert_eq!(answer.status.map(|status| status.allowed), Some(allowed));
    }
    let accounts: Api<ServiceAccount> = Api::namespaced(admin.clone(), EXPERT);
    let account = accounts.get("expert-matching-sa").await.expect("an account");
    let role = account.metadata.annotations.unwrap_or_default()["eks.amazonaws.com/role-arn"].clone();
    assert_eq!(role, format!("arn:aws:iam::014327621327:role/k8s-{EXPERT}"));
    let request = http::Request::get("/apis/metrics.k8s.io/v1beta1/pods").body(Vec::new()).expect("a request");
    let metrics: serde_json::Value = admin.request(request).await.expect("metrics");
    assert_eq!(metrics["items"].as_array().map(Vec::len), Some(39));
}

// librdkafka's questions block their thread, so the platform needs another one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafka_and_the_bucket_hold_what_the_settings_name() {
    let platform = platform(10.0).await;
    let overrides = settings::Overrides { file: Some(platform.settings().to_path_buf()), ..Default::default() };
    let settings = settings::load(&overrides).expect("settings");
    let prd = settings.environments.iter().find(|environment| environment.name == "prd").expect("prd");
    let bootstrap = prd.kafka.as_ref().and_then(|kafka| kafka.bootstrap.clone()).expect("a broker");
    let endpoint = prd.objects.as_ref().and_then(|objects| objects.endpoint.clone()).expect("an endpoint");

    let consumer: rdkafka::consumer::BaseConsumer =
        rdkafka::ClientConfig::new().set("bootstrap.servers", &bootstrap).create().expect("a consumer");
    eventually("the click stream flows", async || {
        use rdkafka::consumer::Consumer as _;
        let (_, high) = consumer.fetch_watermarks("clickstream", 0, Duration::from_secs(5)).ok()?;
        (high > 50).then_some(())
    })
    .await;

    let url = format!("{endpoint}/flowdeck-prd/golden-signals/overrides/intuit.cloud.monitoring.rum.json");
    let client = reqwest::Client::new();
    let reply = client.get(&url).send().await.expect("an answer");
    let tag = reply.headers()["etag"].clone();
    assert!(reply.text().await.expect("a text").contains("requestCount < 60"));
    let again = client.get(&url).header("if-none-match", tag).send().await.expect("an answer");
    assert_eq!(again.status(), 304);
    let listed = client
        .get(format!("{endpoint}/flowdeck-prd/?list-type=2&prefix=golden-signals/overrides/&max-keys=2"))
        .send()
        .await
        .expect("an answer")
        .text()
        .await
        .expect("a text");
    assert!(listed.contains("<KeyCount>2</KeyCount><MaxKeys>2</MaxKeys><IsTruncated>true</IsTruncated>"), "{listed}");
}

#[tokio::test]
async fn the_files_are_private_and_go_with_the_platform() {
    let platform = platform(1.0).await;
    let kubeconfig = platform.kubeconfig().to_path_buf();
    let directory = kubeconfig.parent().expect("a directory").to_path_buf();
    let mode = Command::new("stat").args(["-c", "%a"]).arg(&directory).output().expect("stat runs").stdout;
    assert_eq!(String::from_utf8_lossy(&mode).trim(), "700");
    let pods: Api<Pod> = Api::all(client(&platform, "demo-qal").await);
    let handle = platform.environment("qal").expect("qal");
    drop(platform);
    assert!(!directory.exists());
    eventually("nothing listens any more", async || pods.list(&ListParams::default()).await.err()).await;
    drop(handle);
}
