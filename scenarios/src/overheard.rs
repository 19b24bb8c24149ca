//! What the operator itself calls an error in its logs.
//!
//! Owns: listening to the logs of the operator that runs in this process, for as long as a run goes.
//! Always holds: each thread hears its own operator: a simulation is one thread. An operator in
//! another process is not heard.
//! Deliberately does not know: what is logged besides errors.

use std::{cell::RefCell, fmt};

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
};
use tracing_subscriber::{
    Layer,
    layer::{Context, Filter},
    registry::LookupSpan,
};

thread_local! {
    static HEARD: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// More of them tell nothing new.
const ENOUGH: usize = 20;

/// Hears errors of the operator.
#[derive(Debug)]
pub struct Overhear;

/// What was heard on this thread.
#[must_use]
pub fn heard() -> Vec<String> {
    HEARD.with_borrow(Clone::clone)
}

/// The layer with its filter, so that nothing else is even made into text.
#[must_use]
pub fn layer<S>() -> impl Layer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    Overhear.with_filter(OnlyItsErrors)
}

struct OnlyItsErrors;

impl<S> Filter<S> for OnlyItsErrors {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        *metadata.level() == Level::ERROR && metadata.target().starts_with("operator")
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::ERROR)
    }
}

impl<S: Subscriber> Layer<S> for Overhear {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        HEARD.with_borrow_mut(|heard| {
            if heard.len() < ENOUGH {
                heard.push(text.0);
            }
        });
    }
}

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        use fmt::Write;
        // Plans are long, and can be had from a run with logs. Writing to a String cannot fail.
        let _ = match field.name() {
            "plan" => Ok(()),
            "message" => write!(self.0, "{value:?} "),
            name => write!(self.0, "{name}={value:?} "),
        };
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[test]
    fn an_error_of_the_operator_is_heard_and_nothing_else_is() {
        let subscriber = tracing_subscriber::registry().with(layer());
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(target: "operator::x", "a warning");
            tracing::error!(target: "kube", "of somebody else");
            tracing::error!(target: "operator::x", plan = "long", finding = 7, "a bug");
        });
        assert_eq!(heard(), ["a bug finding=7 "]);
    }
}
