//! An explanation for people at a terminal.
//!
//! Owns: the layout.
//! Deliberately does not know: how the explanation came about.

use std::fmt;

use super::{Explanation, MemberSeen};

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "cluster     {} ({})", self.cluster, self.phase)?;
        writeln!(
            f,
            "wanted      {} members of etcd {}",
            self.size, self.version
        )?;
        if let Some(id) = &self.cluster_id {
            writeln!(f, "membership  known, cluster ID {id}")?;
        }
        if let Some(why) = &self.membership_unknown {
            writeln!(f, "membership  unknown: {why}")?;
        }
        match self.gate {
            Some(gate) => writeln!(
                f,
                "gate        {} healthy of {} voters, quorum is {}: {}",
                gate.healthy,
                gate.voters,
                gate.quorum,
                margin(gate.healthy, gate.quorum)
            )?,
            None => writeln!(f, "gate        closed: the membership is unknown")?,
        }
        writeln!(f, "members")?;
        for member in &self.members {
            write_member(f, member)?;
        }
        writeln!(f, "next")?;
        for step in &self.next {
            writeln!(f, "  {step}")?;
        }
        match &self.waiting {
            Some(waiting) => writeln!(f, "  waits: {} ({})", waiting.message, waiting.reason)?,
            None if self.next.is_empty() => writeln!(f, "  nothing: the cluster is as wanted")?,
            None => {}
        }
        for note in &self.notes {
            writeln!(f, "note        {note}")?;
        }
        Ok(())
    }
}

fn margin(healthy: usize, quorum: usize) -> String {
    match healthy.checked_sub(quorum) {
        Some(0) => "none may be lost".to_owned(),
        Some(margin) => format!("{margin} may be lost"),
        None => "quorum is lost".to_owned(),
    }
}

fn write_member(f: &mut fmt::Formatter<'_>, member: &MemberSeen) -> fmt::Result {
    let id = member.id.as_deref().unwrap_or("-");
    let health = match member.healthy {
        Some(true) => ", healthy",
        Some(false) => ", NOT healthy",
        None => "",
    };
    writeln!(f, "  {}  {}{health}, ID {id}", member.name, member.role)?;
    writeln!(f, "    says    {}", member.says)?;
    writeln!(f, "    pod     {}", member.pod)?;
    writeln!(f, "    volume  {}", member.volume)
}
