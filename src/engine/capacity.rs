//! How large what counts must be: whether one machine is enough, and what a job of Flink needs.
//!
//! Why: whoever asks for a job of a hundred slots should be able to say why.
//!
//! How: plain arithmetic over constants that were measured, each with its source. All of it is in this file, and `flowdeck signals
//! plan` prints each step with its numbers.
//!
//! It must not claim more than was measured: a constant that is an estimate says so.

use serde::Serialize;

use super::flink_sql::Late;
use super::spec::Spec;

/// Events a second that one `signals run` counts by the clock, of 319 bytes in JSON, 2,000 services
/// (`tests/bench/flink_sql/README.md`, the engine's column).
pub const ENGINE_EVENTS: f64 = 1_237_360.0;
/// Events a second that Flink SQL counts for each core, by processor time of all threads, the same events (same table).
pub const FLINK_EVENTS: f64 = 411_523.0;
/// Rows a second that a console reads, checks and merges on one core (`cargo bench --bench contract`, median).
pub const CONSOLE_ROWS: f64 = 308_000.0;
/// Share of what a core can that is used: the rest is for catching up after a restart, and for a neighbour.
pub const LOADED: f64 = 0.6;
/// Cores that one `signals run` keeps busy: one fetches and unpacks, one counts.
pub const RUN_CORES: f64 = 2.0;
/// Bytes of a row of 40 bins in a topic (`cargo bench --bench contract` prints it).
pub const ROW_BYTES: f64 = 599.0;
/// Bytes that a service in an open window takes on the heap of a TaskManager (`tests/live/flink_state`).
pub const CELL_BYTES: f64 = 9_869.0;
/// Bytes that it takes in a checkpoint (`tests/live/flink_state`).
pub const CHECKPOINT_CELL_BYTES: f64 = 1_023.0;
/// Bytes that it takes in this process (`cargo bench --bench engine -- open`).
pub const OWN_CELL_BYTES: f64 = 1_295.0;
/// Bytes that live on the heap of a TaskManager for each slot, before any state (`tests/live/flink_state`).
pub const SLOT_BYTES: f64 = 31.0 * MIB;
/// A heap is so many times as large as what lives on it, so that collecting it is no work: `tests/live/flink_state` gives its job as much.
pub const HEAP: f64 = 2.0;
/// Flink's defaults, in MiB: the framework's own heap, its memory beside the heap, classes, and what a Java machine needs besides, at least and
/// at most.
const FRAMEWORK: (f64, f64) = (128.0, 128.0);
const METASPACE: f64 = 256.0;
const OVERHEAD: (f64, f64) = (192.0, 1_024.0);
/// Flink's defaults: shares of its memory that are the network's, and that are managed; and the share of all that is overhead.
const SHARES: f64 = 0.1 + 0.4;
const OVERHEAD_SHARE: f64 = 0.1;
/// Bytes a second that a partition is given at most: a broker and a consumer can many times that.
const PARTITION_BYTES: f64 = 5_000_000.0;
/// Slots of a TaskManager, a core each.
pub const SLOTS: u32 = 4;
const MIB: f64 = 1_048_576.0;

/// How much there is to count.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Load {
    /// Events a second, at the worst.
    pub events_per_second: f64,
    /// Services, in all.
    pub services: u64,
    /// Swimlanes of a service, on the average.
    pub swimlanes: u64,
    /// Cores of the machine that may be enough.
    pub cores: u32,
}

/// What it needs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Capacity {
    /// What was asked.
    pub load: Load,
    /// One machine.
    pub machine: Machine,
    /// A job of Flink.
    pub job: Job,
    /// The topic of rows.
    pub rows: Rows,
}

/// `flowdeck signals run` on one machine.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Machine {
    /// Whether it is enough.
    pub is_enough: bool,
    /// Runs that share the topic, with `--group` where there are several.
    pub runs: u32,
    /// Events a second that as many runs as there are cores for count.
    pub events_per_second: f64,
    /// Memory of all runs.
    pub memory_mib: u64,
}

/// A job of Flink.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Job {
    /// Parallel copies of each operator: so many slots, and a core each.
    pub parallelism: u32,
    /// TaskManagers.
    pub task_managers: u32,
    /// Slots of each, and cores.
    pub slots: u32,
    /// Memory of each.
    pub memory_mib: u64,
    /// Windows that are open at once.
    pub open_windows: u64,
    /// State in all, on the heaps of TaskManagers.
    pub state_mib: u64,
    /// State in all, in a checkpoint.
    pub checkpoint_mib: u64,
    /// Least partitions of the topics of events: a copy without one has nothing to read.
    pub source_partitions: u32,
}

/// The topic of rows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rows {
    /// Rows a second.
    pub per_second: f64,
    /// Bytes a second.
    pub bytes_per_second: f64,
    /// Partitions.
    pub partitions: u32,
    /// Share of one core that a console needs for them, in percent.
    pub console_percent: f64,
}

/// What a load needs under a spec.
#[must_use]
pub fn capacity(spec: &Spec, load: Load, late: Late) -> Capacity {
    let seconds = float(spec.window.size.millis().unsigned_abs()) / 1_000.0;
    let cells = float(load.services) * float(load.swimlanes.max(1));
    let windows = open_windows(spec, late);
    let per_second = cells / seconds;
    let bytes_per_second = per_second * ROW_BYTES;
    Capacity {
        load,
        machine: machine(spec, load, cells),
        job: job(load, windows, cells),
        rows: Rows {
            per_second,
            bytes_per_second,
            partitions: at_least_one(bytes_per_second / PARTITION_BYTES),
            console_percent: per_second / CONSOLE_ROWS * 100.0,
        },
    }
}

fn machine(spec: &Spec, load: Load, cells: f64) -> Machine {
    let runs = at_least_one(load.events_per_second / (ENGINE_EVENTS * LOADED));
    let most = (f64::from(load.cores) / RUN_CORES).floor().max(1.0);
    let events_per_second = most * ENGINE_EVENTS * LOADED;
    // It holds windows until no late event can come, whatever a job does.
    let bytes = cells * float(open_windows(spec, Late::Wait)) * OWN_CELL_BYTES * f64::from(runs);
    Machine {
        is_enough: load.events_per_second <= events_per_second,
        runs,
        events_per_second,
        memory_mib: mebibytes(bytes) + 100 * u64::from(runs),
    }
}

fn job(load: Load, open_windows: u64, cells: f64) -> Job {
    let parallelism = at_least_one(load.events_per_second / (FLINK_EVENTS * LOADED));
    let slots = parallelism.min(SLOTS);
    let task_managers = parallelism.div_ceil(slots);
    let cells = cells * float(open_windows);
    let state = cells * CELL_BYTES;
    let living = f64::from(slots).mul_add(SLOT_BYTES, state / f64::from(task_managers));
    Job {
        parallelism,
        task_managers,
        slots,
        memory_mib: mebibytes(process(HEAP * living / MIB) * MIB).next_multiple_of(64),
        open_windows,
        state_mib: mebibytes(state),
        checkpoint_mib: mebibytes(cells * CHECKPOINT_CELL_BYTES),
        source_partitions: parallelism,
    }
}

/// The memory of a TaskManager whose tasks have such a heap by Flink's defaults, all in MiB.
fn process(task_heap: f64) -> f64 {
    let flink = (task_heap + FRAMEWORK.0 + FRAMEWORK.1) / (1.0 - SHARES);
    let own = flink + METASPACE;
    own + (own * OVERHEAD_SHARE / (1.0 - OVERHEAD_SHARE)).clamp(OVERHEAD.0, OVERHEAD.1)
}

/// Windows that a job has open at once: those that the watermark has not passed.
fn open_windows(spec: &Spec, late: Late) -> u64 {
    let (size, delay) = (spec.window.size.millis(), spec.watermark.delay.millis());
    let wait = if late == Late::Wait { spec.window.allowed_lateness.millis() } else { 0 };
    let own = if spec.source.format.is_spans() { 2 } else { 0 };
    (delay.saturating_add(wait).unsigned_abs().div_ceil(size.unsigned_abs())) + 1 + own
}

#[expect(clippy::cast_precision_loss, reason = "services and windows are far below 2^52")]
const fn float(number: u64) -> f64 {
    number as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before the cast")]
fn at_least_one(number: f64) -> u32 {
    number.ceil().clamp(1.0, f64::from(u32::MAX)) as u32
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before the cast")]
fn mebibytes(bytes: f64) -> u64 {
    (bytes / MIB).ceil().clamp(0.0, 1e15) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../../config/examples/golden-signals.toml");

    fn of(events_per_second: f64, services: u64, late: Late) -> Capacity {
        let load = Load { events_per_second, services, swimlanes: 1, cores: 8 };
        capacity(&Spec::parse(EXAMPLE).unwrap(), load, late)
    }

    #[test]
    fn a_small_load_is_one_run_and_a_large_one_a_job() {
        let small = of(500_000.0, 2_000, Late::Wait);
        assert!(small.machine.is_enough && small.machine.runs == 1, "{small:?}");
        let large = of(5e6, 20_000, Late::Wait);
        assert!(!large.machine.is_enough, "{large:?}");
        // 5,000,000 / (411,523 x 0.6) = 20.25.
        assert_eq!((large.job.parallelism, large.job.task_managers, large.job.source_partitions), (21, 6, 21));
        // 65 s of delay and lateness in windows of 10 s, and the one that fills.
        assert_eq!(large.job.open_windows, 8);
        // 20,000 x 8 x 9,869 B = 1,506 MiB, and x 1,023 B.
        assert_eq!((large.job.state_mib, large.job.checkpoint_mib), (1_506, 157));
        // (2 x (4 x 31 + 1,506 / 6) + 256) / 0.5 + 256, and a ninth of that.
        assert_eq!(large.job.memory_mib, 2_560);
        assert_eq!((large.rows.per_second, large.rows.partitions), (2_000.0, 1));
    }

    #[test]
    fn what_waits_for_late_events_holds_more() {
        let (dropped, waited) = (of(5e6, 20_000, Late::Drop), of(5e6, 20_000, Late::Wait));
        assert_eq!(dropped.job.open_windows, 2);
        assert!(dropped.job.memory_mib < waited.job.memory_mib);
    }

    #[test]
    fn more_is_never_less() {
        let mut before = of(1.0, 1, Late::Wait);
        for step in 1..200_u32 {
            let next = of(f64::from(step) * 100_000.0, u64::from(step) * 500, Late::Wait);
            assert!(next.job.parallelism >= before.job.parallelism && next.rows.per_second >= before.rows.per_second);
            assert!(next.job.slots * next.job.task_managers >= next.job.parallelism, "{next:?}");
            assert!(!next.machine.is_enough || before.machine.is_enough);
            before = next;
        }
    }
}
