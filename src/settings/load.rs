//! Reads the layers and checks the result.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use super::{EnvironmentSettings, LogLevel, Settings};

/// What flags and environment variables set, over the file.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// Settings file; an explicit one must exist.
    pub file: Option<PathBuf>,
    /// Kubeconfig file.
    pub kubeconfig: Option<PathBuf>,
    /// Kube context: leaves one environment.
    pub context: Option<String>,
    /// Names of environments to keep.
    pub environments: Vec<String>,
    /// Namespaces to watch.
    pub namespaces: Vec<String>,
    /// All namespaces, whatever the file says.
    pub all_namespaces: bool,
    /// User to impersonate.
    pub impersonate: Option<String>,
    /// Draw with ASCII alone.
    pub ascii: bool,
    /// Log level.
    pub log_level: Option<LogLevel>,
}

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read the settings file {path}: {error}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file is not what it should be.
    #[error("the settings file {path} is not valid:\n{message}")]
    Parse {
        /// Which file.
        path: PathBuf,
        /// Where and why, with the line.
        message: String,
    },
    /// Two environments share a name.
    #[error("two environments are named {0}: give each [[environment]] its own name")]
    Duplicate(String),
    /// An environment without a name or context.
    #[error("the {0}. [[environment]] has neither a name nor a context: set one of them")]
    Nameless(usize),
    /// A flag names an environment, and the settings have none.
    #[error("there is no environment {0}: the settings file has no [[environment]]; use --context for a kube context")]
    NoEnvironments(String),
    /// A flag names an environment that is not there.
    #[error("there is no environment {wanted}; the settings name: {known}")]
    UnknownEnvironment {
        /// What was asked for.
        wanted: String,
        /// What there is.
        known: String,
    },
}

/// Reads the user's file, lays `overrides` over it, and checks the whole.
///
/// # Errors
///
/// When an explicit file is missing, when the file does not parse or has unknown keys, and when names
/// clash or are not there.
pub fn load(overrides: &Overrides) -> Result<Settings, SettingsError> {
    let mut settings = match &overrides.file {
        Some(path) => read(path)?,
        None => match default_path() {
            Some(path) if path.exists() => read(&path)?,
            _ => Settings::default(),
        },
    };
    name_environments(&mut settings)?;
    choose_environments(&mut settings, overrides)?;
    for environment in &mut settings.environments {
        lay_over(environment, overrides);
    }
    settings.screen.ascii |= overrides.ascii;
    settings.log.level = overrides.log_level.unwrap_or(settings.log.level);
    Ok(settings)
}

/// `$XDG_CONFIG_HOME/flowdeck/flowdeck.toml`, else `~/.config/flowdeck/flowdeck.toml`.
#[must_use]
pub fn default_path() -> Option<PathBuf> {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config"));
    let base =
        std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute()).or_else(home)?;
    Some(base.join("flowdeck").join("flowdeck.toml"))
}

fn read(path: &Path) -> Result<Settings, SettingsError> {
    let text = std::fs::read_to_string(path).map_err(|error| SettingsError::Read { path: path.to_owned(), error })?;
    toml::from_str(&text).map_err(|error| SettingsError::Parse { path: path.to_owned(), message: error.to_string() })
}

fn name_environments(settings: &mut Settings) -> Result<(), SettingsError> {
    let mut seen = HashSet::new();
    for (index, environment) in settings.environments.iter_mut().enumerate() {
        if environment.name.is_empty() {
            environment.name = environment.context.clone().ok_or(SettingsError::Nameless(index + 1))?;
        }
        if !seen.insert(environment.name.clone()) {
            return Err(SettingsError::Duplicate(environment.name.clone()));
        }
    }
    Ok(())
}

/// `--context` leaves the environment of that context, with its Kafka and links, or makes one;
/// `--environment` leaves the named ones.
fn choose_environments(settings: &mut Settings, overrides: &Overrides) -> Result<(), SettingsError> {
    if let Some(context) = &overrides.context {
        settings.environments.retain(|environment| environment.context.as_ref() == Some(context));
        settings.environments.truncate(1);
        if settings.environments.is_empty() {
            let (name, context) = (context.clone(), Some(context.clone()));
            settings.environments.push(EnvironmentSettings { name, context, ..EnvironmentSettings::default() });
        }
    } else if settings.environments.is_empty() || overrides.kubeconfig.is_some() {
        settings.environments = vec![EnvironmentSettings::default()];
    }
    for wanted in &overrides.environments {
        if !settings.environments.iter().any(|environment| environment.name == *wanted) {
            let named = settings.environments.iter().map(|environment| environment.name.as_str());
            let known: Vec<&str> = named.filter(|name| !name.is_empty()).collect();
            if known.is_empty() {
                return Err(SettingsError::NoEnvironments(wanted.clone()));
            }
            return Err(SettingsError::UnknownEnvironment { wanted: wanted.clone(), known: known.join(", ") });
        }
    }
    if !overrides.environments.is_empty() {
        settings.environments.retain(|environment| overrides.environments.contains(&environment.name));
    }
    Ok(())
}

fn lay_over(environment: &mut EnvironmentSettings, overrides: &Overrides) {
    if overrides.kubeconfig.is_some() {
        environment.kubeconfig.clone_from(&overrides.kubeconfig);
    }
    if overrides.impersonate.is_some() {
        environment.impersonate.clone_from(&overrides.impersonate);
    }
    if overrides.all_namespaces {
        environment.namespaces.clear();
    } else if !overrides.namespaces.is_empty() {
        environment.namespaces.clone_from(&overrides.namespaces);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = include_str!("../../config/flowdeck.toml");

    fn parse(text: &str) -> Result<Settings, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn the_sample_file_changes_nothing() {
        assert_eq!(parse(SAMPLE).unwrap(), Settings::default());
    }

    #[test]
    fn the_sample_file_is_valid_with_every_key_set() {
        let uncommented: String = SAMPLE
            .lines()
            .map(|line| line.strip_prefix("#= ").unwrap_or(line))
            .filter(|line| !line.starts_with('#'))
            .map(|line| format!("{line}\n"))
            .collect();
        let settings = parse(&uncommented).unwrap();
        let environment = &settings.environments[0];
        assert!(environment.kafka.is_some() && environment.objects.is_some() && !environment.links.is_empty());
        assert!(environment.signals.is_some());
        assert_eq!(environment.routes.len(), 1);
        assert_eq!(environment.logs.layout_of(None).name(), "json");
    }

    #[test]
    fn a_pipeline_may_log_otherwise_than_its_environment() {
        let settings = parse(
            "[[environment]]\nname='a'\n[environment.logs]\nlayout='json'\n[environment.logs.pipelines]\norders='slashes'\n",
        );
        let logs = &settings.unwrap().environments[0].logs;
        let told = [None, Some("orders"), Some("other")].map(|pipeline| logs.layout_of(pipeline).name());
        assert_eq!(told, ["json", "slashes", "json"]);
        let sample = parse(include_str!("../../config/examples/log-layouts.toml")).unwrap();
        let told =
            sample.environments.iter().map(|environment| environment.logs.layout_of(Some("match-making")).name());
        assert_eq!(told.collect::<Vec<_>>(), ["slashes", "auto"]);
        let message = parse("[[environment]]\nname='a'\n[environment.logs]\nlayout='morse'\n").unwrap_err();
        assert!(message.contains("morse") && message.contains("auto, flink, slashes"), "{message}");
    }

    #[test]
    fn links_keep_their_order() {
        let settings =
            parse("[[environment]]\nname='a'\n[environment.links]\nLogs='l'\n'Flink UI'='f'\nCost='c'\n").unwrap();
        let names: Vec<&str> = settings.environments[0].links.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["Logs", "Flink UI", "Cost"]);
    }

    #[test]
    fn a_misspelt_key_is_refused_with_its_line() {
        let message = parse("[[environment]]\nname = 'a'\nkubeconfg = 'x'\n").unwrap_err();
        assert!(message.contains("kubeconfg") && message.contains("line 3"), "{message}");
    }

    #[test]
    fn a_context_flag_keeps_the_settings_of_that_context() {
        let mut settings = parse("[[environment]]\nname='prd'\ncontext='k-prd'\nprotection='protected'\n[[environment]]\nname='qal'\ncontext='k-qal'\n").unwrap();
        let overrides =
            Overrides { context: Some("k-prd".into()), namespaces: vec!["team".into()], ..Overrides::default() };
        choose_environments(&mut settings, &overrides).unwrap();
        lay_over(&mut settings.environments[0], &overrides);
        assert_eq!((settings.environments.len(), settings.environments[0].name.as_str()), (1, "prd"));
        assert_eq!(settings.environments[0].namespaces, ["team"]);
    }

    #[test]
    fn names_clash_or_are_missing() {
        let mut twice = parse("[[environment]]\nname='a'\n[[environment]]\ncontext='a'\n").unwrap();
        assert!(matches!(name_environments(&mut twice), Err(SettingsError::Duplicate(name)) if name == "a"));
        let mut none = parse("[[environment]]\nnamespaces=['x']\n").unwrap();
        assert!(matches!(name_environments(&mut none), Err(SettingsError::Nameless(1))));
        let mut one = parse("[[environment]]\nname='a'\n").unwrap();
        let wanted = Overrides { environments: vec!["b".into()], ..Overrides::default() };
        assert_eq!(
            choose_environments(&mut one, &wanted).unwrap_err().to_string(),
            "there is no environment b; the settings name: a"
        );
    }
}
