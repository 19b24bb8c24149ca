//! Members driven by hand: messages take 1 ms, syncs what the disk says.

use std::collections::{BTreeMap, BTreeSet};

use etcd_client::proto::{PbMember, PbPutRequest};

use super::*;
use crate::etcd::{
    bootstrap::{found, initial_members, join, replay},
    disk::Disk,
    identity::member_id,
    membership::Change,
    urls::parse_initial_cluster,
};

const V35: Version = Version::new(3, 5, 21);
const V36: Version = Version::new(3, 6, 16);
const MS: Duration = Duration::from_millis(1);

/// What happens next, and to whom.
enum Event {
    Tick(u64),
    Deliver(Message),
    Synced(u64),
}

struct World {
    version: Version,
    arguments: &'static str,
    now: Duration,
    ordinal: u64,
    queue: BTreeMap<(Duration, u64), Event>,
    members: BTreeMap<u64, Member>,
    disks: BTreeMap<u64, Disk>,
    ended: BTreeMap<u64, End>,
    down: BTreeSet<u64>,
}

impl World {
    fn new(size: usize, version: Version) -> Self {
        Self::with(size, version, "")
    }

    fn with(size: usize, version: Version, arguments: &'static str) -> Self {
        let mut world = Self {
            version,
            arguments,
            now: Duration::ZERO,
            ordinal: 0,
            queue: BTreeMap::new(),
            members: BTreeMap::new(),
            disks: BTreeMap::new(),
            ended: BTreeMap::new(),
            down: BTreeSet::new(),
        };
        let names: Vec<String> = (0..size)
            .map(|i| format!("m{i}=http://m{i}:2380"))
            .collect();
        let cluster = parse_initial_cluster(&names.join(",")).expect("valid names");
        let members = initial_members(&cluster, "token");
        for member in &members {
            world.boot(member.id, found(member.id, &members));
        }
        world
    }

    fn boot(&mut self, id: u64, fresh: DataDir) {
        let disk = self.disks.entry(id).or_default().clone();
        let dir = Dir::locate(&BTreeMap::from([("/data".to_owned(), disk)]), "/data");
        if dir.read().identity.is_none() {
            dir.create(fresh);
        }
        let argv: Vec<String> = self
            .arguments
            .split_whitespace()
            .map(str::to_owned)
            .collect();
        let config = Config::read(&argv, &BTreeMap::new(), &BTreeMap::new(), self.version)
            .expect("valid arguments");
        let data = dir.read();
        let state = replay(&data, self.version.quirks(), config.max_learners);
        let beginning = Beginning {
            id,
            version: self.version,
            config,
            seed: 7,
            unix_millis: u64::try_from(self.now.as_millis()).unwrap_or_default(),
            dir,
            data,
            state,
        };
        self.members.insert(id, Member::start(beginning, self.now));
        self.down.remove(&id);
        for other in self.up() {
            self.link(id, other);
            self.link(other, id);
        }
        self.at(self.now + 100 * MS, Event::Tick(id));
    }

    fn link(&mut self, of: u64, to: u64) {
        let (now, version) = (self.now, self.version);
        if let Some(member) = self.members.get_mut(&of).filter(|_| of != to) {
            member.link_up(to, version, now);
        }
    }

    fn crash(&mut self, id: u64) {
        self.members.remove(&id);
        self.down.insert(id);
        let now = self.now;
        self.members
            .values_mut()
            .for_each(|member| member.link_down(id, now));
    }

    fn restart(&mut self, id: u64) {
        self.boot(id, DataDir::default());
    }

    fn up(&self) -> Vec<u64> {
        self.members.keys().copied().collect()
    }

    fn at(&mut self, when: Duration, event: Event) {
        self.ordinal += 1;
        self.queue.insert((when, self.ordinal), event);
    }

    fn run(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(entry) = self.queue.first_entry().filter(|e| e.key().0 <= until) {
            let ((when, _), event) = entry.remove_entry();
            self.now = when;
            let id = match &event {
                Event::Tick(id) | Event::Synced(id) => *id,
                Event::Deliver(message) => message.to,
            };
            let Some(member) = self.members.get_mut(&id) else {
                continue;
            };
            member.pass_time(when);
            match event {
                Event::Tick(_) => {}
                Event::Synced(_) => member.synced(when),
                Event::Deliver(message) => member.step(message, when),
            }
            self.settle(id);
        }
        self.now = until;
    }

    fn settle(&mut self, id: u64) {
        let now = self.now;
        let Some(member) = self.members.get_mut(&id) else {
            return;
        };
        member.advance(now);
        let effects = member.take_effects();
        for message in effects.messages {
            self.at(now + MS, Event::Deliver(message));
        }
        if let Some(time) = effects.sync {
            self.at(now + time, Event::Synced(id));
        }
        if let Some(end) = effects.end {
            self.ended.insert(id, end);
        }
        if let Some(wake) = self.members.get_mut(&id).map(Member::next_wake) {
            let ticks = |event: &Event| matches!(event, Event::Tick(other) if *other == id);
            self.queue.retain(|_, event| !ticks(event));
            self.at(wake.max(now), Event::Tick(id));
        }
    }

    fn leader(&self) -> Option<u64> {
        self.members
            .values()
            .find(|member| member.is_leader())
            .map(Member::id)
    }

    fn follower(&self) -> u64 {
        let leader = self.leader();
        self.up()
            .into_iter()
            .find(|id| Some(*id) != leader)
            .expect("more than one member")
    }

    fn elected(&mut self) -> u64 {
        for _ in 0..50 {
            self.run(100 * MS);
            if let Some(leader) = self.leader() {
                return leader;
            }
        }
        panic!("no leader within 5 s");
    }

    fn with_member<T>(&mut self, id: u64, act: impl FnOnce(&mut Member, Duration) -> T) -> T {
        let now = self.now;
        let answer = act(self.members.get_mut(&id).expect("a running member"), now);
        self.settle(id);
        answer
    }

    fn put(&mut self, id: u64, key: &str) -> Option<Result<Applied, Failure>> {
        let put = PbPutRequest {
            key: key.into(),
            ..PbPutRequest::default()
        };
        let answer = self.with_member(id, |member, _| member.propose(Op::Put(put)))?;
        self.wait(answer)
    }

    fn change(&mut self, id: u64, change: &Change) -> Option<Result<Applied, Failure>> {
        let answer = self.with_member(id, |member, _| member.propose_change(change))?;
        self.wait(answer)
    }

    fn wait<T>(&mut self, mut answer: Answer<T>) -> Option<Result<T, Failure>> {
        for _ in 0..2000 {
            if let Ok(answer) = answer.try_recv() {
                return Some(answer);
            }
            self.run(MS);
        }
        None
    }

    /// Adds a learner and starts it.
    fn add_learner(&mut self, through: u64) -> (u64, Option<Result<Applied, Failure>>) {
        let peer_ur_ls = vec![format!("http://n{}:2380", self.members.len())];
        let second = i64::try_from(self.now.as_secs()).unwrap_or_default();
        let id = member_id(&peer_ur_ls, "", Some(second));
        let member = PbMember {
            id,
            peer_ur_ls,
            is_learner: true,
            ..PbMember::default()
        };
        let answer = self.change(through, &Change::Add(member));
        let cluster = self.members[&through].state().cluster;
        self.boot(id, join(id, cluster, &[]));
        (id, answer)
    }

    fn revision(&self, id: u64) -> i64 {
        self.members[&id].state().store.revision()
    }
}

#[test]
fn three_members_elect_a_leader_within_two_election_timeouts_and_replicate() {
    let mut world = World::new(3, V35);
    let leader = world.elected();
    assert!(world.now <= 2 * Duration::from_secs(1), "{:?}", world.now);
    assert!(world.put(leader, "k").expect("answered").is_ok());
    world.run(200 * MS);
    assert!(world.up().into_iter().all(|id| world.revision(id) == 2));
}

#[test]
fn a_put_through_a_follower_is_forwarded_to_the_leader() {
    let mut world = World::new(3, V35);
    world.elected();
    let follower = world.follower();
    assert!(world.put(follower, "k").expect("answered").is_ok());
}

#[test]
fn the_same_seed_elects_the_same_leader_at_the_same_time() {
    let run = || {
        let mut world = World::new(5, V35);
        (world.elected(), world.now)
    };
    assert_eq!(run(), run());
}

#[test]
fn a_crashed_leader_is_replaced_and_what_was_acknowledged_survives() {
    let mut world = World::new(3, V35);
    let old = world.elected();
    assert!(world.put(old, "k").expect("answered").is_ok());
    world.crash(old);
    let crashed_at = world.now;
    let new = world.elected();
    assert_ne!(new, old);
    assert!(
        world.now - crashed_at <= Duration::from_secs(2),
        "took {:?}",
        world.now - crashed_at
    );
    assert_eq!(world.revision(new), 2);
    world.restart(old);
    world.run(Duration::from_secs(1));
    assert_eq!((world.revision(old), world.leader()), (2, Some(new)));
}

#[test]
fn without_quorum_nothing_is_accepted_and_the_leader_steps_down() {
    let mut world = World::new(3, V35);
    let leader = world.elected();
    for id in world.up().into_iter().filter(|id| *id != leader) {
        world.crash(id);
    }
    world.run(Duration::from_secs(3));
    assert_eq!(world.members[&leader].leader(), 0);
    assert!(
        world.put(leader, "k").is_none(),
        "no leader takes the proposal"
    );
}

#[test]
fn a_read_waits_for_the_leader_and_sees_what_was_written_before() {
    let mut world = World::new(3, V35);
    let leader = world.elected();
    world.put(leader, "k");
    let follower = world.follower();
    let answer = world.with_member(follower, Member::read);
    assert_eq!(world.wait(answer), Some(Ok(())));
    assert_eq!(world.revision(follower), 2);
}

#[test]
fn a_learner_catches_up_and_is_promoted_by_the_leader_only() {
    let mut world = World::new(1, V36);
    let leader = world.elected();
    let (learner, added) = world.add_learner(leader);
    assert!(added.expect("answered").is_ok());
    assert_eq!(
        world.members[&leader].may_promote(learner),
        Err(Failure::LearnerNotReady)
    );
    world.run(300 * MS);
    assert!(world.members[&learner].is_learner());
    assert_eq!(
        world.members[&learner].may_promote(learner),
        Err(Failure::NotLeader)
    );
    assert_eq!(world.members[&leader].may_promote(learner), Ok(()));
    assert!(
        world
            .change(leader, &Change::Promote(learner))
            .expect("answered")
            .is_ok()
    );
    world.run(300 * MS);
    assert!(!world.members[&learner].is_learner());
    let again = world.change(leader, &Change::Promote(learner));
    assert_eq!(again, Some(Err(Failure::NotALearner)));
}

#[test]
fn a_second_learner_is_one_too_many_unless_the_limit_is_raised() {
    for (arguments, allowed) in [("", false), ("--max-learners=2", true)] {
        let mut world = World::with(1, V36, arguments);
        let leader = world.elected();
        world
            .add_learner(leader)
            .1
            .expect("answered")
            .expect("the first learner");
        world.run(300 * MS);
        let second = world.add_learner(leader).1.expect("answered");
        assert_eq!(second.is_ok(), allowed, "{arguments:?}: {second:?}");
    }
}

#[test]
fn a_far_behind_learner_gets_the_whole_state_as_a_snapshot() {
    let mut world = World::with(1, V36, "--snapshot-count=10 --snapshot-catchup-entries=2");
    let leader = world.elected();
    for key in 0..40 {
        world
            .put(leader, &key.to_string())
            .expect("answered")
            .expect("a put");
    }
    let (learner, _) = world.add_learner(leader);
    world.run(Duration::from_secs(1));
    assert_eq!(world.revision(learner), world.revision(leader));
    assert!(world.members[&learner].is_learner());
    // And it restarts from what it has on disk.
    world.crash(learner);
    world.restart(learner);
    assert_eq!(world.revision(learner), world.revision(leader));
}

#[test]
fn a_removed_member_ends_and_the_rest_goes_on() {
    let mut world = World::new(3, V36);
    let leader = world.elected();
    let victim = world.follower();
    assert!(
        world
            .change(leader, &Change::Remove(victim))
            .expect("answered")
            .is_ok()
    );
    world.run(300 * MS);
    assert_eq!(world.ended.get(&victim), Some(&End::Removed));
    world.members.remove(&victim);
    assert!(world.put(leader, "k").expect("answered").is_ok());
}

#[test]
fn a_leader_that_removes_itself_ends_and_another_takes_over() {
    let mut world = World::new(3, V36);
    let leader = world.elected();
    let removal = Change::Remove(leader);
    let answer = world.with_member(leader, |member, _| member.propose_change(&removal));
    let mut answer = answer.expect("a leader takes it");
    world.run(50 * MS);
    assert_eq!(world.ended.get(&leader), Some(&End::Removed));
    world.with_member(leader, |member, _| member.fail_requests());
    // It answers or it ends first: chance decides.
    let answer = answer.try_recv().expect("told something");
    assert!(
        matches!(answer, Ok(_) | Err(Failure::Stopped)),
        "{answer:?}"
    );
    world.members.remove(&leader);
    let heir = world.elected();
    assert!(world.members[&heir].state().members.is_removed(leader));
}

#[test]
fn a_follower_that_lost_its_log_panics_as_etcd_does() {
    let mut world = World::new(3, V36);
    world.elected();
    let victim = world.follower();
    world.crash(victim);
    world.disks.remove(&victim);
    let cluster = world
        .members
        .values()
        .next()
        .expect("members")
        .state()
        .cluster;
    world.boot(victim, join(victim, cluster, &[]));
    world.run(Duration::from_secs(1));
    assert!(
        matches!(world.ended.get(&victim), Some(End::LogLost { last: 0, .. })),
        "{:?}",
        world.ended
    );
}

#[test]
fn adding_waits_until_every_voter_was_connected_for_five_seconds_before_the_rule_was_relaxed() {
    for (version, needs_all) in [(V35, true), (V36, false)] {
        let mut world = World::new(3, version);
        let leader = world.elected();
        let may_add = |world: &World| world.members[&leader].may_add(true, world.now);
        assert_eq!(may_add(&world), Err(Failure::Unhealthy));
        world.run(Duration::from_secs(5));
        assert_eq!(may_add(&world), Ok(()));
        let follower = world.follower();
        world.crash(follower);
        assert_eq!(
            may_add(&world),
            Err(Failure::Unhealthy),
            "2 of 3 is no quorum of 4"
        );
        world.restart(follower);
        world.run(Duration::from_secs(1));
        // Of five voters, four are enough for a sixth once the rule is relaxed.
        let mut five = World::new(5, version);
        five.elected();
        five.run(Duration::from_secs(6));
        let follower = five.follower();
        let leader = five.leader().expect("elected");
        five.crash(follower);
        assert_eq!(
            five.members[&leader].may_add(true, five.now).is_err(),
            needs_all
        );
    }
}

#[test]
fn a_dead_member_may_be_removed_and_a_healthy_one_not_while_another_is_down() {
    let mut world = World::new(3, V35);
    let leader = world.elected();
    world.run(Duration::from_secs(6));
    let dead = world.follower();
    world.crash(dead);
    let alive = world.follower();
    let may_remove = |id| world.members[&leader].may_remove(id, world.now);
    assert_eq!(may_remove(dead), Ok(()));
    assert_eq!(may_remove(alive), Err(Failure::Unhealthy));
}

#[test]
fn leadership_can_be_handed_over_and_the_longest_connected_voter_is_chosen() {
    let mut world = World::new(3, V35);
    let leader = world.elected();
    let to = world.members[&leader]
        .transferee()
        .expect("connected voters");
    world.with_member(leader, |member, now| member.transfer_leadership(to, now));
    world.run(50 * MS);
    assert_eq!(world.leader(), Some(to));
}

#[test]
fn the_leader_decides_the_cluster_version() {
    let mut world = World::new(3, V35);
    world.elected();
    world.run(Duration::from_secs(1));
    for member in world.members.values() {
        assert_eq!(member.state().cluster_version.as_deref(), Some("3.5.0"));
    }
}

#[test]
fn a_lease_that_is_not_renewed_ends_and_one_that_is_lives() {
    use etcd_client::proto::PbLeaseGrantRequest;
    let mut world = World::new(1, V35);
    let leader = world.elected();
    for id in [1, 2] {
        let grant = Op::LeaseGrant(PbLeaseGrantRequest { id, ttl: 5 });
        let answer = world.with_member(leader, |member, _| member.propose(grant));
        let answer = answer.expect("a leader takes it");
        world.wait(answer).expect("answered").expect("granted");
    }
    for _ in 0..8 {
        world.run(Duration::from_secs(1));
        world
            .with_member(leader, |member, now| member.renew_lease(2, now))
            .expect("alive");
    }
    let leases: Vec<i64> = world.members[&leader]
        .state()
        .leases
        .keys()
        .copied()
        .collect();
    assert_eq!(leases, [2]);
}
