//! What makes sense when: how far the story has got while a file is read.
//!
//! Owns: the rules that a single sentence cannot break, only a sequence of them.
//! Always holds: what a rule refuses could never pass in any world.
//! Deliberately does not know: lines and columns.

use super::{Action, Cluster, Expectation, Instruction, Volumes};

/// How far the story has got.
#[derive(Clone, Debug)]
pub struct Story<'a> {
    cluster: &'a Cluster,
    traffic: bool,
    /// Wanted members, while the cluster exists.
    size: Option<u32>,
    created: bool,
}

impl<'a> Story<'a> {
    /// Before the first step.
    #[must_use]
    pub fn new(cluster: &'a Cluster, traffic: bool) -> Self {
        Self {
            cluster,
            traffic,
            size: None,
            created: false,
        }
    }

    /// Tells the next instruction.
    ///
    /// # Errors
    /// When it makes no sense here; the text says why and what would.
    pub fn tell(&mut self, instruction: &Instruction) -> Result<(), String> {
        match instruction {
            Instruction::Do(action) => self.act(*action),
            Instruction::Expect(expectation) => self.expect(expectation),
        }
    }

    fn act(&mut self, action: Action) -> Result<(), String> {
        match (action, self.size) {
            (Action::Create, Some(_)) => {
                return Err("the cluster exists already at this point".to_owned());
            }
            (Action::Create, None) => {
                self.size = Some(self.cluster.size);
                self.created = true;
            }
            (Action::Scale(size), Some(now)) if size == now => {
                return Err(format!("the cluster is wanted at size {now} already"));
            }
            (Action::Scale(size), Some(_)) => self.size = Some(size),
            (Action::Delete, Some(_)) => self.size = None,
            (
                Action::Scale(_)
                | Action::Change(_)
                | Action::Delete
                | Action::Recover
                | Action::Edit(_),
                None,
            ) => {
                return Err(self.no_cluster());
            }
            (Action::Strike(strike), None) if strike.fault.target().is_some() => {
                return Err(self.no_cluster());
            }
            (Action::Strike(_) | Action::Wait(_) | Action::Heal, _)
            | (Action::Change(_) | Action::Recover | Action::Edit(_), Some(_)) => {}
        }
        Ok(())
    }

    fn expect(&self, expectation: &Expectation) -> Result<(), String> {
        match expectation {
            Expectation::Members { count, .. } | Expectation::Stays { count, .. } => {
                let size = self.size.ok_or_else(|| self.no_cluster())?;
                if *count != size {
                    return Err(format!(
                        "the cluster is wanted at size {size} at this point"
                    ));
                }
            }
            Expectation::NothingLeft { .. } => self.deleted(Volumes::Deleted)?,
            Expectation::OnlyVolumesLeft { .. } => self.deleted(Volumes::Kept)?,
            Expectation::Condition { .. } | Expectation::StatusNames { .. } => {
                self.size.map(drop).ok_or_else(|| self.no_cluster())?;
            }
            Expectation::NoStall { .. } | Expectation::WritesReadable => self.readable()?,
            Expectation::NoViolation => {}
        }
        Ok(())
    }

    fn deleted(&self, volumes: Volumes) -> Result<(), String> {
        if self.size.is_some() || !self.created {
            return Err("nothing was deleted before this point: `delete the cluster`".to_owned());
        }
        match (volumes, self.cluster.volumes) {
            (Volumes::Deleted, Volumes::Kept) => Err("this cluster's volumes are kept: expect \
                `only volumes are left`, or end the heading with `, volumes deleted with it`"
                .to_owned()),
            (Volumes::Kept, Volumes::Deleted) => {
                Err("this cluster's volumes go with it: expect `nothing is left`".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn readable(&self) -> Result<(), String> {
        if !self.traffic {
            return Err("nothing is ever written: the file has no `traffic:` line".to_owned());
        }
        match self.size {
            None => Err(self.no_cluster()),
            Some(0) => Err("nothing can be read while the cluster is at size 0".to_owned()),
            Some(_) => Ok(()),
        }
    }

    fn no_cluster(&self) -> String {
        let what = if self.created {
            "was deleted before"
        } else {
            "is not created yet at"
        };
        let cure = if self.created {
            ""
        } else {
            ": `create the cluster` comes first"
        };
        format!("the cluster {what} this point{cure}")
    }
}
