//! Which names carry secrets: one list for screens, texts, differences and logs.

/// Names of which these are a part carry secrets.
const WORDS: [&str; 15] = [
    "authorization",
    "cookie",
    "password",
    "passwd",
    "passphrase",
    "secret-key",
    "token",
    "credential",
    "apikey",
    "api-key",
    "accesskey",
    "access-key",
    "privatekey",
    "private-key",
    "jaas",
];

/// Kubernetes' own words for where a secret is, which tell nothing of it.
const REFERENCES: [&str; 5] = ["secret", "secrets", "secretname", "secretref", "secretkeyref"];

fn plain(name: &str) -> String {
    name.to_ascii_lowercase().replace(['_', '.'], "-")
}

/// Whether what stands behind a name is a secret.
#[must_use]
pub fn sounds_secret(name: &str) -> bool {
    let name = plain(name);
    name.contains("secret") || WORDS.iter().any(|word| name.contains(word))
}

/// Whether the value at a path is a secret: `data.db-password`, `spec.env.CLIENT_SECRET.value`, but no name of a Secret.
#[must_use]
pub fn is_secret_at(path: &str) -> bool {
    let whole = plain(path);
    let own = path.strip_suffix(".value").unwrap_or(path);
    let own = own.rsplit('.').next().unwrap_or_default();
    let is_reference = REFERENCES.contains(&own.to_ascii_lowercase().as_str());
    WORDS.iter().any(|word| whole.contains(word)) || (sounds_secret(own) && !is_reference)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_secret_and_their_places_are_not() {
        for path in
            ["data.db-password", "spec.env.CLIENT_SECRET.value", "data.p.sasl.jaas.config", "env.API_TOKEN.value"]
        {
            assert!(is_secret_at(path), "{path}");
        }
        for path in
            ["spec.volumes.kafka.secret.secretName", "spec.replicas", "spec.volumeMounts.kafka-secret.mountPath"]
        {
            assert!(!is_secret_at(path), "{path}");
        }
        assert!(sounds_secret("s3.secret-key") && sounds_secret("ssl_key_Password") && !sounds_secret("parallelism"));
    }
}
