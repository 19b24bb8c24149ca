//! Volumes that grow with the spec.
//!
//! Owns: when a claim is asked to be larger, and when the StatefulSet is made anew for it.
//! Always holds: no pod is touched. Claims come first: where the StorageClass refuses, the
//! StatefulSet stays as it is. Growing a volume harms nobody, so it does not wait for anybody to be
//! healthy: a member whose disk is full needs nothing more than this.
//! Deliberately does not know: whether a class allows it; the API server does.

use super::{Action, Waiting};
use crate::{observe::Observed, quantity, validate::Desired};

/// What is to be done about sizes, when nothing more urgent is.
pub(super) fn grow(desired: &Desired, observed: &Observed) -> Option<Action> {
    let wanted = &desired.storage_size;
    let set = observed.stateful_set.as_ref()?;
    let shrinks = set
        .volume_size
        .as_ref()
        .is_some_and(|size| quantity::less(wanted, size));
    if shrinks || set.terminating {
        return None;
    }
    let small = observed.claims.iter().find(|(_, claim)| {
        let size = claim.requested.as_ref();
        claim.bound && !claim.terminating && size.is_some_and(|size| quantity::less(size, wanted))
    });
    if let Some((ordinal, claim)) = small {
        return Some(Action::GrowVolume {
            ordinal: *ordinal,
            uid: claim.uid.clone(),
            size: wanted.0.clone(),
        });
    }
    // What is not bound yet cannot grow yet.
    let all_grown = observed.claims.values().all(|claim| {
        let size = claim.requested.as_ref();
        claim.terminating || size.is_some_and(|size| !quantity::less(size, wanted))
    });
    let template_is_small = set
        .volume_size
        .as_ref()
        .is_some_and(|size| quantity::less(size, wanted));
    (template_is_small && all_grown && set.owned).then(|| Action::RecreateStatefulSet {
        uid: set.uid.clone(),
    })
}

/// A size below what volumes have is refused by the CRD; an older one may have let it through.
pub(super) fn refused(desired: &Desired, observed: &Observed) -> Option<Waiting> {
    let set = observed.stateful_set.as_ref()?;
    let size = set.volume_size.as_ref()?;
    quantity::less(&desired.storage_size, size).then(|| Waiting::VolumeShrinkRefused {
        wanted: desired.storage_size.0.clone(),
        has: size.0.clone(),
    })
}
