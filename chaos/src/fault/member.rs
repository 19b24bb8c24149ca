//! Troubles of members that live.
//!
//! Owns: what can be wrong with a member for a while.
//! Always holds: each ends, and leaves no damage of its own behind.
//! Deliberately does not know: which member, and for how long.

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberTrouble {
    /// Its kernel accepts, its process does not answer.
    Paused,
    /// No packet reaches or leaves it.
    CutOff,
    /// No packet reaches it.
    Deaf,
    /// No packet leaves it.
    Mute,
    /// Every packet from and to it takes longer; what is lost is sent again and arrives late.
    SlowNetwork,
    /// Every sync of its disk takes longer than an election timeout allows for.
    SlowDisk,
}

impl MemberTrouble {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Paused,
        Self::CutOff,
        Self::Deaf,
        Self::Mute,
        Self::SlowNetwork,
        Self::SlowDisk,
    ];

    /// The words before the target.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Paused => "pause",
            Self::CutOff => "cut off",
            Self::Deaf => "cut what reaches",
            Self::Mute => "cut what leaves",
            Self::SlowNetwork => "slow down the network of",
            Self::SlowDisk => "slow down the disk of",
        }
    }

    /// What brings it about in real clusters.
    #[must_use]
    pub fn cause(self) -> &'static str {
        match self {
            Self::Paused => "a virtual machine that is moved, a frozen cgroup, SIGSTOP",
            Self::CutOff => "a switch or an overlay network that fails",
            Self::Deaf => "a firewall rule or an asymmetric route",
            Self::Mute => "a firewall rule or an asymmetric route, the other way",
            Self::SlowNetwork => "a congested or lossy link: TCP sends again, so loss is delay",
            Self::SlowDisk => "a neighbour that uses the same disk, a cloud volume out of credit",
        }
    }
}
