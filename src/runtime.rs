//! What runs: the backends' tasks and the console's loop.

pub mod author;
pub mod backends;
pub mod changes;
pub mod console;
pub mod deploy;
pub mod files;
mod logs;
pub mod routes;
pub mod signals;
mod visitor;
