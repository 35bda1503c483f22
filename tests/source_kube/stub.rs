//! A small Kubernetes API server for tests: what a test puts into it is listed and watched, and it can
//! refuse, forget, die and come back on the same port.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::StreamExt;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// A change: plural, namespace, line.
type Told = (String, Option<String>, Value);

/// What the server holds, and how it behaves.
#[derive(Default)]
pub struct State {
    /// Objects by plural and name.
    objects: BTreeMap<(String, String), Value>,
    version: u64,
    /// What watchers were told, with the version of each: who watches from an older one is told the rest.
    told: Vec<(u64, Told)>,
    watchers: Vec<Watcher>,
    /// Whether it answers streaming lists.
    pub streaming: bool,
    /// Whether it takes the request for a streaming list for a plain watch.
    pub ignores_streaming: bool,
    /// Kinds that it does not know.
    pub absent: HashSet<&'static str>,
    /// Namespace that may not be read.
    pub forbidden: Option<String>,
    /// The only token that it knows.
    pub token: Option<String>,
    /// What it answers, one after the other, to whoever asks for a log; then an empty log.
    pub logs: VecDeque<&'static str>,
    /// Whether a pod goes as soon as its log has ended.
    pub pods_go: bool,
}

struct Watcher {
    plural: String,
    namespace: Option<String>,
    lines: mpsc::UnboundedSender<Value>,
}

/// The server.
pub struct Stub {
    state: Arc<Mutex<State>>,
    port: u16,
    folder: tempfile::TempDir,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Stub {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State { streaming: true, version: 1, ..State::default() }));
        let task = Mutex::new(Some(tokio::spawn(serve(listener, state.clone()))));
        let stub = Self { state, port, folder: tempfile::tempdir().unwrap(), task };
        stub.write_kubeconfig("old");
        stub
    }

    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("config")
    }

    pub fn write_kubeconfig(&self, token: &str) {
        let text = format!(
            "{{apiVersion: v1, kind: Config, current-context: test, clusters: [{{name: c, cluster: {{server: 'http://127.0.0.1:{}'}}}}], \
             users: [{{name: u, user: {{token: {token}}}}}], contexts: [{{name: test, context: {{cluster: c, user: u}}}}]}}",
            self.port
        );
        std::fs::write(self.kubeconfig(), text).unwrap();
    }

    /// Makes the kubeconfig's user log in with the output of a shell script.
    pub fn write_login_helper(&self, script: &str) {
        std::fs::write(self.folder.path().join("login.sh"), script).unwrap();
        self.write_kubeconfig("unused");
        let text = std::fs::read_to_string(self.kubeconfig()).unwrap();
        let script = self.folder.path().join("login.sh");
        let exec = format!(
            "exec: {{apiVersion: client.authentication.k8s.io/v1, interactiveMode: IfAvailable, command: sh, args: ['{}']}}",
            script.display()
        );
        std::fs::write(self.kubeconfig(), text.replace("token: unused", &exec)).unwrap();
    }

    pub fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }

    /// Adds or changes an object and tells the watchers.
    pub fn put(&self, plural: &str, mut object: Value) {
        self.set(|state| {
            state.version += 1;
            object["metadata"]["resourceVersion"] = state.version.to_string().into();
            let name = object["metadata"]["name"].as_str().unwrap().to_owned();
            let before = state.objects.insert((plural.to_owned(), name), object.clone());
            state.tell(plural, if before.is_some() { "MODIFIED" } else { "ADDED" }, &object);
        });
    }

    /// Removes an object and tells the watchers.
    pub fn remove(&self, plural: &str, name: &str) {
        self.set(|state| {
            state.version += 1;
            let mut object = state.objects.remove(&(plural.to_owned(), name.to_owned())).unwrap();
            object["metadata"]["resourceVersion"] = state.version.to_string().into();
            state.tell(plural, "DELETED", &object);
        });
    }

    /// Removes an object and tells nobody.
    pub fn forget(&self, plural: &str, name: &str) {
        self.set(|state| {
            state.objects.remove(&(plural.to_owned(), name.to_owned())).unwrap();
        });
    }

    /// Ends all watches as a server does that has compacted its history.
    pub fn expire(&self) {
        self.set(|state| {
            let gone = json!({"type": "ERROR", "object": {"kind": "Status", "status": "Failure", "code": 410, "reason": "Expired", "message": "too old resource version"}});
            for watcher in state.watchers.drain(..) {
                drop(watcher.lines.send(gone.clone()));
            }
        });
    }

    pub async fn down(&self) {
        let task = self.task.lock().unwrap().take().unwrap();
        task.abort();
        drop(task.await);
        self.set(|state| state.watchers.clear());
    }

    pub async fn up(&self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.unwrap();
        *self.task.lock().unwrap() = Some(tokio::spawn(serve(listener, self.state.clone())));
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.task.lock().unwrap().iter().for_each(JoinHandle::abort);
    }
}

impl State {
    fn tell(&mut self, plural: &str, kind: &str, object: &Value) {
        let namespace = object["metadata"]["namespace"].as_str();
        let line = json!({"type": kind, "object": object});
        self.told.push((self.version, (plural.to_owned(), namespace.map(str::to_owned), line.clone())));
        self.watchers.retain(|watcher| {
            let concerned =
                watcher.plural == plural && watcher.namespace.as_deref().is_none_or(|one| Some(one) == namespace);
            !concerned || watcher.lines.send(line.clone()).is_ok()
        });
    }

    fn of(&self, plural: &str, namespace: Option<&str>) -> Vec<Value> {
        let all = self.objects.iter().filter(|((kind, _), _)| kind == plural).map(|(_, object)| object);
        all.filter(|object| namespace.is_none() || object["metadata"]["namespace"].as_str() == namespace)
            .cloned()
            .collect()
    }
}

/// Serves until aborted, and drops every connection then.
async fn serve(listener: TcpListener, state: Arc<Mutex<State>>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let state = state.clone();
        connections.spawn(async move {
            let service = service_fn(move |request| {
                let state = state.clone();
                async move { Ok::<_, Infallible>(answer(request, &state).await) }
            });
            drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

async fn answer(request: Request<Incoming>, state: &Mutex<State>) -> Response<Body> {
    let (path, query) = (request.uri().path().to_owned(), request.uri().query().unwrap_or_default().to_owned());
    let token = request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let mut state = state.lock().unwrap();
    if state.token.as_ref().is_some_and(|known| token != Some(format!("Bearer {known}"))) {
        return refuse(401, "Unauthorized", "Unauthorized");
    }
    if path == "/version" {
        return reply(&json!({"major": "1", "minor": "33"}));
    }
    if path.ends_with("selfsubjectaccessreviews") {
        let asked: Value = serde_json::from_slice(&body).unwrap();
        let namespace = asked["spec"]["resourceAttributes"]["namespace"].as_str().map(str::to_owned);
        return reply(&json!({"status": {"allowed": namespace != state.forbidden}}));
    }
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let rest = if parts[0] == "api" { &parts[2..] } else { &parts[3..] };
    let (namespace, rest) = match rest {
        ["namespaces", namespace, rest @ ..] => (Some(*namespace), rest),
        rest => (None, rest),
    };
    if namespace.is_some() && namespace == state.forbidden.as_deref() {
        let words = format!("{} is forbidden: User \"u\" cannot list resource", rest[0]);
        return refuse(403, "Forbidden", &words);
    }
    match rest {
        [plural] if state.absent.contains(plural) => text(404, "404 page not found\n".into()),
        [plural] if query.contains("watch=true") => watch(&mut state, plural, namespace, &query),
        ["pods"] if parts[1] == "metrics.k8s.io" => reply(&metrics()),
        [plural] => {
            let (items, version) = (state.of(plural, namespace), state.version.to_string());
            reply(
                &json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": version}, "items": items}),
            )
        }
        ["serviceaccounts", name] => reply(
            &json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace,
            "annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/orders"}}}),
        ),
        ["pods", name, "log"] => {
            let log = state.logs.pop_front().unwrap_or_default();
            if state.pods_go && state.logs.is_empty() {
                state.objects.remove(&("pods".to_owned(), (*name).to_owned()));
            }
            text(200, log.into())
        }
        [plural, name] => match state.objects.get(&((*plural).to_owned(), (*name).to_owned())) {
            Some(object) => reply(object),
            None => refuse(404, "NotFound", &format!("{plural} \"{name}\" not found")),
        },
        _ => refuse(404, "NotFound", "the server could not find the requested resource"),
    }
}

fn watch(state: &mut State, plural: &str, namespace: Option<&str>, query: &str) -> Response<Body> {
    let (lines, receiver) = mpsc::unbounded_channel();
    let initial = query.contains("sendInitialEvents=true");
    if initial && !state.streaming {
        return refuse(
            422,
            "Invalid",
            "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled",
        );
    }
    if initial {
        for object in state.of(plural, namespace) {
            drop(lines.send(json!({"type": "ADDED", "object": object})));
        }
        if !state.ignores_streaming {
            let metadata = json!({"resourceVersion": state.version.to_string(), "annotations": {"k8s.io/initial-events-end": "true"}});
            drop(
                lines.send(
                    json!({"type": "BOOKMARK", "object": {"kind": "X", "apiVersion": "v1", "metadata": metadata}}),
                ),
            );
        }
    }
    let from = query.split('&').find_map(|pair| pair.strip_prefix("resourceVersion=")?.parse::<u64>().ok());
    if let Some(from) = from.filter(|from| !initial && *from > 0) {
        for (_, (of, place, line)) in state.told.iter().filter(|(version, _)| *version > from) {
            if of == plural && namespace.is_none_or(|one| Some(one) == place.as_deref()) {
                drop(lines.send(line.clone()));
            }
        }
    }
    state.watchers.push(Watcher { plural: plural.to_owned(), namespace: namespace.map(str::to_owned), lines });
    let lines = futures_util::stream::unfold(receiver, |mut receiver| async move {
        let line = receiver.recv().await?;
        Some((Ok(Frame::data(Bytes::from(format!("{line}\n")))), receiver))
    });
    Response::new(StreamBody::new(lines.boxed()).boxed_unsync())
}

fn metrics() -> Value {
    json!({"items": [{"metadata": {"name": "a", "namespace": "prd"}, "containers": [{"usage": {"cpu": "250m", "memory": "1Gi"}}]}]})
}

fn reply(value: &Value) -> Response<Body> {
    text(200, value.to_string().into_bytes())
}

fn refuse(code: u16, reason: &str, message: &str) -> Response<Body> {
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code, "reason": reason, "message": message});
    text(code, status.to_string().into_bytes())
}

fn text(code: u16, bytes: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::from(bytes)).boxed_unsync());
    *response.status_mut() = hyper::StatusCode::from_u16(code).unwrap();
    response
}

/// A TaskManager pod in the namespace `prd`.
pub fn pod(name: &str, cluster: &str, phase: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "prd", "labels": {"component": "taskmanager", "app": cluster, "type": "flink-native-kubernetes"}},
        "spec": {"containers": [{"name": "main"}]},
        "status": {"phase": phase, "containerStatuses": []}})
}

/// A running application of the operator in the namespace `prd`.
pub fn flink_deployment(name: &str) -> Value {
    json!({"apiVersion": "flink.apache.org/v1beta1", "kind": "FlinkDeployment", "metadata": {"name": name, "namespace": "prd", "generation": 1},
        "spec": {"job": {"parallelism": 1, "state": "running"}}, "status": {"lifecycleState": "STABLE", "observedGeneration": 1}})
}
