//! flowdeck's own log: a file, because the screen is taken.

use std::path::{Path, PathBuf};

use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::WorkerGuard;
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;

use crate::settings::{LogLevel, LogSettings};

/// How many days of logs are kept.
const FILES: usize = 3;

/// Starts the log; what is buffered is written when the returned guard is dropped.
///
/// Without a place to write, the program runs on without a log: a console that cannot start because
/// of its log helps nobody. The reason is returned as text for `doctor`.
///
/// # Errors
///
/// A sentence that says why there is no log.
pub fn start(settings: &LogSettings) -> Result<Option<WorkerGuard>, String> {
    let level = match settings.level {
        LogLevel::Off => return Ok(None),
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    let directory = settings.directory.clone().or_else(default_directory).ok_or("HOME is not set")?;
    std::fs::create_dir_all(&directory).map_err(|error| format!("no log in {}: {error}", directory.display()))?;
    let (writer, guard) = tracing_appender::non_blocking(appender(&directory)?);
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(writer);
    let subscriber = tracing_subscriber::registry().with(quiet(level)).with(lines);
    tracing::subscriber::set_global_default(subscriber).map_err(|error| error.to_string())?;
    Ok(Some(guard))
}

/// `$XDG_STATE_HOME/flowdeck`, else `~/.local/state/flowdeck`.
#[must_use]
pub fn default_directory() -> Option<PathBuf> {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local").join("state"));
    let base = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute()).or_else(home)?;
    Some(base.join("flowdeck"))
}

/// Below errors the API client logs whole bodies that it cannot read, and bodies may hold secrets.
fn quiet(level: LevelFilter) -> Targets {
    let reserved = LevelFilter::ERROR.min(level);
    Targets::new().with_default(level).with_target("kube_client", reserved).with_target("kube_runtime", reserved)
}

fn appender(directory: &Path) -> Result<RollingFileAppender, String> {
    RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("flowdeck")
        .filename_suffix("log")
        .max_log_files(FILES)
        .build(directory)
        .map_err(|error| format!("no log in {}: {error}", directory.display()))
}
