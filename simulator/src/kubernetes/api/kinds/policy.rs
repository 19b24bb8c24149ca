//! Disruption budgets and leases.
//!
//! Owns: what makes them invalid.
//! Always holds: a budget limits from one side only.
//! Deliberately does not know: how budgets are counted and leases are held.

use serde_json::Value;

use crate::kubernetes::api::Cause;

const PERCENT: &str = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";

pub(super) fn validate_budget(budget: &Value) -> Vec<Cause> {
    let spec = &budget["spec"];
    let mut causes = Vec::new();
    let limits = ["minAvailable", "maxUnavailable"];
    if limits.iter().all(|limit| !spec[*limit].is_null()) {
        let shown = format!(
            "{{\"MinAvailable\":{},\"Selector\":{},\"MaxUnavailable\":{},\"UnhealthyPodEvictionPolicy\":{}}}",
            spec["minAvailable"],
            spec["selector"],
            spec["maxUnavailable"],
            spec["unhealthyPodEvictionPolicy"],
        );
        let why = "minAvailable and maxUnavailable cannot be both set";
        causes.push(Cause::invalid("spec", shown, why));
    }
    for limit in limits {
        let at = format!("spec.{limit}");
        match &spec[limit] {
            Value::Number(number) if number.as_i64().is_some_and(|number| number < 0) => {
                causes.push(Cause::invalid(
                    at,
                    number,
                    "must be greater than or equal to 0",
                ));
            }
            Value::String(text) if !is_percent(text) => {
                causes.push(Cause::invalid(at, format!("{text:?}"), PERCENT));
            }
            Value::String(text) if percent(text).is_some_and(|percent| percent > 100) => {
                let why = "must not be greater than 100%";
                causes.push(Cause::invalid(at, format!("{text:?}"), why));
            }
            _ => {}
        }
    }
    causes
}

fn is_percent(text: &str) -> bool {
    let digits = text.strip_suffix('%').unwrap_or_default();
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

/// The number before the sign; `None` also for one that no number can hold.
fn percent(text: &str) -> Option<u64> {
    text.strip_suffix('%')?.parse().ok()
}

pub(super) fn validate_lease(lease: &Value) -> Vec<Cause> {
    let spec = &lease["spec"];
    let mut causes = Vec::new();
    for (field, least, why) in [
        ("leaseDurationSeconds", 1, "must be greater than 0"),
        ("leaseTransitions", 0, "must be greater than or equal to 0"),
    ] {
        if let Some(value) = spec[field].as_i64().filter(|value| *value < least) {
            causes.push(Cause::invalid(format!("spec.{field}"), value, why));
        }
    }
    causes
}
