//! Defaults of pods and of pod templates.
//!
//! Owns: every default that a user sees in a pod.
//! Always holds: applying the defaults twice changes nothing more.
//! Deliberately does not know: what admission adds, which is in `pod`.

use serde_json::{Map, Value, json};

use super::{each, fields, fill, part};

type Fields = Map<String, Value>;

/// Defaults of a pod.
pub(super) fn pod(object: &mut Value) {
    let spec = fields(&mut object["spec"]);
    spec_defaults(spec);
    fill(spec, "enableServiceLinks", true);
    for list in ["containers", "initContainers"] {
        for container in each(spec, list) {
            let Some(resources) = part(container, "resources") else {
                continue;
            };
            let limits = resources.get("limits").and_then(Value::as_object).cloned();
            let Some(limits) = limits else { continue };
            let requests = fields(resources.entry("requests").or_insert(Value::Null));
            for (name, amount) in limits {
                requests.entry(name).or_insert(amount);
            }
        }
    }
}

/// Defaults of a pod template.
pub(super) fn template(object: &mut Value) {
    spec_defaults(fields(&mut object["spec"]));
}

fn spec_defaults(spec: &mut Fields) {
    fill(spec, "restartPolicy", "Always");
    fill(spec, "dnsPolicy", "ClusterFirst");
    fill(spec, "terminationGracePeriodSeconds", 30);
    fill(spec, "schedulerName", "default-scheduler");
    fill(spec, "securityContext", json!({}));
    if let Some(account) = spec.get("serviceAccountName").cloned() {
        fill(spec, "serviceAccount", account);
    }
    for list in ["initContainers", "containers"] {
        each(spec, list).for_each(container);
    }
    each(spec, "volumes").for_each(volume);
}

fn container(container: &mut Fields) {
    let image = container
        .get("image")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let policy = if is_latest(image) {
        "Always"
    } else {
        "IfNotPresent"
    };
    fill(container, "imagePullPolicy", policy);
    fill(container, "terminationMessagePath", "/dev/termination-log");
    fill(container, "terminationMessagePolicy", "File");
    fill(container, "resources", json!({}));
    for port in each(container, "ports") {
        fill(port, "protocol", "TCP");
    }
    for variable in each(container, "env") {
        if let Some(reference) = part(variable, "valueFrom").and_then(|from| part(from, "fieldRef"))
        {
            fill(reference, "apiVersion", "v1");
        }
    }
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(found) = part(container, name) {
            probe(found);
        }
    }
    if let Some(lifecycle) = part(container, "lifecycle") {
        for name in ["postStart", "preStop"] {
            if let Some(handler) = part(lifecycle, name) {
                http_get(handler);
            }
        }
    }
}

fn is_latest(image: &str) -> bool {
    if image.contains('@') {
        return false;
    }
    let name = image.rsplit('/').next().unwrap_or_default();
    name.split_once(':').is_none_or(|(_, tag)| tag == "latest")
}

fn probe(probe: &mut Fields) {
    for (name, value) in [
        ("timeoutSeconds", 1),
        ("periodSeconds", 10),
        ("successThreshold", 1),
        ("failureThreshold", 3),
    ] {
        if probe.get(name).is_none_or(|given| *given == 0) {
            probe.insert(name.to_owned(), value.into());
        }
    }
    http_get(probe);
    if let Some(grpc) = part(probe, "grpc") {
        grpc.entry("service").or_insert_with(|| "".into());
    }
}

fn http_get(handler: &mut Fields) {
    if let Some(get) = part(handler, "httpGet") {
        fill(get, "path", "/");
        fill(get, "scheme", "HTTP");
    }
}

fn volume(volume: &mut Fields) {
    if volume.keys().all(|name| name == "name") {
        volume.insert("emptyDir".to_owned(), json!({}));
    }
    for source in ["configMap", "secret", "projected", "downwardAPI"] {
        if let Some(found) = part(volume, source) {
            fill(found, "defaultMode", 420);
        }
    }
    if let Some(path) = part(volume, "hostPath") {
        path.entry("type").or_insert_with(|| "".into());
    }
    if let Some(downward) = part(volume, "downwardAPI") {
        downward_items(downward);
    }
    let Some(projected) = part(volume, "projected") else {
        return;
    };
    for source in each(projected, "sources") {
        if let Some(token) = part(source, "serviceAccountToken") {
            fill(token, "expirationSeconds", 3600);
        }
        if let Some(downward) = part(source, "downwardAPI") {
            downward_items(downward);
        }
    }
}

fn downward_items(downward: &mut Fields) {
    for item in each(downward, "items") {
        if let Some(reference) = part(item, "fieldRef") {
            fill(reference, "apiVersion", "v1");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_gets_what_a_real_server_gives_it() {
        let mut pod = json!({"spec": {
            "containers": [{
                "name": "c", "image": "x", "ports": [{"containerPort": 1}],
                "env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
                "livenessProbe": {"httpGet": {"port": 1}},
                "readinessProbe": {"grpc": {"port": 1}},
                "resources": {"limits": {"cpu": "1"}},
            }],
            "volumes": [{"name": "v"}, {"name": "w", "configMap": {"name": "x"}}],
        }});
        super::pod(&mut pod);
        // As answered by a real 1.34 server.
        let expected = json!({"spec": {
            "volumes": [{"name": "v", "emptyDir": {}}, {"name": "w", "configMap": {"name": "x", "defaultMode": 420}}],
            "containers": [{
                "name": "c", "image": "x", "ports": [{"containerPort": 1, "protocol": "TCP"}],
                "env": [{"name": "A", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}}],
                "resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "1"}},
                "livenessProbe": {"httpGet": {"path": "/", "port": 1, "scheme": "HTTP"}, "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3},
                "readinessProbe": {"grpc": {"port": 1, "service": ""}, "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3},
                "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File", "imagePullPolicy": "Always",
            }],
            "restartPolicy": "Always", "dnsPolicy": "ClusterFirst", "terminationGracePeriodSeconds": 30,
            "schedulerName": "default-scheduler", "securityContext": {}, "enableServiceLinks": true,
        }});
        assert_eq!(pod, expected);
        super::pod(&mut pod);
        assert_eq!(pod, expected);
    }

    #[test]
    fn an_image_without_a_tag_is_always_pulled() {
        for (image, latest) in [
            ("etcd", true),
            ("etcd:latest", true),
            ("host:5000/etcd", true),
            ("host:5000/etcd:v3", false),
            ("etcd@sha256:0", false),
        ] {
            assert_eq!(is_latest(image), latest, "{image}");
        }
    }
}
