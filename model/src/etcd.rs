//! etcd's rules: who leads, what it refuses, how a member starts.
//!
//! Owns: the membership. The rules are those of etcd 3.5 and 3.6 with `strict-reconfig-check`, as
//! `etcdserver/server.go` and `bootstrap.go` have them.
//! Always holds: there is a leader only while a majority of voters runs, and it is one of them.
//! Deliberately does not know: the operator. A learner that runs counts as in sync.

use crate::{
    safety::Broken,
    world::{
        Claim, Data, File, Member, Pod, Proposal, Role, Seen, Template, Told, Volume, Whom, World,
        slots, small,
    },
};

/// Voters that make a majority.
pub fn quorum(voters: usize) -> usize {
    voters / 2 + 1
}

impl World {
    /// Whether the process of this ordinal's member runs.
    pub fn runs(&self, slot: usize) -> bool {
        self.kube.slots[slot].pod == Pod::Running
    }

    /// Ordinals of the voters.
    pub fn voters(&self) -> impl Iterator<Item = usize> + '_ {
        slots().filter(|slot| self.members[*slot].role == Role::Voter)
    }

    /// Voters that run.
    pub fn live(&self) -> usize {
        self.voters().filter(|slot| self.runs(*slot)).count()
    }

    /// Whether a majority of voters runs.
    pub fn has_quorum(&self) -> bool {
        self.formed && self.live() >= quorum(self.voters().count())
    }

    /// Whether requests are answered.
    pub fn serves(&self) -> bool {
        self.leader.is_some()
    }

    pub fn learners(&self) -> usize {
        let learners = slots().filter(|slot| self.members[*slot].role == Role::Learner);
        learners.count()
    }

    /// What follows at once from who runs: a cluster forms, a leader is one no more.
    pub fn settle(&mut self) {
        if !self.formed {
            self.form();
        }
        if let Some(leader) = self.leader {
            let leader = usize::from(leader);
            let leads = self.members[leader].role == Role::Voter && self.runs(leader);
            if !leads || !self.has_quorum() {
                self.leader = None;
            }
        }
    }

    /// The first members begin once a majority of them runs; those that do not are voters all the
    /// same.
    fn form(&mut self) {
        let founders = || slots().filter(|slot| self.kube.slots[*slot].file == File::New);
        let running = founders().filter(|slot| self.runs(*slot)).count();
        if running == 0 || running < quorum(founders().count()) {
            return;
        }
        for slot in founders().collect::<Vec<_>>() {
            let data = if self.runs(slot) {
                Data::Here
            } else {
                Data::Never
            };
            self.members[slot] = Member {
                role: Role::Voter,
                told: Told::Name,
                data,
            };
        }
        self.formed = true;
    }

    /// Whether etcd takes this change now. It adds only while all voters are connected, and removes
    /// only what leaves a majority of those that are.
    pub fn takes(&self, change: Proposal, learner_limit: usize) -> bool {
        let voters = self.voters().count();
        self.serves()
            && match change {
                Proposal::Add(slot) => {
                    self.members[usize::from(slot)].role == Role::None
                        && self.learners() < learner_limit
                        && self.live() == voters
                }
                Proposal::Promote(slot) => {
                    let member = self.members[usize::from(slot)];
                    member.role == Role::Learner
                        && member.data == Data::Here
                        && self.runs(usize::from(slot))
                }
                Proposal::Remove(slot) => {
                    let slot = usize::from(slot);
                    let votes = usize::from(self.members[slot].role == Role::Voter);
                    let lives = usize::from(votes == 1 && self.runs(slot));
                    self.members[slot].role != Role::None
                        && (votes == 0
                            || (voters > 1 && self.live() - lives >= quorum(voters - votes)))
                }
            }
    }

    /// Makes a change whose time has come. What is not as it was when it was asked for is refused
    /// by etcd: an ordinal that is taken, a member that is gone.
    pub fn change(&mut self, change: Proposal) {
        match change {
            Proposal::Add(slot) => {
                let member = &mut self.members[usize::from(slot)];
                if member.role == Role::None {
                    member.role = Role::Learner;
                }
            }
            Proposal::Promote(slot) => {
                let member = &mut self.members[usize::from(slot)];
                if member.role == Role::Learner {
                    member.role = Role::Voter;
                }
            }
            Proposal::Remove(slot) => self.remove(usize::from(slot)),
        }
        self.settle();
    }

    /// What names the member is from now on about an earlier one; its process ends.
    fn remove(&mut self, slot: usize) {
        if self.members[slot].role == Role::None {
            return;
        }
        self.members[slot] = Member::NONE;
        if matches!(self.pending, Some(Proposal::Promote(other) | Proposal::Remove(other)) if other == small(slot))
        {
            self.pending = None;
        }
        let seen = &mut self.kube.slots[slot];
        if seen.pod == Pod::Running {
            seen.pod = Pod::Crashed;
        }
        becomes_earlier(seen);
        if let Some(cache) = &mut self.cache {
            becomes_earlier(&mut cache.kube.slots[slot]);
        }
    }

    /// Starts the container of a pod that has none running. None: nothing comes of it.
    pub fn start(&self, slot: usize) -> Option<Result<Self, Broken>> {
        let seen = self.kube.slots[slot];
        let waits = matches!(
            seen.pod,
            Pod::Pending | Pod::Crashed | Pod::SaidNoData | Pod::SaidNoFile
        );
        let mountable =
            seen.claim == Claim::Bound || (seen.claim == Claim::Going && seen.pod != Pod::Pending);
        if !waits || !mountable || seen.template == Template::Bad {
            return None;
        }
        let mut world = *self;
        let pod = self.outcome(slot)?;
        if pod == seen.pod {
            return None;
        }
        world.kube.slots[slot].pod = pod;
        if pod == Pod::Running && self.members[slot].role != Role::None {
            let member = &mut world.members[slot];
            // Of a first member that has told nobody anything, nobody knows that it had data.
            let voted = member.role == Role::Voter && member.told != Told::Name;
            if voted && member.data == Data::Lost {
                return Some(Err(Broken::Forgotten(small(slot))));
            }
            member.data = Data::Here;
        }
        world.settle();
        Some(Ok(world))
    }

    /// What becomes of a container that starts. None: it goes on trying.
    fn outcome(&self, slot: usize) -> Option<Pod> {
        let member = self.members[slot];
        let others_run = slots().any(|other| {
            other != slot && self.members[other].role != Role::None && self.runs(other)
        });
        Some(match self.kube.slots[slot].file {
            File::None => Pod::SaidNoFile,
            File::New if !self.formed => Pod::Running,
            _ if member.role == Role::None => Pod::Crashed,
            // It is not in the membership that the others tell it.
            File::Earlier => Pod::SaidNoData,
            _ if member.data == Data::Here => Pod::Running,
            File::Started => Pod::SaidNoData,
            // "has already been bootstrapped", "no match found"
            File::New | File::Join if member.told == Told::All => Pod::SaidNoData,
            File::New => Pod::Running,
            File::Join if others_run => Pod::Running,
            File::Join => return None,
        })
    }

    /// A member that runs tells the others where it serves.
    pub fn publish(&self, slot: usize) -> Option<Self> {
        let member = self.members[slot];
        let news = member.role != Role::None && member.told != Told::All;
        (news && self.runs(slot) && self.serves()).then(|| {
            let mut world = *self;
            world.members[slot].told = Told::All;
            world
        })
    }

    /// A voter becomes leader.
    pub fn elect(&self, slot: usize) -> Option<Self> {
        let may = self.members[slot].role == Role::Voter && self.runs(slot);
        (may && self.leader.is_none() && self.has_quorum()).then(|| {
            let mut world = *self;
            world.leader = Some(small(slot));
            world
        })
    }

    /// The member's data directory is emptied, and its process ends.
    pub fn lose_data(&self, slot: usize) -> Option<Self> {
        (self.members[slot].data == Data::Here).then(|| {
            let mut world = *self;
            world.members[slot].lose_data();
            world.stop(slot);
            world.settle();
            world
        })
    }

    /// A process that runs ends.
    pub fn stop(&mut self, slot: usize) {
        let pod = &mut self.kube.slots[slot].pod;
        if *pod == Pod::Running {
            *pod = Pod::Crashed;
        }
    }

    /// Whether too many voters have lost their data for a majority ever to answer again. A first
    /// member that is taken for one that has started never comes back without data either.
    pub fn is_lost_for_good(&self) -> bool {
        let voters = self.voters().count();
        let lost = self.voters().filter(|slot| match self.members[*slot].data {
            Data::Here => false,
            Data::Lost => true,
            Data::Never => self.kube.slots[*slot].file == File::Started,
        });
        self.formed && voters - lost.count() < quorum(voters)
    }
}

impl Member {
    /// Its data is gone.
    pub fn lose_data(&mut self) {
        if self.data == Data::Here {
            self.data = Data::Lost;
        }
    }
}

fn becomes_earlier(seen: &mut Seen) {
    if seen.record.whom == Whom::Present {
        seen.record.whom = Whom::Earlier;
        seen.record.volume = Volume::None;
    }
    if seen.file != File::None {
        seen.file = File::Earlier;
    }
}
