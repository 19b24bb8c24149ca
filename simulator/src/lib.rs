//! A simulated Kubernetes and a simulated etcd, in virtual or in real time.
//!
//! Owns: the network seam, the clock, the trace, both simulators, and their assembly into one world.
//! Always holds: the state machines have no IO, no async and no clock of their own; they take a
//! request and the time, and return answers and effects. Only the thin shells touch a socket.
//! Deliberately does not know: which operator is under test, what a scenario is, what must hold.
//!
//! To test an operator of your own in it, read [`guide`].

pub mod clock;
pub mod determinism;
pub mod etcd;
pub mod guide;
pub mod kubernetes;
pub mod net;
pub mod runtime;
pub mod serve;
pub mod trace;
pub mod world;
