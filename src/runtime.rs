//! What runs: the backends' tasks and the console's loop.

pub mod backends;
pub mod console;
mod logs;
pub mod signals;
