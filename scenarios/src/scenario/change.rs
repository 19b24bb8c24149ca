//! What a user changes on a cluster that runs, besides its size.
//!
//! Owns: the closed list of such changes, and how they are said.
//! Always holds: a change names a value, so that saying it twice changes nothing the second time.
//! Deliberately does not know: how an operator brings it about.

use std::fmt;

use super::EtcdVersion;

/// A change of the spec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Another version of etcd.
    Version(EtcdVersion),
    /// A limit of memory, in MiB.
    MemoryLimit(u32),
    /// Larger volumes, in GiB.
    VolumeSize(u32),
    /// Another image.
    Image(Image),
}

/// Where etcd comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Image {
    /// The one that the cluster was created with.
    Right,
    /// One that no registry has.
    Missing,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => write!(f, "upgrade to {version}"),
            Self::MemoryLimit(mebibytes) => write!(f, "limit memory to {mebibytes} MiB"),
            Self::VolumeSize(gibibytes) => write!(f, "grow volumes to {gibibytes} GiB"),
            Self::Image(Image::Missing) => f.write_str("use an image that nobody has"),
            Self::Image(Image::Right) => f.write_str("use the right image again"),
        }
    }
}
