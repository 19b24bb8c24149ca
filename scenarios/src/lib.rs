//! Scenario files, and the runner that takes them through a world.
//!
//! Owns: the language of scenario files, the runner with its verdicts, and the worlds it can run in.
//! Always holds: a run ends with a verdict and with one line that reproduces it.
//! Deliberately does not know: how the operator decides anything.

pub mod report;
pub mod runner;
pub mod scenario;
pub mod user;
pub mod world;
