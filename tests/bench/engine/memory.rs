//! What a day of history holds, and what the open windows.

use std::sync::Arc;

use flowdeck::engine::totals::Totals;
use flowdeck::engine::window::Timing;
use flowdeck::engine::{Batch, Engine, NO_CLOCK, Pane, Series, Spec};

use super::{on_processor, report, scatter};

const SERVICES: u64 = 1_000;
const WINDOW_MS: i64 = 10_000;
const WINDOWS: i64 = 25 * 360;
/// Requests of a service in a window.
const REQUESTS: u64 = 100;

/// Services and windows that are open at once.
const OPEN: (u64, i64) = (5_000, 6);

/// Opens windows of many services, each of 100 requests with latencies as in the history.
pub fn measure_open() {
    let mut engine =
        Engine::new(&Spec::parse(include_str!("../../../config/examples/golden-signals.toml")).unwrap()).unwrap();
    let spread = spread();
    let (services, windows) = OPEN;
    let mut batch = Batch::default();
    let before = resident_bytes();
    let mut bins = 0;
    for window in 0..windows {
        for request in 0..REQUESTS {
            batch.clear();
            for service in 0..services {
                let (time, (failed, latency)) = (window * WINDOW_MS, request_of(&spread, (service, window, request)));
                let status = if failed { 503 } else { 200 };
                let event =
                    format!(r#"{{"ts":{time},"svc":"service-{service:04}","status":{status},"lat_us":{latency}}}"#);
                batch.push(event.as_bytes());
            }
            engine.ingest(0, &batch, NO_CLOCK);
        }
        for pane in engine.take_panes() {
            bins += pane.totals.sketch.bins().count();
        }
    }
    let (counts, cells) = (engine.counts(), engine.windows().cells() as u64);
    assert_eq!((cells, counts.counted), (services * windows.unsigned_abs(), counts.records));
    let told = services * (windows.unsigned_abs() - 1);
    let name = "a service in an open window of 100 requests";
    report(&format!("{name}, bins"), bins as f64 / told as f64, "bins", None);
    report(&format!("{name}, resident"), (resident_bytes() - before) as f64 / cells as f64, "B", None);
}

/// Fills the history of 1,000 services with 25 hours of windows, each of 100 requests whose latencies spread as a lognormal
/// distribution does (sigma 0.6).
pub fn measure() {
    let spec = Spec::parse(include_str!("../../../config/examples/golden-signals.toml")).unwrap();
    let names: Vec<Arc<str>> = (0..SERVICES).map(|number| format!("service-{number:04}").into()).collect();
    let spread = spread();
    let before = resident_bytes();
    let mut series = Series::new(&spec);
    let mut spent = std::time::Duration::ZERO;
    for window in 0..WINDOWS {
        let panes: Vec<Pane> = (0..SERVICES).map(|number| pane(&names, &spread, number, window)).collect();
        let begun = on_processor();
        for pane in &panes {
            assert!(series.apply(pane, &mut |_| {}).is_some());
        }
        spent += on_processor().saturating_sub(begun);
    }
    let megabytes = |bytes: usize| bytes as f64 / f64::from(1 << 20);
    let name = "a day of 1,000 services, a window of 100 requests every 10 s";
    report(&format!("{name}, as counted"), megabytes(series.heap_bytes()), "MB", None);
    super::report_at_most(&format!("{name}, resident"), megabytes(resident_bytes() - before), "MB", 150.0);
    report(&format!("{name}, looks back"), series.horizon_ms() as f64 / 3_600_000.0, "h", Some(24.0));
    let panes = SERVICES as f64 * WINDOWS as f64;
    report("filing a pane, processor time", spent.as_secs_f64() * 1e9 / panes, "ns", None);
    let begun = std::time::Instant::now();
    let now = WINDOWS * WINDOW_MS;
    let day = series.points("service-0500", now - 86_400_000, now, series.resolution(86_400_000));
    assert!(day.len() == 288 && day.iter().all(Option::is_some));
    report("points of a day, by the clock", begun.elapsed().as_secs_f64() * 1e6, "us", None);
}

fn pane(names: &[Arc<str>], spread: &[f64], number: u64, window: i64) -> Pane {
    let mut totals = Totals::default();
    for request in 0..REQUESTS {
        let (failed, latency) = request_of(spread, (number, window, request));
        totals.add(failed, latency);
    }
    Pane {
        start: window * WINDOW_MS,
        service: names[number as usize].clone(),
        timing: Timing::OnTime,
        index: 0,
        totals,
    }
}

/// Factors that spread as a lognormal distribution does.
fn spread() -> Vec<f64> {
    (0..4_096).map(|number| (0.6 * normal(number)).exp()).collect()
}

/// Whether a request of a service in a window failed, and its latency.
fn request_of(spread: &[f64], (number, window, request): (u64, i64, u64)) -> (bool, u64) {
    let median = 2_000.0 + (scatter(number) % 50_000) as f64;
    let chance = scatter((number << 40) | ((window as u64) << 10) | request);
    (chance.is_multiple_of(100), (median * spread[(chance >> 32) as usize % spread.len()]) as u64)
}

/// Sums of chance are nearly normal.
fn normal(number: u64) -> f64 {
    (0..12).map(|part| scatter(number * 12 + part + 1) as f64 / u64::MAX as f64).sum::<f64>() - 6.0
}

fn resident_bytes() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4_096
}
