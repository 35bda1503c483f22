//! Signs requests to S3: AWS Signature Version 4, for requests without body.

use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sha::sha256;
use openssl::sign::Signer;

use super::credentials::Credentials;
use crate::model::Time;

/// SHA-256 of nothing.
const NO_BODY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// A GET request as it is signed.
pub(super) struct Request<'a> {
    /// Host, with its port if it is not the usual one.
    pub(super) host: &'a str,
    /// Path, percent-encoded.
    pub(super) path: &'a str,
    /// Names and values, not encoded, in any order.
    pub(super) query: &'a [(&'a str, &'a str)],
    /// Region of the bucket.
    pub(super) region: &'a str,
    /// When.
    pub(super) at: Time,
}

/// Text as it stands in a signed path or query. `/` stays in paths.
pub(super) fn encode(text: &str, keep: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) || keep.as_bytes().contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// The query as it is sent and signed.
pub(super) fn query(pairs: &[(&str, &str)]) -> String {
    let mut pairs: Vec<_> = pairs.iter().map(|(name, value)| (encode(name, ""), encode(value, ""))).collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// The headers that sign a request, names in lower case; `more` are signed as well.
pub(super) fn headers(
    request: &Request<'_>,
    credentials: &Credentials,
    more: &[(&str, &str)],
) -> Result<Vec<(String, String)>, ErrorStack> {
    let time = request.at.format("%Y%m%dT%H%M%SZ").to_string();
    let mut headers = vec![
        ("host".to_owned(), request.host.to_owned()),
        ("x-amz-content-sha256".to_owned(), NO_BODY.to_owned()),
        ("x-amz-date".to_owned(), time.clone()),
    ];
    headers.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    if let Some(token) = &credentials.session_token {
        headers.push(("x-amz-security-token".to_owned(), token.clone()));
    }
    headers.sort();
    let names = headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(";");
    let lines: String = headers.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
    let canonical = format!("GET\n{}\n{}\n{lines}\n{names}\n{NO_BODY}", request.path, query(request.query));
    let day = request.at.format("%Y%m%d").to_string();
    let scope = format!("{day}/{}/s3/aws4_request", request.region);
    let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hexadecimal(&sha256(canonical.as_bytes())));
    let mut key = format!("AWS4{}", credentials.secret).into_bytes();
    for part in [day.as_str(), request.region, "s3", "aws4_request"] {
        key = keyed(&key, part)?;
    }
    let signature = hexadecimal(&keyed(&key, &text)?);
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
        credentials.key_id
    );
    headers.push(("authorization".to_owned(), authorization));
    Ok(headers)
}

fn keyed(key: &[u8], text: &str) -> Result<Vec<u8>, ErrorStack> {
    let key = PKey::hmac(key)?;
    let mut signer = Signer::new(MessageDigest::sha256(), &key)?;
    signer.sign_oneshot_to_vec(text.as_bytes())
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Time {
        text.parse().unwrap()
    }

    fn signature(request: &Request<'_>, credentials: &Credentials, more: &[(&str, &str)]) -> String {
        let headers = headers(request, credentials, more).unwrap();
        let (_, authorization) = headers.into_iter().find(|(name, _)| name == "authorization").unwrap();
        authorization.rsplit('=').next().unwrap().to_owned()
    }

    /// The two examples without body of "Signature Calculations for the Authorization Header" in AWS's manual of S3.
    #[test]
    fn the_examples_of_the_manual() {
        let credentials = Credentials {
            key_id: "AKIAIOSFODNN7EXAMPLE".into(),
            secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into(),
            session_token: None,
        };
        let request = |path, query| Request {
            host: "examplebucket.s3.amazonaws.com",
            path,
            query,
            region: "us-east-1",
            at: time("2013-05-24T00:00:00Z"),
        };
        assert_eq!(
            signature(&request("/test.txt", &[]), &credentials, &[("range", "bytes=0-9")]),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        );
        assert_eq!(
            signature(&request("/", &[("prefix", "J"), ("max-keys", "2")]), &credentials, &[]),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
        );
    }

    /// As botocore 1.44.5 signs: a session, escapes in path and query, a port.
    #[test]
    fn what_botocore_signs() {
        let credentials = Credentials {
            key_id: "AKIDEXAMPLE".into(),
            secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
            session_token: Some("a/session+token==".into()),
        };
        let at = time("2026-11-22T18:34:58Z");
        let path = format!("/data/{}", encode("golden signals/overrides/ü+(a)'.json", "/"));
        let request = Request { host: "127.0.0.1:9000", path: &path, query: &[], region: "eu-west-1", at };
        assert_eq!(
            signature(&request, &credentials, &[("if-none-match", "\"abc\"")]),
            "de9405406495d1d9f8cf69cd4f4827fa6fd7ba2520c2927f9a6fb3ad39e9cbe2"
        );
        let query =
            [("list-type", "2"), ("prefix", "a b/&=+"), ("encoding-type", "url"), ("continuation-token", "1/+==")];
        let host = "s3.eu-west-1.amazonaws.com";
        let request = Request { host, path: "/data", query: &query, region: "eu-west-1", at };
        assert_eq!(
            signature(&request, &credentials, &[("if-none-match", "\"abc\"")]),
            "9568f6aa6c38fdea88dfc3d78290bdec4228ce414712b450284cdad8861159d2"
        );
    }
}
