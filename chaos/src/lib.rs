//! Client traffic, and what must hold whatever happens.
//!
//! Owns: the vocabulary of faults, clients that write and read known keys, the history of what they
//! were told, the checks on that history, and the invariants on what can be observed of a cluster.
//! Always holds: a check judges recorded facts only; an outcome that is not known stays unknown.
//! Deliberately does not know: worlds and scenarios, nor how the operator decides anything.
//!
//! Reading order: [`fault`] (what goes wrong) and [`swarm`] (drawn from a seed), [`history`] and
//! [`traffic`] (clients), [`observation`], [`invariants`] and [`rest`] (the cluster), [`violation`]
//! (what all of them report).

pub mod fault;
pub mod history;
pub mod invariants;
pub mod observation;
pub mod rest;
mod settled;
pub mod span;
pub mod swarm;
pub mod traffic;
pub mod violation;

pub use observation::Observation;
pub use span::Span;
pub use violation::Violation;
