//! Changes of pipelines, done: the effects behind what [`crate::plan`] decides.
//!
//! - [`desk`]: an environment opened for changes; [`target`]: what it gives to pipelines.
//! - [`order`]: what somebody asks for, into the writes that it takes.
//! - [`change`]: prepare a change, and make it step by step; [`outlook`]: what it will do to what runs;
//!   [`wait`]: until it runs, or why it does not.
//! - [`rollout`]: a deployment without downtime, through a route.
//! - [`manage`]: labels, links, expiry, autoscaling and roles.
//! - [`sweep`]: a pipeline goes, and in Kafka what was asked for.
//! - [`topics`]: what the broker says of topics and rights; [`users`]: what all pipelines do with them; [`room`]: what the cluster says of quotas and nodes;
//!   [`history`]: how long the last start took.
//! - [`survey`]: a pipeline looked at before anything is done to it; [`savepoint`]: a savepoint of what runs, now.
//! - [`audit`]: the file that knows of every change.
//!
//! It must not decide: whatever is refused, merged or forecast is pure, and stands in `plan`.

pub mod audit;
pub mod change;
pub mod desk;
pub mod history;
pub mod manage;
mod manifests;
pub mod order;
mod outlook;
pub mod rollout;
pub mod room;
pub mod savepoint;
pub mod survey;
pub mod sweep;
pub mod target;
pub mod topics;
mod users;
pub mod wait;
