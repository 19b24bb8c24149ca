//! What an operator may do while there is nothing to do.
//!
//! Owns: the bounds.
//! Always holds: writes are what counts; reading is bounded by a rate.
//! Deliberately does not know: how calls are counted.
//!
//! Source: operators that write a status that differs each time wake themselves up for ever; on a
//! shared API server that is everybody's problem (Kubernetes API conventions: controllers are
//! level-driven, a reconcile without a difference writes nothing).

use std::{collections::BTreeMap, time::Duration};

/// Requests to the API server that are always fine in so much time: watches that are renewed.
const REQUESTS_PER_MINUTE: u64 = 60;

/// Whether calls made while nothing changed are those of an operator at rest. Calls are counted by
/// `VERB resource`.
///
/// # Errors
/// Says what was too much.
pub fn check(kubernetes: &BTreeMap<String, u64>, during: Duration) -> Result<(), String> {
    let writes = |call: &str| {
        let (verb, resource) = call.split_once(' ').unwrap_or_default();
        // A lease says who leads; it has to be written again and again.
        !matches!(verb, "GET" | "WATCH") && resource != "leases"
    };
    let written: Vec<String> = kubernetes
        .iter()
        .filter(|(call, _)| writes(call))
        .map(|(call, count)| format!("{count} × {call}"))
        .collect();
    if !written.is_empty() {
        return Err(format!("the operator wrote: {}", written.join(", ")));
    }
    let requests: u64 = kubernetes
        .iter()
        .filter(|(call, _)| !call.ends_with(" leases"))
        .map(|(_, count)| count)
        .sum();
    let minutes = during.as_secs().div_ceil(60).max(1);
    if requests > REQUESTS_PER_MINUTE * minutes {
        return Err(format!(
            "the operator made {requests} requests to the API server in {} s",
            during.as_secs()
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(calls: &[(&str, u64)]) -> BTreeMap<String, u64> {
        calls
            .iter()
            .map(|(call, count)| ((*call).to_owned(), *count))
            .collect()
    }

    #[test]
    fn reading_and_leases_are_rest_and_a_write_is_not() {
        let minute = Duration::from_secs(60);
        let at_rest = calls(&[("WATCH pods", 3), ("PUT leases", 30), ("GET pods", 6)]);
        assert_eq!(check(&at_rest, minute), Ok(()));
        let writes = calls(&[("PATCH etcdclusters/status", 2)]);
        assert_eq!(
            check(&writes, minute),
            Err("the operator wrote: 2 × PATCH etcdclusters/status".to_owned())
        );
    }

    #[test]
    fn reading_all_the_time_is_no_rest() {
        let loops = calls(&[("GET pods", 200)]);
        assert!(check(&loops, Duration::from_secs(60)).is_err());
        assert!(check(&loops, Duration::from_secs(20)).is_err());
    }
}
