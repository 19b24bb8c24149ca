//! The runner against a scripted world: every verdict, and what it is given for.

use std::{
    cell::{Cell, RefCell},
    time::Duration,
};

use chaos::{
    Observation,
    fault::{Fault, Hit},
    history::{History, read_back::ReadBack},
    observation::{List, Listed, Member, Pod, Resource},
    traffic::{Rates, Traffic},
};
use scenarios::{
    report::{StepReport, Verdict},
    runner::{self, Event, Outcome},
    scenario::{Action, Cluster, parse},
    world::{Calls, Leftovers, World, WorldFailed},
};

/// A cluster that gets one member nearer to the wanted size each second, unless told otherwise.
#[derive(Default)]
struct Scripted {
    now: Cell<Duration>,
    wanted: Cell<Option<u64>>,
    members: Cell<u64>,
    moved: Cell<Duration>,
    calls: RefCell<Calls>,
    /// What was broken and mended, and when.
    strikes: RefCell<Vec<String>>,
    /// What goes wrong.
    stuck_at: Option<u64>,
    forks_at: Option<u64>,
    crashes_after: Option<Duration>,
    leaves_behind: bool,
    restarts_at: Option<Duration>,
}

impl Scripted {
    fn advance(&self) {
        let due = self.now.get() - self.moved.get() >= Duration::from_secs(1);
        let wanted = self.wanted.get().unwrap_or(0);
        let members = self.members.get();
        if !due || members == wanted || self.stuck_at == Some(members) {
            return;
        }
        self.members.set(if members < wanted {
            members + 1
        } else {
            members - 1
        });
        self.moved.set(self.now.get());
        *self
            .calls
            .borrow_mut()
            .etcd
            .entry("MemberAdd".to_owned())
            .or_default() += 1;
    }

    fn pod(&self, index: u64) -> Pod {
        let listed = (0..self.members.get()).map(|index| Listed {
            id: index + 1,
            name: format!("demo-{index}"),
            learner: false,
        });
        let member = Member {
            cluster: if self.forks_at == Some(index) { 8 } else { 7 },
            id: index + 1,
            leader: 1,
            applied: self.now.get().as_millis() as u64,
            version: "3.5.21".to_owned(),
            list: Some(List {
                linearizable: true,
                members: listed.collect(),
            }),
            ..Member::default()
        };
        Pod {
            name: format!("demo-{index}"),
            uid: format!("pod-{index}"),
            running: true,
            ready: true,
            restarts: u32::from(self.restarts_at.is_some_and(|at| self.now.get() > at)),
            member: Some(member),
            ..Pod::default()
        }
    }
}

impl World for Scripted {
    fn elapsed(&self) -> Duration {
        self.now.get()
    }

    async fn pass(&self, time: Duration) {
        self.now.set(self.now.get() + time);
    }

    async fn act(&self, cluster: &Cluster, action: Action) -> Result<(), WorldFailed> {
        self.moved.set(self.now.get());
        match action {
            Action::Create => self.wanted.set(Some(u64::from(cluster.size))),
            Action::Scale(9) => {
                let what = "9 members".to_owned();
                return Err(WorldFailed::CannotDo {
                    world: "scripted",
                    what,
                });
            }
            Action::Scale(size) => self.wanted.set(Some(u64::from(size))),
            Action::Delete => self.wanted.set(None),
            _ => {}
        }
        Ok(())
    }

    async fn inject(
        &self,
        _: &Cluster,
        fault: &Fault,
        hit: Option<&Hit>,
    ) -> Result<(), WorldFailed> {
        let pod = hit.map_or("", |hit| hit.pod.as_str());
        let at = self.now.get().as_millis();
        self.strikes
            .borrow_mut()
            .push(format!("{at} {fault} {pod}"));
        Ok(())
    }

    async fn heal(&self, _: &Cluster, fault: &Fault, _: Option<&Hit>) -> Result<(), WorldFailed> {
        let at = self.now.get().as_millis();
        self.strikes
            .borrow_mut()
            .push(format!("{at} over: {fault}"));
        Ok(())
    }

    async fn look(&self, _: &Cluster) -> Result<Observation, WorldFailed> {
        self.advance();
        let resource = self.wanted.get().map(|wanted| Resource {
            uid: "u".to_owned(),
            generation: 1,
            observed_generation: Some(1),
            wanted: wanted as u32,
            version: "3.5.21".to_owned(),
            ready: self.members.get() as u32,
            phase: "Running".to_owned(),
            ..Resource::default()
        });
        let pods = (0..self.members.get())
            .map(|index| self.pod(index))
            .collect();
        Ok(Observation {
            at: self.now.get(),
            resource,
            pods,
            ..Observation::default()
        })
    }

    async fn leftovers(&self) -> Result<Leftovers, WorldFailed> {
        let left = self.leaves_behind || self.members.get() > 0;
        let others = left
            .then(|| "ConfigMap/demo-config".to_owned())
            .into_iter()
            .collect();
        Ok(Leftovers {
            others,
            ..Leftovers::default()
        })
    }

    fn start_traffic(&self, _: Rates) -> Traffic {
        unreachable!("the scenarios here have no traffic")
    }

    async fn read_back(&self, _: &History) -> Result<ReadBack, WorldFailed> {
        unreachable!("the scenarios here have no traffic")
    }

    async fn compact(&self) -> Result<(), WorldFailed> {
        Ok(())
    }

    fn calls(&self) -> Option<Calls> {
        Some(self.calls.borrow().clone())
    }

    fn crashed(&self) -> Option<String> {
        let over = self.crashes_after.is_some_and(|at| self.now.get() > at);
        over.then(|| "the operator ended: a bug".to_owned())
    }
}

const WALK: &str = "
cluster demo: size 1, version 3.5.21, volumes deleted with it
step \"create\"
  create the cluster
  expect 1 member within 10s
step \"grow\"
  scale to 3
  expect 3 members within 10s
  expect 3 members for 5s
step \"delete\"
  delete the cluster
  expect nothing is left within 10s
finally
  expect no invariant was violated
";

fn run(world: &Scripted, text: &str) -> (Outcome, Vec<StepReport>) {
    let scenario = parse(text).expect("a scenario");
    let mut steps = Vec::new();
    let mut tell = |event| {
        if let Event::Ended(report) = event {
            steps.push(report);
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let outcome = runtime.block_on(runner::run(world, &scenario, &mut tell));
    (outcome, steps)
}

fn fails(world: Scripted, verdict: Verdict, why: &str) {
    let (outcome, _) = run(&world, WALK);
    assert_eq!(outcome.verdict, verdict, "{:?}", outcome.reason);
    let reason = outcome.reason.expect("a reason");
    assert!(reason.contains(why), "{reason}");
}

#[test]
fn a_cluster_that_does_as_it_is_told_passes() {
    let (outcome, steps) = run(&Scripted::default(), WALK);
    assert_eq!((outcome.verdict, outcome.reason), (Verdict::Pass, None));
    let titles: Vec<_> = steps.iter().map(|step| step.title.as_str()).collect();
    assert_eq!(titles, ["create", "grow", "delete"]);
}

#[test]
fn a_step_tells_its_time_its_calls_and_what_happened() {
    let (_, steps) = run(&Scripted::default(), WALK);
    assert_eq!(steps[0].took, Duration::from_secs(1));
    assert_eq!(steps[1].took, Duration::from_secs(7));
    let calls = steps[1].calls.as_ref().expect("counted");
    assert_eq!(calls.etcd.get("MemberAdd"), Some(&2));
    let told: Vec<_> = steps[1]
        .timeline
        .iter()
        .map(|moment| moment.what.as_str())
        .collect();
    assert_eq!(told[0], "user: scale to 3");
    assert!(
        told.contains(&"etcd: member demo-2 is added as voter"),
        "{told:?}"
    );
}

#[test]
fn a_cluster_that_never_gets_there_fails_liveness_with_what_is_missing() {
    let world = Scripted {
        stuck_at: Some(2),
        ..Scripted::default()
    };
    fails(
        world,
        Verdict::Liveness,
        "`expect 3 members within 10s` did not come true: there are 2",
    );
}

#[test]
fn a_cluster_that_changes_without_being_asked_fails_liveness() {
    let world = Scripted {
        restarts_at: Some(Duration::from_secs(5)),
        ..Scripted::default()
    };
    fails(
        world,
        Verdict::Liveness,
        "did not hold: pods or members are others than before",
    );
}

#[test]
fn what_is_left_behind_is_named() {
    let world = Scripted {
        leaves_behind: true,
        ..Scripted::default()
    };
    fails(
        world,
        Verdict::Liveness,
        "still there: ConfigMap/demo-config",
    );
}

#[test]
fn a_broken_invariant_fails_safety_even_when_the_step_fails_otherwise() {
    let world = Scripted {
        forks_at: Some(1),
        ..Scripted::default()
    };
    fails(world, Verdict::Safety, "one resource is one etcd cluster");
}

#[test]
fn an_operator_that_ended_is_a_crash() {
    let world = Scripted {
        crashes_after: Some(Duration::from_secs(2)),
        ..Scripted::default()
    };
    fails(world, Verdict::Crash, "the operator ended: a bug");
}

#[test]
fn a_world_that_cannot_do_a_step_says_which() {
    let (outcome, _) = run(
        &Scripted::default(),
        &WALK.replace("3", "9").replace("9.5.21", "3.5.21"),
    );
    assert_eq!(outcome.verdict, Verdict::Crash);
    let reason = outcome.reason.expect("a reason");
    assert_eq!(reason, "the world `scripted` cannot do this: 9 members");
}

#[test]
fn faults_come_when_they_are_announced_and_end_by_themselves() {
    let world = Scripted::default();
    let text = "cluster demo: size 3, version 3.5.21\n\
        step \"a\"\n create the cluster\n expect 3 members within 9s\n\
        step \"b\"\n kill the leader\n in 300ms: cut off member 2 for 1s\n\
        in 400ms: pause a learner for 1s\n wait 2s\n pause a follower for 1h\n\
        in 5s: kill the operator\n heal everything\n wait 6s\n";
    let (outcome, steps) = run(&world, text);
    assert_eq!(outcome.verdict, Verdict::Pass, "{:?}", outcome.reason);
    let at = |after: u128| steps[1].began.as_millis() + after;
    let expected = [
        format!("{} kill the leader demo-0", at(0)),
        format!("{} cut off member 2 for 1s demo-2", at(300)),
        format!("{} over: cut off member 2 for 1s", at(1300)),
        format!("{} pause a follower for 1h demo-1", at(2000)),
        format!("{} over: pause a follower for 1h", at(2000)),
    ];
    assert_eq!(*world.strikes.borrow(), expected);
}

#[test]
fn a_fault_that_a_file_asks_for_at_once_must_hit_somebody() {
    let text = "cluster demo: size 1, version 3.5.21\nstep \"a\"\n create the cluster\n\
        expect 1 member within 9s\n kill a learner\n";
    let (outcome, _) = run(&Scripted::default(), text);
    assert_eq!(outcome.verdict, Verdict::Crash);
    let reason = outcome.reason.expect("a reason");
    assert!(reason.contains("found nobody to hit"), "{reason}");
}

#[test]
fn a_trouble_that_is_there_already_only_lasts_longer() {
    let text = "cluster demo: size 1, version 3.5.21\nstep \"a\"\n create the cluster\n \
        expect 1 member within 9s\n take the API server away for 4s\n wait 2s\n \
        take the API server away for 9s\n wait 20s\n";
    let world = Scripted::default();
    let (outcome, _) = run(&world, text);
    assert_eq!(outcome.verdict, Verdict::Pass, "{:?}", outcome.reason);
    let strikes = world.strikes.borrow();
    let whens: Vec<u64> = strikes
        .iter()
        .filter_map(|line| line.split(' ').next()?.parse().ok())
        .collect();
    assert_eq!(whens.len(), 2, "{strikes:?}");
    assert_eq!(whens[1] - whens[0], 11_000, "{strikes:?}");
}
