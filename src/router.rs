//! The router: every record of a topic goes to one of two copies of a pipeline, and which one can be changed under
//! full traffic without losing, doubling or reordering a record.
//!
//! Or the other way about: of the outputs of both copies, each window is told from one of them.
//!
//! The protocol is pure and checked by model checkers: [`course`] is a worker's part, [`helm`] the controller's,
//! [`record`](crate::model::route::record) what they write down for each other, [`select`] which lane tells which window,
//! [`audit`] the proof after a flip, [`rows`] whether two lanes count the same. Around it is a thin shell of threads that
//! block in librdkafka.
//!
//! It must not hold state that is not in Kafka: any process may be killed at any moment.

pub mod ask;
pub mod audit;
mod client;
pub mod controller;
pub mod course;
mod follow;
pub mod helm;
mod reader;
pub mod rows;
pub mod select;
pub mod spec;
pub mod topics;
pub mod watch;
pub mod worker;

pub use self::client::RouterError;
