//! The Kubernetes source against a small API server on loopback: lists, watches, refusals, and a server
//! that goes away and comes back.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test's helpers fail the test")]

#[path = "source_kube/stub.rs"]
mod stub;
#[path = "source_kube/tail.rs"]
mod tail;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use flowdeck::demo::{Options, Platform};
use flowdeck::event::Event;
use flowdeck::model::change::{Change, Kind, ScopeState};
use flowdeck::model::declaration::Declarer;
use flowdeck::model::environment::{Backend, Link};
use flowdeck::model::interest::Interest;
use flowdeck::model::inventory::Inventory;
use flowdeck::model::key::ObjectKey;
use flowdeck::model::pod::Role;
use flowdeck::settings::EnvironmentSettings;
use flowdeck::source::kube;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use stub::{Stub, flink_deployment, pod};

/// Everything in these tests takes milliseconds, or as long as a first retry.
const PATIENCE: Duration = Duration::from_secs(20);

/// A source that runs against a stub, and what it has told so far.
struct Run {
    cluster: kube::Cluster,
    interest: watch::Sender<Arc<Interest>>,
    events: mpsc::Receiver<Event>,
    inventory: Inventory,
    cancel: CancellationToken,
}

impl Run {
    async fn start(stub: &Stub, namespaces: &[&str]) -> Self {
        Self::of(connect(stub, namespaces).await)
    }

    fn of(cluster: kube::Cluster) -> Self {
        let (interest, interests) = watch::channel(Arc::new(Interest::default()));
        let (sender, events) = mpsc::channel(4);
        let cancel = CancellationToken::new();
        tokio::spawn(kube::run(cluster.clone(), interests, sender, cancel.clone()));
        Self { cluster, interest, events, inventory: Inventory::default(), cancel }
    }

    /// Takes events in until the inventory is as wanted.
    async fn until(&mut self, what: &str, wanted: impl Fn(&Inventory) -> bool) {
        let reached = timeout(PATIENCE, async {
            while !wanted(&self.inventory) {
                let Some(Event::Changed(changes)) = self.events.recv().await else { panic!("the source ended") };
                changes.into_iter().for_each(|change: Change| self.inventory.apply(change));
            }
        });
        if reached.await.is_err() {
            let scopes: Vec<_> = self.inventory.scopes().collect();
            panic!("not reached: {what}; {} pods, {scopes:#?}, {:?}", self.inventory.pod_count(), self.link());
        }
    }

    fn link(&self) -> &Link {
        self.inventory.link(&self.cluster.environment.name, Backend::Kubernetes)
    }

    fn interest(&self, change: impl FnOnce(&mut Interest)) {
        self.interest.send_modify(|interest| change(Arc::make_mut(interest)));
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

async fn connect(stub: &Stub, namespaces: &[&str]) -> kube::Cluster {
    let settings = EnvironmentSettings {
        name: "test".into(),
        kubeconfig: Some(stub.kubeconfig()),
        namespaces: namespaces.iter().map(|&name| name.into()).collect(),
        ..EnvironmentSettings::default()
    };
    kube::connect(&settings).await.unwrap()
}

fn scope(inventory: &Inventory, kind: Kind, namespace: Option<&str>) -> Option<ScopeState> {
    let found = inventory.scopes().find(|(scope, _)| scope.kind == kind && scope.namespace.as_deref() == namespace);
    found.map(|(_, state)| state.clone())
}

fn live(kind: Kind) -> impl Fn(&Inventory) -> bool {
    move |inventory| scope(inventory, kind, None) == Some(ScopeState::Live)
}

fn status(inventory: &Inventory, name: &str) -> Option<String> {
    inventory.pod(&ObjectKey::new("test", "prd", name)).map(|pod| pod.status.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_are_listed_and_followed() {
    for streaming in [true, false] {
        let stub = Stub::start().await;
        stub.set(|state| state.streaming = streaming);
        stub.put("pods", pod("orders-taskmanager-1-1", "orders", "Running"));
        stub.put("flinkdeployments", flink_deployment("orders"));
        let mut run = Run::start(&stub, &[]).await;
        run.until("first list", live(Kind::Pods)).await;
        assert_eq!(status(&run.inventory, "orders-taskmanager-1-1").as_deref(), Some("Running"));
        run.until("declaration", live(Kind::Declared(Declarer::FlinkDeployment))).await;
        run.until("up", |inventory| matches!(inventory.link(&"test".into(), Backend::Kubernetes), Link::Up { .. }))
            .await;
        assert!(run.inventory.processor(&ObjectKey::new("test", "prd", "orders")).unwrap().operator().is_some());

        stub.put("pods", pod("orders-taskmanager-1-1", "orders", "Pending"));
        run.until("change", |inventory| status(inventory, "orders-taskmanager-1-1").as_deref() == Some("Pending"))
            .await;
        stub.put("pods", pod("orders-taskmanager-1-2", "orders", "Running"));
        stub.remove("pods", "orders-taskmanager-1-1");
        run.until("new and gone", |inventory| {
            status(inventory, "orders-taskmanager-1-2").is_some()
                && status(inventory, "orders-taskmanager-1-1").is_none()
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_never_ends_a_streaming_list_is_listed_the_old_way() {
    let stub = Stub::start().await;
    stub.set(|state| state.ignores_streaming = true);
    stub.put("pods", pod("orders-taskmanager-1-1", "orders", "Running"));
    let mut run = Run::start(&stub, &[]).await;
    run.until("live", live(Kind::Pods)).await;
    assert_eq!(run.inventory.pod_count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_kind_and_a_forbidden_namespace_hurt_nobody_else() {
    let stub = Stub::start().await;
    stub.set(|state| {
        state.absent = ["flinksessionjobs"].into();
        state.forbidden = Some("secret".into());
    });
    stub.put("pods", pod("orders-taskmanager-1-1", "orders", "Running"));
    let mut run = Run::start(&stub, &["prd", "secret"]).await;
    run.until("prd live", |inventory| scope(inventory, Kind::Pods, Some("prd")) == Some(ScopeState::Live)).await;
    run.until("secret forbidden", |inventory| {
        matches!(scope(inventory, Kind::Pods, Some("secret")), Some(ScopeState::Forbidden(words)) if words.contains("cannot list"))
    })
    .await;
    let kind = Kind::Declared(Declarer::FlinkSessionJob);
    run.until("absent", |inventory| scope(inventory, kind, Some("prd")) == Some(ScopeState::Absent)).await;
    run.until("up", |inventory| matches!(inventory.link(&"test".into(), Backend::Kubernetes), Link::Up { .. })).await;
    assert_eq!(run.inventory.pod_count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kind_is_gone_only_when_the_server_insists() {
    let stub = Stub::start().await;
    stub.put("flinkdeployments", flink_deployment("orders"));
    let mut run = Run::start(&stub, &[]).await;
    let kind = Kind::Declared(Declarer::FlinkDeployment);
    run.until("live", live(kind)).await;
    stub.set(|state| state.absent = ["flinkdeployments"].into());
    stub.expire();
    run.until("stale first", |inventory| matches!(scope(inventory, kind, None), Some(ScopeState::Stale(..)))).await;
    assert_eq!(run.inventory.processors().count(), 1);
    run.until("then absent", |inventory| scope(inventory, kind, None) == Some(ScopeState::Absent)).await;
    assert_eq!(run.inventory.processors().count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demonstration_is_a_cluster_like_any_other() {
    let platform = Platform::start(Options { seed: 7, pace: 1.0 }).await.unwrap();
    let settings = |context: &str| EnvironmentSettings {
        name: "test".into(),
        kubeconfig: Some(platform.kubeconfig().into()),
        context: Some(context.into()),
        ..EnvironmentSettings::default()
    };
    let mut run = Run::of(kube::connect(&settings("demo-prd")).await.unwrap());
    let all_live = |inventory: &Inventory| {
        let states: Vec<&ScopeState> = inventory.scopes().map(|(_, state)| state).collect();
        states.len() >= 5 && states.iter().all(|state| matches!(state, ScopeState::Live | ScopeState::Absent))
    };
    run.until("all listed", all_live).await;
    let (_, sessionization) = run.inventory.processors().find(|(key, _)| &*key.name == "sessionization").unwrap();
    assert_eq!((sessionization.wanted(Role::TaskManager), sessionization.pods.len()), (Some(15), 16));
    assert_eq!(sessionization.wanted(Role::JobManager), Some(1));
    assert!(sessionization.pods.values().all(|pod| pod.cpu_limit_millis.is_some()));
    let pods = run.inventory.pod_count();
    assert!(pods > 30, "{pods} pods");
    for (key, processor) in run.inventory.processors() {
        assert!(!processor.declarations.is_empty(), "nothing declares {key}");
    }

    let handle = platform.environment("prd").unwrap();
    handle.kill_kubernetes();
    run.until("down", |inventory| inventory.link(&"test".into(), Backend::Kubernetes).is_down()).await;
    assert_eq!(run.inventory.pod_count(), pods);
    handle.start_kubernetes().await.unwrap();
    run.interest(|interest| interest.retry += 1);
    run.until("back", |inventory| {
        all_live(inventory) && !inventory.link(&"test".into(), Backend::Kubernetes).is_down()
    })
    .await;

    let mut viewer = Run::of(kube::connect(&settings("demo-prd-viewer")).await.unwrap());
    viewer
        .until("up", |inventory| matches!(inventory.link(&"test".into(), Backend::Kubernetes), Link::Up { .. }))
        .await;
    viewer.until("told", |inventory| inventory.scopes().all(|(_, state)| *state != ScopeState::Loading)).await;
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_watch_lists_again() {
    let stub = Stub::start().await;
    stub.put("pods", pod("a", "orders", "Running"));
    stub.put("pods", pod("b", "orders", "Running"));
    let mut run = Run::start(&stub, &[]).await;
    run.until("two pods", |inventory| live(Kind::Pods)(inventory) && inventory.pod_count() == 2).await;
    // What happens in between is not told: only the list after the 410 can know.
    stub.forget("pods", "a");
    stub.expire();
    run.until("one pod", |inventory| inventory.pod_count() == 1).await;
    stub.put("pods", pod("c", "orders", "Running"));
    run.until("followed again", |inventory| inventory.pod_count() == 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_dies_and_comes_back() {
    let stub = Stub::start().await;
    stub.put("pods", pod("a", "orders", "Running"));
    stub.put("pods", pod("b", "orders", "Running"));
    let mut run = Run::start(&stub, &[]).await;
    run.until("two pods", |inventory| live(Kind::Pods)(inventory) && inventory.pod_count() == 2).await;

    let killed = std::time::Instant::now();
    stub.down().await;
    run.until("down", |inventory| inventory.link(&"test".into(), Backend::Kubernetes).is_down()).await;
    assert!(killed.elapsed() < Duration::from_secs(2), "noticed after {:?}", killed.elapsed());
    // What was on its way when it died may be reset before a new connection is refused.
    run.until("refused", |inventory| {
        matches!(inventory.link(&"test".into(), Backend::Kubernetes), Link::Down { error, .. } if error.contains("refused"))
    })
    .await;
    let Link::Down { next_try, since, .. } = run.link().clone() else { unreachable!() };
    assert!(next_try > since);
    run.until("stale", |inventory| matches!(scope(inventory, Kind::Pods, None), Some(ScopeState::Stale(..)))).await;
    assert_eq!(run.inventory.pod_count(), 2, "old pods stay on the screen");

    stub.forget("pods", "a");
    stub.up().await;
    run.interest(|interest| interest.retry += 1);
    let back = std::time::Instant::now();
    run.until("back", |inventory| live(Kind::Pods)(inventory) && inventory.pod_count() == 1).await;
    assert!(back.elapsed() < Duration::from_secs(2), "back after {:?}", back.elapsed());
    assert!(matches!(run.link(), Link::Up { .. }));
    stub.put("pods", pod("c", "orders", "Running"));
    run.until("followed", |inventory| inventory.pod_count() == 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewed_token_is_picked_up() {
    let stub = Stub::start().await;
    stub.put("pods", pod("a", "orders", "Running"));
    stub.set(|state| state.token = Some("new".into()));
    let mut run = Run::start(&stub, &[]).await;
    run.until("refused", |inventory| {
        matches!(inventory.link(&"test".into(), Backend::Kubernetes), Link::Down { error, .. } if error.contains("token expired or not valid"))
    })
    .await;
    stub.write_kubeconfig("new");
    run.until("live", live(Kind::Pods)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_helper_is_run_again_when_its_token_is_refused() {
    let stub = Stub::start().await;
    stub.put("pods", pod("a", "orders", "Running"));
    stub.set(|state| state.token = Some("new".into()));
    stub.write_login_helper("echo cannot log in >&2; exit 3");
    let mut run = Run::start(&stub, &[]).await;
    let down_with = |words: &'static str| {
        move |inventory: &Inventory| {
            let link = inventory.link(&"test".into(), Backend::Kubernetes);
            matches!(link, Link::Down { error, .. } if error.contains(words))
        }
    };
    run.until("failed", down_with("login helper sh failed (exit status: 3): cannot log in")).await;
    let answer = |token: &str| {
        format!(
            r#"echo '{{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{{"token":"{token}"}}}}'"#
        )
    };
    stub.write_login_helper(&answer("old"));
    run.until("refused", down_with("token expired or not valid")).await;
    stub.write_login_helper(&answer("new"));
    run.until("live", live(Kind::Pods)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_usage_and_roles_come_only_when_asked_for() {
    let stub = Stub::start().await;
    stub.put("pods", pod("a", "orders", "Running"));
    let event = serde_json::json!({"metadata": {"name": "e1", "namespace": "prd"}, "reason": "BackOff", "type": "Warning",
        "message": "x".repeat(10_000), "involvedObject": {"kind": "Pod", "name": "a"}});
    stub.put("events", event);
    let mut run = Run::start(&stub, &[]).await;
    run.until("live", live(Kind::Pods)).await;
    assert_eq!(run.inventory.events().count(), 0);
    let (pod, account) = (ObjectKey::new("test", "prd", "a"), ObjectKey::new("test", "prd", "flink"));
    assert!(run.inventory.usage(&pod).is_none());
    run.interest(|interest| {
        interest.events = BTreeSet::from(["test".into()]);
        interest.usage = BTreeSet::from(["test".into()]);
        interest.accounts = BTreeSet::from([account.clone()]);
    });
    run.until("all three", |inventory| {
        inventory.events().count() == 1 && inventory.usage(&pod).is_some() && inventory.iam_role(&account).is_some()
    })
    .await;
    assert!(run.inventory.events().all(|event| event.message.chars().count() <= 501));
    assert_eq!(run.inventory.usage(&pod).unwrap().cpu_millis, 250);
    assert_eq!(run.inventory.iam_role(&account).unwrap().as_deref(), Some("arn:aws:iam::1:role/orders"));
}

#[tokio::test]
async fn documents_and_permissions() {
    let stub = Stub::start().await;
    stub.set(|state| state.forbidden = Some("secret".into()));
    stub.put("pods", pod("a", "orders", "Running"));
    let cluster = connect(&stub, &["prd", "secret"]).await;
    let key = ObjectKey::new("test", "prd", "a");
    let yaml = kube::pod_yaml(&cluster, &key).await.unwrap();
    assert!(yaml.contains("name: a") && yaml.starts_with("apiVersion"), "{yaml}");
    let missing = kube::pod_yaml(&cluster, &key.sibling("z")).await.unwrap_err().to_string();
    assert!(missing.contains("not found"), "{missing}");
    let answers = kube::permissions(&cluster).await;
    assert_eq!(answers.len(), 12);
    assert!(answers[0].refused.as_deref().is_some_and(|words| words.contains("secret")), "{:?}", answers[0]);
}

#[tokio::test]
async fn a_broken_kubeconfig_says_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config");
    let connect = async |context: Option<&str>| {
        let settings = EnvironmentSettings {
            kubeconfig: Some(path.clone()),
            context: context.map(str::to_owned),
            ..EnvironmentSettings::default()
        };
        kube::connect(&settings).await.unwrap_err().to_string()
    };
    assert!(connect(None).await.contains("cannot be read"));
    std::fs::write(&path, "contexts: [").unwrap();
    assert!(connect(None).await.contains("is not valid"));
    std::fs::write(&path, "contexts: [{name: a, context: {cluster: c, user: u}}]").unwrap();
    assert!(connect(None).await.contains("has no current context; choose one with --context: a"));
    assert!(connect(Some("b")).await.contains("context \"b\" is not in kubeconfig"));
    assert!(connect(Some("a")).await.contains("is not usable"));
}
