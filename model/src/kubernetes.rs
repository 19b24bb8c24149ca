//! What the StatefulSet controller, the kubelet and the volume controllers do, and what goes wrong
//! with pods and volumes.
//!
//! Owns: pods, claims, and how a cache that lags falls behind.
//! Always holds: a claim that is being deleted stays while a pod holds it; a pod's claim is made
//! before it. Nobody looks for the claim of a pod that exists.
//! Deliberately does not know: etcd.

use crate::world::{Cache, Claim, Pod, SLOTS, Set, Template, Volume, World};

impl World {
    /// The StatefulSet controller makes a missing pod, and its claim.
    pub fn create(&self, slot: usize) -> Option<Self> {
        let set = self.kube.set?;
        if slot >= usize::from(set.replicas) || self.kube.slots[slot].pod != Pod::None {
            return None;
        }
        let mut world = *self;
        let seen = &mut world.kube.slots[slot];
        seen.pod = Pod::Pending;
        seen.template = set.template;
        let new_claim = seen.claim == Claim::None;
        if new_claim {
            seen.claim = Claim::Bound;
        }
        if let Some(cache) = &mut world.cache {
            cache.same_pod[slot] = false;
            cache.same_claim[slot] &= !new_claim;
        }
        Some(world)
    }

    /// The StatefulSet controller deletes a pod that is one too many.
    pub fn scale_down(&self, slot: usize) -> Option<Self> {
        let set = self.kube.set?;
        let beyond = slot >= usize::from(set.replicas);
        (beyond && self.has_pod_to_stay(slot)).then(|| self.with_pod_ending(slot))
    }

    /// Somebody deletes a pod.
    pub fn delete_pod(&self, slot: usize) -> Option<Self> {
        self.has_pod_to_stay(slot)
            .then(|| self.with_pod_ending(slot))
    }

    fn has_pod_to_stay(&self, slot: usize) -> bool {
        !matches!(self.kube.slots[slot].pod, Pod::None | Pod::Ending)
    }

    fn with_pod_ending(&self, slot: usize) -> Self {
        let mut world = *self;
        world.kube.slots[slot].pod = Pod::Ending;
        world.settle();
        world
    }

    /// The kubelet has ended a pod that was deleted.
    pub fn gone(&self, slot: usize) -> Option<Self> {
        (self.kube.slots[slot].pod == Pod::Ending).then(|| {
            let mut world = *self;
            let seen = &mut world.kube.slots[slot];
            seen.pod = Pod::None;
            seen.template = Template::Good;
            if let Some(cache) = &mut world.cache {
                cache.same_pod[slot] = cache.kube.slots[slot].pod == Pod::None;
            }
            world
        })
    }

    /// A claim that nobody holds any more goes, with the data.
    pub fn claim_gone(&self, slot: usize) -> Option<Self> {
        let seen = self.kube.slots[slot];
        let held = !matches!(seen.pod, Pod::None | Pod::Pending);
        (seen.claim == Claim::Going && !held).then(|| {
            let mut world = *self;
            let seen = &mut world.kube.slots[slot];
            seen.claim = Claim::None;
            if seen.record.volume == Volume::Same {
                seen.record.volume = Volume::Other;
            }
            world.members[slot].lose_data();
            if let Some(cache) = &mut world.cache {
                cache.same_claim[slot] = cache.kube.slots[slot].claim == Claim::None;
            }
            world
        })
    }

    /// Somebody deletes a claim.
    pub fn delete_claim(&self, slot: usize) -> Option<Self> {
        (self.kube.slots[slot].claim == Claim::Bound).then(|| {
            let mut world = *self;
            world.kube.slots[slot].claim = Claim::Going;
            world
        })
    }

    /// A container ends for a reason that says nothing.
    pub fn crash(&self, slot: usize) -> Option<Self> {
        self.runs(slot).then(|| {
            let mut world = *self;
            world.stop(slot);
            world.settle();
            world
        })
    }

    /// From now on the operator reads Kubernetes as it is at this moment.
    pub fn freeze(&self) -> Option<Self> {
        self.cache.is_none().then_some(Self {
            cache: Some(Cache {
                kube: self.kube,
                same_pod: [true; SLOTS],
                same_claim: [true; SLOTS],
                edited: false,
            }),
            ..*self
        })
    }

    /// The caches have caught up.
    pub fn thaw(&self) -> Option<Self> {
        self.cache.is_some().then_some(Self {
            cache: None,
            ..*self
        })
    }

    /// The user wants another size.
    pub fn resize(&self, size: u8) -> Option<Self> {
        (self.kube.size != size).then(|| {
            let mut world = *self;
            world.kube.size = size;
            world
        })
    }

    /// The user changes what members start from, to something with which they do.
    pub fn edit(&self) -> Self {
        let mut world = *self;
        let earlier = |template: &mut Template| {
            if *template == Template::Good {
                *template = Template::Old;
            }
        };
        for seen in &mut world.kube.slots {
            if seen.pod != Pod::None {
                earlier(&mut seen.template);
            }
        }
        if let Some(set) = &mut world.kube.set {
            earlier(&mut set.template);
        }
        if let Some(cache) = &mut world.cache {
            cache.edited = true;
        }
        world.kube.bad = false;
        world
    }

    /// The user makes a mistake, or takes it back.
    pub fn mistake(&self, bad: bool) -> Option<Self> {
        (self.kube.bad != bad).then(|| {
            let mut world = *self;
            world.kube.bad = bad;
            world
        })
    }

    /// The operator writes the StatefulSet. What a cache that lags says of the template may be out
    /// of date by the time it is written.
    pub fn declare_set(&mut self, set: Set) {
        let outdated = self.cache.is_some_and(|cache| cache.edited);
        let template = match set.template {
            Template::Good if outdated => Template::Old,
            template => template,
        };
        self.kube.set = Some(Set { template, ..set });
    }
}
