//! Plain requests to the API server, for answers that are not the API server's own.
//!
//! kube reads every error body as a Kubernetes status, which a Flink error is not, and loses the
//! code with it. So code and text are handed over as they came, up to a size.

use std::time::Duration;

use http::{Request, StatusCode};
use http_body_util::BodyExt;
use kube::client::Body;
use tokio::time::timeout;

use super::Cluster;
use super::trouble::Trouble;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// Largest answer that is read, in bytes.
const LARGEST: usize = 16 << 20;

/// An answer with its code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Code.
    pub code: u16,
    /// Body.
    pub text: String,
}

impl Answer {
    /// Whether the code says that all is well.
    #[must_use]
    pub fn is_success(&self) -> bool {
        StatusCode::from_u16(self.code).is_ok_and(|code| code.is_success())
    }
}

impl Cluster {
    /// Asks for a path of the API server.
    ///
    /// # Errors
    /// When no answer came; an answer with an error code is an answer.
    pub async fn get(&self, path: &str) -> Result<Answer, Trouble> {
        let late = || Trouble::Unreachable(format!("no answer within {} s", PATIENCE.as_secs()).into());
        timeout(PATIENCE, self.get_whole(path)).await.unwrap_or_else(|_| Err(late()))
    }

    async fn get_whole(&self, path: &str) -> Result<Answer, Trouble> {
        let request = Request::get(path).body(Body::empty());
        self.exchange(request.map_err(|error| Trouble::Garbled(error.to_string().into()))?).await
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// When no answer came, or one that is too large.
    pub(super) async fn exchange(&self, request: Request<Body>) -> Result<Answer, Trouble> {
        let response = self.client.send(request).await.map_err(|error| Trouble::from(&error))?;
        let code = response.status().as_u16();
        let mut body = response.into_body();
        let mut bytes: Vec<u8> = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| Trouble::from(&kube::Error::Service(error.into())))?;
            if let Ok(data) = frame.into_data() {
                bytes.extend_from_slice(&data);
            }
            if bytes.len() > LARGEST {
                return Err(Trouble::Garbled(format!("the answer is larger than {} MiB", LARGEST >> 20).into()));
            }
        }
        Ok(Answer { code, text: String::from_utf8_lossy(&bytes).into_owned() })
    }
}
