//! The StatefulSet controller.
//!
//! Owns: pods, claims and revisions of StatefulSets.
//! Always holds: at most one pod for an ordinal; a pod's claims are made before it.
//! Deliberately does not know: where pods run, or what they do.

mod claims;
mod identity;
mod plan;
mod revisions;
mod status;

use std::{collections::BTreeSet, sync::Arc};

use jiff::SignedDuration;
use serde_json::Value;

use self::plan::{Pods, Step, Wanted};
use crate::kubernetes::{
    api::{
        ApiError, ApiServer, Changed,
        resource::{PERSISTENT_VOLUME_CLAIMS, PODS, STATEFUL_SETS},
    },
    controllers::{
        cluster::Cluster,
        object::{Key, Meta},
        queue::{Again, Controller},
        selector,
    },
};

/// Keeps the pods of every StatefulSet as the set wants them.
#[derive(Debug, Default)]
pub struct StatefulSets;

impl Controller for StatefulSets {
    fn name(&self) -> &'static str {
        "statefulset-controller"
    }

    fn affected(&mut self, change: &Changed, api: &ApiServer) -> Vec<Key> {
        if change.is_of(&STATEFUL_SETS) {
            return vec![Key::of(&change.object)];
        }
        if !change.is_of(&PODS) {
            return Vec::new();
        }
        let mut keys: Vec<Key> = [Some(&change.object), change.previous.as_ref()]
            .into_iter()
            .flatten()
            .filter_map(|pod| Some((pod, pod.controller()?)))
            .filter(|(_, owner)| owner.kind == "StatefulSet")
            .map(|(pod, owner)| Key::new(pod.namespace(), &owner.name))
            .collect();
        if keys.is_empty() && !change.deleted {
            keys = selecting(api, &change.object);
        }
        keys.sort();
        keys.dedup();
        keys
    }

    fn reconcile(&mut self, cluster: &mut Cluster, key: &Key) -> Result<Again, ApiError> {
        let Some(set) = cluster.get(&STATEFUL_SETS, &key.namespace, &key.name) else {
            return Ok(Again::No);
        };
        let pods = own_pods(cluster, &set)?;
        sync(cluster, &set, &pods)
    }
}

/// The sets that would take in a pod that nobody owns.
fn selecting(api: &ApiServer, pod: &Value) -> Vec<Key> {
    api.list(&STATEFUL_SETS, Some(pod.namespace()))
        .iter()
        .filter(|set| selector::selects(&set["spec"]["selector"], &pod["metadata"]["labels"]))
        .map(|set| Key::of(set))
        .collect()
}

/// The set's pods, after taking in orphans that it selects and letting go of what it no longer does.
fn own_pods(cluster: &mut Cluster, set: &Value) -> Result<Vec<Arc<Value>>, ApiError> {
    let mut own = Vec::new();
    for pod in cluster.list(&PODS, Some(set.namespace())) {
        let member = identity::ordinal(set.name(), pod.name()).is_some();
        let selected =
            selector::selects(&set["spec"]["selector"], &pod["metadata"]["labels"]) && member;
        match pod.controller() {
            Some(owner) if owner.uid != set.uid() => {}
            Some(_) if selected => own.push(pod),
            Some(_) if !set.is_terminating() => {
                cluster.release(&PODS, &pod, set.uid())?;
            }
            None if selected && !set.is_terminating() && !pod.is_terminating() => {
                own.push(cluster.adopt(&PODS, &pod, set)?);
            }
            _ => {}
        }
    }
    Ok(own)
}

fn sync(cluster: &mut Cluster, set: &Arc<Value>, pods: &[Arc<Value>]) -> Result<Again, ApiError> {
    let revisions = revisions::resolve(cluster, set)?;
    let wanted = Wanted::of(set);
    let sorted = Pods::sort(set.name(), &wanted, pods);
    let stale = stale_ordinals(cluster, set, &wanted, &sorted);
    let update = revisions.update.name().to_owned();
    let steps = plan::plan(&wanted, &sorted, &update, &stale, cluster.now());

    let mut outcome = Ok(());
    for step in &steps {
        outcome = take(cluster, set, &wanted, &revisions, &sorted, step);
        if outcome.is_err() {
            break;
        }
    }
    let replaced = outcome.is_ok() && steps.iter().any(|step| matches!(step, Step::Replace(_)));
    report(cluster, set, &wanted, &revisions, &sorted, replaced)?;
    let used: BTreeSet<&str> = pods.iter().map(|pod| identity::revision(pod)).collect();
    outcome.and(revisions::truncate(cluster, set, &revisions, &used))?;
    Ok(next_look(cluster, &wanted, pods))
}

/// A set with `minReadySeconds` is looked at again after that time, ready pods or not.
fn next_look(cluster: &Cluster, wanted: &Wanted, pods: &[Arc<Value>]) -> Again {
    use crate::kubernetes::controllers::pods::is_available;
    let now = cluster.now();
    let available = pods
        .iter()
        .filter(|pod| is_available(pod, wanted.min_ready, now))
        .count();
    if wanted.min_ready > 0 && i64::try_from(available) != Ok(wanted.replicas) {
        Again::At(now + SignedDuration::from_secs(wanted.min_ready))
    } else {
        Again::No
    }
}

fn stale_ordinals(cluster: &Cluster, set: &Value, wanted: &Wanted, pods: &Pods) -> BTreeSet<i64> {
    if !claims::Retention::of(set).delete_when_scaled {
        return BTreeSet::new();
    }
    (wanted.start..wanted.start + wanted.replicas)
        .filter(|ordinal| !pods.replicas.contains_key(ordinal))
        .filter(|ordinal| {
            let name = identity::pod_name(set, *ordinal);
            existing_claims(cluster, set, *ordinal)
                .iter()
                .any(|claim| claims::is_stale(claim, &name, ""))
        })
        .collect()
}

fn existing_claims(cluster: &Cluster, set: &Value, ordinal: i64) -> Vec<Arc<Value>> {
    set.items("/spec/volumeClaimTemplates")
        .iter()
        .map(|template| identity::claim_name(set, template, ordinal))
        .filter_map(|name| cluster.get(&PERSISTENT_VOLUME_CLAIMS, set.namespace(), &name))
        .collect()
}

fn take(
    cluster: &mut Cluster,
    set: &Value,
    wanted: &Wanted,
    revisions: &revisions::Revisions,
    pods: &Pods,
    step: &Step,
) -> Result<(), ApiError> {
    match step {
        Step::Create(ordinal) => create(cluster, set, wanted, revisions, *ordinal),
        Step::EnsureClaims(ordinal) => ensure_claims(cluster, set, *ordinal),
        Step::Delete(name) => delete(cluster, set, name),
        Step::Replace(name) => match delete(cluster, set, name) {
            Err(error) if error.is_not_found() => Ok(()),
            result => result,
        },
        Step::RetainClaims(ordinal) | Step::Repair(ordinal) => {
            let condemned = || pods.condemned.iter().find(|(found, _)| found == ordinal);
            let pod = pods
                .replicas
                .get(ordinal)
                .or_else(|| condemned().map(|(_, pod)| pod));
            let Some(pod) = pod else { return Ok(()) };
            retain_claims(cluster, set, wanted, *ordinal, pod.uid())?;
            if matches!(step, Step::Repair(_)) && !identity::matches(set, pod, *ordinal) {
                return repair(cluster, set, pod, *ordinal);
            }
            Ok(())
        }
    }
}

fn create(
    cluster: &mut Cluster,
    set: &Value,
    wanted: &Wanted,
    revisions: &revisions::Revisions,
    ordinal: i64,
) -> Result<(), ApiError> {
    let current = match wanted.partition {
        Some(partition) => ordinal < wanted.start + partition,
        None if wanted.rolling => {
            let current = set["status"]["currentReplicas"].as_i64().unwrap_or(0);
            ordinal < wanted.start + current
        }
        None => false,
    };
    let revision = if current {
        &revisions.current
    } else {
        &revisions.update
    };
    let pod = identity::pod(
        set,
        &revisions::template(revision),
        revision.name(),
        ordinal,
    );
    let name = pod.name().to_owned();
    let result = ensure_claims(cluster, set, ordinal)
        .and_then(|()| cluster.create(&PODS, pod))
        .and_then(|_| retain_claims(cluster, set, wanted, ordinal, ""));
    if !matches!(&result, Err(error) if error.reason == "AlreadyExists") {
        announce(cluster, set, "create", &name, &result);
    }
    result
}

fn delete(cluster: &mut Cluster, set: &Value, name: &str) -> Result<(), ApiError> {
    let result = cluster
        .delete_named(&PODS, set.namespace(), name)
        .map(|_| ());
    announce(cluster, set, "delete", name, &result);
    result
}

fn repair(cluster: &mut Cluster, set: &Value, pod: &Value, ordinal: i64) -> Result<(), ApiError> {
    let mut repaired = pod.clone();
    identity::repair(set, &mut repaired, ordinal);
    let result = ensure_claims(cluster, set, ordinal)
        .and_then(|()| cluster.update(&PODS, repaired))
        .map(|_| ());
    announce(cluster, set, "update", pod.name(), &result);
    result
}

/// Makes the claims that are missing. A claim that is going away is an error: try again later.
fn ensure_claims(cluster: &mut Cluster, set: &Value, ordinal: i64) -> Result<(), ApiError> {
    let mut failures = Vec::new();
    for claim in identity::claims(set, ordinal) {
        let name = claim.name().to_owned();
        match cluster.get(&PERSISTENT_VOLUME_CLAIMS, set.namespace(), &name) {
            Some(found) if found.is_terminating() => {
                failures.push(format!("pvc {name} is being deleted"));
            }
            Some(_) => {}
            None => {
                let result = cluster.create(&PERSISTENT_VOLUME_CLAIMS, claim).map(|_| ());
                let pod = identity::pod_name(set, ordinal);
                announce_claim(cluster, set, &name, &pod, &result);
                if let Err(error) = result {
                    failures.push(format!("failed to create PVC {name}: {error}"));
                }
            }
        }
    }
    match failures.as_slice() {
        [] => Ok(()),
        [one] => Err(ApiError::new(500, "", one.clone())),
        more => Err(ApiError::new(500, "", format!("[{}]", more.join(", ")))),
    }
}

fn retain_claims(
    cluster: &mut Cluster,
    set: &Value,
    wanted: &Wanted,
    ordinal: i64,
    pod_uid: &str,
) -> Result<(), ApiError> {
    let name = identity::pod_name(set, ordinal);
    for claim in existing_claims(cluster, set, ordinal) {
        let in_range = wanted.has(ordinal);
        if let Some(owners) = claims::corrected_owners(&claim, set, &name, pod_uid, in_range) {
            let mut claim = (*claim).clone();
            claim["metadata"]["ownerReferences"] = owners.into();
            cluster.update(&PERSISTENT_VOLUME_CLAIMS, claim)?;
        }
    }
    Ok(())
}

fn report(
    cluster: &mut Cluster,
    set: &Arc<Value>,
    wanted: &Wanted,
    revisions: &revisions::Revisions,
    pods: &Pods,
    replaced: bool,
) -> Result<(), ApiError> {
    let counted = pods
        .replicas
        .values()
        .chain(pods.condemned.iter().map(|(_, pod)| pod));
    let names = status::Revisions {
        current: revisions.current.name(),
        update: revisions.update.name(),
        collisions: revisions.collisions,
    };
    let now = cluster.now();
    let status = status::status(
        set,
        wanted,
        &names,
        counted.map(|pod| &**pod),
        replaced,
        now,
    );
    if !status::differs(&set["status"], &status) {
        return Ok(());
    }
    let mut updated = (**set).clone();
    updated["status"] = status;
    cluster.update_status(&STATEFUL_SETS, updated).map(|_| ())
}

fn announce(
    cluster: &mut Cluster,
    set: &Value,
    verb: &str,
    pod: &str,
    result: &Result<(), ApiError>,
) {
    let title = match verb {
        "create" => "Create",
        "delete" => "Delete",
        _ => "Update",
    };
    let about = format!("{verb} Pod {pod} in StatefulSet {}", set.name());
    match result {
        Ok(()) => {
            cluster.event(
                set,
                &format!("Successful{title}"),
                &format!("{about} successful"),
            );
        }
        Err(error) => {
            let message = format!("{about} failed error: {error}");
            cluster.warning(set, &format!("Failed{title}"), &message);
        }
    }
}

fn announce_claim(
    cluster: &mut Cluster,
    set: &Value,
    claim: &str,
    pod: &str,
    result: &Result<(), ApiError>,
) {
    let set_name = set.name().to_owned();
    match result {
        Ok(()) => {
            let message =
                format!("create Claim {claim} Pod {pod} in StatefulSet {set_name} success");
            cluster.event(set, "SuccessfulCreate", &message);
        }
        Err(error) => {
            let message = format!(
                "create Claim {claim} for Pod {pod} in StatefulSet {set_name} failed error: {error}"
            );
            cluster.warning(set, "FailedCreate", &message);
        }
    }
}
