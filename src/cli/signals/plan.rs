//! `flowdeck signals plan`: what counting so much needs, with every step of the arithmetic.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};

use super::render::Policy;
use super::{Failure, exit, output};
use crate::engine::capacity::{
    CELL_BYTES, CONSOLE_ROWS, Capacity, ENGINE_EVENTS, FLINK_EVENTS, HEAP, LOADED, Load, OWN_CELL_BYTES, ROW_BYTES,
    RUN_CORES, SLOT_BYTES, capacity,
};
use crate::engine::flink_sql::Late;
use crate::model::human;

/// Arguments of `flowdeck signals plan`.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "The constants are measured: tests/bench/flink_sql/README.md and the benches say how. Try yours: a day's peak, not its mean."
)]
pub(super) struct Arguments {
    /// Signals spec
    #[arg(long, value_name = "FILE")]
    spec: PathBuf,
    #[command(flatten)]
    load: LoadArguments,
    /// Form of the output
    #[arg(short, long, value_enum, default_value_t = Form::Text)]
    output: Form,
}

/// How much there is to count.
#[derive(Clone, Debug, Args)]
pub(super) struct LoadArguments {
    /// Events a second at the worst: 5M/s, 200k, 1500
    #[arg(long, value_name = "RATE")]
    rate: Rate,
    /// Services in all
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    services: u64,
    /// Swimlanes of a service, on the average
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=20))]
    swimlanes: u64,
    /// Cores of the one machine that may be enough
    #[arg(long, value_name = "NUMBER", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1_024))]
    cores: u32,
    /// What becomes of late events in the job: whoever waits holds more windows
    #[arg(long, value_enum, value_name = "WHAT", default_value = "wait")]
    late: Policy,
}

impl LoadArguments {
    const fn load(&self) -> Load {
        Load { events_per_second: self.rate.0, services: self.services, swimlanes: self.swimlanes, cores: self.cores }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Sentences
    Text,
    /// One object
    Json,
}

/// Events a second.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Rate(f64);

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.trim().trim_end_matches("/s");
        let scale = match number.chars().last() {
            Some('k' | 'K') => 1e3,
            Some('M' | 'm') => 1e6,
            Some('G' | 'g') => 1e9,
            _ => 1.0,
        };
        let digits = number.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
        let scale = if number.len() - digits.len() <= 1 { scale } else { f64::NAN };
        let rate = digits.parse::<f64>().map_or(f64::NAN, |rate| rate * scale);
        let unknown = !digits.is_empty() && digits.len() < number.len() && scale.to_bits() == 1_f64.to_bits();
        if unknown || !(rate > 0.0 && rate <= 1e12) {
            return Err("write a rate such as 5M/s, 200k/s or 1500".to_owned());
        }
        Ok(Self(rate))
    }
}

/// Prints it.
pub(super) fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let spec = super::read_spec(&arguments.spec)?;
    let needed = capacity(&spec, arguments.load.load(), Late::from(arguments.load.late));
    output::print(&match arguments.output {
        Form::Json => serde_json::to_string_pretty(&needed)? + "\n",
        Form::Text => told(&needed) + &command(&needed, arguments),
    })?;
    Ok(exit::OK)
}

/// What deploys a job of that size.
fn command(needed: &Capacity, arguments: &Arguments) -> String {
    let (job, spec) = (&needed.job, output::clean(&arguments.spec.to_string_lossy()));
    let late = match arguments.load.late {
        Policy::Drop => "drop",
        Policy::Wait => "wait",
    };
    format!(
        "\nflowdeck signals deploy --spec {spec} --late {late} --replicas {} --cpu {} --memory {}Mi\n",
        job.task_managers, job.slots, job.memory_mib
    )
}

fn counted(number: u64, one: &str) -> String {
    format!("{number} {one}{}", if number == 1 { "" } else { "s" })
}

fn told(needed: &Capacity) -> String {
    let Capacity { load, machine, job, rows } = needed;
    let rate = |number: f64| human::rate(number);
    let verdict = match (machine.is_enough, machine.runs) {
        (true, 1) => "One machine is enough: one `flowdeck signals run`.".to_owned(),
        (true, runs) => format!("One machine is enough: {runs} runs of `flowdeck signals run --group NAME`."),
        (false, _) => format!("One machine of {} cores is not enough: deploy the job.", load.cores),
    };
    format!(
        "{verdict}\n\
         \n\
         One machine of {cores} cores\n  \
         counts    {most}/s: {cores} cores / {RUN_CORES} for a run x {engine}/s x {LOADED} loaded\n  \
         memory    {memory} MiB for {runs}: each service in an open window {own} B\n\
         \n\
         A job of Flink\n  \
         slots     {parallelism}: {asked}/s / ({flink}/s for a core x {LOADED} loaded)\n  \
         managers  {managers} of {slots}, as many cores, {each} MiB: {HEAP} x ({slot} MiB a slot, and the state) by Flink's defaults\n  \
         state     {state} MiB of heap: {services} x {lanes} x {windows} x {CELL_BYTES} B; {checkpoint} MiB in a checkpoint\n  \
         events    {partitions} at least\n\
         \n\
         The topic of rows\n  \
         rows      {per_second}/s of {ROW_BYTES} bytes: {rows_partitions}\n  \
         console   {console:.1}% of a core, which reads {console_rows}/s\n",
        cores = load.cores,
        most = rate(machine.events_per_second),
        engine = rate(ENGINE_EVENTS),
        memory = machine.memory_mib,
        runs = counted(u64::from(machine.runs), "run"),
        parallelism = job.parallelism,
        asked = rate(load.events_per_second),
        flink = rate(FLINK_EVENTS),
        managers = counted(u64::from(job.task_managers), "TaskManager"),
        slots = counted(u64::from(job.slots), "slot"),
        each = job.memory_mib,
        state = job.state_mib,
        services = counted(load.services, "service"),
        lanes = counted(load.swimlanes, "swimlane"),
        windows = counted(job.open_windows, "open window"),
        checkpoint = job.checkpoint_mib,
        own = OWN_CELL_BYTES,
        slot = SLOT_BYTES / f64::from(1 << 20),
        partitions = counted(u64::from(job.source_partitions), "partition"),
        per_second = rate(rows.per_second),
        rows_partitions = counted(u64::from(rows.partitions), "partition"),
        console = rows.console_percent,
        console_rows = rate(CONSOLE_ROWS),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_read_as_people_write_it() {
        for (text, rate) in [("5M/s", 5e6), ("200k", 2e5), ("1500", 1_500.0), ("2.5M/s", 2.5e6), ("1G", 1e9)] {
            assert_eq!(text.parse::<Rate>(), Ok(Rate(rate)), "{text}");
        }
        for text in ["", "k", "-1", "0", "5 apples", "5Mk", "5x", "NaN", "inf", "1e300"] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }
}
