//! The environment, command and arguments of a container.
//!
//! Owns: `$(VAR)` expansion, values from fields of the pod, from ConfigMaps, from Secrets, and the
//! variables that describe services.
//! Always holds: a later variable may use an earlier one; what is not defined stays as written.
//! Deliberately does not know: what a program does with its environment.

use std::collections::BTreeMap;

use serde_json::Value;

use super::content;
use crate::kubernetes::{
    api::{
        ApiServer,
        resource::{CONFIG_MAPS, SECRETS, SERVICES},
    },
    controllers::object::Meta,
};

/// Why a container cannot be configured; the kubelet shows it as `CreateContainerConfigError`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotConfigurable {
    /// A ConfigMap or Secret is not there.
    #[error("{kind} \"{name}\" not found")]
    Missing {
        /// `configmap` or `secret`.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// It is there and lacks the key.
    #[error("couldn't find key {key} in {kind} {namespace}/{name}")]
    NoKey {
        /// `ConfigMap` or `Secret`.
        kind: &'static str,
        /// The key.
        key: String,
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// The simulation does not have this.
    #[error("not modelled: {0}")]
    NotModelled(String),
}

/// What a pod knows of itself besides its object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Address of the pod.
    pub pod_ip: String,
    /// Address of the node.
    pub host_ip: String,
}

/// The variables of a container.
///
/// # Errors
/// When something that is not optional is missing, or is not modelled.
pub fn variables(
    api: &ApiServer,
    pod: &Value,
    container: &Value,
    place: &Place,
) -> Result<BTreeMap<String, String>, NotConfigurable> {
    let mut all = service_links(api, pod);
    for source in container.items("/envFrom") {
        all.extend(whole_source(api, pod, source)?);
    }
    let mut own = BTreeMap::new();
    for variable in container.items("/env") {
        if let Some(value) = value(api, pod, variable, place, &own)? {
            own.insert(variable.text("/name").to_owned(), value);
        }
    }
    all.extend(own);
    Ok(all)
}

/// A list of words (`command` or `args`) with every variable expanded.
#[must_use]
pub fn words(container: &Value, field: &str, variables: &BTreeMap<String, String>) -> Vec<String> {
    let listed = container[field].as_array().map_or(&[][..], Vec::as_slice);
    listed
        .iter()
        .filter_map(Value::as_str)
        .map(|word| expand(word, variables))
        .collect()
}

/// Replaces `$(NAME)` by its value; `$$` is a dollar, unknown names stay.
#[must_use]
pub fn expand(text: &str, variables: &BTreeMap<String, String>) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        expanded.push_str(&rest[..dollar]);
        rest = &rest[dollar + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            expanded.push('$');
            rest = after;
        } else if let Some((name, after)) = reference(rest) {
            match variables.get(name) {
                Some(value) => expanded.push_str(value),
                None => expanded.push_str(&format!("$({name})")),
            }
            rest = after;
        } else {
            expanded.push('$');
        }
    }
    expanded.push_str(rest);
    expanded
}

fn reference(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix('(')?.split_once(')')
}

fn value(
    api: &ApiServer,
    pod: &Value,
    variable: &Value,
    place: &Place,
    earlier: &BTreeMap<String, String>,
) -> Result<Option<String>, NotConfigurable> {
    let from = &variable["valueFrom"];
    if from.is_null() {
        return Ok(Some(expand(variable.text("/value"), earlier)));
    }
    if let Some(path) = from["fieldRef"]["fieldPath"].as_str() {
        return field(pod, path, place).map(Some);
    }
    for (source, resource, kinds) in [
        ("configMapKeyRef", &CONFIG_MAPS, ("configmap", "ConfigMap")),
        ("secretKeyRef", &SECRETS, ("secret", "Secret")),
    ] {
        let reference = &from[source];
        if reference.is_null() {
            continue;
        }
        let (name, key) = (reference.text("/name"), reference.text("/key"));
        let optional = reference["optional"].as_bool().unwrap_or(false);
        let Some(object) = api.get(resource, pod.namespace(), name) else {
            let missing = NotConfigurable::Missing {
                kind: kinds.0,
                name: name.to_owned(),
            };
            return if optional { Ok(None) } else { Err(missing) };
        };
        let files = content::files(&object);
        return match files.get(key) {
            Some(value) => Ok(Some(String::from_utf8_lossy(value).into_owned())),
            None if optional => Ok(None),
            None => Err(NotConfigurable::NoKey {
                kind: kinds.1,
                key: key.to_owned(),
                namespace: pod.namespace().to_owned(),
                name: name.to_owned(),
            }),
        };
    }
    let sources = from.as_object().into_iter().flatten();
    let named: Vec<&str> = sources.map(|(name, _)| name.as_str()).collect();
    Err(NotConfigurable::NotModelled(format!(
        "env valueFrom {}",
        named.join(", ")
    )))
}

/// The value of a field of the pod, as the downward API gives it.
///
/// # Errors
/// When the field is not one of those that are modelled.
pub fn field(pod: &Value, path: &str, place: &Place) -> Result<String, NotConfigurable> {
    let keyed = |prefix: &str| path.strip_prefix(prefix)?.strip_suffix("']");
    if let Some(key) = keyed("metadata.labels['") {
        return Ok(pod.label(key).unwrap_or_default().to_owned());
    }
    if let Some(key) = keyed("metadata.annotations['") {
        return Ok(pod.annotation(key).unwrap_or_default().to_owned());
    }
    let text = match path {
        "metadata.name" => pod.name(),
        "metadata.namespace" => pod.namespace(),
        "metadata.uid" => pod.uid(),
        "spec.nodeName" => pod.text("/spec/nodeName"),
        "spec.serviceAccountName" => pod.text("/spec/serviceAccountName"),
        "status.podIP" | "status.podIPs" => &place.pod_ip,
        "status.hostIP" | "status.hostIPs" => &place.host_ip,
        _ => return Err(NotConfigurable::NotModelled(format!("fieldPath {path}"))),
    };
    Ok(text.to_owned())
}

fn whole_source(
    api: &ApiServer,
    pod: &Value,
    source: &Value,
) -> Result<BTreeMap<String, String>, NotConfigurable> {
    let (reference, resource, kind) = if source["configMapRef"].is_object() {
        (&source["configMapRef"], &CONFIG_MAPS, "configmap")
    } else {
        (&source["secretRef"], &SECRETS, "secret")
    };
    let name = reference.text("/name");
    let Some(object) = api.get(resource, pod.namespace(), name) else {
        if reference["optional"] == true {
            return Ok(BTreeMap::new());
        }
        return Err(NotConfigurable::Missing {
            kind,
            name: name.to_owned(),
        });
    };
    let prefix = source.text("/prefix");
    Ok(content::files(&object)
        .into_iter()
        .map(|(key, value)| {
            let value = String::from_utf8_lossy(&value).into_owned();
            (format!("{prefix}{key}"), value)
        })
        .collect())
}

/// What the kubelet tells a container about the services of its namespace, and about the API.
fn service_links(api: &ApiServer, pod: &Value) -> BTreeMap<String, String> {
    let mut links = BTreeMap::new();
    if let Some(api_service) = api.get(&SERVICES, "default", "kubernetes") {
        link(&mut links, &api_service);
    }
    if pod["spec"]["enableServiceLinks"] != false {
        for service in api.list(&SERVICES, Some(pod.namespace())) {
            link(&mut links, &service);
        }
    }
    links
}

fn link(links: &mut BTreeMap<String, String>, service: &Value) {
    let ip = service.text("/spec/clusterIP");
    let ports = service.items("/spec/ports");
    if matches!(ip, "" | "None") || ports.is_empty() {
        return;
    }
    let upper = |text: &str| text.to_uppercase().replace('-', "_");
    let name = upper(service.name());
    let number = |port: &Value| port["port"].as_u64().unwrap_or(0);
    links.insert(format!("{name}_SERVICE_HOST"), ip.to_owned());
    links.insert(
        format!("{name}_SERVICE_PORT"),
        number(&ports[0]).to_string(),
    );
    for (index, port) in ports.iter().enumerate() {
        let protocol = port["protocol"].as_str().unwrap_or("TCP");
        let number = number(port);
        let url = format!("{}://{ip}:{number}", protocol.to_lowercase());
        let base = format!("{name}_PORT_{number}_{protocol}");
        if let Some(named) = port["name"].as_str().filter(|named| !named.is_empty()) {
            let key = format!("{name}_SERVICE_PORT_{}", upper(named));
            links.insert(key, number.to_string());
        }
        if index == 0 {
            links.insert(format!("{name}_PORT"), url.clone());
        }
        links.insert(base.clone(), url);
        links.insert(format!("{base}_PROTO"), protocol.to_lowercase());
        links.insert(format!("{base}_PORT"), number.to_string());
        links.insert(format!("{base}_ADDR"), ip.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;

    fn place() -> Place {
        Place {
            pod_ip: "10.0.0.7".to_owned(),
            host_ip: "10.9.0.1".to_owned(),
        }
    }

    fn pod() -> Value {
        json!({
            "metadata": {"name": "demo-0", "namespace": "default", "uid": "u"},
            "spec": {"nodeName": "node-1", "enableServiceLinks": false},
        })
    }

    #[test]
    fn references_are_expanded_and_unknown_ones_stay() {
        let variables = BTreeMap::from([("POD".to_owned(), "demo-0".to_owned())]);
        for (text, expanded) in [
            ("--name=$(POD)", "--name=demo-0"),
            ("http://$(POD).$(SVC):2380", "http://demo-0.$(SVC):2380"),
            ("$$(POD)", "$(POD)"),
            ("100$", "100$"),
            ("$(POD", "$(POD"),
            ("$POD", "$POD"),
        ] {
            assert_eq!(expand(text, &variables), expanded);
        }
    }

    #[test]
    fn a_variable_may_use_earlier_ones_and_fields_of_the_pod() {
        let container = json!({"env": [
            {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            {"name": "URL", "value": "http://$(POD):$(PORT)"},
            {"name": "PORT", "value": "2380"},
        ]});
        let found = variables(&ApiServer::new(1), &pod(), &container, &place()).unwrap();
        assert_eq!(found["URL"], "http://demo-0:$(PORT)");
        assert_eq!(found["IP"], "10.0.0.7");
    }

    #[test]
    fn a_missing_source_is_an_error_unless_it_is_optional() {
        let api = ApiServer::new(1);
        let mut container = json!({"env": [{"name": "TOKEN", "valueFrom": {
            "configMapKeyRef": {"name": "settings", "key": "token"},
        }}]});
        let refused = variables(&api, &pod(), &container, &place()).unwrap_err();
        assert_eq!(refused.to_string(), "configmap \"settings\" not found");
        container["env"][0]["valueFrom"]["configMapKeyRef"]["optional"] = true.into();
        let found = variables(&api, &pod(), &container, &place()).unwrap();
        assert!(!found.contains_key("TOKEN"));
    }

    #[test]
    fn services_of_the_namespace_are_described_unless_the_pod_does_not_want_it() {
        let mut api = ApiServer::new(1);
        let service = json!({
            "metadata": {"name": "etcd-client", "namespace": "default"},
            "spec": {"clusterIP": "10.96.0.9", "ports": [{"name": "client", "port": 2379}]},
        });
        let now = Timestamp::UNIX_EPOCH;
        api.create(now, "test", &SERVICES, service).unwrap();
        let mut pod = pod();
        let found = variables(&api, &pod, &json!({}), &place()).unwrap();
        assert!(!found.contains_key("ETCD_CLIENT_PORT"));
        assert!(found.contains_key("KUBERNETES_SERVICE_HOST"));
        pod["spec"]["enableServiceLinks"] = true.into();
        let found = variables(&api, &pod, &json!({}), &place()).unwrap();
        assert_eq!(found["ETCD_CLIENT_PORT"], "tcp://10.96.0.9:2379");
        assert_eq!(found["ETCD_CLIENT_SERVICE_PORT_CLIENT"], "2379");
        assert_eq!(found["ETCD_CLIENT_PORT_2379_TCP_ADDR"], "10.96.0.9");
    }
}
