//! What makes a pod or a pod template invalid.
//!
//! Owns: the checks on containers, volumes and policies, and what a pod may change.
//! Always holds: causes come in the order in which a real server lists them.
//! Deliberately does not know: images, nodes, volumes that exist.

use std::collections::BTreeSet;

use serde_json::Value;

use super::items;
use crate::kubernetes::api::{Cause, names, quantity};

const PORTS: std::ops::RangeInclusive<i64> = 1..=65535;
const HANDLERS: [&str; 4] = ["exec", "httpGet", "tcpSocket", "grpc"];
const CHANGEABLE: &str = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/// Checks a pod spec at a path.
pub(super) fn validate(spec: &Value, at: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    let volumes = volumes(spec, at, &mut causes);
    if items(&spec["containers"]).next().is_none() {
        causes.push(Cause::required(format!("{at}.containers"), ""));
    }
    let mut seen = BTreeSet::new();
    for list in ["containers", "initContainers"] {
        for (index, container) in items(&spec[list]).enumerate() {
            let at = format!("{at}.{list}[{index}]");
            check_container(container, &at, &volumes, &mut seen, &mut causes);
        }
    }
    let policy = spec["restartPolicy"].as_str().unwrap_or_default();
    let policies = ["Always", "OnFailure", "Never"];
    if !policies.contains(&policy) {
        causes.push(Cause::unsupported(
            format!("{at}.restartPolicy"),
            policy,
            &policies,
        ));
    }
    let policy = spec["dnsPolicy"].as_str().unwrap_or_default();
    let policies = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    if !policies.contains(&policy) {
        causes.push(Cause::unsupported(
            format!("{at}.dnsPolicy"),
            policy,
            &policies,
        ));
    }
    for field in ["hostname", "subdomain"] {
        if let Some(name) = spec[field].as_str().filter(|name| !name.is_empty())
            && let Some(wrong) = names::label(name)
        {
            causes.push(Cause::invalid(
                format!("{at}.{field}"),
                format!("{name:?}"),
                wrong,
            ));
        }
    }
    causes
}

fn volumes<'a>(spec: &'a Value, at: &str, causes: &mut Vec<Cause>) -> BTreeSet<&'a str> {
    let mut known = BTreeSet::new();
    for (index, volume) in items(&spec["volumes"]).enumerate() {
        let at = format!("{at}.volumes[{index}]");
        let sources: Vec<&String> = volume
            .as_object()
            .into_iter()
            .flatten()
            .map(|(field, _)| field)
            .filter(|field| *field != "name")
            .collect();
        for extra in sources.iter().skip(1) {
            let at = format!("{at}.{extra}");
            causes.push(Cause::forbidden(
                at,
                "may not specify more than 1 volume type",
            ));
        }
        let name = volume["name"].as_str().unwrap_or_default();
        check_label(name, &format!("{at}.name"), causes);
        if !known.insert(name) {
            causes.push(Cause::duplicate(format!("{at}.name"), format!("{name:?}")));
        }
    }
    known
}

fn check_label(name: &str, at: &str, causes: &mut Vec<Cause>) {
    if name.is_empty() {
        causes.push(Cause::required(at, ""));
    } else if let Some(wrong) = names::label(name) {
        causes.push(Cause::invalid(at, format!("{name:?}"), wrong));
    }
}

fn check_container<'a>(
    container: &'a Value,
    at: &str,
    volumes: &BTreeSet<&str>,
    seen: &mut BTreeSet<&'a str>,
    causes: &mut Vec<Cause>,
) {
    let name = container["name"].as_str().unwrap_or_default();
    check_label(name, &format!("{at}.name"), causes);
    if !name.is_empty() && !seen.insert(name) {
        causes.push(Cause::duplicate(format!("{at}.name"), format!("{name:?}")));
    }
    if container["image"].as_str().is_none_or(str::is_empty) {
        causes.push(Cause::required(format!("{at}.image"), ""));
    }
    check_ports(container, at, causes);
    check_variables(container, at, causes);
    check_mounts(container, at, volumes, causes);
    check_resources(&container["resources"], at, causes);
    let policy = container["imagePullPolicy"].as_str().unwrap_or_default();
    let policies = ["Always", "IfNotPresent", "Never"];
    if !policies.contains(&policy) {
        causes.push(Cause::unsupported(
            format!("{at}.imagePullPolicy"),
            policy,
            &policies,
        ));
    }
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if container[name].is_object() {
            check_probe(&container[name], &format!("{at}.{name}"), name, causes);
        }
    }
}

/// Nothing may ask for more than it may have.
fn check_resources(resources: &Value, at: &str, causes: &mut Vec<Cause>) {
    let requests = resources["requests"].as_object().into_iter().flatten();
    for (name, request) in requests {
        let limit = &resources["limits"][name];
        let amount = |value: &Value| quantity::nanos(value.as_str()?);
        if let (Some(asked), Some(most)) = (amount(request), amount(limit))
            && asked > most
        {
            let limit = limit.as_str().unwrap_or_default();
            let why = format!("must be less than or equal to {name} limit of {limit}");
            causes.push(Cause::invalid(
                format!("{at}.resources.requests"),
                request,
                why,
            ));
        }
    }
}

fn check_ports(container: &Value, at: &str, causes: &mut Vec<Cause>) {
    let mut seen = BTreeSet::new();
    for (index, port) in items(&container["ports"]).enumerate() {
        let at = format!("{at}.ports[{index}]");
        if let Some(name) = port["name"].as_str().filter(|name| !name.is_empty())
            && !seen.insert(name)
        {
            causes.push(Cause::duplicate(format!("{at}.name"), format!("{name:?}")));
        }
        let number = port["containerPort"].as_i64().unwrap_or(0);
        if number == 0 {
            causes.push(Cause::required(format!("{at}.containerPort"), ""));
        } else if !PORTS.contains(&number) {
            let why = "must be between 1 and 65535, inclusive";
            causes.push(Cause::invalid(format!("{at}.containerPort"), number, why));
        }
    }
}

fn check_variables(container: &Value, at: &str, causes: &mut Vec<Cause>) {
    for (index, variable) in items(&container["env"]).enumerate() {
        let at = format!("{at}.env[{index}]");
        let name = variable["name"].as_str().unwrap_or_default();
        let printable = |c: char| (' '..='~').contains(&c) && c != '=';
        if name.is_empty() {
            causes.push(Cause::required(format!("{at}.name"), ""));
        } else if !name.chars().all(printable) {
            let why = "a valid environment variable name must consist only of printable ASCII characters other than '='";
            causes.push(Cause::invalid(
                format!("{at}.name"),
                format!("{name:?}"),
                why,
            ));
        }
        let valued = variable["value"]
            .as_str()
            .is_some_and(|value| !value.is_empty());
        if valued && variable["valueFrom"].is_object() {
            let why = "may not be specified when `value` is not empty";
            causes.push(Cause::invalid(format!("{at}.valueFrom"), "\"\"", why));
        }
    }
}

fn check_mounts(container: &Value, at: &str, volumes: &BTreeSet<&str>, causes: &mut Vec<Cause>) {
    let mut seen = BTreeSet::new();
    for (index, mount) in items(&container["volumeMounts"]).enumerate() {
        let at = format!("{at}.volumeMounts[{index}]");
        let name = mount["name"].as_str().unwrap_or_default();
        if name.is_empty() {
            causes.push(Cause::required(format!("{at}.name"), ""));
        } else if !volumes.contains(name) {
            let message = format!("Not found: {name:?}");
            causes.push(Cause::new(
                "FieldValueNotFound",
                format!("{at}.name"),
                message,
            ));
        }
        let path = mount["mountPath"].as_str().unwrap_or_default();
        if path.is_empty() {
            causes.push(Cause::required(format!("{at}.mountPath"), ""));
        } else if !seen.insert(path) {
            let why = "must be unique";
            causes.push(Cause::invalid(
                format!("{at}.mountPath"),
                format!("{path:?}"),
                why,
            ));
        }
    }
}

fn check_probe(probe: &Value, at: &str, name: &str, causes: &mut Vec<Cause>) {
    let handlers = HANDLERS
        .iter()
        .filter(|handler| probe[**handler].is_object())
        .count();
    if handlers == 0 {
        causes.push(Cause::required(at, "must specify a handler type"));
    }
    let timings = [
        "initialDelaySeconds",
        "timeoutSeconds",
        "periodSeconds",
        "successThreshold",
        "failureThreshold",
    ];
    for field in timings {
        if let Some(value) = probe[field].as_i64().filter(|value| *value < 0) {
            let why = "must be greater than or equal to 0";
            causes.push(Cause::invalid(format!("{at}.{field}"), value, why));
        }
    }
    let successes = probe["successThreshold"].as_i64().unwrap_or(1);
    if name != "readinessProbe" && successes != 1 {
        causes.push(Cause::invalid(
            format!("{at}.successThreshold"),
            successes,
            "must be 1",
        ));
    }
}

/// A pod may change little of its spec.
pub(super) fn validate_update(pod: &Value, live: &Value) -> Vec<Cause> {
    if fixed_part(pod, live) == live["spec"] {
        return Vec::new();
    }
    vec![Cause::forbidden("spec", CHANGEABLE)]
}

/// The new spec with everything that may change taken from the live pod.
fn fixed_part(pod: &Value, live: &Value) -> Value {
    let mut spec = pod["spec"].clone();
    for list in ["containers", "initContainers"] {
        let before = &live["spec"][list];
        let containers = spec
            .get_mut(list)
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten();
        for (container, before) in containers.zip(items(before)) {
            if container["name"] == before["name"] && container["image"].is_string() {
                container["image"] = before["image"].clone();
            }
        }
    }
    let kept = items(&live["spec"]["tolerations"])
        .all(|toleration| items(&spec["tolerations"]).any(|given| given == toleration));
    let mut free = vec!["activeDeadlineSeconds"];
    if kept {
        free.push("tolerations");
    }

    for field in free {
        let before = live["spec"].get(field).cloned();
        if let Some(spec) = spec.as_object_mut() {
            crate::kubernetes::api::metadata::set(spec, field, before);
        }
    }
    // Go writes an absent list and an empty one alike.
    if let Some(spec) = spec.as_object_mut() {
        spec.retain(|field, value| {
            !(live["spec"].get(field).is_none() && *value == Value::Array(Vec::new()))
        });
    }
    spec
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(spec: &Value) -> Vec<String> {
        let causes = validate(spec, "spec");
        causes
            .iter()
            .map(|cause| format!("{}: {}", cause.field, cause.message))
            .collect()
    }

    #[test]
    fn what_is_wrong_is_told_in_the_words_and_order_of_a_real_server() {
        let spec = json!({
            "restartPolicy": "Foo", "dnsPolicy": "Bar",
            "containers": [
                {
                    "name": "a", "image": "", "imagePullPolicy": "X",
                    "ports": [{"containerPort": 0}, {"containerPort": 70000, "name": "x"}, {"containerPort": 5, "name": "x"}],
                    "volumeMounts": [{"name": "z", "mountPath": "/a"}, {"name": "v", "mountPath": ""}],
                    "env": [{"name": "a=b"}, {"name": ""}],
                    "livenessProbe": {"periodSeconds": -1},
                },
                {"name": "a", "image": "x", "imagePullPolicy": "Always"},
            ],
            "volumes": [{"name": "v"}, {"name": "v", "emptyDir": {}, "secret": {}}],
        });
        assert_eq!(
            told(&spec),
            [
                "spec.volumes[1].secret: Forbidden: may not specify more than 1 volume type",
                "spec.volumes[1].name: Duplicate value: \"v\"",
                "spec.containers[0].image: Required value",
                "spec.containers[0].ports[0].containerPort: Required value",
                "spec.containers[0].ports[1].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
                "spec.containers[0].ports[2].name: Duplicate value: \"x\"",
                "spec.containers[0].env[0].name: Invalid value: \"a=b\": a valid environment variable name must consist only of printable ASCII characters other than '='",
                "spec.containers[0].env[1].name: Required value",
                "spec.containers[0].volumeMounts[0].name: Not found: \"z\"",
                "spec.containers[0].volumeMounts[1].mountPath: Required value",
                "spec.containers[0].imagePullPolicy: Unsupported value: \"X\": supported values: \"Always\", \"IfNotPresent\", \"Never\"",
                "spec.containers[0].livenessProbe: Required value: must specify a handler type",
                "spec.containers[0].livenessProbe.periodSeconds: Invalid value: -1: must be greater than or equal to 0",
                "spec.containers[1].name: Duplicate value: \"a\"",
                "spec.restartPolicy: Unsupported value: \"Foo\": supported values: \"Always\", \"OnFailure\", \"Never\"",
                "spec.dnsPolicy: Unsupported value: \"Bar\": supported values: \"ClusterFirstWithHostNet\", \"ClusterFirst\", \"Default\", \"None\"",
            ]
        );
    }

    #[test]
    fn a_pod_may_change_its_image_and_add_tolerations_only() {
        let live = json!({"spec": {"containers": [{"name": "a", "image": "x"}], "tolerations": [{"key": "k"}]}});
        let with = |change: &dyn Fn(&mut Value)| {
            let mut pod = live.clone();
            change(&mut pod["spec"]);
            validate_update(&pod, &live).is_empty()
        };
        assert!(with(&|spec| spec["containers"][0]["image"] = "y".into()));
        assert!(with(
            &|spec| spec["tolerations"] = json!([{"key": "k"}, {"key": "l"}])
        ));
        assert!(!with(&|spec| spec["tolerations"] = json!([])));
        assert!(!with(&|spec| spec["hostname"] = "h".into()));
        assert!(!with(
            &|spec| spec["containers"][0]["command"] = json!(["x"])
        ));
    }
}
