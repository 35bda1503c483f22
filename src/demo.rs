//! The embedded platform behind `flowdeck demo`: real listeners on loopback that stand for a company's clusters.
//!
//! The console talks to it through the very clients that it uses in production; nothing outside this module knows that
//! it exists. [`Platform::start`] brings up three environments (`qal`, `e2e`, `prd`), each with a Kubernetes API that
//! proxies to Flink's REST API, and writes a kubeconfig and a settings file into a private directory. A script of
//! incidents and traffic then keeps it alive. Everything is bounded: the whole platform costs a few tens of
//! megabytes and next to no CPU.

mod bucket;
mod dice;
mod environment;
mod files;
mod flink;
mod handle;
mod http;
pub mod kafka;
mod kubernetes;
mod lanes;
mod logs;
mod manifests;
mod plan;
mod platform;
mod script;
mod traffic;
mod world;

pub use self::handle::{Handle, ObjectName};
pub use self::platform::{DemoError, Options, Platform};
pub use self::script::Incident;
