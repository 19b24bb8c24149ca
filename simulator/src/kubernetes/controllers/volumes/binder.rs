//! Making volumes for claims, and binding the two.
//!
//! Owns: provisioning with its delay, binding, growing, and reclaiming.
//! Always holds: one volume for one claim, named after the claim's UID.
//! Deliberately does not know: pods; a claim that waits for one says so by its storage class.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::kubernetes::{
    api::{
        ApiError, ApiServer, Changed, quantity,
        resource::{PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, STORAGE_CLASSES},
    },
    control_plane::lock,
    controllers::{
        cluster::Cluster,
        object::{Key, Meta, object_at},
        queue::{Again, Controller},
        scheduler::SELECTED_NODE,
        timings::{Delay, Draw, Timings},
    },
};

/// Makes and binds volumes.
pub struct Binder {
    provision: Delay,
    draw: Draw,
    /// Claims that are being worked on, by UID.
    begun: BTreeMap<String, Begun>,
    /// Volumes whose content is to be thrown away.
    deletes: Arc<Mutex<Vec<String>>>,
}

/// A claim whose volume is being made.
struct Begun {
    /// When the volume will be there.
    ready: Timestamp,
    /// The claim as it was read. Binding writes the claim; when somebody else has written it
    /// meanwhile that write conflicts, and the real controller tries again only at its next resync.
    resource_version: String,
}

/// The real controller's `--pvclaimbinder-sync-period`.
const RESYNC_SECONDS: i64 = 15;

/// The next time at which every claim is looked at again.
fn next_resync(now: Timestamp) -> Timestamp {
    let rest = RESYNC_SECONDS - now.as_second().rem_euclid(RESYNC_SECONDS);
    now + SignedDuration::from_secs(rest)
}

impl Binder {
    /// A binder that leaves the names of volumes to throw away in `deletes`.
    pub fn new(timings: &Timings, deletes: &Arc<Mutex<Vec<String>>>) -> Self {
        Self {
            provision: timings.provision,
            draw: Draw::new(0x0076_6f6c_756d_6573),
            begun: BTreeMap::new(),
            deletes: Arc::clone(deletes),
        }
    }
}

impl Controller for Binder {
    fn name(&self) -> &'static str {
        "persistentvolume-controller"
    }

    fn affected(&mut self, change: &Changed, _: &ApiServer) -> Vec<Key> {
        let object = &change.object;
        if change.is_of(&PERSISTENT_VOLUMES) {
            if change.deleted && object.text("/spec/persistentVolumeReclaimPolicy") == "Delete" {
                lock(&self.deletes).push(object.name().to_owned());
            }
            let mut keys = vec![Key::of(object)];
            keys.extend(claimant(object));
            return keys;
        }
        if !change.is_of(&PERSISTENT_VOLUME_CLAIMS) {
            return Vec::new();
        }
        let mut keys = vec![Key::of(object)];
        if change.deleted {
            self.begun.remove(object.uid());
            let volume = object.text("/spec/volumeName");
            if !volume.is_empty() {
                keys.push(Key::new("", volume));
            }
        }
        keys
    }

    fn reconcile(&mut self, cluster: &mut Cluster, key: &Key) -> Result<Again, ApiError> {
        if key.namespace.is_empty() {
            return match cluster.get(&PERSISTENT_VOLUMES, "", &key.name) {
                Some(volume) => reclaim(cluster, &volume),
                None => Ok(Again::No),
            };
        }
        let claim = cluster.get(&PERSISTENT_VOLUME_CLAIMS, &key.namespace, &key.name);
        let Some(claim) = claim else {
            return Ok(Again::No);
        };
        let volume = claim.text("/spec/volumeName");
        if volume.is_empty() {
            return if claim.is_terminating() {
                Ok(Again::No)
            } else {
                self.provide(cluster, &claim)
            };
        }
        match cluster.get(&PERSISTENT_VOLUMES, "", volume) {
            Some(volume) => bind(cluster, &claim, &volume),
            None => lose(cluster, &claim),
        }
    }
}

impl Binder {
    /// Makes a volume for a claim once it is known where it is needed.
    fn provide(&mut self, cluster: &mut Cluster, claim: &Value) -> Result<Again, ApiError> {
        let class_name = class_of(claim);
        let Some(class) = cluster.get(&STORAGE_CLASSES, "", class_name) else {
            let message = format!("storageclass.storage.k8s.io \"{class_name}\" not found");
            cluster.warning(claim, "ProvisioningFailed", &message);
            return Ok(Again::No);
        };
        let waits = class["volumeBindingMode"] == "WaitForFirstConsumer";
        if waits && claim.annotation(SELECTED_NODE).is_none() {
            let message = "waiting for first consumer to be created before binding";
            cluster.event(claim, "WaitForFirstConsumer", message);
            return Ok(Again::No);
        }
        let now = cluster.now();
        let Some(begun) = self.begun.get_mut(claim.uid()) else {
            return Ok(self.begin(cluster, claim, &class));
        };
        if begun.ready > now {
            return Ok(Again::At(begun.ready));
        }
        let version = claim.text("/metadata/resourceVersion");
        if begun.resource_version != version {
            begun.ready = next_resync(now);
            begun.resource_version = version.to_owned();
            return Ok(Again::At(begun.ready));
        }
        self.begun.remove(claim.uid());
        let name = format!("pvc-{}", claim.uid());
        let volume = match cluster.get(&PERSISTENT_VOLUMES, "", &name) {
            Some(volume) => volume,
            None => cluster.create(&PERSISTENT_VOLUMES, new_volume(&name, claim, &class))?,
        };
        let message = format!("Successfully provisioned volume {name}");
        cluster.event(claim, "ProvisioningSucceeded", &message);
        bind(cluster, claim, &volume)
    }
}

impl Binder {
    fn begin(&mut self, cluster: &mut Cluster, claim: &Value, class: &Value) -> Again {
        let message = format!(
            "Waiting for a volume to be created either by the external provisioner '{}' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.",
            class.text("/provisioner")
        );
        cluster.event(claim, "ExternalProvisioning", &message);
        let ready = cluster.now() + self.draw.delay(self.provision);
        let resource_version = claim.text("/metadata/resourceVersion").to_owned();
        self.begun.insert(
            claim.uid().to_owned(),
            Begun {
                ready,
                resource_version,
            },
        );
        Again::At(ready)
    }
}

fn class_of(claim: &Value) -> &str {
    claim["spec"]["storageClassName"]
        .as_str()
        .unwrap_or("standard")
}

fn new_volume(name: &str, claim: &Value, class: &Value) -> Value {
    let policy = class["reclaimPolicy"].as_str().unwrap_or("Delete");
    json!({
        "metadata": {
            "name": name,
            "annotations": {"pv.kubernetes.io/provisioned-by": class["provisioner"]},
        },
        "spec": {
            "capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]},
            "accessModes": claim["spec"]["accessModes"], "volumeMode": "Filesystem",
            "persistentVolumeReclaimPolicy": policy, "storageClassName": class.name(),
            "claimRef": reference(claim),
            "csi": {"driver": class["provisioner"], "volumeHandle": name},
        },
    })
}

fn reference(claim: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": claim.namespace(),
        "name": claim.name(), "uid": claim.uid(),
    })
}

/// The claim that a volume belongs to.
fn claimant(volume: &Value) -> Option<Key> {
    let reference = volume["spec"]["claimRef"].as_object()?;
    Some(Key::new(
        reference["namespace"].as_str()?,
        reference["name"].as_str()?,
    ))
}

/// Brings claim and volume together, and the claim's status up to date.
fn bind(cluster: &mut Cluster, claim: &Value, volume: &Value) -> Result<Again, ApiError> {
    let owner = volume.text("/spec/claimRef/uid");
    if !owner.is_empty() && owner != claim.uid() {
        let message = format!(
            "volume {:?} already bound to a different claim.",
            volume.name()
        );
        cluster.warning(claim, "FailedBinding", &message);
        return Ok(Again::No);
    }
    let mut volume = volume.clone();
    if owner.is_empty() {
        volume["spec"]["claimRef"] = reference(claim);
        volume = (*cluster.update(&PERSISTENT_VOLUMES, volume)?).clone();
    }
    let mut bound = claim.clone();
    let asked = claim["spec"]["resources"]["requests"]["storage"].clone();
    let grown = amount(&asked) > amount(&volume["spec"]["capacity"]["storage"]);
    if grown && can_grow(cluster, claim) {
        volume["spec"]["capacity"]["storage"] = asked;
        volume = (*cluster.update(&PERSISTENT_VOLUMES, volume)?).clone();
    }
    if volume.text("/status/phase") != "Bound" {
        volume["status"]["phase"] = "Bound".into();
        volume = (*cluster.update_status(&PERSISTENT_VOLUMES, volume)?).clone();
    }
    if claim.text("/spec/volumeName").is_empty() {
        bound["spec"]["volumeName"] = volume.name().into();
        let annotations = object_at(&mut bound, &["metadata", "annotations"]);
        annotations.insert("pv.kubernetes.io/bind-completed".into(), "yes".into());
        annotations.insert("pv.kubernetes.io/bound-by-controller".into(), "yes".into());
        bound = (*cluster.update(&PERSISTENT_VOLUME_CLAIMS, bound)?).clone();
    }
    let status = json!({
        "phase": "Bound", "accessModes": volume["spec"]["accessModes"],
        "capacity": volume["spec"]["capacity"],
    });
    if bound["status"] != status {
        bound["status"] = status;
        cluster.update_status(&PERSISTENT_VOLUME_CLAIMS, bound)?;
    }
    Ok(Again::No)
}

fn amount(quantity_text: &Value) -> i128 {
    quantity_text
        .as_str()
        .and_then(quantity::nanos)
        .unwrap_or(0)
}

fn can_grow(cluster: &Cluster, claim: &Value) -> bool {
    let class = cluster.get(&STORAGE_CLASSES, "", class_of(claim));
    class.is_some_and(|class| class["allowVolumeExpansion"] == true)
}

/// A claim whose volume is gone has lost it for good.
fn lose(cluster: &mut Cluster, claim: &Value) -> Result<Again, ApiError> {
    let was_bound = claim.text("/status/phase") == "Bound";
    if !was_bound {
        return Ok(Again::No);
    }
    let mut lost = claim.clone();
    lost["status"]["phase"] = "Lost".into();
    cluster.update_status(&PERSISTENT_VOLUME_CLAIMS, lost)?;
    let message = "Bound claim has lost its PersistentVolume. Data on the volume is lost!";
    cluster.warning(claim, "ClaimLost", message);
    Ok(Again::No)
}

/// Releases a volume whose claim is gone, and deletes it if its policy says so.
fn reclaim(cluster: &mut Cluster, volume: &Value) -> Result<Again, ApiError> {
    let Some(key) = claimant(volume) else {
        return set_phase(cluster, volume, "Available").map(|_| Again::No);
    };
    let claim = cluster.get(&PERSISTENT_VOLUME_CLAIMS, &key.namespace, &key.name);
    let owner = volume.text("/spec/claimRef/uid");
    if owner.is_empty() || claim.is_some_and(|claim| claim.uid() == owner) {
        return Ok(Again::No);
    }
    let volume = set_phase(cluster, volume, "Released")?;
    let delete = volume.text("/spec/persistentVolumeReclaimPolicy") == "Delete";
    if delete && !volume.is_terminating() {
        cluster.delete(&PERSISTENT_VOLUMES, &volume)?;
    }
    Ok(Again::No)
}

fn set_phase(cluster: &mut Cluster, volume: &Value, phase: &str) -> Result<Arc<Value>, ApiError> {
    let mut changed = volume.clone();
    if volume.text("/status/phase") == phase {
        return Ok(Arc::new(changed));
    }
    changed["status"]["phase"] = phase.into();
    cluster.update_status(&PERSISTENT_VOLUMES, changed)
}
