//! Faults of pods and their processes.
//!
//! Owns: what can be done to a pod at one moment.
//! Always holds: each happens once; what follows is up to Kubernetes and the operator.
//! Deliberately does not know: which pod.

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodFault {
    /// `kill -9` on the process.
    Kill,
    /// The pod is deleted, with the grace that it asked for.
    Delete,
    /// The pod is deleted, and its claim and volume with it.
    DeleteWithVolume,
    /// The pod is evicted, as far as its disruption budget allows.
    Evict,
    /// Everything on the volume is gone, and the process ends.
    LoseData,
    /// The write-ahead log fails its checksum, and the process ends.
    CorruptData,
}

impl PodFault {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Kill,
        Self::Delete,
        Self::DeleteWithVolume,
        Self::Evict,
        Self::LoseData,
        Self::CorruptData,
    ];

    /// The words before the target.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Delete => "delete the pod of",
            Self::DeleteWithVolume => "delete the pod and the volume of",
            Self::Evict => "evict the pod of",
            Self::LoseData => "lose the data of",
            Self::CorruptData => "corrupt the data of",
        }
    }

    /// What brings it about in real clusters.
    #[must_use]
    pub fn cause(self) -> &'static str {
        match self {
            Self::Kill => "a crash of the process, or the kernel's out-of-memory killer",
            Self::Delete => "a person or a controller that deletes a pod",
            Self::DeleteWithVolume => {
                "a person who resets a member, or a local disk that is replaced"
            }
            Self::Evict => "a drain, or an autoscaler that wants the node",
            Self::LoseData => "a local disk that comes back empty",
            Self::CorruptData => "a disk that lies about what it wrote, or a torn write",
        }
    }

    /// Whether data is gone for good.
    #[must_use]
    pub fn destroys_data(self) -> bool {
        matches!(
            self,
            Self::DeleteWithVolume | Self::LoseData | Self::CorruptData
        )
    }
}
