//! `binding`: putting a pod on a node.
//!
//! Owns: what a binding does to its pod.
//! Always holds: a pod is bound once; nobody owns the field that names the node.
//! Deliberately does not know: how a node is chosen.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::kubernetes::api::{
    ApiError, ApiServer, Resource,
    answer::{Answer, Reply},
    metadata,
    resource::PODS,
    rest::{Call, Target},
    write::Writer,
};

impl ApiServer {
    /// Binds a pod to a node.
    ///
    /// # Errors
    /// When the pod is gone, going, or bound already.
    pub fn bind(
        &mut self,
        now: Timestamp,
        actor: &str,
        (namespace, name): (&str, &str),
        node: &str,
    ) -> Result<(), ApiError> {
        self.bind_as(Writer::new(now, actor), (namespace, name), node, "")
    }

    fn bind_as(
        &mut self,
        mut writer: Writer,
        (namespace, name): (&str, &str),
        node: &str,
        uid: &str,
    ) -> Result<(), ApiError> {
        let pod = self
            .store
            .get(&PODS.id, namespace, name)
            .ok_or_else(|| ApiError::not_found(&PODS, name))?;
        if !uid.is_empty() && uid != metadata::uid(pod) {
            let why = format!(
                "Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
                metadata::uid(pod)
            );
            return Err(ApiError::conflict(&PODS, name, why));
        }
        let bound = bound(pod, node, &metadata::time(writer.now))?;
        writer.tracked = true;
        self.update_as(&writer, &PODS, "binding", bound).map(drop)
    }

    pub(in crate::kubernetes::api) fn answer_binding(
        &mut self,
        call: &Call,
        target: &Target,
    ) -> Result<Answer, ApiError> {
        let manager = call.manager();
        let mut writer = call.writer(&manager)?;
        let binding = self.body(call, &target.r, &mut writer)?;
        let node = binding["target"]["name"].as_str().unwrap_or_default();
        if node.is_empty() {
            let why = "Binding.core \"\" is invalid: target.name: Required value";
            return Err(ApiError::new(422, "Invalid", why));
        }
        let place = (target.namespace(), target.name());
        self.bind_as(writer, place, node, metadata::uid(&binding))?;
        let success = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201,
        });
        Ok(Reply::json(201, &success).into())
    }
}

fn bound(pod: &Value, node: &str, now: &str) -> Result<Value, ApiError> {
    let name = metadata::name(pod);
    let conflict = |why: String| {
        let r = Resource {
            plural: "pods/binding".into(),
            ..PODS.clone()
        };
        Err(ApiError::conflict(&r, name, why))
    };
    if metadata::is_deleting(pod) {
        return conflict(format!(
            "pod {name} is being deleted, cannot be assigned to a host"
        ));
    }
    if let Some(bound) = pod["spec"]["nodeName"]
        .as_str()
        .filter(|bound| !bound.is_empty())
    {
        return conflict(format!("pod {name} is already assigned to node {bound:?}"));
    }
    let mut pod = pod.clone();
    pod["spec"]["nodeName"] = node.into();
    let scheduled = json!({
        "type": "PodScheduled", "status": "True", "lastTransitionTime": now,
    });
    let conditions = metadata::fields(&mut pod["status"])
        .entry("conditions")
        .or_insert_with(|| Value::Array(Vec::new()));
    if let Value::Array(conditions) = conditions {
        conditions.retain(|condition| condition["type"] != "PodScheduled");
        conditions.push(scheduled);
    }
    Ok(pod)
}
