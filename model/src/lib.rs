//! A model check of the planner: every interleaving of its passes, faults, edits and the steps of
//! etcd and Kubernetes, exhaustively within stated bounds.
//!
//! Owns: an abstract cluster of up to five members. The planner, its audit and the reporter are the
//! real ones; around them is a world of small values that moves one step at a time.
//! Always holds: no IO, no clock, no entropy: the same bounds give the same states in the same order.
//! Deliberately does not know: networks, Kubernetes' API, how a pass is carried out; the simulator
//! has those.
//!
//! Read in this order: `world` what there is, `etcd` and `kubernetes` how it moves, `picture` what the
//! operator sees of it (`terms`: in its own types), `decision` what the planner makes of that, `pass`
//! what comes of it, `safety` and `calm` what must hold, `steps` and `search` how every way is tried.
//!
//! What is not modelled: recovery of a lost quorum on the user's word, alarms, volumes that grow,
//! learners that lag, upgrades between versions, configuration files that reach a pod late, and a
//! world that moves between a look and the act that follows from it. One age holds for all that has
//! one: a pod that is old beside one that is young is not seen.

mod calm;
mod decision;
mod etcd;
mod kubernetes;
mod packed;
mod pass;
mod picture;
mod prints;
mod safety;
mod search;
mod show;
mod steps;
mod terms;
mod world;

pub use decision::Planner;
pub use safety::Broken;
pub use search::{Bounds, Progress, Report, Violation, search};
pub use world::SLOTS;
