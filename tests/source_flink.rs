//! The Flink source against recorded answers, through a stand-in for the API server's proxy and by address.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test's helpers fail the test")]

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use flowdeck::demo::{Options, Platform};
use flowdeck::event::Event;
use flowdeck::model::change::{Change, Fetched};
use flowdeck::model::environment::{Backend, Link};
use flowdeck::model::interest::{Depth, Interest, JobInterest, job_interest};
use flowdeck::model::inventory::Inventory;
use flowdeck::model::job::{Job, JobState};
use flowdeck::model::key::ObjectKey;
use flowdeck::settings::{EnvironmentSettings, FlinkSettings};
use flowdeck::source::flink::{Actions, Afterwards};
use flowdeck::source::{flink, kube};
use http_body_util::Full;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(20);
const PROXY: &str = "/api/v1/namespaces/prd/services";
const JOB: &str = "8475928ce6854325ad917b02a1864e82";

macro_rules! recorded {
    ($name:literal) => {
        include_str!(concat!("fixtures/flink/2.2/", $name, ".json"))
    };
}

/// A server of canned answers: code and body by path without query, one after the other, and the last for good.
#[derive(Default)]
struct Answers {
    by_path: Mutex<HashMap<String, Vec<(u16, String)>>>,
    asked: Mutex<Vec<String>>,
    under_way: AtomicUsize,
    most: AtomicUsize,
}

impl Answers {
    fn put(&self, path: &str, code: u16, body: &str) {
        self.put_all(path, &[(code, body)]);
    }

    fn put_all(&self, path: &str, answers: &[(u16, &str)]) {
        let answers = answers.iter().rev().map(|(code, body)| (*code, (*body).to_owned())).collect();
        self.by_path.lock().unwrap().insert(path.to_owned(), answers);
    }

    /// A running job behind a base path.
    fn put_job(&self, base: &str) {
        let paths = [
            ("/jobs/overview".to_owned(), recorded!("jobs-overview")),
            (format!("/jobs/{JOB}"), recorded!("job")),
            (format!("/jobs/{JOB}/checkpoints"), recorded!("job-checkpoints")),
            (format!("/jobs/{JOB}/exceptions"), recorded!("job-exceptions")),
            (format!("/jobs/{JOB}/metrics"), recorded!("job-metrics-get")),
        ];
        for (path, body) in paths {
            self.put(&format!("{base}{path}"), 200, body);
        }
        for vertex in
            ["f362c87ffabe89c8a91fa7d0a523ba6c", "9c32e3838cee893dbb2fc90ccad79598", "59fa767824610e31f4a11d6125e09bf4"]
        {
            let vertex = format!("{base}/jobs/{JOB}/vertices/{vertex}");
            self.put(&format!("{vertex}/subtasks/metrics"), 200, recorded!("vertex-subtasks-metrics-get-agg"));
            self.put(&format!("{vertex}/watermarks"), 200, recorded!("vertex-watermarks"));
            let busy = r#"{"subtasks":[{"subtask":0,"busyRatio":0.1},{"subtask":1,"busyRatio":0.9}]}"#;
            self.put(&format!("{vertex}/backpressure"), 200, busy);
        }
    }

    fn count(&self, part: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|path| path.contains(part)).count()
    }

    async fn answer(&self, request: Request<hyper::body::Incoming>) -> Response<Full<Bytes>> {
        let under_way = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(under_way, Ordering::SeqCst);
        let path = request.uri().path().to_owned();
        self.asked.lock().unwrap().push(request.uri().to_string());
        // Long enough for others to come in between.
        sleep(Duration::from_millis(5)).await;
        let found = self
            .by_path
            .lock()
            .unwrap()
            .get_mut(&path)
            .and_then(|answers| if answers.len() > 1 { answers.pop() } else { answers.first().cloned() });
        let missing = || (404, recorded!("error-404").to_owned());
        let (code, body) = found.unwrap_or_else(missing);
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = hyper::StatusCode::from_u16(code).unwrap();
        response
    }
}

struct Run {
    answers: Arc<Answers>,
    address: String,
    interest: watch::Sender<Arc<Interest>>,
    events: mpsc::Receiver<Event>,
    cancel: CancellationToken,
    cluster: kube::Cluster,
    _folder: tempfile::TempDir,
}

impl Run {
    async fn start(url: Option<&str>) -> Self {
        let answers = Arc::new(Answers::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(serve(listener, answers.clone()));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        let config = format!(
            "{{current-context: t, clusters: [{{name: c, cluster: {{server: '{address}'}}}}], contexts: [{{name: t, context: {{cluster: c, user: u}}}}]}}"
        );
        std::fs::write(&path, config).unwrap();
        let settings =
            EnvironmentSettings { name: "test".into(), kubeconfig: Some(path), ..EnvironmentSettings::default() };
        let cluster = kube::connect(&settings).await.unwrap();
        let (interest, interests) = watch::channel(Arc::new(Interest::default()));
        let (sender, events) = mpsc::channel(4);
        let cancel = CancellationToken::new();
        let settings = FlinkSettings { url: url.map(|url| url.replace("ADDRESS", &address)) };
        tokio::spawn(flink::run(cluster.clone(), settings, interests, sender, cancel.clone()));
        Self { answers, address, interest, events, cancel, cluster, _folder: folder }
    }

    fn want(&self, jobs: Vec<JobInterest>) {
        self.interest.send_modify(|interest| Arc::make_mut(interest).jobs = jobs);
    }

    async fn changes(&mut self) -> Vec<Change> {
        match timeout(PATIENCE, self.events.recv()).await {
            Ok(Some(Event::Changed(changes))) => changes,
            other => panic!("no changes but {other:?} from {}", self.address),
        }
    }

    /// The next answer about any job, and the last link seen on the way.
    async fn job(&mut self) -> (Fetched<Box<Job>>, Option<Link>) {
        let mut link = None;
        loop {
            let mut job = None;
            for change in self.changes().await {
                match change {
                    Change::Job(_, fetched) => job = Some(fetched),
                    Change::Link(_, Backend::Flink, state) => link = Some(state),
                    other => panic!("{other:?}"),
                }
            }
            if let Some(job) = job {
                return (job, link);
            }
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

async fn serve(listener: TcpListener, answers: Arc<Answers>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let answers = answers.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let answers = answers.clone();
                async move { Ok::<_, Infallible>(answers.answer(request).await) }
            });
            drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

fn interest(name: &str, labels: &[(&str, &str)], depth: Depth) -> JobInterest {
    JobInterest {
        processor: ObjectKey::new("test", "prd", name),
        host: name.into(),
        job_manager_labels: labels.iter().map(|&(name, value)| (name.into(), value.into())).collect(),
        job_id: None,
        depth,
    }
}

const NATIVE: [(&str, &str); 2] = [("type", "flink-native-kubernetes"), ("app", "orders")];

#[tokio::test]
async fn a_job_in_detail_through_the_proxy() {
    let mut run = Run::start(None).await;
    run.answers.put_job(&format!("{PROXY}/orders-rest:8081/proxy"));
    run.want(vec![interest("orders", &NATIVE, Depth::Detail)]);
    let (Fetched::Ready(job), Some(Link::Up { .. })) = run.job().await else { panic!("no job") };
    assert_eq!((job.state, job.tasks, job.restarts), (JobState::Running, (9, 9), Some(1)));
    assert_eq!(job.checkpoints.as_ref().unwrap().completed, 13);
    assert_eq!(&*job.failures[0].root.class, "java.lang.NumberFormatException");
    let (source, last) = (&job.vertices[0], &job.vertices[2]);
    assert!(source.busy_max.is_some() && source.watermark.is_none() && last.watermark.is_some());
    assert_eq!(last.busiest_subtask, Some(1));
    assert_eq!(run.answers.count("/services?"), 0, "native clusters need no list of services");
    assert!(run.answers.most.load(Ordering::SeqCst) <= 8);

    let (Fetched::Ready(again), _) = run.job().await else { panic!("no second look") };
    assert_eq!(again.vertices[2].busy_max, last.busy_max);
    assert_eq!(run.answers.count("subtasks/metrics"), 3, "loads are younger than Flink's own measurements");
}

#[tokio::test]
async fn a_service_is_found_by_the_labels_of_the_job_manager() {
    let mut run = Run::start(None).await;
    let services = r#"{"items":[{"metadata":{"name":"flink-jobmanager"},"spec":{"selector":{"app":"flink","component":"jobmanager"},"ports":[{"name":"webui","port":8082,"appProtocol":"https"}]}}]}"#;
    run.answers.put(PROXY, 200, services);
    run.answers.put_job(&format!("{PROXY}/https:flink-jobmanager:8082/proxy"));
    run.want(vec![interest("orders", &[("app", "flink"), ("component", "jobmanager")], Depth::Summary)]);
    let (Fetched::Ready(job), _) = run.job().await else { panic!("no job") };
    assert!(job.vertices.is_empty() && job.checkpoints.is_some());
}

#[tokio::test]
async fn an_address_from_the_settings_wins() {
    let mut run = Run::start(Some("ADDRESS/{namespace}/{name}/")).await;
    run.answers.put_job("/prd/orders");
    run.want(vec![interest("orders", &[], Depth::Detail)]);
    assert!(matches!(run.job().await, (Fetched::Ready(_), Some(Link::Up { .. }))));
}

#[tokio::test]
async fn refusals_and_failures_are_told_apart_and_cost_little() {
    let mut run = Run::start(None).await;
    let base = format!("{PROXY}/orders-rest:8081/proxy/jobs/overview");
    run.answers.put(&base, 403, r#"{"kind":"Status","code":403,"message":"services \"orders-rest:8081\" is forbidden: User cannot get resource \"services/proxy\""}"#);
    run.want(vec![interest("orders", &NATIVE, Depth::Summary)]);
    let (Fetched::Forbidden(words), Some(Link::Forbidden { .. })) = run.job().await else { panic!("not forbidden") };
    assert!(words.contains("services/proxy"));

    run.answers.put(
        &base,
        503,
        r#"{"kind":"Status","code":503,"message":"no endpoints available for service \"orders-rest\""}"#,
    );
    run.interest.send_modify(|interest| Arc::make_mut(interest).retry += 1);
    let (Fetched::Failed(_, words), Some(Link::Down { .. })) = run.job().await else { panic!("not failed") };
    assert!(words.contains("no endpoints"));
    let asked = run.answers.count("overview");
    sleep(Duration::from_secs(3)).await;
    assert_eq!(run.answers.count("overview"), asked, "a dead endpoint is left alone");

    run.answers.put(&base, 200, r#"{"jobs":[]}"#);
    run.interest.send_modify(|interest| Arc::make_mut(interest).retry += 1);
    assert!(matches!(run.job().await.0, Fetched::NotFound));
}

#[tokio::test]
async fn many_jobs_share_the_budget() {
    let mut run = Run::start(Some("ADDRESS/{name}")).await;
    let names: Vec<String> = (0..40).map(|number| format!("job-{number}")).collect();
    names.iter().for_each(|name| run.answers.put_job(&format!("/{name}")));
    run.want(names.iter().map(|name| interest(name, &[], Depth::Summary)).collect());
    for _ in 0..40 {
        assert!(matches!(run.job().await.0, Fetched::Ready(_)));
    }
    assert!(run.answers.most.load(Ordering::SeqCst) <= 8, "{} at once", run.answers.most.load(Ordering::SeqCst));
    let first = run.answers.asked.lock().unwrap().first().cloned();
    assert!(first.unwrap().starts_with("/job-"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_job_of_the_demonstration_is_reached() {
    let platform = Platform::start(Options { seed: 7, pace: 1.0 }).await.unwrap();
    let settings = EnvironmentSettings {
        name: "test".into(),
        kubeconfig: Some(platform.kubeconfig().into()),
        context: Some("demo-prd".into()),
        ..EnvironmentSettings::default()
    };
    let cluster = kube::connect(&settings).await.unwrap();
    let (interest, interests) = watch::channel(Arc::new(Interest::default()));
    let (sender, mut events) = mpsc::channel(64);
    let cancel = CancellationToken::new();
    tokio::spawn(kube::run(cluster.clone(), interests.clone(), sender.clone(), cancel.clone()));
    tokio::spawn(flink::run(cluster, FlinkSettings::default(), interests, sender, cancel.clone()));
    let mut inventory = Inventory::default();
    let mut until = async |what: &str, wanted: &dyn Fn(&Inventory) -> bool| {
        let reached = timeout(PATIENCE, async {
            while !wanted(&inventory) {
                let Some(Event::Changed(changes)) = events.recv().await else { panic!("the sources ended") };
                changes.into_iter().for_each(|change| inventory.apply(change));
                let jobs = inventory.processors().filter_map(|(key, _)| job_interest(&inventory, key, Depth::Detail));
                let jobs: Vec<JobInterest> = jobs.collect();
                interest.send_if_modified(|interest| {
                    let differs = interest.jobs != jobs;
                    Arc::make_mut(interest).jobs = jobs;
                    differs
                });
            }
        });
        if reached.await.is_err() {
            let jobs: Vec<_> =
                inventory.processors().map(|(key, processor)| (key.to_string(), &processor.job)).collect();
            panic!("not reached: {what}; {jobs:#?}");
        }
    };
    let asked = |inventory: &Inventory| -> Vec<Option<Fetched<Box<Job>>>> {
        let wanted = inventory.processors().filter(|(key, _)| job_interest(inventory, key, Depth::Detail).is_some());
        wanted.map(|(_, processor)| processor.job.clone()).collect()
    };
    until("all jobs", &|inventory| {
        let jobs = asked(inventory);
        let ready = |job: &Option<Fetched<Box<Job>>>| {
            matches!(job, Some(Fetched::Ready(job)) if !job.vertices.is_empty() && job.checkpoints.is_some())
        };
        jobs.len() > 5 && jobs.iter().all(ready)
    })
    .await;
    let handle = platform.environment("prd").unwrap();
    handle.kill_flink();
    until("down", &|inventory| inventory.link(&"test".into(), Backend::Flink).is_down()).await;
    handle.start_flink();
    until("up again", &|inventory| matches!(inventory.link(&"test".into(), Backend::Flink), Link::Up { .. })).await;
    cancel.cancel();
    platform.stop().await;
}

#[tokio::test]
async fn a_savepoint_waits_until_all_tasks_run_and_other_failures_are_told_at_once() {
    let run = Run::start(None).await;
    let (overview, savepoints) = ("/jobs/overview", format!("/jobs/{JOB}/savepoints"));
    let failed = |why: &str| {
        let trace = format!("org.apache.flink.runtime.checkpoint.CheckpointException: {why}\n\tat a.B.c(B.java:1)");
        serde_json::json!({"status": {"id": "COMPLETED"}, "operation": {"failure-cause": {"stack-trace": trace}}})
            .to_string()
    };
    let early = failed(
        "Checkpoint triggering task Source (1/2) of job 1 is not being executed at the moment. Aborting \
         checkpoint. Failure reason: Not all required tasks are currently running.",
    );
    let taken = r#"{"status":{"id":"COMPLETED"},"operation":{"location":"s3://state/savepoint-1"}}"#;
    run.answers.put(overview, 200, recorded!("jobs-overview"));
    run.answers.put(&savepoints, 202, r#"{"request-id":"r1"}"#);
    let result = format!("{savepoints}/r1");
    run.answers.put_all(&result, &[(200, &early), (200, r#"{"status":{"id":"IN_PROGRESS"}}"#), (200, taken)]);
    let settings = FlinkSettings { url: Some(run.address.clone()) };
    let actions = Actions::new(run.cluster.clone(), &settings).unwrap();
    let job = actions.job(&interest("sessionization", &[], Depth::Summary)).await.unwrap().unwrap();
    let place = actions.savepoint(&job, Afterwards::GoesOn).await;
    assert_eq!(place.as_deref(), Ok("s3://state/savepoint-1"));
    let asked = || run.answers.asked.lock().unwrap().iter().filter(|path| **path == savepoints).count();
    assert_eq!(asked(), 2);
    run.answers.put(&result, 200, &failed("Checkpoint Coordinator is suspending."));
    let told = actions.savepoint(&job, Afterwards::GoesOn).await.unwrap_err().to_string();
    assert!(told.contains("is suspending"), "{told}");
    assert_eq!(asked(), 3);
}
