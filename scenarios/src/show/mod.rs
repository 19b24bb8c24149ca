//! How runs are shown.
//!
//! Owns: the outputs: text and a page with a picture for people, JSON and JUnit for machines.
//! Always holds: what is shown is in the report; JSON is one document on standard output.
//! Deliberately does not know: how a report came about.

pub mod campaign;
pub mod corpus;
pub mod human;
pub mod json;
pub mod junit;
mod markup;
pub mod page;
pub mod paint;
pub mod progress;
pub mod table;

use std::time::Duration;

use crate::{
    report::{Report, Subject},
    runner::Event,
    scenario::Scenario,
};

/// Something that shows runs while they go.
pub trait Show: Send {
    /// A run begins.
    fn begin(&mut self, subject: &Subject, scenario: &Scenario);

    /// Something happened in it.
    fn event(&mut self, event: &Event);

    /// It came to its end.
    fn end(&mut self, report: &Report);
}

/// Seconds with two digits: `12.34 s`.
pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

/// Short times in milliseconds, longer ones in seconds.
pub(crate) fn short(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        format!("{} ms", time.as_millis())
    } else {
        format!("{:.1} s", time.as_secs_f64())
    }
}
