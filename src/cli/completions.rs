//! `flowdeck completions` and `flowdeck man`: made from the argument table.

use std::io::Write;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Arguments, Failure, exit};

/// Arguments of `flowdeck completions`.
#[derive(Clone, Debug, Args)]
pub struct Completions {
    /// Shell to complete for
    shell: Shell,
}

/// Prints the script.
pub fn run(completions: &Completions) -> Result<u8, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(completions.shell, &mut Arguments::command(), "flowdeck", &mut script);
    std::io::stdout().write_all(&script)?;
    Ok(exit::OK)
}

/// Prints the manual page.
pub fn manual() -> Result<u8, Failure> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Arguments::command()).render(&mut page)?;
    std::io::stdout().write_all(&page)?;
    Ok(exit::OK)
}
