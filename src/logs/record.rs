//! An event that outlives its line.

use super::event::{Event, Level};
use super::trace::Exception;
use crate::model::Time;

/// An event with texts of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// When it happened; `None` when the log does not say.
    pub time: Option<Time>,
    /// How bad it is; `None` when the log does not say.
    pub level: Option<Level>,
    /// Who says it.
    pub logger: Box<str>,
    /// The thread.
    pub thread: Box<str>,
    /// What it says, without the stack trace.
    pub message: Box<str>,
    /// The stack trace that it came with.
    pub exception: Option<Box<Exception>>,
    /// All of its lines as they came.
    pub text: Box<str>,
}

impl Record {
    /// Keeps an event.
    #[must_use]
    pub fn of(event: &Event<'_>) -> Self {
        Self {
            time: event.time,
            level: event.level,
            logger: event.logger.into(),
            thread: event.thread.into(),
            message: event.message.into(),
            exception: event.exception.clone().map(Box::new),
            text: event.text.into(),
        }
    }

    /// Lends it.
    #[must_use]
    pub fn event(&self) -> Event<'_> {
        Event {
            time: self.time,
            level: self.level,
            logger: &self.logger,
            thread: &self.thread,
            message: &self.message,
            exception: self.exception.as_deref().cloned(),
            text: &self.text,
        }
    }

    /// Bytes that it takes, about.
    #[must_use]
    pub fn size(&self) -> usize {
        size_of::<Self>() + self.logger.len() + self.thread.len() + self.message.len() + self.text.len()
    }
}
