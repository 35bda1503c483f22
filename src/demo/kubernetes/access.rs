//! Who asks, and what they may: two tokens, and the sentence that says no.

use ::http::StatusCode;

use super::resources::Resource;
use super::status::Refusal;

/// The one namespace that the viewer may look into.
pub(crate) const VIEWER_NAMESPACE: &str = "data-processing-expert-usw2-prd";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum User {
    Admin,
    /// May only list pods, and only in [`VIEWER_NAMESPACE`].
    Viewer,
}

/// The tokens of one environment.
#[derive(Debug, Clone)]
pub(crate) struct Tokens {
    pub(crate) admin: String,
    pub(crate) viewer: String,
}

impl Tokens {
    /// Whose credentials these are. Without any it is the admin: kubectl sends no token over plain HTTP, and
    /// whoever reaches this loopback port may play with the demo.
    pub(crate) fn user(&self, authorization: Option<&str>) -> Option<User> {
        let Some(authorization) = authorization else { return Some(User::Admin) };
        let token = authorization.strip_prefix("Bearer ")?.trim();
        if token == self.admin {
            Some(User::Admin)
        } else if token == self.viewer {
            Some(User::Viewer)
        } else {
            None
        }
    }
}

/// What a request wants to do, in the words of RBAC.
#[derive(Debug, Clone, Default)]
pub(crate) struct Attributes {
    pub(crate) verb: String,
    pub(crate) group: String,
    /// The plural, or `plural/subresource`.
    pub(crate) resource: String,
    /// Empty for all namespaces.
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl User {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Admin => "flowdeck-admin",
            Self::Viewer => "viewer",
        }
    }

    pub(crate) fn may(self, wish: &Attributes) -> bool {
        match self {
            Self::Admin => true,
            Self::Viewer => {
                wish.resource == "pods"
                    && wish.group.is_empty()
                    && wish.namespace == VIEWER_NAMESPACE
                    && matches!(wish.verb.as_str(), "get" | "list" | "watch")
            }
        }
    }

    /// The server's own sentence for a wish that is not granted.
    pub(crate) fn refusal(self, wish: &Attributes, resource: &Resource) -> Refusal {
        let subject = if wish.name.is_empty() {
            resource.qualified()
        } else {
            format!("{} \"{}\"", resource.qualified(), wish.name)
        };
        let place = if wish.namespace.is_empty() {
            "at the cluster scope".to_owned()
        } else {
            format!("in the namespace \"{}\"", wish.namespace)
        };
        let message = format!(
            "{subject} is forbidden: User \"{}\" cannot {} resource \"{}\" in API group \"{}\" {place}",
            self.name(),
            wish.verb,
            wish.resource,
            wish.group
        );
        Refusal::new(StatusCode::FORBIDDEN, "Forbidden", message).about(resource, &wish.name)
    }
}
