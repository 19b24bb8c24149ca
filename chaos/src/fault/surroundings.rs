//! Troubles of what everybody shares.
//!
//! Owns: DNS, the image registry, and the mood of the electorate.
//! Always holds: each ends, and leaves no damage of its own behind.
//! Deliberately does not know: for how long.

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surrounding {
    /// Leadership moves on twice a second.
    ElectionStorm,
    /// No name of the cluster resolves.
    DnsFails,
    /// No image can be pulled.
    RegistryAway,
}

impl Surrounding {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::ElectionStorm, Self::DnsFails, Self::RegistryAway];

    /// The words of it.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::ElectionStorm => "keep moving the leader",
            Self::DnsFails => "let DNS fail",
            Self::RegistryAway => "take the image registry away",
        }
    }

    /// What brings it about in real clusters.
    #[must_use]
    pub fn cause(self) -> &'static str {
        match self {
            Self::ElectionStorm => "heartbeats that come late: slow disks, starved CPUs",
            Self::DnsFails => "cluster DNS that is overloaded or being rolled",
            Self::RegistryAway => "a registry that is down, or limits pulls",
        }
    }
}
