//! What a change of a pipeline is, decided before anything is changed. Pure: no IO, no clock.
//!
//! - [`render`]: a manifest and an environment into the objects that run it; [`target`]: what an environment gives.
//! - [`object`], [`difference`]: the kinds of objects that a change touches, and what differs in them.
//! - [`forecast`], [`guard`]: what a change will cause, and what stands against it.
//! - [`revision`], [`merge`]: what was deployed, and two changes at once.
//! - [`verb`], [`wish`], [`audit`]: what can be done, what each writes, and the line that says that it was.
//!
//! The screens and the commands share it; [`crate::runtime`] does what it decides.

pub mod audit;
pub mod difference;
pub mod forecast;
pub mod guard;
pub mod merge;
pub mod object;
pub mod render;
pub mod revision;
pub mod target;
pub mod verb;
pub mod wish;
