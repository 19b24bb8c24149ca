//! Scenario files, and the runner that takes them through a world.
//!
//! Owns: the language of scenario files, the runner with its verdicts, and the worlds it can run in.
//! Always holds: a run ends with a verdict and with one line that reproduces it.
//! Deliberately does not know: how the operator decides anything.
//!
//! Reading order: [`scenario`] (what a file says), [`world`] (what the runner asks of a world),
//! [`runner`], [`user`] (how a user acts and sees, in every world), [`strikes`] (how faults are
//! injected), [`worlds`], [`report`],
//! [`show`], [`fuzz`] (scenarios made up from seeds), [`commands`].

pub mod cli;
pub mod commands;
pub mod fuzz;
pub mod kubernetes;
pub mod library;
pub mod overheard;
pub mod planted;
#[cfg(target_os = "linux")]
pub mod process;
pub mod report;
pub mod reproduce;
pub mod resident;
pub mod runner;
pub mod scenario;
pub mod show;
pub mod sim;
pub mod strikes;
pub mod user;
pub mod world;
pub mod worlds;
