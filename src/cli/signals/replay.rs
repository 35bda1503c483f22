//! `flowdeck signals replay`: a script of events through the engine, every pane printed.
//!
//! So that what the engine makes of them can be compared with what Apache Beam makes of them, and a spec can be tried
//! on recorded events, or on rows that others counted. It must not connect to anything.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, ValueEnum};

use super::{Failure, exit, open, output, read_spec, write_line};
use crate::engine::Spec;
use crate::engine::replay::{PaneLine, Replay};

/// Records that are no events and are complained of one by one; the last line counts them all.
const COMPLAINTS: u64 = 10;

/// Arguments of `flowdeck signals replay`.
#[derive(Clone, Debug, Args)]
pub(super) struct Arguments {
    /// Lines {"e":RECORD} and {"wm":MILLISECONDS} in order of arrival; - is standard input
    file: PathBuf,
    /// Signals spec
    #[arg(long, value_name = "FILE")]
    spec: PathBuf,
    /// Form of the output
    #[arg(short, long, value_enum, default_value_t = Format::Jsonl)]
    output: Format,
}

/// Form of the panes on standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One JSON object a line
    Jsonl,
}

/// Runs the script.
pub(super) fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let spec = read_spec(&arguments.spec)?;
    let Format::Jsonl = arguments.output;
    replay(&spec, &arguments.file)
}

fn replay(spec: &Spec, path: &Path) -> Result<u8, Failure> {
    let mut input = open(path)?;
    let mut output = BufWriter::new(io::stdout().lock());
    let mut replay = Replay::new(spec).map_err(Failure::usage)?;
    let (mut line, mut number, mut poison) = (String::new(), 0_u64, 0_u64);
    loop {
        line.clear();
        number += 1;
        let read = input.read_line(&mut line).with_context(|| format!("{}: line {number}", path.display()))?;
        if read == 0 {
            break;
        }
        if let Some(problem) = replay.line(&line).with_context(|| path.display().to_string())? {
            poison += 1;
            if poison <= COMPLAINTS {
                output::complain(&output::clean(&format!("{}: {problem}", path.display())));
            }
        }
        print(&mut output, &mut replay)?;
    }
    replay.finish();
    print(&mut output, &mut replay)?;
    write_line(&mut output, &replay.summary())?;
    output.flush()?;
    Ok(exit::OK)
}

fn print(output: &mut impl Write, replay: &mut Replay) -> Result<(), Failure> {
    for pane in &replay.take_panes() {
        write_line(output, &PaneLine::from(pane))?;
    }
    Ok(())
}
