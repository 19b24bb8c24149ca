//! The simulated API server as its users see it: plain requests, unmodified `kube`, stock `kubectl`.

mod answers;
mod budgets;
mod client;
mod custom;
mod edits;
mod harness;
mod kubectl;
mod life;
mod watches;
