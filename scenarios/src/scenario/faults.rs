//! The sentences that say what goes wrong.
//!
//! Owns: one sentence per fault of the vocabulary, made from the fault itself.
//! Always holds: every fault can be said, and what says it is what it prints.
//! Deliberately does not know: what faults do.

use std::{borrow::Cow, sync::LazyLock};

use chaos::fault::{Fault, Moment, OperatorFault, Situation, Strike, Trigger};

use super::{
    Action,
    sentence::{Make, Place, Sentence, Statement},
    slot::Value,
};

/// Sentences that are a fault.
static FAULTS: LazyLock<Vec<Sentence>> =
    LazyLock::new(|| Fault::kinds().into_iter().map(say).collect());

/// Sentences that announce a fault.
static ANNOUNCED: LazyLock<Vec<Sentence>> = LazyLock::new(|| {
    let announced = Situation::ALL.iter().map(|(words, situation)| Sentence {
        form: Cow::Owned(format!("when {words} : <fault>")),
        places: &[Place::Step],
        meaning: "something goes wrong as soon as this is seen; the step goes on",
        make: Make::When(*situation),
    });
    announced.collect()
});

pub(super) fn sentences() -> impl Iterator<Item = &'static Sentence> {
    FAULTS.iter().chain(ANNOUNCED.iter())
}

/// The sentences that may stand after an announcement.
pub(super) fn faults() -> impl Iterator<Item = &'static Sentence> {
    FAULTS.iter()
}

fn say(fault: Fault) -> Sentence {
    let form = match fault {
        Fault::Operator(OperatorFault::KillAt { moment, .. }) => {
            let moment = match moment {
                Moment::Before => "before",
                Moment::After => "after",
            };
            format!("kill the operator {moment} its <nth> <call>")
        }
        _ => {
            let mut form = fault.to_string();
            if let Some(whom) = fault.target() {
                form = form.replace(&whom.to_string(), "<member>");
            }
            if let Some(span) = fault.lasts() {
                form = form.replace(&format!("for {span}"), "for <duration>");
            }
            form
        }
    };
    Sentence {
        form: Cow::Owned(form),
        places: &[Place::Step],
        meaning: fault.cause(),
        make: Make::Fault(fault),
    }
}

/// The fault with the sentence's values, now.
pub(super) fn fault(kind: Fault, values: &[Value]) -> Option<Statement> {
    let mut fault = kind;
    for value in values {
        fault = match (value, fault) {
            (Value::Member(whom), fault) => fault.hitting(*whom),
            (Value::Span(span), fault) => fault.lasting(*span),
            (Value::Nth(nth), Fault::Operator(OperatorFault::KillAt { moment, call, .. })) => {
                let nth = nth.0;
                Fault::Operator(OperatorFault::KillAt { moment, nth, call })
            }
            (Value::Call(call), Fault::Operator(OperatorFault::KillAt { moment, nth, .. })) => {
                let call = *call;
                Fault::Operator(OperatorFault::KillAt { moment, nth, call })
            }
            _ => return None,
        };
    }
    Some(strike(Trigger::Now, fault))
}

/// The announced fault.
pub(super) fn when(situation: Situation, values: &[Value]) -> Option<Statement> {
    match values {
        [Value::Fault(fault)] => Some(strike(Trigger::When(situation), *fault)),
        _ => None,
    }
}

fn strike(trigger: Trigger, fault: Fault) -> Statement {
    Statement::Do(Action::Strike(Strike { trigger, fault }))
}
