//! What every comparison of the simulation with the real thing has in common.
//!
//! Owns: scripts and recordings as files, and random scripts.
//! Deliberately does not know: what is compared.

pub(crate) mod random;
pub(crate) mod recording;
