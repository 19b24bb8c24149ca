//! The world `kube`: a real cluster, as one of its users sees and breaks it.
//!
//! Reading order: [`KubeOptions`] (what is said on the command line), `connection` (the way to the
//! API server), `home` (the namespace of a run), `reach` with `forward` (the way to pods),
//! `operator` (who looks after the cluster), [`commands`] (what the host offers) with `faults`,
//! `sampler` (what the status says, five times a second), `visitor` (all this as the user's machine)
//! and `world`, which puts it together.
//!
//! Always holds: nothing outside the run's namespace is changed that is not put back at the end,
//! whether the run passes, fails, panics or is interrupted.
//! Deliberately does not know: how the operator decides anything, and which cluster it is.

pub mod commands;
mod connection;
mod faults;
mod forward;
mod home;
mod operator;
mod options;
mod reach;
mod sampler;
mod visitor;
mod world;

pub use options::{KubeOptions, OperatorChoice, ReachChoice};
pub use world::run;
