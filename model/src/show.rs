//! A world on one line, for traces.
//!
//! Owns: the words.
//! Deliberately does not know: how the world came about.

use std::fmt;

use crate::world::{Claim, Data, File, Pod, Role, Template, Told, Volume, Whom, World, slots};

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "wanted {}", self.kube.size)?;
        if let Some(set) = self.kube.set {
            write!(f, ", {} pods", set.replicas)?;
        }
        if let Some(leader) = self.leader {
            write!(f, ", {leader} leads")?;
        }
        for slot in slots() {
            self.write_slot(f, slot)?;
        }
        Ok(())
    }
}

impl World {
    fn write_slot(&self, f: &mut fmt::Formatter<'_>, slot: usize) -> fmt::Result {
        let (member, seen) = (&self.members[slot], &self.kube.slots[slot]);
        let words = [
            match member.role {
                Role::None => "",
                Role::Learner => "learner",
                Role::Voter => "voter",
            },
            match (member.role, member.told) {
                (Role::None, _) | (_, Told::All) => "",
                (_, Told::Nothing | Told::Name) => "not started",
            },
            match member.data {
                Data::Never | Data::Here => "",
                Data::Lost => "without its data",
            },
            match seen.pod {
                Pod::None => "",
                Pod::Pending => "pod waits",
                Pod::Running => "runs",
                Pod::Crashed => "crashed",
                Pod::SaidNoData => "says that it has no data",
                Pod::SaidNoFile => "says that it has no configuration",
                Pod::Ending => "pod ends",
            },
            match (seen.pod, seen.template) {
                (Pod::None, _) | (_, Template::Good) => "",
                (_, Template::Old) => "outdated",
                (_, Template::Bad) => "made wrong",
            },
            match seen.claim {
                Claim::None => "",
                Claim::Bound => "volume",
                Claim::Going => "volume goes",
            },
            match seen.file {
                File::None => "",
                File::New => "told to begin",
                File::Join => "told to join",
                File::Started => "told nobody",
                File::Earlier => "told of an earlier one",
            },
            match (seen.record.whom, seen.record.volume) {
                (Whom::Present, Volume::Other) => "known on another volume",
                (Whom::Present, _) => "known",
                (Whom::Earlier, _) => "an earlier one known",
                (Whom::Nobody, _) => "",
            },
        ];
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        if words.is_empty() {
            return Ok(());
        }
        write!(f, "; {slot}: {}", words.join(", "))
    }
}
