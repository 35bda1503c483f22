//! Properties files of Kafka's Java clients, in librdkafka's names.
//!
//! The two clients share most names; what differs is how logins and TLS stores are given. What has no
//! counterpart is refused with the way out, because a login that is silently left away fails later with a
//! message that helps nobody. Values are never put into an error.

use super::properties::PropertiesError;

/// Names that only Java's clients know; a file with one of them follows Java's escaping rules.
const JAVA_ONLY: &[&str] = &[
    "sasl.jaas.config",
    "sasl.login.",
    "sasl.client.callback.handler.class",
    "ssl.truststore.",
    "ssl.keystore.type",
    "ssl.keystore.key",
    "ssl.keystore.certificate.chain",
    "ssl.protocol",
    "ssl.enabled.protocols",
    "key.serializer",
    "key.deserializer",
    "value.serializer",
    "value.deserializer",
    "default.api.timeout.ms",
];

/// Whether a text is a Java client's properties file.
pub(super) fn is_java(text: &str) -> bool {
    text.lines().any(|line| {
        let line = line.trim_start();
        JAVA_ONLY.iter().any(|name| line.starts_with(name))
    })
}

/// Names and values as `java.util.Properties` reads them: escapes, continued lines, `=`, `:` or blank between.
pub(super) fn parse(text: &str) -> Vec<(String, String)> {
    let mut properties = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let mut logical = line.trim_start().to_owned();
        if logical.is_empty() || logical.starts_with(['#', '!']) {
            continue;
        }
        while ends_in_continuation(&logical) {
            logical.pop();
            let Some(next) = lines.next() else { break };
            logical.push_str(next.trim_start());
        }
        properties.push(split(&logical));
    }
    properties
}

fn ends_in_continuation(line: &str) -> bool {
    line.chars().rev().take_while(|letter| *letter == '\\').count() % 2 == 1
}

/// Splits a logical line at its first bare separator and resolves the escapes of both parts.
fn split(line: &str) -> (String, String) {
    let mut escaped = false;
    let end = line.char_indices().find_map(|(index, letter)| {
        let separates = !escaped && (letter == '=' || letter == ':' || letter.is_whitespace());
        escaped = letter == '\\' && !escaped;
        separates.then_some(index)
    });
    let (name, rest) = line.split_at(end.unwrap_or(line.len()));
    let rest = rest.trim_start();
    let value = rest.strip_prefix(['=', ':']).map_or(rest, str::trim_start);
    (unescape(name), unescape(value))
}

fn unescape(text: &str) -> String {
    let mut letters = text.chars();
    let mut plain = String::with_capacity(text.len());
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            plain.push(letter);
            continue;
        }
        match letters.next() {
            Some('t') => plain.push('\t'),
            Some('n') => plain.push('\n'),
            Some('r') => plain.push('\r'),
            Some('u') => {
                let digits: String = letters.by_ref().take(4).collect();
                let decoded = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                plain.push(decoded.unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            Some(other) => plain.push(other),
            None => {}
        }
    }
    plain
}

/// Java's properties in librdkafka's names.
pub(super) fn translate(
    properties: Vec<(String, String)>,
    origin: &str,
) -> Result<Vec<(String, String)>, PropertiesError> {
    let store_type = |name: &str| {
        properties.iter().find(|(key, _)| key == name).map_or_else(|| "JKS".to_owned(), |(_, kind)| kind.to_uppercase())
    };
    let (truststore, keystore) = (store_type("ssl.truststore.type"), store_type("ssl.keystore.type"));
    let refused = |name: &str, advice: &str| PropertiesError::Unsupported {
        name: name.to_owned(),
        origin: origin.to_owned(),
        advice: advice.to_owned(),
    };
    let mut translated = Vec::with_capacity(properties.len());
    for (name, value) in properties {
        match name.as_str() {
            "sasl.jaas.config" => {
                translated.extend(login(&value).map_err(|advice| refused(&name, advice))?);
            }
            "ssl.truststore.location" if truststore == "PEM" => translated.push(("ssl.ca.location".to_owned(), value)),
            "ssl.truststore.location" => return Err(refused(&name, TRUSTSTORE)),
            "ssl.truststore.certificates" => translated.push(("ssl.ca.pem".to_owned(), value)),
            "ssl.keystore.location" if keystore == "PEM" => {
                translated.push(("ssl.certificate.location".to_owned(), value.clone()));
                translated.push(("ssl.key.location".to_owned(), value));
            }
            "ssl.keystore.location" if keystore != "PKCS12" && !is_pkcs12(&value) => {
                return Err(refused(&name, KEYSTORE));
            }
            "ssl.keystore.certificate.chain" => translated.push(("ssl.certificate.pem".to_owned(), value)),
            "ssl.keystore.key" => translated.push(("ssl.key.pem".to_owned(), value)),
            "ssl.endpoint.identification.algorithm" if value.is_empty() => {
                translated.push((name, "none".to_owned()));
            }
            // Java writes the algorithm's list of cipher names differently; its own defaults are OpenSSL's too.
            "ssl.cipher.suites" | "ssl.keystore.type" | "ssl.truststore.type" | "ssl.truststore.password" => {}
            _ if value.contains("aws.msk.iam") || value.contains("aws_msk_iam") => {
                return Err(refused(&name, MSK));
            }
            _ => translated.push((name, value)),
        }
    }
    Ok(translated)
}

fn is_pkcs12(path: &str) -> bool {
    std::path::Path::new(path)
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("p12") || extension.eq_ignore_ascii_case("pfx"))
}

const TRUSTSTORE: &str = "a Java key store holds the certificates. Export them with \"keytool -exportcert -rfc -keystore STORE \
     -alias NAME -file ca.pem\" and set ssl.ca.location=ca.pem among the kafka properties instead";
const KEYSTORE: &str = "it is a Java key store. Convert it with \"keytool -importkeystore -srckeystore STORE -destkeystore \
     client.p12 -deststoretype PKCS12\" and set ssl.keystore.location=client.p12";
const MSK: &str = "signing in with AWS IAM is Java's alone; use the cluster's SCRAM or TLS listener";
const KERBEROS: &str = "Kerberos is not built in; use the cluster's SCRAM, PLAIN, OAUTHBEARER or TLS listener";

/// User, password or token client from a JAAS line.
fn login(line: &str) -> Result<Vec<(String, String)>, &'static str> {
    let options = jaas_options(line);
    let option = |name: &str| options.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    let module = line.split_whitespace().next().unwrap_or_default();
    let class = module.rsplit('.').next().unwrap_or_default();
    let pairs: &[(&str, &str)] = match class {
        "PlainLoginModule" | "ScramLoginModule" => &[("username", "sasl.username"), ("password", "sasl.password")],
        "OAuthBearerLoginModule" => &[
            ("clientId", "sasl.oauthbearer.client.id"),
            ("clientSecret", "sasl.oauthbearer.client.secret"),
            ("scope", "sasl.oauthbearer.scope"),
        ],
        "Krb5LoginModule" => return Err(KERBEROS),
        "IAMLoginModule" => return Err(MSK),
        _ => return Err("its login module is not one of PLAIN, SCRAM and OAUTHBEARER"),
    };
    let mut properties: Vec<_> =
        pairs.iter().filter_map(|(java, ours)| Some(((*ours).to_owned(), option(java)?))).collect();
    if class == "OAuthBearerLoginModule" && option("clientId").is_some() {
        properties.push(("sasl.oauthbearer.method".to_owned(), "oidc".to_owned()));
    }
    Ok(properties)
}

/// `name="value"` pairs of a JAAS line, with its quotes and escapes resolved.
fn jaas_options(line: &str) -> Vec<(String, String)> {
    let mut options = Vec::new();
    let mut letters = line.chars().peekable();
    let mut name = String::new();
    while let Some(letter) = letters.next() {
        match letter {
            '=' => {
                let quoted = letters.next_if(|next| *next == '"' || *next == '\'');
                let mut value = String::new();
                while let Some(next) = letters.next() {
                    match (next, quoted) {
                        ('\\', Some(_)) => value.extend(letters.next()),
                        (mark, Some(quote)) if mark == quote => break,
                        (mark, None) if mark.is_whitespace() || mark == ';' => break,
                        (other, _) => value.push(other),
                    }
                }
                options.push((std::mem::take(&mut name), value));
            }
            letter if letter.is_whitespace() || letter == ';' => name.clear(),
            letter => name.push(letter),
        }
    }
    options
}

/// What to do instead of a property that no client here can honour; `None` when it is fine.
pub(super) fn advice(name: &str, value: &str) -> Option<&'static str> {
    match name {
        "sasl.mechanism" | "sasl.mechanisms" if value.eq_ignore_ascii_case("GSSAPI") => Some(KERBEROS),
        "sasl.mechanism" | "sasl.mechanisms" if value.eq_ignore_ascii_case("AWS_MSK_IAM") => Some(MSK),
        "ssl.engine.location" | "ssl.engine.id" | "ssl.providers" => {
            Some("keys in a hardware module are not reached; give the key as a file")
        }
        "ssl.crl.location" => Some("revocation lists are not checked"),
        "sasl.oauthbearer.grant.type" if value.contains("jwt-bearer") => {
            Some("only the client_credentials grant is known")
        }
        "plugin.library.paths" => Some("plug-ins are not loaded"),
        _ => None,
    }
}
