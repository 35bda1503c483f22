//! What a failed request means, in words for a person.
//!
//! The client's own error texts repeat themselves, name Rust types and may hold a whole HTML page.
//! Here each becomes one kind, which decides what happens next, and one sentence.

use std::sync::Arc;

use kube::client::AuthError;
use kube::runtime::watcher;

/// Longest text of a server that is kept.
const LONGEST: usize = 500;

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// No answer: refused, reset, unknown host, TLS.
    #[error("{0}")]
    Unreachable(Arc<str>),
    /// The server does not know who we are.
    #[error("{0}")]
    Unauthorized(Arc<str>),
    /// The server knows who we are, and refuses.
    #[error("{0}")]
    Forbidden(Arc<str>),
    /// There is no such thing.
    #[error("{0}")]
    Absent(Arc<str>),
    /// The server does not understand the request.
    #[error("{0}")]
    Invalid(Arc<str>),
    /// The resource version is too old: list again.
    #[error("the resource version is too old")]
    Gone,
    /// The server is overloaded or not ready.
    #[error("{0}")]
    Busy(Arc<str>),
    /// An answer that does not make sense.
    #[error("{0}")]
    Garbled(Arc<str>),
}

impl Trouble {
    /// The sentence.
    #[must_use]
    pub fn words(&self) -> Arc<str> {
        match self {
            Self::Unreachable(words)
            | Self::Unauthorized(words)
            | Self::Forbidden(words)
            | Self::Absent(words)
            | Self::Invalid(words)
            | Self::Busy(words)
            | Self::Garbled(words) => words.clone(),
            Self::Gone => self.to_string().into(),
        }
    }

    /// Whether the server itself did not answer, rather than refuse.
    #[must_use]
    pub const fn is_link(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Unauthorized(_) | Self::Busy(_))
    }
}

impl From<&watcher::Error> for Trouble {
    fn from(error: &watcher::Error) -> Self {
        match error {
            watcher::Error::InitialListFailed(error)
            | watcher::Error::WatchStartFailed(error)
            | watcher::Error::WatchFailed(error) => Self::from(error),
            watcher::Error::WatchError(status) => of_status(status.code, &status.reason, &status.message),
            watcher::Error::NoResourceVersion => Self::Garbled("the server's list has no resource version".into()),
        }
    }
}

impl From<&kube::Error> for Trouble {
    fn from(error: &kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => of_status(status.code, &status.reason, &status.message),
            kube::Error::Auth(error) => Self::Unauthorized(login(error)),
            kube::Error::SerdeError(error) => {
                Self::Garbled(cut(&format!("the server's answer could not be read: {error}")))
            }
            kube::Error::FromUtf8(_) => Self::Garbled("the server's answer is not UTF-8".into()),
            kube::Error::InferKubeconfig(error) => Self::Unauthorized(cut(&error.to_string())),
            other => Self::Unreachable(cut(&deepest(other))),
        }
    }
}

/// Sorts an answer by its status code.
#[must_use]
pub fn of_status(code: u16, reason: &str, message: &str) -> Trouble {
    let words = || cut(if message.is_empty() { reason } else { message });
    match code {
        401 => Trouble::Unauthorized(cut(&format!("token expired or not valid: {message}"))),
        403 => Trouble::Forbidden(words()),
        404 => Trouble::Absent(words()),
        410 => Trouble::Gone,
        408 | 429 | 502..=504 => Trouble::Busy(cut(&format!("the server answers {code}: {message}"))),
        400 | 405 | 406 | 415 | 422 => Trouble::Invalid(words()),
        _ => Trouble::Garbled(cut(&format!("the server answers {code}: {message}"))),
    }
}

/// The first line of a text, at most 500 characters of it.
#[must_use]
pub fn cut(text: &str) -> Arc<str> {
    let line = text.trim().lines().next().unwrap_or_default();
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()).into(),
        None => line.into(),
    }
}

/// The innermost cause says what happened ("Connection refused"); those around it only where.
fn deepest(error: &kube::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    let mut text = error.to_string();
    for _ in 0..16 {
        let Some(inner) = cause.source() else { break };
        cause = inner;
        let words = cause.to_string();
        if !words.is_empty() {
            text = words;
        }
    }
    let text = text.split(" (os error").next().unwrap_or(&text).to_owned();
    let mut letters = text.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

/// A login helper that fails says why on its standard error; its standard output may hold a token.
fn login(error: &AuthError) -> Arc<str> {
    match error {
        AuthError::AuthExecRun { out, cmd } => {
            let program = program(cmd);
            let said = String::from_utf8_lossy(&out.stderr);
            let said = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it said nothing").trim();
            cut(&format!("login helper {program} failed ({}): {said}", out.status))
        }
        AuthError::AuthExecStart(error) => cut(&format!("login helper could not be started: {error}")),
        // The session's own words for a configuration that could not be read again.
        AuthError::AuthExec(words) => cut(words),
        AuthError::AuthExecParse(_) => "the login helper's answer could not be read".into(),
        other => cut(&other.to_string()),
    }
}

/// The program of a command as Rust writes it, `NAME="value" "program" "argument"`: neither variables, which
/// may be secret, nor arguments. A quote inside a value is escaped, so one after a space opens the program.
fn program(command: &str) -> &str {
    let quoted = command.strip_prefix('"').or_else(|| command.split_once(" \"").map(|(_, rest)| rest));
    let path = quoted.and_then(|rest| rest.split('"').next()).unwrap_or("in the kubeconfig");
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_helper_is_named_without_its_secrets() {
        assert_eq!(program(r#"A="x \"y\" z" B="1" "/usr/bin/aws" "eks""#), "aws");
        assert_eq!(program(r#""kubelogin" "get-token""#), "kubelogin");
    }

    #[test]
    fn statuses_are_sorted() {
        assert!(
            matches!(of_status(401, "Unauthorized", "Unauthorized"), Trouble::Unauthorized(words) if words.starts_with("token expired or not valid"))
        );
        assert!(
            matches!(of_status(403, "Forbidden", "pods is forbidden"), Trouble::Forbidden(words) if &*words == "pods is forbidden")
        );
        assert_eq!(of_status(410, "Expired", "too old"), Trouble::Gone);
        assert!(of_status(503, "", "").is_link());
        assert!(!of_status(403, "", "").is_link());
    }

    #[test]
    fn huge_texts_are_cut_between_characters() {
        let text = cut(&"ä".repeat(10_000));
        assert_eq!(text.chars().count(), LONGEST + 1);
        assert_eq!(&*cut("one\ntwo"), "one");
    }
}
