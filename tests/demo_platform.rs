//! The demo's platform, seen through the clients that the console uses.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::time::Duration;

use flowdeck::demo::{Options, Platform};
use futures_util::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, ListParams};
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
    let base = "/api/v1/namespaces/data-processingpt-ecsstatefuliks2-usw2-prd/services/sessionization-jobmanager:webui/proxy/v1";
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
