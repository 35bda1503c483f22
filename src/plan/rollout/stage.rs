//! The steps of a rollout, and those of the way back.

use serde::{Deserialize, Serialize};

/// How far a rollout is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The new copy is started.
    Deploy,
    /// It gets well.
    WarmUp,
    /// It gets every record too, and what it says is compared with what the old one says.
    Compare,
    /// It no longer gets every record.
    Unshadow,
    /// It gets the traffic.
    Flip,
    /// It is watched; the old one could take over at any moment.
    Bake,
    /// The old copy is stopped, while the route may not flip by itself.
    Retire,
    /// The route may flip by itself again.
    Release,
    /// All of it is done.
    Done,
    /// Going back: the old copy is started again.
    Restore,
    /// Going back: the old copy gets the traffic.
    FlipBack,
    /// Going back: the new copy is stopped, while the route may not flip by itself.
    StopNew,
    /// Going back: the route may flip by itself again.
    ReleaseBack,
    /// It is as it was before.
    Aborted,
}

impl Stage {
    /// As a step is told.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::WarmUp => "warm up",
            Self::Compare => "compare",
            Self::Unshadow => "end the comparison",
            Self::Flip => "flip",
            Self::Bake => "bake",
            Self::Retire => "retire",
            Self::Release | Self::ReleaseBack => "release the route",
            Self::Done => "done",
            Self::Restore => "start the old copy again",
            Self::FlipBack => "flip back",
            Self::StopNew => "stop the new copy",
            Self::Aborted => "aborted",
        }
    }

    /// Whether nothing is left to do.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Aborted)
    }

    /// Whether it goes back.
    #[must_use]
    pub const fn goes_back(self) -> bool {
        matches!(self, Self::Restore | Self::FlipBack | Self::StopNew | Self::ReleaseBack | Self::Aborted)
    }
}
