//! A small S3: one bucket in memory, path style, as far as reading overrides and keeping a file needs it.
//!
//! It holds the overrides of health and the tags of the golden-signals pipeline, one JSON file for each service. Signatures
//! are not checked; entity tags, conditional requests and listings are as real clients expect them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ::http::request::Parts;
use ::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use futures_util::future::BoxFuture;
use hyper::body::Incoming;
use serde_json::json;

use super::dice;
use super::http::{self, Reply, Serve, bytes, decode};
use super::kubernetes::request::Query;

/// Bytes that a bucket holds at most.
const LIMIT: usize = 4 << 20;

#[derive(Debug, Clone)]
struct Object {
    content: Bytes,
    tag: String,
    modified: DateTime<Utc>,
}

#[derive(Debug)]
pub(crate) struct Bucket {
    name: String,
    objects: Mutex<BTreeMap<String, Object>>,
}

impl Bucket {
    pub(crate) fn new(environment: &str) -> Self {
        let bucket = Self { name: format!("flowdeck-{environment}"), objects: Mutex::default() };
        for (key, content) in overrides() {
            bucket.put(&key, Bytes::from(content));
        }
        bucket
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Object>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores an object; false when the bucket is full.
    pub(crate) fn put(&self, key: &str, content: Bytes) -> bool {
        let mut objects = self.lock();
        let held: usize = objects.values().map(|object| object.content.len()).sum();
        if held + content.len() > LIMIT {
            return false;
        }
        let tag = format!("\"{}\"", dice::identifier(&[&String::from_utf8_lossy(&content)]));
        objects.insert(key.to_owned(), Object { content, tag, modified: Utc::now() });
        true
    }

    fn answer(&self, head: &Parts, body: Bytes) -> Reply {
        let (method, headers) = (&head.method, &head.headers);
        let query = &Query::parse(head.uri.query());
        let path = decode(head.uri.path().trim_start_matches('/'), false);
        let (bucket, key) = path.split_once('/').unwrap_or((&path, ""));
        if bucket != self.name {
            return error(StatusCode::NOT_FOUND, "NoSuchBucket", "The specified bucket does not exist");
        }
        match (method.as_str(), key) {
            ("HEAD", "") => bytes(StatusCode::OK, "application/xml", Bytes::new()),
            ("GET", "") if !query.text("location").is_empty() => bytes(
                StatusCode::OK,
                "application/xml",
                "<LocationConstraint xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">us-west-2</LocationConstraint>",
            ),
            ("GET", "") => self.list(query),
            ("GET" | "HEAD", key) => self.get(key, headers, method == Method::HEAD),
            ("PUT", key) => self.replace(key, headers, body),
            ("DELETE", key) => {
                self.lock().remove(key);
                bytes(StatusCode::NO_CONTENT, "application/xml", Bytes::new())
            }
            _ => error(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", "The specified method is not allowed"),
        }
    }

    fn get(&self, key: &str, headers: &HeaderMap, head_only: bool) -> Reply {
        let Some(object) = self.lock().get(key).cloned() else {
            return error(StatusCode::NOT_FOUND, "NoSuchKey", "The specified key does not exist.");
        };
        let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
        if known == Some(object.tag.as_str()) {
            return with_tag(bytes(StatusCode::NOT_MODIFIED, "application/json", Bytes::new()), &object);
        }
        let length = object.content.len();
        let content = if head_only { Bytes::new() } else { object.content.clone() };
        let mut reply = with_tag(bytes(StatusCode::OK, "application/json", content), &object);
        reply.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        reply
    }

    fn replace(&self, key: &str, headers: &HeaderMap, body: Bytes) -> Reply {
        let tag = self.lock().get(key).map(|object| object.tag.clone());
        let named =
            |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok().map(str::to_owned));
        let exists_but_must_not = named(header::IF_NONE_MATCH).is_some_and(|wanted| wanted == "*") && tag.is_some();
        let is_another = named(header::IF_MATCH).is_some_and(|wanted| Some(wanted) != tag);
        if exists_but_must_not || is_another {
            return error(
                StatusCode::PRECONDITION_FAILED,
                "PreconditionFailed",
                "At least one of the pre-conditions you specified did not hold",
            );
        }
        if !self.put(key, body) {
            return error(StatusCode::INSUFFICIENT_STORAGE, "EntityTooLarge", "The demo's bucket is full");
        }
        let stored = self.lock().get(key).cloned();
        let reply = bytes(StatusCode::OK, "application/xml", Bytes::new());
        stored.map_or_else(|| bytes(StatusCode::OK, "application/xml", Bytes::new()), |object| with_tag(reply, &object))
    }

    /// `ListObjectsV2`.
    fn list(&self, query: &Query) -> Reply {
        let prefix = query.text("prefix");
        let delimiter = query.text("delimiter");
        let limit = query.number("max-keys").and_then(|limit| usize::try_from(limit).ok()).unwrap_or(1_000);
        let after = query.given("continuation-token").or_else(|| query.given("start-after")).unwrap_or_default();
        let objects = self.lock();
        let mut contents = String::new();
        let mut folders: Vec<String> = Vec::new();
        let mut count = 0;
        let mut next = None;
        let mut previous = String::new();
        for (key, object) in objects.range(prefix.to_owned()..).take_while(|(key, _)| key.starts_with(prefix)) {
            if key.as_str() <= after {
                continue;
            }
            if count == limit {
                next = Some(previous);
                break;
            }
            key.clone_into(&mut previous);
            let rest = key.strip_prefix(prefix).unwrap_or_default();
            if let Some((folder, _)) = rest.split_once(delimiter).filter(|_| !delimiter.is_empty()) {
                let folder = format!("{prefix}{folder}{delimiter}");
                if !folders.contains(&folder) {
                    folders.push(folder);
                    count += 1;
                }
                continue;
            }
            count += 1;
            contents.push_str(&format!(
                "<Contents><Key>{}</Key><LastModified>{}</LastModified><ETag>{}</ETag><Size>{}</Size><StorageClass>STANDARD</StorageClass></Contents>",
                escaped(key),
                object.modified.to_rfc3339_opts(SecondsFormat::Millis, true),
                escaped(&object.tag),
                object.content.len()
            ));
        }
        let token = next
            .as_deref()
            .map(|key| format!("<NextContinuationToken>{}</NextContinuationToken>", escaped(key)))
            .unwrap_or_default();
        let folders: String = folders
            .iter()
            .map(|folder| format!("<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>", escaped(folder)))
            .collect();
        let text = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>{}</Name><Prefix>{}</Prefix><KeyCount>{count}</KeyCount><MaxKeys>{limit}</MaxKeys><IsTruncated>{}</IsTruncated>{token}{contents}{folders}</ListBucketResult>",
            self.name,
            escaped(prefix),
            next.is_some()
        );
        bytes(StatusCode::OK, "application/xml", text)
    }
}

impl Serve for Bucket {
    fn serve(self: Arc<Self>, request: Request<Incoming>) -> BoxFuture<'static, Reply> {
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let Some(body) = http::read(body).await else {
                return error(StatusCode::BAD_REQUEST, "IncompleteBody", "The request body cannot be read");
            };
            self.answer(&head, body)
        })
    }
}

fn with_tag(mut reply: Reply, object: &Object) -> Reply {
    let modified = object.modified.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    for (name, value) in [(header::ETAG, &object.tag), (header::LAST_MODIFIED, &modified)] {
        if let Ok(value) = HeaderValue::from_str(value) {
            reply.headers_mut().insert(name, value);
        }
    }
    reply
}

fn error(status: StatusCode, code: &str, message: &str) -> Reply {
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message><RequestId>4442587FB7D0A2F9</RequestId></Error>"
    );
    bytes(status, "application/xml", text)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The overrides that teams keep in Git and a build uploads, with the expressions of the talk.
fn overrides() -> Vec<(String, String)> {
    let file = |service: &str, says: &[(&str, serde_json::Value)]| {
        let mut body = json!({"service": service, "owner": service.rsplit_once('.').map_or(service, |(team, _)| team)});
        for (name, value) in says {
            body[*name] = value.clone();
        }
        (format!("golden-signals/overrides/{service}.json"), format!("{body:#}\n"))
    };
    let pipeline = |name: &str| ("tags", json!({"pipeline": name}));
    let health = |expression: &str| ("health", json!(expression));
    // Which of a service's hosts are not yet on Kubernetes.
    let on_ec2 = |host: &str| ("swimlane", json!(format!("svcHost in ['{host}-ec2.a.intuit.com'] ? \"ec2\" : \"\"")));
    vec![
        file(
            "intuit.cloud.monitoring.rum",
            &[health("requestCount < 60 ? 0 : availability > 99.0 ? 0 : 3"), on_ec2("rum"), pipeline("golden-signals")],
        ),
        file(
            "intuit.expertnetwrk.engagement",
            &[
                health("availability > 99.5 ? 0 : availability > 98.0 ? 1 : 3"),
                on_ec2("engagement"),
                pipeline("expert-matching"),
            ],
        ),
        file(
            "intuit.tax.import",
            &[
                health("requestCount < 60 ? 0 : p99 > 1500.0 ? 2 : 0"),
                ("swimlane", json!("region == 'usw2' ? 'west' : 'east'")),
            ],
        ),
        file("intuit.ledger.batch", &[pipeline("incident-stream")]),
    ]
}
