//! The whole control plane in virtual time, with containers that follow a script.

mod collecting;
mod faults;
mod pods;
mod services;
mod sets;
mod storage;
mod world;
