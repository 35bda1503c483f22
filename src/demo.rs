//! The embedded platform behind `flowdeck demo`: real listeners on loopback that stand for a company's clusters.

pub mod kafka;
