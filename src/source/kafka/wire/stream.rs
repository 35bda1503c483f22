//! Questions that are asked before the last answer was worked off: for a stream of large answers.
//!
//! The room for an answer is the caller's and used again, so that a gigabyte that passes through costs no new memory.

use bytes::BytesMut;
use kafka_protocol::protocol::Request;

use super::{Connection, Trouble, decode};

/// A question that awaits its answer. Answers come in the order of the questions.
#[derive(Clone, Copy, Debug)]
pub(in crate::source::kafka) struct Asked {
    version: i16,
    correlation: i32,
}

impl Connection {
    /// Sends a request and does not wait.
    pub(in crate::source::kafka) async fn ask<R: Request>(
        &mut self,
        request: &R,
        newest: i16,
    ) -> Result<Asked, Trouble> {
        let version = self.version::<R>(newest)?;
        let frame = self.encode(request, version)?;
        let asked = Asked { version, correlation: self.correlation };
        self.write_frame(&frame).await?;
        Ok(asked)
    }

    /// Awaits the answer to the oldest question that has none yet.
    pub(in crate::source::kafka) async fn answer<R: Request>(
        &mut self,
        asked: Asked,
        room: &mut BytesMut,
    ) -> Result<R::Response, Trouble> {
        let body = self.read_frame(room).await?;
        decode::<R>(body, asked.version, asked.correlation).map_err(|reason| self.garbled(&reason))
    }
}
