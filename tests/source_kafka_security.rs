//! How the Kafka source gets in: TLS, client certificates, logins, old brokers; and what it says when it does not.
//! Nothing sleeps: every wait is for a condition, with a deadline.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test's helpers fail the test")]

mod source_kafka {
    pub mod authority;
    pub mod console;
    pub mod stub;
}

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use flowdeck::model::environment::Link;
use flowdeck::settings::KafkaSettings;

use self::source_kafka::authority::Authority;
use self::source_kafka::console::{Console, Seen, group, names, topics};
use self::source_kafka::stub::Stub;

const PLAIN: &[(&str, &str)] =
    &[("security.protocol", "sasl_plaintext"), ("sasl.mechanism", "PLAIN"), ("sasl.username", "app")];

fn has_lag(seen: &Seen) -> bool {
    seen.groups.get("billing").is_some_and(|group| group.lag_records() == Some(93))
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_groups_of_an_old_broker_are_listed_fast() {
    let address = Stub { groups: 10_000, ..Stub::default() }.start().await.to_string();
    let mut interest = names();
    interest.groups = group("billing", &["orders"], false).groups;
    let begun = Instant::now();
    let mut console = Console::start(&address, &[], interest);
    console.until("10,000 names", |seen| seen.group_names.len() == 10_000).await;
    console.until("lag", has_lag).await;
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert_eq!(&*console.seen.groups["billing"].state, "Stable");
    let begun = Instant::now();
    let many: BTreeSet<_> =
        (0..200).flat_map(|number| group(&format!("group-{number:05}"), &[], false).groups).collect();
    console.look_at(flowdeck::model::interest::Interest { groups: many, ..names() });
    console.until("200 groups, one request each", |seen| seen.groups.len() > 200).await;
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_verified() {
    let authority = Authority::new();
    let start = |host: &str| Stub { acceptor: Some(authority.acceptor(host, None)), ..Stub::default() }.start();
    let address = start("127.0.0.1").await.to_string();
    let ssl = ("security.protocol", "SSL");
    let trusted = authority.pem();
    let mut console = Console::start(&address, &[ssl, ("ssl.ca.pem", &trusted)], group("billing", &["orders"], false));
    console.until("lag over TLS", has_lag).await;
    let mut console = Console::start(&address, &[ssl], topics(&[]));
    console.until("not trusted", |seen| seen.down_with("is not trusted")).await;
    let mut console = Console::start(&address, &[], topics(&[]));
    console.until("expects TLS", |seen| seen.down_with("TLS") && seen.down_with("security.protocol")).await;
    let other = start("127.0.0.2").await.to_string();
    let mut console = Console::start(&other, &[ssl, ("ssl.ca.pem", &trusted)], topics(&[]));
    console.until("wrong name", |seen| seen.down_with("is for another host name")).await;
    let lax = [ssl, ("ssl.ca.pem", trusted.as_str()), ("ssl.endpoint.identification.algorithm", "none")];
    let mut console = Console::start(&other, &lax, topics(&[]));
    console.until("names not verified", Seen::is_up).await;
    let plain = Stub::default().start().await.to_string();
    let mut console = Console::start(&plain, &[ssl], topics(&[]));
    console.until("does not speak TLS", |seen| seen.down_with("does not speak TLS")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_certificate_opens_the_door() {
    let authority = Authority::new();
    let stub = Stub { acceptor: Some(authority.acceptor("127.0.0.1", Some(()))), ..Stub::default() };
    let address = stub.start().await.to_string();
    let identity = authority.issue("127.0.0.1");
    let trusted = authority.pem();
    let without = [("security.protocol", "ssl"), ("ssl.ca.pem", trusted.as_str())];
    let mut console = Console::start(&address, &without, topics(&[]));
    let refused = |seen: &Seen| seen.down_with("client certificate") || seen.down_with("certificate required");
    console.until("refused", refused).await;
    let mut with = without.to_vec();
    with.push(("ssl.certificate.pem", &identity.certificate));
    with.push(("ssl.key.pem", &identity.key));
    let mut console = Console::start(&address, &with, topics(&[]));
    console.until("locked key", |seen| seen.down_with("ssl.key.password")).await;
    with.push(("ssl.key.password", "hush"));
    let mut console = Console::start(&address, &with, group("billing", &["orders"], false));
    console.until("lag", has_lag).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn logins_are_explained() {
    let address = Stub { password: Some("hush"), ..Stub::default() }.start().await.to_string();
    let with = |more: &[(&'static str, &'static str)]| [PLAIN, more].concat();
    let mut console =
        Console::start(&address, &with(&[("sasl.password", "hush")]), group("billing", &["orders"], false));
    console.until("lag", has_lag).await;
    let mut console = Console::start(&address, &with(&[("sasl.password", "sesame")]), topics(&[]));
    console
        .until("wrong password", |seen| seen.down_with("wrong user or password for PLAIN: Authentication failed"))
        .await;
    assert!(!format!("{:?}", console.seen).contains("sesame"));
    let mut console = Console::start(&address, &with(&[]), topics(&[]));
    console.until("no password", |seen| seen.down_with("set sasl.password")).await;
    let scram = with(&[("sasl.password", "hush"), ("sasl.mechanisms", "SCRAM-SHA-512")]);
    let mut console = Console::start(&address, &scram, topics(&[]));
    console.until("other mechanism", |seen| seen.down_with("does not offer SCRAM-SHA-512: it offers PLAIN")).await;
    let mut console = Console::start(&address, &[], topics(&[]));
    console.until("login needed", |seen| seen.down_with("expects a login")).await;
}

/// A token endpoint that knows one client; everything else is refused. It takes so long for an answer.
async fn token_endpoint(delay: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/token", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 4096];
            let mut size = 0;
            while !String::from_utf8_lossy(&request[..size])
                .contains("grant_type=client_credentials&scope=kafka%20read")
            {
                size += stream.read(&mut request[size..]).await.unwrap();
            }
            // "me:hush" in base 64.
            let known = String::from_utf8_lossy(&request[..size]).contains("Basic bWU6aHVzaA==");
            let (status, body) = if known {
                ("200 OK", r#"{"access_token":"t0k3n","expires_in":60}"#)
            } else {
                ("401 Unauthorized", "{}")
            };
            let answer =
                format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
            tokio::time::sleep(delay).await;
            // Whoever asked may have given up.
            drop(stream.write_all(answer.as_bytes()).await);
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_fetched_and_sent() {
    let address = Stub { token: Some("t0k3n"), ..Stub::default() }.start().await.to_string();
    let endpoint = token_endpoint(Duration::ZERO).await;
    let with = |secret: &'static str, extensions: &'static str| {
        [
            ("security.protocol", "sasl_plaintext".to_owned()),
            ("sasl.mechanisms", "OAUTHBEARER".to_owned()),
            ("sasl.oauthbearer.method", "oidc".to_owned()),
            ("sasl.oauthbearer.token.endpoint.url", endpoint.clone()),
            ("sasl.oauthbearer.client.id", "me".to_owned()),
            ("sasl.oauthbearer.client.secret", secret.to_owned()),
            ("sasl.oauthbearer.scope", "kafka read".to_owned()),
            ("sasl.oauthbearer.extensions", extensions.to_owned()),
        ]
    };
    let start = |properties: &[(&'static str, String)], interest| {
        let properties: Vec<(&str, &str)> = properties.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Console::start(&address, &properties, interest)
    };
    let mut console = start(&with("hush", "logicalCluster=lkc-1"), group("billing", &["orders"], false));
    console.until("lag", has_lag).await;
    let mut console = start(&with("sesame", "logicalCluster=lkc-1"), topics(&[]));
    console.until("refused client", |seen| seen.down_with("401") && seen.down_with("check the client's id")).await;
    let mut console = start(&with("hush", "other=1"), topics(&[]));
    console.until("refused token", |seen| seen.down_with("for OAUTHBEARER") && seen.down_with("invalid_token")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_token_endpoint_is_waited_for() {
    let address = Stub { token: Some("t0k3n"), ..Stub::default() }.start().await.to_string();
    // Longer than a broker may take to sign somebody in.
    let endpoint = token_endpoint(Duration::from_secs(5)).await;
    let properties = [
        ("security.protocol", "sasl_plaintext"),
        ("sasl.mechanisms", "OAUTHBEARER"),
        ("sasl.oauthbearer.method", "oidc"),
        ("sasl.oauthbearer.token.endpoint.url", &endpoint),
        ("sasl.oauthbearer.client.id", "me"),
        ("sasl.oauthbearer.client.secret", "hush"),
        ("sasl.oauthbearer.scope", "kafka read"),
        ("sasl.oauthbearer.extensions", "logicalCluster=lkc-1"),
    ];
    let mut console = Console::start(&address, &properties, group("billing", &["orders"], false));
    console.until("lag", has_lag).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_read_again_until_it_is_right() {
    let address = Stub { password: Some("sesame"), ..Stub::default() }.start().await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("password");
    let settings = KafkaSettings {
        bootstrap: Some(address.to_string()),
        properties: PLAIN.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        password_command: Some(vec!["cat".to_owned(), file.display().to_string()]),
        ..KafkaSettings::default()
    };
    let mut console = Console::with(settings, group("billing", &["orders"], false));
    console.until("no password", |seen| seen.down_with("password command \"cat\" failed")).await;
    std::fs::write(&file, "wrong\n").unwrap();
    console.until("wrong password", |seen| seen.down_with("wrong user or password for PLAIN")).await;
    std::fs::write(&file, "sesame\n").unwrap();
    console.until("lag", has_lag).await;
    let begins = |link: &Link| match link {
        Link::Down { since, .. } => Some(*since),
        _ => None,
    };
    let begins: BTreeSet<_> = console.seen.links.iter().filter_map(begins).collect();
    assert_eq!(begins.len(), 1, "one outage with one beginning: {:?}", console.seen.links);
}
