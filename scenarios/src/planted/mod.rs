//! Operators that are known to be bad.
//!
//! Owns: one entry per class of bug that operators of this field had, made out of the good operator
//! by changing what it sends. Whatever finds bugs is only as good as its score on these.
//! Always holds: the operator's own code is as it is; what is planted is on the wire.
//! Deliberately does not know: how a bug is found.
//!
//! Reading order: this file, [`table`]; [`card`] says which are found.

pub mod card;
mod grpc;
pub mod table;

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use serde_json::Value;
use simulator::world::{Outgoing, Side};

pub use table::PLANTS;

/// A planted bug.
#[derive(Debug)]
pub struct Plant {
    /// What it is called.
    pub name: &'static str,
    /// What such an operator does, and where it was seen.
    pub story: &'static str,
    /// The calls that it does wrong, such as `PATCH statefulsets` or `MemberAdd`.
    pub calls: &'static [&'static str],
    /// How it does them wrong.
    pub how: How,
}

/// How a call is done wrong.
#[derive(Clone, Copy, Debug)]
pub enum How {
    /// The object that is sent is another one. The number is kept from one call to the next.
    Object(fn(&mut Value, &mut u64)),
    /// A piece of the text that is sent is another one.
    Text(&'static str, &'static str),
    /// The gRPC message that is sent is another one.
    Message(fn(Vec<u8>) -> Vec<u8>),
    /// After so many, it is taken as done and never sent.
    PretendAfter(u64),
}

/// A planted bug at work in one run.
#[derive(Debug)]
pub struct Planted {
    plant: &'static Plant,
    memory: Mutex<u64>,
}

impl Plant {
    /// The plant of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        PLANTS.iter().find(|plant| plant.name == name)
    }
}

impl Planted {
    /// The bug at the beginning of a run.
    #[must_use]
    pub fn new(plant: &'static Plant) -> Self {
        Self {
            plant,
            memory: Mutex::new(0),
        }
    }

    fn concerns(&self, call: &Outgoing) -> bool {
        self.plant.calls.contains(&call.name.as_str())
    }

    /// Whether the call is only pretended.
    pub fn pretends(&self, call: &Outgoing) -> bool {
        let How::PretendAfter(count) = self.plant.how else {
            return false;
        };
        if !self.concerns(call) {
            return false;
        }
        let mut seen = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        *seen += 1;
        *seen > count
    }

    /// What is sent instead, if anything.
    pub fn request(&self, call: &Outgoing, body: &Bytes) -> Option<Bytes> {
        if !self.concerns(call) {
            return None;
        }
        match (self.plant.how, call.to) {
            (How::Object(change), Side::Kubernetes) => {
                let mut object: Value = serde_json::from_slice(body).ok()?;
                let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
                change(&mut object, &mut memory);
                Some(object.to_string().into())
            }
            (How::Text(from, to), Side::Kubernetes) => {
                let text = std::str::from_utf8(body).ok()?;
                Some(text.replace(from, to).into())
            }
            (How::Message(change), Side::Etcd) => grpc::change(body, change),
            _ => None,
        }
    }
}
