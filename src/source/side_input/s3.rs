//! An object of a bucket, or all `*.json` objects under a prefix.
//!
//! How: path-style requests, signed when there are keys. Of a folder only those objects are transferred whose entity tag
//! changed since the last listing.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use chrono::Utc;
use futures_util::{StreamExt, stream};
use reqwest::{Client, Url, header};

use super::credentials::{self, Credentials};
use super::http::{Answer, answer, client, trouble};
use super::{FILE_LIMIT, LocationError, Settings, add_bytes, sign};
use crate::model::document::Document;

/// Requests under way at once.
const PARALLEL: usize = 8;

#[derive(Debug)]
pub(super) struct Bucket {
    client: Client,
    name: String,
    key: String,
    endpoint: Url,
    region: String,
    /// By key: entity tag and content.
    known: BTreeMap<String, (String, Arc<[u8]>)>,
    is_fresh: bool,
}

impl Bucket {
    pub(super) fn new(
        bucket: &str,
        key: &str,
        settings: &Settings,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, LocationError> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let region = settings.region.clone().or_else(|| set("AWS_REGION")).or_else(|| set("AWS_DEFAULT_REGION"));
        let region = region.unwrap_or_else(|| "us-east-1".to_owned());
        let endpoint =
            settings.endpoint.clone().or_else(|| set("AWS_ENDPOINT_URL_S3")).or_else(|| set("AWS_ENDPOINT_URL"));
        let endpoint = endpoint.unwrap_or_else(|| format!("https://s3.{region}.amazonaws.com"));
        let url = Url::parse(&endpoint).map_err(|error| LocationError::Url(endpoint.clone(), error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(LocationError::Url(endpoint, "an endpoint is http:// or https://".to_owned()));
        }
        Ok(Self {
            client: client()?,
            name: bucket.to_owned(),
            key: key.to_owned(),
            endpoint: url,
            region,
            known: BTreeMap::new(),
            is_fresh: true,
        })
    }

    pub(super) fn location(&self) -> Arc<str> {
        self.place(&self.key)
    }

    fn place(&self, key: &str) -> Arc<str> {
        format!("s3://{}/{key}", self.name).into()
    }

    fn is_folder(&self) -> bool {
        self.key.is_empty() || self.key.ends_with('/')
    }

    pub(super) async fn fetch(&mut self) -> Result<Option<Arc<[Document]>>, String> {
        let credentials = credentials::find(|name| std::env::var(name).ok())?;
        let credentials = credentials.as_ref();
        let found = if self.is_folder() { self.folder(credentials).await? } else { self.object(credentials).await? };
        let is_same = found == self.known && !self.is_fresh;
        self.known = found;
        self.is_fresh = false;
        if is_same {
            return Ok(None);
        }
        let document = |(key, (_, content)): (&String, &(String, Arc<[u8]>))| Document {
            name: self.place(key),
            content: content.clone(),
        };
        Ok(Some(self.known.iter().map(document).collect()))
    }

    async fn object(&self, credentials: Option<&Credentials>) -> Result<BTreeMap<String, (String, Arc<[u8]>)>, String> {
        let tag = self.known.get(&self.key).map(|(tag, _)| tag.as_str());
        match self.get(&self.key, &[], tag, credentials).await? {
            Answer::NotModified => Ok(self.known.clone()),
            Answer::File(content, tag) => {
                let tag = tag.and_then(|tag| tag.to_str().ok().map(str::to_owned)).unwrap_or_default();
                Ok(BTreeMap::from([(self.key.clone(), (tag, content.into()))]))
            }
        }
    }

    async fn folder(&self, credentials: Option<&Credentials>) -> Result<BTreeMap<String, (String, Arc<[u8]>)>, String> {
        let listed = self.list(credentials).await?;
        let files = stream::iter(listed).map(|(key, tag)| async move {
            let known = self.known.get(&key).filter(|(known, _)| *known == tag && !tag.is_empty());
            let content = match known {
                Some((_, content)) => content.clone(),
                None => match self.get(&key, &[], None, credentials).await {
                    Ok(Answer::File(content, _)) => content.into(),
                    Ok(Answer::NotModified) => return Err(format!("{}: no content", self.place(&key))),
                    Err(reason) => return Err(format!("{}: {reason}", self.place(&key))),
                },
            };
            Ok((key, (tag, content)))
        });
        let mut files = files.buffer_unordered(PARALLEL);
        let (mut found, mut sum) = (BTreeMap::new(), 0);
        while let Some(file) = files.next().await {
            let (key, (tag, content)): (String, (String, Arc<[u8]>)) = file?;
            add_bytes(&mut sum, content.len())?;
            found.insert(key, (tag, content));
        }
        Ok(found)
    }

    /// Keys and entity tags.
    async fn list(&self, credentials: Option<&Credentials>) -> Result<Vec<(String, String)>, String> {
        let (mut files, mut token) = (Vec::new(), String::new());
        loop {
            let mut query = vec![("list-type", "2"), ("prefix", self.key.as_str())];
            if !token.is_empty() {
                query.push(("continuation-token", token.as_str()));
            }
            let Answer::File(page, _) = self.get("", &query, None, credentials).await? else {
                return Err("the listing has no content".to_owned());
            };
            let page = String::from_utf8_lossy(&page).into_owned();
            if !page.contains("<ListBucketResult") {
                return Err("the answer is no listing of a bucket: check the endpoint".to_owned());
            }
            for entry in page.split("<Contents>").skip(1) {
                let (Some(key), tag) = (inside(entry, "Key"), inside(entry, "ETag").unwrap_or_default()) else {
                    continue;
                };
                if Path::new(&key).extension().is_some_and(|extension| extension == "json") {
                    files.push((key, tag));
                }
                if files.len() > FILE_LIMIT {
                    return Err(format!("{} holds more than {FILE_LIMIT} files", self.location()));
                }
            }
            match inside(&page, "NextContinuationToken").filter(|next| *next != token) {
                Some(next) => token = next,
                None => return Ok(files),
            }
        }
    }

    async fn get(
        &self,
        key: &str,
        query: &[(&str, &str)],
        tag: Option<&str>,
        credentials: Option<&Credentials>,
    ) -> Result<Answer, String> {
        let slash = if key.is_empty() { "" } else { "/" };
        let prefix = self.endpoint.path().trim_end_matches('/');
        let path = format!("{prefix}/{}{slash}{}", sign::encode(&self.name, ""), sign::encode(key, "/"));
        let mut url = self.endpoint.clone();
        url.set_path(&path);
        let text = sign::query(query);
        url.set_query(Some(text.as_str()).filter(|text| !text.is_empty()));
        if url.path() != path {
            return Err(format!("the key {key} cannot be asked for: it has . or .. as a part"));
        }
        let host = match (url.host_str().unwrap_or_default(), url.port()) {
            (host, Some(port)) => format!("{host}:{port}"),
            (host, None) => host.to_owned(),
        };
        let mut request = self.client.get(url);
        if let Some(tag) = tag.filter(|tag| !tag.is_empty()) {
            request = request.header(header::IF_NONE_MATCH, tag);
        }
        if let Some(credentials) = credentials {
            let signed = sign::Request { host: &host, path: &path, query, region: &self.region, at: Utc::now() };
            let headers = sign::headers(&signed, credentials, &[]).map_err(|error| format!("cannot sign: {error}"))?;
            for (name, value) in headers.into_iter().filter(|(name, _)| name != "host") {
                request = request.header(name, value);
            }
        }
        let response = request.send().await.map_err(|error| trouble(&error))?;
        answer(response, &mut 0).await
    }
}

/// The text of the first element of a name, unescaped.
fn inside(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    let plain = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&apos;", "'"),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ];
    Some(plain.iter().fold(text.to_owned(), |text, (escaped, letter)| text.replace(escaped, letter)))
}
