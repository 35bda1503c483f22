//! What a change of a pipeline is, decided before anything is changed. Pure: no IO, no clock.
//!
//! - [`render`]: a manifest and an environment into the objects that run it; [`target`]: what an environment gives.
//! - [`object`], [`difference`]: the kinds of objects that a change touches, and what differs in them.
//! - [`topics`]: whether its processors find their topics and may use them; [`room`]: whether its pods find room.
//! - [`forecast`], [`restart`], [`guard`]: what a change will cause, how long a restart takes, and what stands against
//!   it; [`dossier`]: what is known before.
//! - [`revision`], [`merge`]: what was deployed, and two changes at once; [`rollout`]: a deployment through a route.
//! - [`manage`]: what stands around its jobs: labels, links, expiry, autoscaling, roles.
//! - [`remnants`]: the topics and consumer groups of a pipeline that goes.
//! - [`patch`]: a change as a file, where a repository keeps the objects; [`starter`]: projects to begin with.
//! - [`compose`], [`tune`]: the processors of a manifest, and what is typed of one, read from it and written into it.
//! - [`text`]: the text of a manifest with other values in it, and the comments that stand there.
//! - [`own_terms`]: somebody else's object as text, and from three texts to the fields that change.
//! - [`verb`], [`intent`], [`wish`], [`audit`]: what can be done, what somebody asks for, what each writes, and the line
//!   that says that it was; [`proposal`]: a change before somebody agrees to it.
//!
//! The screens and the commands share it; [`crate::runtime`] does what it decides.

pub mod audit;
pub mod compose;
pub mod difference;
pub mod dossier;
pub mod forecast;
pub mod guard;
pub mod intent;
pub mod manage;
pub mod merge;
pub mod object;
pub mod own_terms;
pub mod patch;
pub mod proposal;
pub mod remnants;
pub mod render;
pub mod restart;
pub mod revision;
pub mod rollout;
pub mod room;
pub mod starter;
pub mod target;
pub mod text;
pub mod topics;
pub mod tune;
pub mod verb;
pub mod wish;
