//! A world in real time for people: `simulator serve`.
//!
//! Owns: the listener that kubectl talks to, the kubeconfig, signals, and what is printed.
//! Always holds: when it ends, by itself or by a signal, nothing of it runs on.
//! Deliberately does not know: how a world works.

pub mod kubeconfig;
