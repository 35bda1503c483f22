use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

fn settings(location: &str) -> Settings {
    Settings { location: location.to_owned(), refresh: Duration::from_millis(20), endpoint: None, region: None }
}

/// A server that gives the text that is set, with its length as entity tag; counts how often it sent it.
#[derive(Default)]
struct Shelf {
    /// Status line and body.
    page: Mutex<(String, Vec<u8>)>,
    sent: AtomicUsize,
}

impl Shelf {
    fn set(&self, status: &str, body: &[u8]) {
        *self.page.lock().unwrap_or_else(PoisonError::into_inner) = (status.to_owned(), body.to_vec());
    }

    async fn open(self: &Arc<Self>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let owned = self.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = vec![0; 4096];
                let size = stream.read(&mut request).await.unwrap_or_default();
                let request = String::from_utf8_lossy(&request[..size]).to_lowercase();
                let (status, body) = owned.page.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let tag = format!("\"{}\"", body.len());
                let head = if request.contains(&format!("if-none-match: {tag}")) {
                    "HTTP/1.1 304 Not Modified\r\nconnection: close\r\n\r\n".to_owned()
                } else {
                    owned.sent.fetch_add(1, Ordering::Relaxed);
                    format!(
                        "HTTP/1.1 {status}\r\netag: {tag}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                        body.len()
                    )
                };
                let body = if head.contains(" 304 ") { Vec::new() } else { body };
                // A client that has enough goes away.
                stream.write_all(&[head.into_bytes(), body].concat()).await.ok();
            }
        });
        format!("http://{address}")
    }
}

fn texts(documents: &[Document]) -> Vec<(&str, &str)> {
    documents.iter().map(|one| (&*one.name, std::str::from_utf8(&one.content).unwrap())).collect()
}

#[tokio::test]
async fn a_page_is_transferred_when_it_changed() {
    let shelf = Arc::new(Shelf::default());
    shelf.set("200 OK", b"one");
    let url = shelf.open().await.replace("http://", "http://user:secret@");
    let mut fetcher = Fetcher::new(&settings(&format!("{url}/o.json?signature=secret"))).unwrap();
    let location = fetcher.location();
    assert!(!location.contains("secret") && location.ends_with("/o.json"), "{location}");
    assert_eq!(texts(&fetcher.fetch().await.unwrap().unwrap()), [(&*location, "one")]);
    assert_eq!(fetcher.fetch().await, Ok(None));
    assert_eq!(shelf.sent.load(Ordering::Relaxed), 1);
    shelf.set("503 Slow Down", b"<Error><Code>SlowDown</Code><Message>Please reduce.</Message></Error>");
    assert_eq!(fetcher.fetch().await.unwrap_err(), "the answer is 503 Service Unavailable: Please reduce");
    shelf.set("200 OK", b"three");
    assert_eq!(texts(&fetcher.fetch().await.unwrap().unwrap()), [(&*location, "three")]);
    shelf.set("200 OK", &vec![b' '; (8 << 20) + 1]);
    assert_eq!(fetcher.fetch().await.unwrap_err(), "more than 8 MiB: these are no overrides");
}

#[tokio::test]
async fn trouble_is_said_in_words_without_secrets() {
    for (location, expected) in [
        ("http://u:secret@127.0.0.1:1/o.json?secret", "refused"),
        ("http://u:secret@no-such-host.invalid/o.json", "no-such-host.invalid"),
        ("/nowhere/o.json", "cannot read /nowhere/o.json: No such file"),
        ("/dev/zero", "/dev/zero is no file"),
    ] {
        let said = Fetcher::new(&settings(location)).unwrap().fetch().await.unwrap_err();
        assert!(said.contains(expected) && !said.contains("secret"), "{said}");
    }
    for (location, expected) in [
        ("ftp://host/x", "ftp:// is not read"),
        ("s3://", "names no bucket"),
        ("s3:///key", "names no bucket"),
        ("https://u:secret@:99/o", "is no URL"),
    ] {
        let said = Fetcher::new(&settings(location)).unwrap_err().to_string();
        assert!(said.contains(expected) && !said.contains("secret"), "{said}");
    }
    let shelf = Arc::new(Shelf::default());
    shelf.set("301 Moved Permanently\r\nx-amz-bucket-region: eu-west-1", b"");
    let endpoint = Some(shelf.open().await);
    let mut fetcher = Fetcher::new(&Settings { endpoint: endpoint.clone(), ..settings("s3://bucket/key") }).unwrap();
    assert!(fetcher.fetch().await.unwrap_err().contains("the bucket is in the region eu-west-1"));
    shelf.set("200 OK", b"<html>");
    let mut fetcher = Fetcher::new(&Settings { endpoint, ..settings("s3://bucket/folder/") }).unwrap();
    assert!(fetcher.fetch().await.unwrap_err().contains("no listing of a bucket"));
}

#[tokio::test]
async fn a_folder_is_its_json_files() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    let mut fetcher = Fetcher::new(&settings(directory.path().to_str().unwrap())).unwrap();
    assert_eq!(fetcher.fetch().await.unwrap().unwrap().len(), 0);
    for name in ["b.json", "a.json", "notes.txt", ".hidden.json"] {
        write(name, name);
    }
    std::fs::create_dir(directory.path().join("folder.json")).unwrap();
    let documents = fetcher.fetch().await.unwrap().unwrap();
    let content: Vec<_> = texts(&documents).into_iter().map(|(_, text)| text).collect();
    assert_eq!(content, ["a.json", "b.json"]);
    assert_eq!(fetcher.fetch().await, Ok(None));
    write("a.json", "new");
    assert_eq!(fetcher.fetch().await.unwrap().unwrap().len(), 2);
}

#[tokio::test]
async fn it_goes_on_after_a_failure() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("o.json");
    let fetcher = Fetcher::new(&settings(file.to_str().unwrap())).unwrap();
    let (sender, mut news) = mpsc::channel(1);
    let cancel = CancellationToken::new();
    let running = tokio::spawn(run(fetcher, Duration::from_millis(20), sender, cancel.clone()));
    let mut next = async || timeout(Duration::from_secs(10), news.recv()).await.unwrap().unwrap();
    let first = next().await;
    assert!(first.outcome.unwrap_err().contains("cannot read") && first.next_try > first.at);
    std::fs::write(&file, "{}").unwrap();
    while next().await.outcome.is_err() {}
    assert_eq!(next().await.outcome, Ok(None));
    std::fs::remove_file(&file).unwrap();
    while next().await.outcome.is_ok() {}
    cancel.cancel();
    running.await.unwrap();
}
