//! Breaking real etcd processes, as scenarios ask for it.
//!
//! Owns: which of a scenario's faults this world can do to its pods, and with which signal or rule.
//! Always holds: what it cannot do is refused by name, never skipped.
//! Deliberately does not know: when faults come, and for how long.

use std::io;

use chaos::fault::{Hit, MemberTrouble, PodFault};
use simulator::net::HostId;

use super::Faults;
use crate::{resident::NAMESPACE, strikes::Breaker, world::WorldFailed};

const WORLD: &str = "process";

/// Breaks the pods of the process world.
pub(super) struct ProcessBreaker {
    faults: Faults,
}

impl ProcessBreaker {
    pub(super) fn new(faults: Faults) -> Self {
        Self { faults }
    }
}

impl Breaker for ProcessBreaker {
    fn world(&self) -> &'static str {
        WORLD
    }

    fn pod(&self, fault: PodFault, hit: &Hit) -> Result<(), WorldFailed> {
        match fault {
            PodFault::Kill => gone_is_fine(self.faults.kill(NAMESPACE, &hit.pod)),
            PodFault::Delete | PodFault::DeleteWithVolume | PodFault::Evict => Ok(()),
            PodFault::LoseData | PodFault::CorruptData => Err(cannot(fault.words())),
        }
    }

    fn member(
        &self,
        trouble: MemberTrouble,
        hit: &Hit,
        _: &[HostId],
        begins: bool,
    ) -> Result<(), WorldFailed> {
        let pod = &hit.pod;
        match (trouble, begins) {
            (MemberTrouble::Paused, true) => gone_is_fine(self.faults.pause(NAMESPACE, pod)),
            (MemberTrouble::Paused, false) => gone_is_fine(self.faults.resume(NAMESPACE, pod)),
            (MemberTrouble::CutOff, begins) => {
                gone_is_fine(self.faults.plug(NAMESPACE, pod, !begins))
            }
            _ => Err(cannot(trouble.words())),
        }
    }

    fn registry(&self, _: bool) -> Result<(), WorldFailed> {
        Err(cannot("take the image registry away"))
    }
}

/// A pod that is gone has no trouble any more.
fn gone_is_fine<E: Into<io::Error>>(result: Result<(), E>) -> Result<(), WorldFailed> {
    match result.map_err(Into::into) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(cannot(&error.to_string())),
        _ => Ok(()),
    }
}

fn cannot(what: &str) -> WorldFailed {
    WorldFailed::CannotDo {
        world: WORLD,
        what: what.to_owned(),
    }
}
