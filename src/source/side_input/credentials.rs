//! Keys to S3, where AWS's own tools look for them: the environment, then the shared file.
//!
//! It must not print a key: there is no `Debug` that would.

use std::fmt;
use std::path::PathBuf;

/// What a request is signed with.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) key_id: String,
    pub(super) secret: String,
    pub(super) session_token: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Credentials of {}", self.key_id)
    }
}

/// The keys that there are now; `None` is a request without signature. Read anew each time: sessions end.
///
/// # Errors
/// When a profile is asked for that has no keys.
pub(super) fn find(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Credentials>, String> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    if let (Some(key_id), Some(secret)) = (set("AWS_ACCESS_KEY_ID"), set("AWS_SECRET_ACCESS_KEY")) {
        return Ok(Some(Credentials { key_id, secret, session_token: set("AWS_SESSION_TOKEN") }));
    }
    let home = || set("HOME").map(|home| PathBuf::from(home).join(".aws/credentials"));
    let file = set("AWS_SHARED_CREDENTIALS_FILE").map(PathBuf::from).or_else(home);
    let profile = set("AWS_PROFILE");
    let text = file.as_ref().and_then(|file| std::fs::read_to_string(file).ok()).unwrap_or_default();
    let found = in_profile(&text, profile.as_deref().unwrap_or("default"));
    match (found, profile) {
        (None, Some(profile)) => {
            let file = file.map_or_else(String::new, |file| format!(" in {}", file.display()));
            Err(format!("no access key for profile {profile}{file}: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"))
        }
        (found, _) => Ok(found),
    }
}

fn in_profile(text: &str, profile: &str) -> Option<Credentials> {
    let mut inside = false;
    let (mut key_id, mut secret, mut session_token) = (None, None, None);
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            inside = name.trim() == profile;
        }
        let Some((name, value)) = line.split_once('=').filter(|_| inside) else { continue };
        let value = Some(value.trim().to_owned()).filter(|value| !value.is_empty());
        match name.trim() {
            "aws_access_key_id" => key_id = value,
            "aws_secret_access_key" => secret = value,
            "aws_session_token" => session_token = value,
            _ => {}
        }
    }
    Some(Credentials { key_id: key_id?, secret: secret?, session_token })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_then_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("credentials");
        std::fs::write(
            &file,
            "[default]\naws_access_key_id = A\naws_secret_access_key=B/=\n\n[prd]\naws_access_key_id=C\n\
             aws_secret_access_key=D\naws_session_token=E\n[half]\naws_access_key_id=F\n",
        )
        .unwrap();
        let find = |more: &[(&str, &str)]| {
            let mut all = vec![("AWS_SHARED_CREDENTIALS_FILE", file.to_str().unwrap())];
            all.extend(more);
            find(|name| all.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
        };
        let keys = |found: Credentials| (found.key_id, found.secret, found.session_token);
        assert_eq!(keys(find(&[]).unwrap().unwrap()), ("A".into(), "B/=".into(), None));
        let prd = find(&[("AWS_PROFILE", "prd")]).unwrap().unwrap();
        assert!(!format!("{prd:?}").contains('D'));
        assert_eq!(keys(prd), ("C".into(), "D".into(), Some("E".into())));
        assert!(find(&[("AWS_PROFILE", "half")]).unwrap_err().contains("no access key for profile half"));
        let both = [("AWS_ACCESS_KEY_ID", "X"), ("AWS_SECRET_ACCESS_KEY", "Y"), ("AWS_PROFILE", "prd")];
        assert_eq!(keys(find(&both).unwrap().unwrap()), ("X".into(), "Y".into(), None));
        assert_eq!(super::find(|_| None), Ok(None));
    }
}
