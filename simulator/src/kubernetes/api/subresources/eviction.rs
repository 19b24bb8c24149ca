//! `eviction`: a delete that respects disruption budgets.
//!
//! Owns: which budget covers a pod, and spending from it.
//! Always holds: a pod that a budget covers goes only when the budget allows it, and the budget
//! remembers the pod until its controller has seen it go.
//! Deliberately does not know: how budgets are computed.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::kubernetes::api::{
    ApiError, ApiServer,
    answer::{Answer, Reply},
    delete::DeleteOptions,
    metadata,
    resource::{POD_DISRUPTION_BUDGETS as BUDGETS, PODS},
    rest::{Call, Target},
    selector::label_selector_matches,
    write::Writer,
};

impl ApiServer {
    /// Evicts a pod: deletes it unless a disruption budget says no.
    ///
    /// # Errors
    /// 429 when the budget is spent; else as a delete.
    pub fn evict(
        &mut self,
        now: Timestamp,
        actor: &str,
        (namespace, name): (&str, &str),
        options: &DeleteOptions,
    ) -> Result<(), ApiError> {
        self.evict_as(&Writer::new(now, actor), (namespace, name), options)
    }

    fn evict_as(
        &mut self,
        writer: &Writer,
        (namespace, name): (&str, &str),
        options: &DeleteOptions,
    ) -> Result<(), ApiError> {
        let pod = self
            .store
            .get(&PODS.id, namespace, name)
            .cloned()
            .ok_or_else(|| ApiError::not_found(&PODS, name))?;
        self.spend(writer, &pod)?;
        self.mark_disrupted(writer, &pod)?;
        self.delete_as(writer, &PODS, (namespace, name), options)
            .map(drop)
    }

    pub(in crate::kubernetes::api) fn answer_eviction(
        &mut self,
        call: &Call,
        target: &Target,
    ) -> Result<Answer, ApiError> {
        let manager = call.manager();
        let mut writer = call.writer(&manager)?;
        let eviction = self.body(call, &target.r, &mut writer)?;
        let named = metadata::name(&eviction);
        if !named.is_empty() && named != target.name() {
            let why = "name in URL does not match name in Eviction object";
            return Err(ApiError::bad_request(why));
        }
        let asked = &eviction["deleteOptions"];
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let options = DeleteOptions {
            grace_period_seconds: asked["gracePeriodSeconds"].as_i64(),
            uid: text(&asked["preconditions"]["uid"]),
            resource_version: text(&asked["preconditions"]["resourceVersion"]),
            ..DeleteOptions::default()
        };
        self.evict_as(&writer, (target.namespace(), target.name()), &options)?;
        let success = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201,
        });
        Ok(Reply::json(201, &success).into())
    }

    /// Says on the pod why it goes.
    fn mark_disrupted(&mut self, writer: &Writer, pod: &Value) -> Result<(), ApiError> {
        if writer.dry_run {
            return Ok(());
        }
        let mut marked = pod.clone();
        let conditions = metadata::fields(&mut marked["status"])
            .entry("conditions")
            .or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(conditions) = conditions {
            conditions.retain(|condition| condition["type"] != "DisruptionTarget");
            conditions.push(json!({
                "type": "DisruptionTarget", "status": "True",
                "lastTransitionTime": metadata::time(writer.now),
                "reason": "EvictionByEvictionAPI", "message": "Eviction API: evicting",
            }));
        }
        // The server writes it past whoever owns the conditions.
        let past = Writer {
            tracked: true,
            ..writer.clone()
        };
        self.update_as(&past, &PODS, "status", marked).map(drop)
    }

    /// Takes one disruption from the budget that covers the pod, if one does.
    fn spend(&mut self, writer: &Writer, pod: &Value) -> Result<(), ApiError> {
        let phase = pod["status"]["phase"].as_str().unwrap_or_default();
        if matches!(phase, "Pending" | "Succeeded" | "Failed") || metadata::is_deleting(pod) {
            return Ok(());
        }
        let covering: Vec<Arc<Value>> = self
            .store
            .list(&BUDGETS.id, Some(metadata::namespace(pod)))
            .filter(|budget| {
                let selector = &budget["spec"]["selector"];
                selector.is_object() && label_selector_matches(selector, &pod["metadata"]["labels"])
            })
            .cloned()
            .collect();
        let budget = match covering.as_slice() {
            [] => return Ok(()),
            [budget] => budget,
            _ => {
                let why = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
                return Err(ApiError::new(
                    500,
                    "InternalError",
                    format!("Internal error occurred: {why}"),
                )
                .with_details(json!({"causes": [{"message": why}]})));
            }
        };
        if !is_ready(pod) && may_go_unready(budget) {
            return Ok(());
        }
        let spent = take(budget, pod, &metadata::time(writer.now))?;
        self.update_as(writer, &BUDGETS, "status", spent).map(drop)
    }
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

/// A pod that is not ready costs nothing, when the policy or a healthy budget says so.
fn may_go_unready(budget: &Value) -> bool {
    let status = &budget["status"];
    let healthy = status["currentHealthy"].as_i64().unwrap_or(0);
    let desired = status["desiredHealthy"].as_i64().unwrap_or(0);
    match budget["spec"]["unhealthyPodEvictionPolicy"].as_str() {
        Some("AlwaysAllow") => true,
        _ => healthy >= desired && desired > 0,
    }
}

fn take(budget: &Value, pod: &Value, now: &str) -> Result<Value, ApiError> {
    let name = metadata::name(budget);
    let status = &budget["status"];
    let number = |field: &str| status[field].as_i64().unwrap_or(0);
    if number("observedGeneration") < metadata::generation(budget) {
        let why = format!("The disruption budget {name} is still being processed by the server.");
        return Err(refused(
            "Cannot evict pod as it would violate the pod's disruption budget.",
            &why,
            Some(10),
        ));
    }
    let allowed = number("disruptionsAllowed");
    if allowed <= 0 {
        let why = format!(
            "The disruption budget {name} needs {} healthy pods and has {} currently",
            number("desiredHealthy"),
            number("currentHealthy")
        );
        return Err(refused(
            "Cannot evict pod as it would violate the pod's disruption budget.",
            &why,
            None,
        ));
    }
    let mut spent = budget.clone();
    let status = metadata::fields(&mut spent["status"]);
    status.insert("disruptionsAllowed".into(), (allowed - 1).into());
    let disrupted = status
        .entry("disruptedPods")
        .or_insert_with(|| Map::new().into());
    metadata::fields(disrupted).insert(metadata::name(pod).to_owned(), now.into());
    Ok(spent)
}

fn refused(message: &str, why: &str, retry_after: Option<u64>) -> ApiError {
    let mut details = json!({"causes": [{"reason": "DisruptionBudget", "message": why}]});
    if let Some(seconds) = retry_after {
        details["retryAfterSeconds"] = seconds.into();
    }
    ApiError::new(429, "TooManyRequests", message).with_details(details)
}
