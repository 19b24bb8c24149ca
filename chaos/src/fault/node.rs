//! Troubles of machines.
//!
//! Owns: what can be wrong with the node under a member for a while.
//! Always holds: afterwards the node is as before; pods that were on it are not.
//! Deliberately does not know: which node, and for how long.

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeTrouble {
    /// It is off: everything on it is silent.
    Off,
    /// Its kubelet does not run; containers do.
    KubeletDown,
    /// It is drained: closed to new pods, and its pods are evicted.
    Drained,
}

impl NodeTrouble {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Off, Self::KubeletDown, Self::Drained];

    /// The words before the target.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Off => "switch off the node of",
            Self::KubeletDown => "stop the kubelet of",
            Self::Drained => "drain the node of",
        }
    }

    /// What brings it about in real clusters.
    #[must_use]
    pub fn cause(self) -> &'static str {
        match self {
            Self::Off => "a machine that loses power or is rebooted",
            Self::KubeletDown => "an upgrade of the kubelet, or one that hangs",
            Self::Drained => "maintenance: `kubectl drain`, then `uncordon`",
        }
    }
}
