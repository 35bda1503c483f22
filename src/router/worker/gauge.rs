//! What a worker does, in numbers: for scrapers, and for the thread that watches whether it lives.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Counters and states of a worker.
#[derive(Debug)]
pub struct Gauge {
    route: String,
    slot: String,
    started: Instant,
    alive_ms: AtomicU64,
    /// When the whole process stood still last; 0 when it never did.
    still_ms: AtomicU64,
    pub(super) bytes: AtomicU64,
    pub(super) transactions: AtomicU64,
    pub(super) rebalances: AtomicU64,
    pub(super) partitions: AtomicU64,
    pub(super) epoch: AtomicU64,
    pub(super) deleted: AtomicU64,
    pub(super) unreadable: AtomicU64,
    sessions_again: AtomicU64,
    words: Mutex<Words>,
}

#[derive(Debug, Default)]
struct Words {
    records: Vec<(String, u64)>,
    trouble: Option<String>,
    waiting: Option<String>,
}

impl Gauge {
    /// Of a worker of a route.
    #[must_use]
    pub fn new(route: &str, slot: &str) -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            route: route.to_owned(),
            slot: slot.to_owned(),
            started: Instant::now(),
            alive_ms: zero(),
            still_ms: zero(),
            bytes: zero(),
            transactions: zero(),
            rebalances: zero(),
            partitions: zero(),
            epoch: zero(),
            deleted: zero(),
            unreadable: zero(),
            sessions_again: zero(),
            words: Mutex::default(),
        }
    }

    /// Why it does not copy now; `None` while it does.
    #[must_use]
    pub fn waiting(&self) -> Option<String> {
        self.words().waiting.clone()
    }

    /// What went wrong last.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.words().trouble.clone()
    }

    /// In Prometheus' text form.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        let labels = format!("route=\"{}\",slot=\"{}\"", self.route, self.slot);
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let words = self.words();
        let mut put = |name: &str, kind: &str, help: &str, rows: &[(String, u64)]| {
            let mut lines = format!("# HELP flowdeck_router_{name} {help}\n# TYPE flowdeck_router_{name} {kind}\n");
            for (more, value) in rows {
                // Writing to a string cannot fail.
                let _written = writeln!(lines, "flowdeck_router_{name}{{{labels}{more}}} {value}");
            }
            text.push_str(&lines);
        };
        let one = |value: u64| [(String::new(), value)];
        let records: Vec<(String, u64)> =
            words.records.iter().map(|(lane, count)| (format!(",lane=\"{lane}\""), *count)).collect();
        put("records_total", "counter", "Records in committed transactions.", &records);
        put("bytes_total", "counter", "Bytes of keys and values copied.", &one(read(&self.bytes)));
        put("transactions_total", "counter", "Transactions committed.", &one(read(&self.transactions)));
        put("sessions_again_total", "counter", "Sessions that ended in trouble.", &one(read(&self.sessions_again)));
        put("rebalances_total", "counter", "Assignments taken.", &one(read(&self.rebalances)));
        put("deleted_total", "counter", "Records deleted before they were read.", &one(read(&self.deleted)));
        let unreadable = read(&self.unreadable);
        put("unreadable_total", "counter", "Rows whose window cannot be read, which are not told.", &one(unreadable));
        put("partitions", "gauge", "Partitions assigned.", &one(read(&self.partitions)));
        put("epoch", "gauge", "Number of the control record that holds.", &one(read(&self.epoch)));
        put("waiting", "gauge", "1 while it may not copy.", &one(u64::from(words.waiting.is_some())));
        text
    }

    pub(super) fn beat(&self) {
        self.alive_ms.store(self.uptime_ms(), Ordering::Relaxed);
    }

    pub(super) fn stood_still(&self) {
        self.still_ms.store(self.uptime_ms().max(1), Ordering::Relaxed);
    }

    pub(super) fn stood_still_within(&self, span: Duration) -> bool {
        let still = self.still_ms.load(Ordering::Relaxed);
        still > 0 && u128::from(self.uptime_ms().saturating_sub(still)) <= span.as_millis()
    }

    fn uptime_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn silence(&self) -> Duration {
        self.started.elapsed().saturating_sub(Duration::from_millis(self.alive_ms.load(Ordering::Relaxed)))
    }

    pub(super) fn began_anew(&self, words: &str) {
        self.sessions_again.fetch_add(1, Ordering::Relaxed);
        self.partitions.store(0, Ordering::Relaxed);
        self.complain(words);
    }

    pub(super) fn complain(&self, words: &str) {
        self.words().trouble = Some(words.to_owned());
    }

    pub(super) fn wait(&self, words: Option<String>) {
        self.words().waiting = words;
    }

    pub(super) fn committed<'a>(&self, copied: impl Iterator<Item = (&'a str, u64)>) {
        self.transactions.fetch_add(1, Ordering::Relaxed);
        let mut words = self.words();
        for (lane, records) in copied.filter(|(_, records)| *records > 0) {
            match words.records.iter_mut().find(|(known, _)| known == lane) {
                Some((_, count)) => *count += records,
                None => words.records.push((lane.to_owned(), records)),
            }
        }
    }

    fn words(&self) -> std::sync::MutexGuard<'_, Words> {
        self.words.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scrapers_see_records_by_lane() {
        let gauge = Gauge::new("golden", "worker-1");
        gauge.committed([("blue", 3), ("green", 0)].into_iter());
        gauge.committed([("blue", 2), ("green", 1)].into_iter());
        gauge.wait(Some("no controller".to_owned()));
        let text = gauge.text();
        for line in [
            "flowdeck_router_records_total{route=\"golden\",slot=\"worker-1\",lane=\"blue\"} 5",
            "flowdeck_router_records_total{route=\"golden\",slot=\"worker-1\",lane=\"green\"} 1",
            "flowdeck_router_transactions_total{route=\"golden\",slot=\"worker-1\"} 2",
            "flowdeck_router_waiting{route=\"golden\",slot=\"worker-1\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
    }
}
