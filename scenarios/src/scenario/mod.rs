//! What a scenario says: the cluster, the steps, what must hold.
//!
//! Owns: the model of a scenario file and its vocabulary, which is closed: every action and every
//! expectation is a variant here.
//! Always holds: a parsed scenario makes sense as a story (nothing is scaled before it is created);
//! printing a scenario and parsing the text gives the same scenario.
//! Deliberately does not know: worlds, and how anything is carried out.
//!
//! Reading order: this file, [`words`] (a line as words), [`sentence`] (every sentence a file may
//! contain, in one table) with its [`slot`]s and [`faults`], [`matching`], [`parse`](mod@parse), [`story`] (what
//! makes sense when), [`print`](mod@print), [`diagnostic`] and `mistake` (how a mistake is shown).

pub mod change;
pub mod condition;
pub mod diagnostic;
pub mod edit;
pub mod faults;
pub mod matching;
mod mistake;
pub mod nearest;
pub mod parse;
pub mod print;
pub mod sentence;
pub mod slot;
pub mod story;
pub mod version;
pub mod words;

pub use change::{Change, Image};
pub use chaos::Span;
pub use condition::Condition;
pub use diagnostic::{Diagnostic, Refused};
pub use edit::Edit;
pub use parse::parse;
pub use version::EtcdVersion;

use std::time::Duration;

use chaos::fault::Strike;

/// Most members that a scenario may ask for; the same bound as the resource's schema.
pub const MAX_SIZE: u32 = 9;

/// One scenario file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// The comment on top: what this is about, for people.
    pub story: Vec<String>,
    /// The cluster it is about.
    pub cluster: Cluster,
    /// What clients do all the while.
    pub traffic: Option<Traffic>,
    /// What happens, in order.
    pub steps: Vec<Step>,
    /// What must hold when all is over.
    pub finally: Vec<Expectation>,
}

/// The cluster as the user first writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// Name of the resource.
    pub name: String,
    /// Members at creation.
    pub size: u32,
    /// Version of etcd; the command line can ask for another one.
    pub version: EtcdVersion,
    /// What becomes of its volumes when it is deleted.
    pub volumes: Volumes,
}

/// What becomes of volumes when their cluster is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Volumes {
    /// They stay.
    Kept,
    /// They go with the cluster.
    Deleted,
}

/// What clients do from the first moment that the cluster answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// Writes per second, over all clients.
    pub puts: u32,
    /// Reads per second, over all clients.
    pub reads: u32,
    /// Number of keys that they touch.
    pub keys: u32,
}

/// A named part of the story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its name, unique in the file.
    pub title: String,
    /// What is done and expected, in order.
    pub instructions: Vec<Instruction>,
}

/// One line of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Instruction {
    /// Somebody does something.
    Do(Action),
    /// Something must come true, or hold.
    Expect(Expectation),
}

/// What somebody does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The user creates the cluster as the file's heading describes it.
    Create,
    /// The user sets the number of members.
    Scale(u32),
    /// The user changes something else in the spec.
    Change(Change),
    /// The user deletes the cluster.
    Delete,
    /// Nobody does anything for a while.
    Wait(Span),
    /// Something goes wrong, now or later.
    Strike(Strike),
    /// Whatever is wrong ends, as far as it can.
    Heal,
    /// The user gives the word that the status asks for, to start anew from a survivor.
    Recover,
    /// Somebody edits by hand what the operator looks after.
    Edit(Edit),
}

/// What must come true, or hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expectation {
    /// The cluster gets to exactly this many voters, all healthy, agreed on by every one of them,
    /// and the status says so.
    Members {
        /// How many.
        count: u32,
        /// How soon.
        within: Span,
    },
    /// It has this many members and keeps them, without a single change, for a while.
    Stays {
        /// How many.
        count: u32,
        /// How long.
        lasting: Span,
    },
    /// The resource and everything that belonged to it is gone.
    NothingLeft {
        /// How soon.
        within: Span,
    },
    /// The resource and everything that belonged to it is gone, except for its volumes.
    OnlyVolumesLeft {
        /// How soon.
        within: Span,
    },
    /// The status says of a condition whether it holds.
    Condition {
        /// Which one.
        kind: Condition,
        /// Whether it holds.
        holds: bool,
        /// How soon.
        within: Span,
    },
    /// A condition's reason or message contains a text.
    StatusNames {
        /// The text.
        text: String,
        /// How soon.
        within: Span,
    },
    /// Since the step began, some write was acknowledged at least this often.
    NoStall {
        /// The longest time without.
        longest: Span,
    },
    /// Every write that was acknowledged so far can be read back.
    WritesReadable,
    /// No invariant was violated at any time so far.
    NoViolation,
}

impl Expectation {
    /// The longest that it may be waited for.
    #[must_use]
    pub fn longest(&self) -> Duration {
        match self {
            Self::Members { within, .. }
            | Self::NothingLeft { within }
            | Self::OnlyVolumesLeft { within }
            | Self::Condition { within, .. }
            | Self::StatusNames { within, .. } => within.duration(),
            Self::Stays { lasting, .. } => lasting.duration(),
            Self::NoStall { .. } | Self::WritesReadable | Self::NoViolation => Duration::ZERO,
        }
    }
}
