//! The binary: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    flowdeck::cli::main()
}
