//! Subresources that are more than a part of their object.
//!
//! Owns: `scale`, `eviction`, `binding`.
//! Always holds: each of them ends in a normal write of the object.
//! Deliberately does not know: `status`, which is a normal update of one part.

mod binding;
mod eviction;
mod scale;
