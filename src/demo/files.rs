//! The private directory of a running demo: a kubeconfig and the console's settings, gone when the demo ends.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::dice::Dice;
use super::lanes;
use super::plan::managed;

/// What the files say of one environment.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) name: String,
    pub(super) kubernetes: String,
    pub(super) kafka: Option<String>,
    pub(super) objects: Option<String>,
    pub(super) admin_token: String,
    pub(super) viewer_token: String,
    pub(super) protection: &'static str,
}

/// What golden signals are made of: the access log that [`super::traffic`] writes. Where overrides are follows.
const SIGNALS: &str = r#"name = "service-events"

[source]
topics = ["service.events"]
format = "json"
time = { field = "ts", unit = "rfc3339" }
latency = { field = "duration_ms", unit = "ms" }

[key]
service = "service"

[[dimensions]]
name = "svcHost"
field = "svcHost"

[[dimensions]]
name = "region"
field = "region"

[error]
field = "status"
op = ">="
value = 500

[window]
size = "10s"
allowed_lateness = "30s"

[watermark]
delay = "1s"
idle_after = "10s"

[slo]
availability = 99.0
"#;

#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
}

impl Directory {
    /// Makes a fresh directory that only its owner can read.
    pub(super) fn create() -> io::Result<Self> {
        let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let nanos = u64::from(clock.subsec_nanos()) ^ clock.as_secs().rotate_left(32);
        let mut dice = Dice::new(nanos ^ u64::from(std::process::id()).rotate_left(17));
        for _ in 0..16 {
            let path = std::env::temp_dir().join(format!("flowdeck-demo-{}", dice.suffix(12)));
            match fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self { path }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::from(io::ErrorKind::AlreadyExists))
    }

    pub(super) fn kubeconfig(&self) -> PathBuf {
        self.path.join("kubeconfig")
    }

    pub(super) fn settings(&self) -> PathBuf {
        self.path.join("flowdeck.toml")
    }

    fn signals(&self, place: &Place) -> PathBuf {
        self.path.join(format!("golden-signals-{}.toml", place.name))
    }

    fn route(&self) -> PathBuf {
        self.path.join(format!("{}-route.toml", lanes::ROUTE))
    }

    pub(super) fn write(&self, places: &[Place]) -> io::Result<()> {
        write_private(&self.kubeconfig(), &kubeconfig(places))?;
        for place in places {
            let location = format!("s3://flowdeck-{}/golden-signals/overrides/", place.name);
            let spec = format!("{SIGNALS}\n[overrides]\nlocation = \"{location}\"\nrefresh = \"30s\"\n");
            write_private(&self.signals(place), &spec)?;
            if place.name == lanes::ENVIRONMENT {
                write_private(&self.route(), &lanes::spec())?;
            }
        }
        write_private(&self.settings(), &settings(self, places))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::debug!(%error, "the demo's directory cannot be removed");
        }
    }
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    io::Write::write_all(&mut file, text.as_bytes())
}

/// One context for each environment, and one that may do next to nothing.
fn kubeconfig(places: &[Place]) -> String {
    let mut text = "apiVersion: v1\nkind: Config\npreferences: {}\n".to_owned();
    let mut section = |title: &str, items: Vec<String>| {
        text.push_str(title);
        text.push_str(":\n");
        text.extend(items);
    };
    section(
        "clusters",
        places
            .iter()
            .map(|place| format!("- name: demo-{0}\n  cluster:\n    server: {1}\n", place.name, place.kubernetes))
            .collect(),
    );
    let user = |name: &str, token: &str| format!("- name: {name}\n  user:\n    token: {token}\n");
    let context = |name: &str, cluster: &str, user: &str| {
        format!("- name: {name}\n  context:\n    cluster: {cluster}\n    user: {user}\n")
    };
    let mut users = Vec::new();
    let mut contexts = Vec::new();
    for place in places {
        let name = format!("demo-{}", place.name);
        users.push(user(&name, &place.admin_token));
        contexts.push(context(&name, &name, &name));
        if place.name == "prd" {
            let viewer = format!("{name}-viewer");
            users.push(user(&viewer, &place.viewer_token));
            contexts.push(context(&viewer, &name, &viewer));
        }
    }
    section("users", users);
    section("contexts", contexts);
    text.push_str("current-context: demo-prd\n");
    text
}

/// The console's own settings.
fn settings(directory: &Directory, places: &[Place]) -> String {
    let mut text = String::new();
    for place in places {
        let written = write_environment(&mut text, directory, place);
        if written.is_err() {
            tracing::debug!("text cannot be written to memory");
        }
    }
    text
}

fn write_environment(text: &mut String, directory: &Directory, place: &Place) -> std::fmt::Result {
    let quoted = |value: &str| serde_json::Value::String(value.to_owned()).to_string();
    let kubeconfig = directory.kubeconfig();
    writeln!(text, "[[environment]]")?;
    writeln!(text, "name = {}", quoted(&place.name))?;
    writeln!(text, "kubeconfig = {}", quoted(&kubeconfig.to_string_lossy()))?;
    writeln!(text, "context = {}", quoted(&format!("demo-{}", place.name)))?;
    writeln!(text, "protection = {}", quoted(place.protection))?;
    if place.name == lanes::ENVIRONMENT {
        writeln!(text, "routes = [{}]", quoted(&directory.route().to_string_lossy()))?;
    }
    if let Some(kafka) = &place.kafka {
        writeln!(text, "[environment.kafka]\nbootstrap = {}", quoted(kafka))?;
        writeln!(text, "[environment.signals]\nspec = {}", quoted(&directory.signals(place).to_string_lossy()))?;
        // Little happens here: all that its Kafka keeps is read.
        writeln!(text, "history-minutes = 1440")?;
    }
    if let Some(objects) = &place.objects {
        writeln!(text, "[environment.objects]\nendpoint = {}", quoted(objects))?;
        writeln!(text, "bucket = {}", quoted(&format!("flowdeck-{}", place.name)))?;
    }
    writeln!(text, "[environment.deploy]\nimage = {}", quoted(managed::IMAGE))?;
    writeln!(text, "state = {}\nservice-account = {}", quoted(managed::STATE), quoted(managed::ACCOUNT))?;
    writeln!(text, "[environment.links]")?;
    for (name, host) in [("Flink UI", "flink"), ("Logs", "logs"), ("Dashboard", "dashboards"), ("Cost", "cost")] {
        let url = format!("https://{host}.example.test/{}/{{namespace}}/{{processor}}", place.name);
        writeln!(text, "{} = {}", quoted(name), quoted(&url))?;
    }
    writeln!(text)
}
