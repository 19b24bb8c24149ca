//! Who a pod of a StatefulSet is: its name, its ordinal, its labels, its claims.
//!
//! Owns: turning a set and an ordinal into a pod and its claims.
//! Always holds: the same set and ordinal give the same name, host name and claim names for ever.
//! Deliberately does not know: which pods should exist.

use serde_json::{Map, Value, json};

use crate::kubernetes::controllers::object::{Meta, controller_reference, object_at};

/// Label with the pod's own name.
pub(super) const POD_NAME: &str = "statefulset.kubernetes.io/pod-name";
/// Label with the pod's ordinal.
pub(super) const POD_INDEX: &str = "apps.kubernetes.io/pod-index";
/// Label with the name of the revision that the pod was made from.
pub(super) const REVISION: &str = "controller-revision-hash";

/// The ordinal in a pod's name, when the name is one that `set` would give.
pub(super) fn ordinal(set: &str, pod: &str) -> Option<i64> {
    let digits = pod.strip_prefix(set)?.strip_prefix('-')?;
    let number = digits.chars().all(|digit| digit.is_ascii_digit());
    number.then(|| digits.parse().ok()).flatten()
}

/// The pod's name.
pub(super) fn pod_name(set: &Value, ordinal: i64) -> String {
    format!("{}-{ordinal}", set.name())
}

/// The name of the claim that a template gives to an ordinal.
pub(super) fn claim_name(set: &Value, template: &Value, ordinal: i64) -> String {
    format!("{}-{}-{ordinal}", template.name(), set.name())
}

/// The revision that a pod was made from.
pub(super) fn revision(pod: &Value) -> &str {
    pod.label(REVISION).unwrap_or_default()
}

/// A new pod of the set, made from `template`.
pub(super) fn pod(set: &Value, template: &Value, revision: &str, ordinal: i64) -> Value {
    let name = pod_name(set, ordinal);
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name, "namespace": set.namespace(),
            "labels": template["metadata"]["labels"].clone(),
            "ownerReferences": [controller_reference("apps/v1", "StatefulSet", set)],
        },
        "spec": template["spec"].clone(),
    });
    for field in ["annotations", "finalizers"] {
        if !template["metadata"][field].is_null() {
            pod["metadata"][field] = template["metadata"][field].clone();
        }
    }
    set_identity_labels(&mut pod, &name, ordinal);
    object_at(&mut pod, &["metadata", "labels"]).insert(REVISION.into(), revision.into());
    pod["spec"]["hostname"] = name.into();
    pod["spec"]["subdomain"] = set["spec"]["serviceName"].clone();
    set_storage(set, &mut pod, ordinal);
    pod
}

/// Whether labels and volumes of an existing pod are what its ordinal asks for.
pub(super) fn matches(set: &Value, pod: &Value, ordinal: i64) -> bool {
    pod.label(POD_NAME) == Some(pod.name()) && storage_matches(set, pod, ordinal)
}

/// Makes labels and volumes of an existing pod what its ordinal asks for.
pub(super) fn repair(set: &Value, pod: &mut Value, ordinal: i64) {
    let name = pod.name().to_owned();
    set_identity_labels(pod, &name, ordinal);
    if !storage_matches(set, pod, ordinal) {
        set_storage(set, pod, ordinal);
    }
}

/// The claims that a pod of this ordinal needs.
pub(super) fn claims(set: &Value, ordinal: i64) -> Vec<Value> {
    set.items("/spec/volumeClaimTemplates")
        .iter()
        .map(|template| {
            let mut claim = template.clone();
            claim["apiVersion"] = "v1".into();
            claim["kind"] = "PersistentVolumeClaim".into();
            claim["metadata"]["name"] = claim_name(set, template, ordinal).into();
            claim["metadata"]["namespace"] = set.namespace().into();
            if let Some(claim) = claim.as_object_mut() {
                claim.remove("status");
            }
            if let Some(selected) = set["spec"]["selector"]["matchLabels"].as_object() {
                object_at(&mut claim, &["metadata", "labels"]).extend(selected.clone());
            }
            claim
        })
        .collect()
}

fn set_identity_labels(pod: &mut Value, name: &str, ordinal: i64) {
    let labels = object_at(pod, &["metadata", "labels"]);
    labels.insert(POD_NAME.into(), name.into());
    labels.insert(POD_INDEX.into(), ordinal.to_string().into());
}

fn claim_volumes(set: &Value, ordinal: i64) -> Vec<Value> {
    set.items("/spec/volumeClaimTemplates")
        .iter()
        .map(|template| {
            let claim = claim_name(set, template, ordinal);
            json!({"name": template.name(), "persistentVolumeClaim": {"claimName": claim}})
        })
        .collect()
}

fn set_storage(set: &Value, pod: &mut Value, ordinal: i64) {
    let mut volumes = claim_volumes(set, ordinal);
    let taken: Vec<Value> = volumes
        .iter()
        .map(|volume| volume["name"].clone())
        .collect();
    let others = pod.items("/spec/volumes").iter();
    volumes.extend(
        others
            .filter(|volume| !taken.contains(&volume["name"]))
            .cloned(),
    );
    let spec: &mut Map<String, Value> = object_at(pod, &["spec"]);
    if volumes.is_empty() {
        spec.remove("volumes");
    } else {
        spec.insert("volumes".into(), volumes.into());
    }
}

fn storage_matches(set: &Value, pod: &Value, ordinal: i64) -> bool {
    claim_volumes(set, ordinal).iter().all(|wanted| {
        pod.items("/spec/volumes").iter().any(|volume| {
            volume["name"] == wanted["name"]
                && volume["persistentVolumeClaim"]["claimName"]
                    == wanted["persistentVolumeClaim"]["claimName"]
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set() -> Value {
        json!({
            "metadata": {"name": "demo", "namespace": "ns", "uid": "u1"},
            "spec": {
                "serviceName": "demo-peers",
                "selector": {"matchLabels": {"app": "demo"}},
                "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {"x": 1}}],
                "template": {
                    "metadata": {"labels": {"app": "demo"}, "annotations": {"a": "b"}},
                    "spec": {"volumes": [{"name": "config"}, {"name": "data", "emptyDir": {}}]},
                },
            },
        })
    }

    #[test]
    fn only_names_that_the_set_would_give_have_an_ordinal() {
        assert_eq!(ordinal("demo", "demo-12"), Some(12));
        assert_eq!(ordinal("demo", "demo-x-1"), None);
        assert_eq!(ordinal("demo", "demo-"), None);
        assert_eq!(ordinal("demo", "demo2-1"), None);
        assert_eq!(ordinal("demo", "demo-99999999999999999999"), None);
    }

    #[test]
    fn a_pod_carries_its_identity_and_mounts_its_own_claim() {
        let set = set();
        let pod = pod(&set, &set["spec"]["template"], "demo-abc", 2);
        assert_eq!(pod.name(), "demo-2");
        assert_eq!(pod["spec"]["hostname"], "demo-2");
        assert_eq!(pod["spec"]["subdomain"], "demo-peers");
        assert_eq!(
            pod["metadata"]["labels"],
            json!({"app": "demo", POD_NAME: "demo-2", POD_INDEX: "2", REVISION: "demo-abc"})
        );
        assert_eq!(pod.annotation("a"), Some("b"));
        assert_eq!(
            pod["spec"]["volumes"],
            json!([
                {"name": "data", "persistentVolumeClaim": {"claimName": "data-demo-2"}},
                {"name": "config"},
            ])
        );
        assert!(matches(&set, &pod, 2));
    }

    #[test]
    fn a_claim_is_labelled_with_the_selector_of_its_set() {
        let claims = claims(&set(), 1);
        assert_eq!(claims.len(), 1);
        assert_eq!(claims[0].name(), "data-demo-1");
        assert_eq!(claims[0].label("app"), Some("demo"));
    }

    #[test]
    fn a_relabelled_pod_is_repaired() {
        let set = set();
        let mut pod = pod(&set, &set["spec"]["template"], "r", 0);
        pod["metadata"]["labels"][POD_NAME] = "other".into();
        pod["spec"]["volumes"] = json!([]);
        assert!(!matches(&set, &pod, 0));
        repair(&set, &mut pod, 0);
        assert!(matches(&set, &pod, 0));
    }
}
