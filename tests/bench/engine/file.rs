//! The engine over a file of events, for comparing it with others.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::time::Instant;

use flowdeck::engine::spec::Span;
use flowdeck::engine::watermark::END;
use flowdeck::engine::{Batch, Engine, NO_CLOCK, Pane, Spec};

use super::{BATCH, on_processor, record};

/// Bytes that are read at once.
const CHUNK: usize = 1 << 20;

/// Writes events, one a line.
pub fn write(path: &str, count: u64) {
    let mut file = BufWriter::new(File::create(path).unwrap());
    for number in 0..count {
        writeln!(file, "{}", record(number)).unwrap();
    }
    file.flush().unwrap();
}

/// Counts the events of a file in windows of 10 s without lateness, writes the panes, and prints what it took.
pub fn read(path: &str, panes: &str) {
    let mut spec = Spec::parse(include_str!("../../../config/examples/golden-signals.toml")).unwrap();
    spec.window.allowed_lateness = Span::seconds(0);
    let (clock, processor) = (Instant::now(), on_processor());
    let mut engine = Engine::new(&spec).unwrap();
    let mut panes = BufWriter::new(File::create(panes).unwrap());
    let mut tell = |engine: &mut Engine| engine.take_panes().iter().for_each(|pane| print(&mut panes, pane));
    let mut batch = Batch::default();
    for_each_line(path, |line| {
        batch.push(line);
        if batch.len() == BATCH {
            engine.ingest(0, &batch, NO_CLOCK);
            batch.clear();
            tell(&mut engine);
        }
    });
    engine.ingest(0, &batch, NO_CLOCK);
    engine.raise(0, END, NO_CLOCK);
    tell(&mut engine);
    panes.flush().unwrap();
    assert_eq!(engine.counts().counted, engine.counts().records);
    let (clock_s, processor_s) =
        (clock.elapsed().as_secs_f64(), on_processor().saturating_sub(processor).as_secs_f64());
    println!("{}", serde_json::json!({ "file": path, "clock_s": clock_s, "processor_s": processor_s }));
}

fn for_each_line(path: &str, mut take: impl FnMut(&[u8])) {
    let mut file = File::open(path).unwrap();
    let mut bytes = vec![0; CHUNK];
    let mut held = 0;
    loop {
        let read = file.read(&mut bytes[held..]).unwrap();
        if read == 0 {
            return;
        }
        let end = held + read;
        let mut start = 0;
        for newline in memchr::memchr_iter(b'\n', &bytes[..end]) {
            take(&bytes[start..newline]);
            start = newline + 1;
        }
        bytes.copy_within(start..end, 0);
        held = end - start;
    }
}

fn print(out: &mut impl Write, pane: &Pane) {
    let totals = &pane.totals;
    write!(
        out,
        r#"{{"start_ms":{},"svc":"{}","n":{},"err":{},"sum_us":{},"min_us":{},"max_us":{},"bins":{{"#,
        pane.start, pane.service, totals.requests, totals.errors, totals.sum_us, totals.min_us, totals.max_us
    )
    .unwrap();
    for (number, (bin, count)) in totals.sketch.bins().enumerate() {
        let comma = if number == 0 { "" } else { "," };
        write!(out, "{comma}\"{bin}\":{count}").unwrap();
    }
    out.write_all(b"}}\n").unwrap();
}
