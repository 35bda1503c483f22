//! A way to a server on which a line can be cut at any request: before the request arrives, or before its answer does.

use std::convert::Infallible;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Method, Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

use crate::stack::variable;

/// Where a line is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The request does not arrive.
    Request,
    /// It arrives, and nobody hears the answer.
    Answer,
}

/// Which request's line is cut.
#[derive(Clone, Debug)]
pub enum Which {
    /// By its place, counted from 0.
    Place(usize),
    /// The same as one of an earlier run.
    Like(Seen),
}

/// A request that came by. How many reads there are differs from run to run, so a request is known by what it asks and
/// how often that was asked before, not by its place among all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub method: Method,
    /// Each number in it is `#`: that of a revision is another in each run.
    pub target: String,
    /// How many like it came before.
    pub before: usize,
}

impl Seen {
    /// Whether it changes something that stays.
    pub fn is_write(&self) -> bool {
        self.method != Method::GET && !self.target.contains("dryRun") && !self.target.contains("subjectaccessreviews")
    }
}

#[derive(Default)]
struct Plan {
    seen: Vec<Seen>,
    cut: Option<(Which, Cut)>,
    was_cut: bool,
}

impl Plan {
    /// Notes a request; whether and how its line is to be cut.
    fn pass(&mut self, method: &Method, target: &str) -> Option<Cut> {
        let target = without_numbers(target);
        let before = self.seen.iter().filter(|it| it.method == method && it.target == target).count();
        let seen = Seen { method: method.clone(), target, before };
        let is_meant = |which: &Which| match which {
            Which::Place(place) => *place == self.seen.len(),
            Which::Like(other) => *other == seen,
        };
        let cut = self.cut.as_ref().filter(|(which, _)| is_meant(which)).map(|(_, cut)| *cut);
        self.seen.push(seen);
        self.was_cut |= cut.is_some();
        cut
    }
}

fn without_numbers(target: &str) -> String {
    let mut shown = String::new();
    for letter in target.chars() {
        match letter {
            '0'..='9' if shown.ends_with('#') => {}
            '0'..='9' => shown.push('#'),
            other => shown.push(other),
        }
    }
    shown
}

/// The proxy; it ends with this.
pub struct Proxy {
    address: SocketAddr,
    plan: Arc<Mutex<Plan>>,
    _runtime: tokio::runtime::Runtime,
    kubectl: Option<Child>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(mut child) = self.kubectl.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

impl Proxy {
    /// Before the API server, with the administrator's rights.
    pub fn of_api_server() -> Self {
        let mut command = Command::new(variable("STACK_KUBECTL"));
        command.args(["--kubeconfig", &variable("STACK_KUBECONFIG"), "proxy", "--port=0"]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        // `Starting to serve on 127.0.0.1:41233`
        let address = line.trim().rsplit(' ').next().unwrap().to_owned();
        let mut proxy = Self::before(&format!("http://{address}"));
        proxy.kubectl = Some(child);
        proxy
    }

    /// Before any server.
    pub fn before(upstream: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let (plan, upstream) = (Arc::new(Mutex::new(Plan::default())), upstream.trim_end_matches('/').to_owned());
        runtime.spawn(serve(listener, upstream, plan.clone()));
        Self { address, plan, _runtime: runtime, kubectl: None }
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A kubeconfig that leads through it.
    pub fn kubeconfig(&self, folder: &std::path::Path) -> String {
        let path = folder.join("proxied.kubeconfig");
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: p\nclusters: [{{name: p, cluster: {{server: \"{}\"}}}}]\n\
             contexts: [{{name: p, context: {{cluster: p, user: p}}}}]\nusers: [{{name: p, user: {{}}}}]\n",
            self.url()
        );
        std::fs::write(&path, text).unwrap();
        path.to_string_lossy().into_owned()
    }

    /// Forgets what came by, and cuts the line at a request from now on.
    pub fn plan(&self, cut: Option<(Which, Cut)>) {
        *self.plan.lock().unwrap() = Plan { cut, ..Plan::default() };
    }

    /// Whether that request came and its line was cut.
    pub fn was_cut(&self) -> bool {
        self.plan.lock().unwrap().was_cut
    }

    /// What came by since.
    pub fn seen(&self) -> Vec<Seen> {
        self.plan.lock().unwrap().seen.clone()
    }
}

async fn serve(listener: TcpListener, upstream: String, plan: Arc<Mutex<Plan>>) {
    let client: Client<HttpConnector, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    while let Ok((stream, _)) = listener.accept().await {
        let (client, upstream, plan) = (client.clone(), upstream.clone(), plan.clone());
        tokio::spawn(async move {
            let service = service_fn(|request| pass(request, &client, &upstream, &plan));
            // A line that is cut ends with an error, as it is meant to.
            drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

#[derive(Debug)]
struct Gone;

impl std::fmt::Display for Gone {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the line is cut")
    }
}

impl std::error::Error for Gone {}

impl From<Infallible> for Gone {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

async fn pass(
    request: Request<Incoming>,
    client: &Client<HttpConnector, Full<Bytes>>,
    upstream: &str,
    plan: &Mutex<Plan>,
) -> Result<Response<Full<Bytes>>, Gone> {
    let target = request.uri().path_and_query().map_or_else(String::new, ToString::to_string);
    let cut = plan.lock().unwrap().pass(request.method(), &target);
    if cut == Some(Cut::Request) {
        return Err(Gone);
    }
    let (mut parts, body) = request.into_parts();
    parts.uri = format!("{upstream}{target}").parse::<Uri>().unwrap();
    parts.headers.remove("host");
    let body = body.collect().await.map_err(|_| Gone)?.to_bytes();
    let answer = client.request(Request::from_parts(parts, Full::new(body))).await.map_err(|_| Gone)?;
    let (parts, body) = answer.into_parts();
    let body = body.collect().await.map_err(|_| Gone)?.to_bytes();
    if cut == Some(Cut::Answer) {
        return Err(Gone);
    }
    Ok(Response::from_parts(parts, Full::new(body)))
}
