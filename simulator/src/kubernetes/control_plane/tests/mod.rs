//! The whole control plane in virtual time, with containers that follow a script.

mod sets;
mod world;
