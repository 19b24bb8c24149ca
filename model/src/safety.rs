//! What must never happen, whatever the operator was shown.
//!
//! Owns: the rules. They look at what *is*; the audit of a plan looks at what was seen.
//! Always holds: an act is judged when the operator asks for it. That etcd would have refused is no
//! excuse.
//! Deliberately does not know: the planner's reasons, except for the one that a removal states.

use operator::plan::{Removal, Restart};

use crate::{
    decision::Act,
    etcd::quorum,
    world::{Claim, Data, File, Role, World, slots, small},
};

/// A rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The plan contradicts what the planner was shown.
    #[error("the plan breaks a rule of its own audit: {0}")]
    Audit(String),
    /// A majority answered, and the act leaves too few.
    #[error("quorum is lost by the operator's act: {live} of {voters} voters are left running")]
    Quorum {
        /// Voters that run afterwards.
        live: usize,
        /// Voters afterwards.
        voters: usize,
    },
    /// Nobody asked for fewer members.
    #[error("member {0}, a voter, is removed although no more voters are there than wanted")]
    RemovedUnasked(u8),
    /// Silence was taken for a loss.
    #[error("member {0} is removed for lost data, and its data is there")]
    RemovedWithData(u8),
    /// One learner more than etcd allows.
    #[error("a learner is added beside {0}, which is as many as etcd allows")]
    TooManyLearners(usize),
    /// One member more than wanted.
    #[error("a member is added to {0} although no more are wanted")]
    AddedBeyond(usize),
    /// A learner that cannot have caught up.
    #[error("learner {0} is promoted while it does not run")]
    PromotedAsleep(u8),
    /// A restart that leaves less than all others.
    #[error("member {0}, which runs, is restarted while another voter does not run")]
    RestartBesideSick(u8),
    /// An edit that costs a learner.
    #[error("member {0}, which runs, is restarted for an edit while a learner is there")]
    RestartBesideLearner(u8),
    /// The volume of somebody who needs it.
    #[error("the volume of member {0} is deleted with its data")]
    MembersVolume(u8),
    /// A pod that a member needs.
    #[error("{replicas} pods leave member {slot} without one although the cluster is to run")]
    PodsBelowMembers {
        /// Pods.
        replicas: u8,
        /// Ordinal of a member beyond.
        slot: u8,
    },
    /// A second cluster may come of this.
    #[error("member {0} is told to begin a cluster that has begun")]
    SecondBirth(u8),
    /// A voter that does not know what it promised.
    #[error("voter {0} comes back with an empty data directory under its old identity")]
    Forgotten(u8),
    /// In a calm world, with all pods running and time passing, the spec is not reached.
    #[error("a calm world does not reach the spec; it stays at: {0}")]
    Stuck(String),
}

/// May the objects be declared like this?
pub fn declaration(before: &World, after: &World) -> Result<(), Broken> {
    let pods = |world: &World| world.kube.set.map_or(0, |set| set.replicas);
    let replicas = pods(after);
    if before.kube.size > 0 && replicas < pods(before) {
        let mut beyond = slots().skip(usize::from(replicas));
        let needed = |slot: &usize| before.members[*slot].data == Data::Here;
        if let Some(slot) = beyond.find(needed).map(small) {
            return Err(Broken::PodsBelowMembers { replicas, slot });
        }
    }
    let exists = |file: File| matches!(file, File::Join | File::Started | File::Earlier);
    let files = |world: &World| world.kube.slots.map(|seen| seen.file);
    let begun = before.kube.has_id || files(before).into_iter().any(exists);
    let told = |slot: &usize| files(after)[*slot] == File::New && files(before)[*slot] != File::New;
    match slots().find(told) {
        Some(slot) if begun => Err(Broken::SecondBirth(small(slot))),
        _ => Ok(()),
    }
}

/// May this be done?
pub fn act(world: &World, act: Act, learner_limit: usize) -> Result<(), Broken> {
    match act {
        Act::Add(_) => addition(world, learner_limit),
        Act::Promote(slot) => promotion(world, slot),
        Act::Remove(slot, why) => removal(world, slot, why),
        Act::Restart(slot, why) => restart(world, slot, why),
        Act::DeleteClaim(slot) => {
            let at = usize::from(slot);
            let needed = world.members[at].role != Role::None
                && world.members[at].data == Data::Here
                && world.is_same_claim(at);
            if needed {
                return Err(Broken::MembersVolume(slot));
            }
            Ok(())
        }
        Act::MoveLeader(_) => Ok(()),
    }
}

fn addition(world: &World, learner_limit: usize) -> Result<(), Broken> {
    let learners = world.learners();
    let members = learners + world.voters().count();
    if learners >= learner_limit {
        return Err(Broken::TooManyLearners(learners));
    }
    // One too many is right when a member is to move below the wanted size.
    let size = usize::from(world.kube.size);
    let complete = (0..size).all(|slot| world.members[slot].role != Role::None);
    if world.cache.is_none() && (complete || members > size) {
        return Err(Broken::AddedBeyond(members));
    }
    Ok(())
}

fn promotion(world: &World, slot: u8) -> Result<(), Broken> {
    let runs = world.runs(usize::from(slot));
    majority(
        world,
        world.live() + usize::from(runs),
        world.voters().count() + 1,
    )?;
    // A cache that lags may show a pod that ran; etcd knows whether the learner is in sync.
    if world.cache.is_none() && !runs {
        return Err(Broken::PromotedAsleep(slot));
    }
    Ok(())
}

fn removal(world: &World, slot: u8, why: Removal) -> Result<(), Broken> {
    let at = usize::from(slot);
    if world.members[at].role != Role::Voter {
        return Ok(());
    }
    let voters = world.voters().count();
    majority(
        world,
        world.live() - usize::from(world.runs(at)),
        voters - 1,
    )?;
    let has_data =
        world.members[at].data == Data::Here && world.kube.slots[at].claim == Claim::Bound;
    match why {
        Removal::DataLost(_) if has_data => Err(Broken::RemovedWithData(slot)),
        Removal::DataLost(_) => Ok(()),
        Removal::ScaleDown if voters > usize::from(world.kube.size) => Ok(()),
        Removal::ScaleDown | Removal::LearnerLate => Err(Broken::RemovedUnasked(slot)),
    }
}

fn restart(world: &World, slot: u8, why: Restart) -> Result<(), Broken> {
    let at = usize::from(slot);
    let sound = world.members[at].role == Role::Voter && world.runs(at);
    // While nobody leads nobody is served, and a restart may be the cure.
    if !sound || !world.serves() {
        return Ok(());
    }
    if world.live() < world.voters().count() {
        return Err(Broken::RestartBesideSick(slot));
    }
    if why == Restart::Outdated && world.learners() > 0 {
        return Err(Broken::RestartBesideLearner(slot));
    }
    Ok(())
}

fn majority(world: &World, live: usize, voters: usize) -> Result<(), Broken> {
    if world.has_quorum() && live < quorum(voters) {
        return Err(Broken::Quorum { live, voters });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use operator::plan::Damage;

    use super::*;
    use crate::world::{Left, Member, Pod, Set, Template, Told};

    /// So many voters, all of them running and served by the first, as wanted.
    fn running(voters: u8) -> World {
        let left = Left {
            edits: 0,
            faults: 0,
        };
        let mut world = World::new(voters, left);
        for slot in 0..usize::from(voters) {
            world.members[slot] = Member {
                role: Role::Voter,
                told: Told::All,
                data: Data::Here,
            };
            world.kube.slots[slot].pod = Pod::Running;
            world.kube.slots[slot].claim = Claim::Bound;
            world.kube.slots[slot].file = File::Started;
        }
        world.kube.set = Some(Set {
            replicas: voters,
            template: Template::Good,
        });
        (world.formed, world.leader) = (true, Some(0));
        world
    }

    fn with(mut world: World, change: impl FnOnce(&mut World)) -> World {
        change(&mut world);
        world
    }

    fn lost() -> Removal {
        Removal::DataLost(Damage::VolumeReplaced)
    }

    #[test]
    fn a_removal_needs_a_wish_or_a_loss_and_leaves_a_majority() {
        let three = running(3);
        let remove = |world: &World, why| act(world, Act::Remove(2, why), 1);
        let unasked = Err(Broken::RemovedUnasked(2));
        assert_eq!(remove(&three, Removal::ScaleDown), unasked);
        let wished = with(three, |world| world.kube.size = 2);
        assert_eq!(remove(&wished, Removal::ScaleDown), Ok(()));
        assert_eq!(remove(&three, lost()), Err(Broken::RemovedWithData(2)));
        let dead = with(three, |world| world.members[2].data = Data::Lost);
        assert_eq!(remove(&dead, lost()), Ok(()));
        let others = with(wished, |world| world.stop(1));
        assert_eq!(
            remove(&others, Removal::ScaleDown),
            Err(Broken::Quorum { live: 1, voters: 2 })
        );
    }

    #[test]
    fn a_learner_is_promoted_only_while_it_runs_and_added_only_where_there_is_room() {
        let growing = with(running(2), |world| {
            world.kube.size = 3;
            world.members[2].role = Role::Learner;
        });
        let asleep = Err(Broken::PromotedAsleep(2));
        assert_eq!(act(&growing, Act::Promote(2), 1), asleep);
        let awake = with(growing, |world| world.kube.slots[2].pod = Pod::Running);
        assert_eq!(act(&awake, Act::Promote(2), 1), Ok(()));
        let many = Err(Broken::TooManyLearners(1));
        assert_eq!(act(&growing, Act::Add(3), 1), many);
        assert_eq!(
            act(&running(3), Act::Add(3), 1),
            Err(Broken::AddedBeyond(3))
        );
        let moving = with(running(2), |world| world.kube.size = 3);
        assert_eq!(act(&moving, Act::Add(2), 1), Ok(()));
    }

    #[test]
    fn a_member_that_runs_is_restarted_only_while_all_others_do_and_nobody_joins() {
        let restart = |world: &World| act(world, Act::Restart(1, Restart::Outdated), 1);
        assert_eq!(restart(&running(3)), Ok(()));
        let sick = with(running(3), |world| world.stop(2));
        assert_eq!(restart(&sick), Err(Broken::RestartBesideSick(1)));
        let growing = with(running(3), |world| world.members[3].role = Role::Learner);
        assert_eq!(restart(&growing), Err(Broken::RestartBesideLearner(1)));
    }

    #[test]
    fn what_a_member_needs_is_left_to_it() {
        let three = running(3);
        let delete = |world: &World| act(world, Act::DeleteClaim(1), 1);
        assert_eq!(delete(&three), Err(Broken::MembersVolume(1)));
        let left = with(three, |world| world.members[1] = Member::NONE);
        assert_eq!(delete(&left), Ok(()));

        let fewer = with(three, |world| {
            world.kube.set = Some(Set {
                replicas: 2,
                template: Template::Good,
            });
        });
        assert_eq!(
            declaration(&three, &fewer),
            Err(Broken::PodsBelowMembers {
                replicas: 2,
                slot: 2
            })
        );
        let again = with(three, |world| world.kube.slots[0].file = File::New);
        assert_eq!(declaration(&three, &again), Err(Broken::SecondBirth(0)));
        assert_eq!(declaration(&three, &three), Ok(()));
    }

    #[test]
    fn a_voter_without_its_data_must_not_come_back() {
        let forgetful = with(running(3), |world| {
            world.kube.slots[2].pod = Pod::Crashed;
            world.kube.slots[2].file = File::Join;
            world.members[2].told = Told::Nothing;
            world.members[2].lose_data();
        });
        assert_eq!(forgetful.start(2), Some(Err(Broken::Forgotten(2))));
    }
}
