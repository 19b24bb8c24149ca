//! Who owns the claims of a StatefulSet, by its retention policy.
//!
//! Owns: which owner references a claim should carry, and whether a claim is left over.
//! Always holds: references of strangers are not touched; a claim that names an earlier incarnation
//! of its set or pod is left alone, since the garbage collector will take it.
//! Deliberately does not know: what is stored in the volume behind a claim.

use serde_json::Value;

use crate::kubernetes::controllers::object::{Meta, Owner, controller_reference};

/// What the set wants to happen to its claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Retention {
    /// Delete the claim with its set.
    pub(super) delete_with_set: bool,
    /// Delete the claim when its pod is scaled away.
    pub(super) delete_when_scaled: bool,
}

impl Retention {
    pub(super) fn of(set: &Value) -> Self {
        let policy = &set["spec"]["persistentVolumeClaimRetentionPolicy"];
        Self {
            delete_with_set: policy["whenDeleted"] == "Delete",
            delete_when_scaled: policy["whenScaled"] == "Delete",
        }
    }

    fn keeps_all(self) -> bool {
        !self.delete_with_set && !self.delete_when_scaled
    }
}

/// Whether the claim belongs to an earlier pod of the same name and will soon go.
pub(super) fn is_stale(claim: &Value, pod_name: &str, pod_uid: &str) -> bool {
    names_other(claim, POD, pod_name, pod_uid)
}

/// The owner references that the claim should carry, when they are not what it carries.
/// `pod_uid` is empty for a pod that does not exist yet.
pub(super) fn corrected_owners(
    claim: &Value,
    set: &Value,
    pod_name: &str,
    pod_uid: &str,
    in_range: bool,
) -> Option<Vec<Value>> {
    let retention = Retention::of(set);
    if names_other(claim, SET, set.name(), set.uid()) || is_stale(claim, pod_name, pod_uid) {
        return None;
    }
    let owners = claim.owners();
    let owned_by = |uid: &str| !uid.is_empty() && owners.iter().any(|owner| owner.uid == uid);
    let (by_set, by_pod) = (owned_by(set.uid()), owned_by(pod_uid));
    let stranger = !retention.keeps_all()
        && owners
            .iter()
            .any(|owner| owner.controller && !is_ours(owner, set, pod_name));
    let (want_set, want_pod) = if stranger {
        (false, false)
    } else {
        wanted(retention, in_range)
    };
    let weak = owners
        .iter()
        .any(|owner| [set.uid(), pod_uid].contains(&owner.uid.as_str()) && !owner.controller);
    if (by_set, by_pod) == (want_set, want_pod) && (stranger || !weak) {
        return None;
    }
    let mut references: Vec<Value> = claim
        .items("/metadata/ownerReferences")
        .iter()
        .zip(&owners)
        .filter(|(_, owner)| !is_ours(owner, set, pod_name))
        .map(|(reference, _)| reference.clone())
        .collect();
    if want_set {
        references.push(controller_reference(SET.0, SET.1, set));
    }
    if want_pod {
        let pod = serde_json::json!({"metadata": {"name": pod_name, "uid": pod_uid}});
        references.push(controller_reference(POD.0, POD.1, &pod));
    }
    Some(references)
}

const SET: (&str, &str) = ("apps/v1", "StatefulSet");
const POD: (&str, &str) = ("v1", "Pod");

fn wanted(retention: Retention, in_range: bool) -> (bool, bool) {
    let by_pod = retention.delete_when_scaled && !in_range;
    let by_set = retention.delete_with_set && !by_pod;
    (by_set, by_pod)
}

fn is_ours(owner: &Owner, set: &Value, pod_name: &str) -> bool {
    refers(owner, SET, set.name()) || refers(owner, POD, pod_name)
}

fn refers(owner: &Owner, kind: (&str, &str), name: &str) -> bool {
    owner.api_version == kind.0 && owner.kind == kind.1 && owner.name == name
}

fn names_other(claim: &Value, kind: (&str, &str), name: &str, uid: &str) -> bool {
    claim
        .owners()
        .iter()
        .find(|owner| refers(owner, kind, name))
        .is_some_and(|owner| owner.uid != uid)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(deleted: &str, scaled: &str) -> Value {
        json!({
            "metadata": {"name": "demo", "uid": "set-uid"},
            "spec": {"persistentVolumeClaimRetentionPolicy": {
                "whenDeleted": deleted, "whenScaled": scaled,
            }},
        })
    }

    fn claim(owners: Value) -> Value {
        json!({"metadata": {"name": "data-demo-1", "ownerReferences": owners}})
    }

    fn uids(set: &Value, claim: &Value, in_range: bool) -> Option<Vec<String>> {
        let owners = corrected_owners(claim, set, "demo-1", "pod-uid", in_range)?;
        Some(
            owners
                .iter()
                .map(|owner| owner.text("/uid").to_owned())
                .collect(),
        )
    }

    #[test]
    fn each_policy_asks_for_its_own_owners() {
        let fresh = claim(json!([]));
        for (deleted, scaled, in_range, wanted) in [
            ("Retain", "Retain", true, None),
            ("Retain", "Retain", false, None),
            ("Delete", "Retain", true, Some("set-uid")),
            ("Delete", "Retain", false, Some("set-uid")),
            ("Retain", "Delete", true, None),
            ("Retain", "Delete", false, Some("pod-uid")),
            ("Delete", "Delete", true, Some("set-uid")),
            ("Delete", "Delete", false, Some("pod-uid")),
        ] {
            let found = uids(&set(deleted, scaled), &fresh, in_range);
            assert_eq!(
                found,
                wanted.map(|uid| vec![uid.to_owned()]),
                "{deleted} {scaled}"
            );
        }
    }

    #[test]
    fn a_claim_of_a_scaled_pod_goes_back_to_its_set_when_the_pod_is_wanted_again() {
        let set = set("Delete", "Delete");
        let owners = corrected_owners(&claim(json!([])), &set, "demo-1", "pod-uid", false);
        let scaled = claim(owners.unwrap().into());
        assert_eq!(uids(&set, &scaled, false), None);
        assert_eq!(uids(&set, &scaled, true), Some(vec!["set-uid".to_owned()]));
    }

    #[test]
    fn claims_of_earlier_incarnations_are_left_alone() {
        let earlier = json!([{
            "apiVersion": "v1", "kind": "Pod", "name": "demo-1", "uid": "old", "controller": true,
        }]);
        let claim = claim(earlier);
        assert!(is_stale(&claim, "demo-1", ""));
        assert!(is_stale(&claim, "demo-1", "pod-uid"));
        assert!(!is_stale(&claim, "demo-1", "old"));
        assert_eq!(uids(&set("Delete", "Delete"), &claim, true), None);
    }

    #[test]
    fn another_controller_keeps_the_claim() {
        let owners = json!([
            {"apiVersion": "x/v1", "kind": "Cluster", "name": "c", "uid": "c", "controller": true},
        ]);
        assert_eq!(
            uids(&set("Delete", "Delete"), &claim(owners.clone()), true),
            None
        );
        // A retained claim may have any controller.
        assert_eq!(uids(&set("Retain", "Retain"), &claim(owners), true), None);
    }
}
