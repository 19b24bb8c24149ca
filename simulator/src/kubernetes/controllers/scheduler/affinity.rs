//! Node selectors, node affinity and pod (anti-)affinity.
//!
//! Owns: whether a node suits a pod by labels, and what the pods near it say to it.
//! Always holds: required terms decide, preferred ones only weigh.
//! Deliberately does not know: taints, volumes, resources.

use std::sync::Arc;

use serde_json::Value;

use crate::kubernetes::controllers::{
    object::Meta,
    selector::{expression_holds, matches_all, selects},
};

/// A pod that is bound, with its node.
pub(super) struct Placed {
    pub(super) pod: Arc<Value>,
    pub(super) node: Arc<Value>,
}

/// Whether the node has the labels that the pod demands.
pub(super) fn suits(pod: &Value, node: &Value) -> bool {
    let labels = &node["metadata"]["labels"];
    let required =
        &pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    matches_all(&pod["spec"]["nodeSelector"], labels)
        && (required.is_null() || any_term(required, node))
}

/// Whether a node is one that a selector of terms means: all of a term, any of the terms.
pub(super) fn any_term(selector: &Value, node: &Value) -> bool {
    selector
        .items("/nodeSelectorTerms")
        .iter()
        .any(|term| term_holds(term, node))
}

fn term_holds(term: &Value, node: &Value) -> bool {
    let fields = serde_json::json!({"metadata.name": node.name()});
    let labels = &node["metadata"]["labels"];
    let (by_label, by_field) = (term.items("/matchExpressions"), term.items("/matchFields"));
    (!by_label.is_empty() || !by_field.is_empty())
        && by_label
            .iter()
            .all(|expression| expression_holds(expression, labels))
        && by_field
            .iter()
            .all(|expression| expression_holds(expression, &fields))
}

/// Whether the pods that are there allow the pod on this node, by its own and by their rules.
pub(super) fn apart(pod: &Value, node: &Value, placed: &[Placed]) -> bool {
    let own = required(pod, "podAntiAffinity");
    let clashes = |term: &Value, of: &Value, other: &Value, place: &Value| {
        same_domain(term, node, place) && meant(term, of, other)
    };
    placed.iter().all(|near| {
        let theirs = required(&near.pod, "podAntiAffinity");
        !own.iter()
            .any(|term| clashes(term, pod, &near.pod, &near.node))
            && !theirs
                .iter()
                .any(|term| clashes(term, &near.pod, pod, &near.node))
    })
}

/// Whether the pods that the pod demands to be near are near.
pub(super) fn together(pod: &Value, node: &Value, placed: &[Placed]) -> bool {
    required(pod, "podAffinity").iter().all(|term| {
        let mut meant_pods = placed
            .iter()
            .filter(|near| meant(term, pod, &near.pod))
            .peekable();
        // The first of a group that wants to be with itself may go anywhere.
        let first = meant_pods.peek().is_none() && meant(term, pod, pod);
        first || meant_pods.any(|near| same_domain(term, node, &near.node))
    })
}

/// How much the pod would like to be here, by its preferred terms.
pub(super) fn preference(pod: &Value, node: &Value, placed: &[Placed]) -> i64 {
    let affinity = &pod["spec"]["affinity"];
    let preferred = |kind: &str| {
        affinity[kind]
            .items("/preferredDuringSchedulingIgnoredDuringExecution")
            .iter()
    };
    let weight = |term: &Value| term["weight"].as_i64().unwrap_or(0);
    let by_node: i64 = preferred("nodeAffinity")
        .filter(|term| term_holds(&term["preference"], node))
        .map(weight)
        .sum();
    let near = |kind: &str| -> i64 {
        preferred(kind)
            .map(|entry| {
                let term = &entry["podAffinityTerm"];
                let here = placed.iter().filter(|near| {
                    same_domain(term, node, &near.node) && meant(term, pod, &near.pod)
                });
                weight(entry) * i64::try_from(here.count()).unwrap_or(0)
            })
            .sum()
    };
    by_node + near("podAffinity") - near("podAntiAffinity")
}

fn required<'a>(pod: &'a Value, kind: &str) -> &'a [Value] {
    pod["spec"]["affinity"][kind].items("/requiredDuringSchedulingIgnoredDuringExecution")
}

/// Whether a term of the pod `of` means the pod `other`.
fn meant(term: &Value, of: &Value, other: &Value) -> bool {
    let listed = term.items("/namespaces");
    let all = term["namespaceSelector"]
        .as_object()
        .is_some_and(serde_json::Map::is_empty);
    let namespace = other.namespace();
    let here = listed.is_empty() && !all && namespace == of.namespace();
    (here || all || listed.iter().any(|name| name == namespace))
        && selects(&term["labelSelector"], &other["metadata"]["labels"])
}

fn same_domain(term: &Value, one: &Value, other: &Value) -> bool {
    let key = term.text("/topologyKey");
    one.label(key).is_some() && one.label(key) == other.label(key)
}
