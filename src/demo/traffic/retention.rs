//! The janitor: deletes what has been read, as a client of the broker, so that the demo's Kafka stays small.
//!
//! It speaks the protocol's `DeleteRecords` over loopback. A console then sees what it sees in life: logs whose start
//! moves, never a backlog that shrinks.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;

use bytes::{BufMut, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::demo::kafka::Broker;

/// Records of each partition that stay, read or not.
const KEEP: u64 = 1_500;
/// The same of the access logs of services: some minutes of them, for charts.
const KEEP_EVENTS: u64 = 24_000;
/// Records of each partition that stay at most, however far behind its readers are.
const KEEP_UNREAD: u64 = 400_000;

const DELETE_RECORDS: i16 = 21;
const VERSION: i16 = 1;

/// Partitions of each topic with the offset before which their records may go.
pub(crate) type Cuts = BTreeMap<String, Vec<(u32, u64)>>;

/// Where each partition may be cut, given what its slowest reader has read.
pub(super) fn cuts(broker: &Broker, topics: &BTreeMap<String, u32>, read: &BTreeMap<(String, u32), u64>) -> Cuts {
    let mut cuts = Cuts::new();
    for (topic, partitions) in topics {
        let keep = if topic == super::EVENTS { KEEP_EVENTS } else { KEEP };
        for partition in 0..*partitions {
            let Some(end) = broker.end_offset(topic, partition) else { continue };
            let read = read.get(&(topic.clone(), partition)).copied().unwrap_or(end);
            let cut = end.saturating_sub(keep).min(read).max(end.saturating_sub(KEEP_UNREAD));
            if cut > 0 {
                cuts.entry(topic.clone()).or_default().push((partition, cut));
            }
        }
    }
    cuts
}

/// Cuts the logs.
pub(crate) async fn sweep(address: SocketAddr, cuts: &Cuts) -> io::Result<()> {
    if cuts.is_empty() {
        return Ok(());
    }
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(&request(cuts)).await?;
    let length = stream.read_u32().await?;
    // The answer says what is there now; the next sweep sees that by itself.
    let mut rest = stream.take(u64::from(length.min(1 << 20)));
    tokio::io::copy(&mut rest, &mut tokio::io::sink()).await?;
    Ok(())
}

fn request(cuts: &Cuts) -> BytesMut {
    let mut body = BytesMut::new();
    body.put_i16(DELETE_RECORDS);
    body.put_i16(VERSION);
    body.put_i32(1);
    put_text(&mut body, "flowdeck-demo-janitor");
    put_count(&mut body, cuts.len());
    for (topic, partitions) in cuts {
        put_text(&mut body, topic);
        put_count(&mut body, partitions.len());
        for (partition, offset) in partitions {
            body.put_i32(i32::try_from(*partition).unwrap_or(i32::MAX));
            body.put_i64(i64::try_from(*offset).unwrap_or(0));
        }
    }
    body.put_i32(5_000);
    let mut framed = BytesMut::with_capacity(body.len() + 4);
    framed.put_u32(u32::try_from(body.len()).unwrap_or(0));
    framed.extend_from_slice(&body);
    framed
}

fn put_text(buffer: &mut BytesMut, text: &str) {
    buffer.put_i16(i16::try_from(text.len()).unwrap_or(0));
    buffer.put_slice(text.as_bytes());
}

fn put_count(buffer: &mut BytesMut, count: usize) {
    buffer.put_i32(i32::try_from(count).unwrap_or(0));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::kafka::Record;

    #[tokio::test]
    async fn what_was_read_goes_and_offsets_stay() {
        let broker = Broker::start("test").await.expect("a broker");
        broker.create_topic("clicks", 1);
        let record = Record { key: None, value: "x".into(), timestamp_ms: 1, headers: Vec::new() };
        for _ in 0..10 {
            broker.append("clicks", 0, &vec![record.clone(); 500]).expect("appended");
        }
        let topics = BTreeMap::from([("clicks".to_owned(), 1)]);
        let slow = cuts(&broker, &topics, &BTreeMap::from([(("clicks".to_owned(), 0), 100)]));
        assert_eq!(slow.get("clicks"), Some(&vec![(0, 100)]));
        let found = cuts(&broker, &topics, &BTreeMap::from([(("clicks".to_owned(), 0), 5_000)]));
        assert_eq!(found.get("clicks"), Some(&vec![(0, 3_500)]));
        sweep(broker.address(), &found).await.expect("swept");
        assert_eq!(broker.end_offset("clicks", 0), Some(5_000));
    }
}
