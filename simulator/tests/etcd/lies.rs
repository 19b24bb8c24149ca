//! Lies that the comparison must see: the simulation, broken on purpose in one way at a time.
//!
//! A liar stands between the script and the simulated members. It changes what is asked and told,
//! the flags that a member is started with, what happens to its disk, how its end is told, or which
//! version it is, as a simulation would that has the bug. Each names the case that sees it.

use std::any::Any;

use etcd_client::proto::{
    PbAlarmRequest, PbCompactionRequest, PbHashKvResponse, PbLeaseGrantRequest, PbMemberAddRequest,
    PbMemberListResponse, PbPutRequest, PbRangeRequest, PbStatusResponse, PbTxnRequest,
    PbWatchRequest, PbWatchRequestUnion,
};
use tonic::{Code, Status};

use crate::{
    arm::{Arm, Ended},
    grpc::Wire,
    simulated::{Simulated, play_broken},
    two_arms::recording::{cases, difference, recorded, recorded_versions},
};

/// A way of being broken.
pub(crate) struct Liar {
    /// What is broken.
    bug: &'static str,
    /// The case that sees it.
    case: &'static str,
    /// Changes a request before a member sees it.
    pub(crate) asks: fn(&mut dyn Any),
    /// Changes an answer before the script sees it.
    pub(crate) tells: fn(&mut dyn Any),
    pub(crate) refuses: fn(Status) -> Status,
    /// The version that a member is instead.
    pub(crate) version: fn(&str) -> &str,
    flags: fn(&mut Vec<String>),
    ends: fn(&mut Ended),
    keeps_wiped_disks: bool,
}

const HONEST: Liar = Liar {
    bug: "nothing",
    case: "keys",
    asks: |_| {},
    tells: |_| {},
    refuses: |status| status,
    version: |version| version,
    flags: |_| {},
    ends: |_| {},
    keeps_wiped_disks: false,
};

/// Changes a message if it is of this type.
fn of<T: 'static>(message: &mut dyn Any, change: impl FnOnce(&mut T)) {
    if let Some(message) = message.downcast_mut::<T>() {
        change(message);
    }
}

static LIARS: &[Liar] = &[
    Liar {
        bug: "members: learners are added as voters",
        case: "fresh-cluster",
        asks: |ask| of(ask, |add: &mut PbMemberAddRequest| add.is_learner = false),
        ..HONEST
    },
    Liar {
        bug: "members: the list does not tell who is a learner",
        case: "learner",
        tells: |told| {
            of(told, |list: &mut PbMemberListResponse| {
                list.members
                    .iter_mut()
                    .for_each(|member| member.is_learner = false);
            });
        },
        ..HONEST
    },
    Liar {
        bug: "reconfiguration: it is never refused for the health of the cluster",
        case: "one-of-three-down",
        flags: |flags| flags.push("--strict-reconfig-check=false".to_owned()),
        ..HONEST
    },
    Liar {
        bug: "refusals: the message is right and the code is not",
        case: "refusals",
        refuses: |status| match status.code() {
            Code::FailedPrecondition => Status::new(Code::Unavailable, status.message()),
            _ => status,
        },
        ..HONEST
    },
    Liar {
        bug: "consensus: a member without quorum answers reads from what it has",
        case: "quorum-lost",
        asks: |ask| of(ask, |range: &mut PbRangeRequest| range.serializable = true),
        ..HONEST
    },
    Liar {
        bug: "timing: elections take three times as long",
        case: "quorum-lost",
        flags: |flags| flags.push("--election-timeout=3000".to_owned()),
        ..HONEST
    },
    Liar {
        bug: "keys: what was there before is not told",
        case: "keys",
        asks: |ask| of(ask, |put: &mut PbPutRequest| put.prev_kv = false),
        ..HONEST
    },
    Liar {
        bug: "transactions: nothing is done when the comparison fails",
        case: "keys",
        asks: |ask| of(ask, |txn: &mut PbTxnRequest| txn.failure.clear()),
        ..HONEST
    },
    Liar {
        bug: "compaction: it stops one short",
        case: "keys",
        asks: |ask| {
            of(ask, |compact: &mut PbCompactionRequest| {
                compact.revision -= 1
            })
        },
        ..HONEST
    },
    Liar {
        bug: "watches: they do not start in the past",
        case: "keys",
        asks: |ask| {
            of(ask, |watch: &mut PbWatchRequest| {
                if let Some(PbWatchRequestUnion::CreateRequest(create)) = &mut watch.request_union {
                    create.start_revision += 1;
                }
            });
        },
        ..HONEST
    },
    Liar {
        bug: "leases: they never end",
        case: "leases",
        asks: |ask| of(ask, |lease: &mut PbLeaseGrantRequest| lease.ttl += 1000),
        ..HONEST
    },
    Liar {
        bug: "alarms: they are not raised",
        case: "alarms",
        asks: |ask| {
            of(ask, |alarm: &mut PbAlarmRequest| {
                if alarm.action == 1 {
                    alarm.action = 0;
                }
            });
        },
        ..HONEST
    },
    Liar {
        bug: "maintenance: the hash of one revision is told as another's",
        case: "keys",
        tells: |told| {
            of(told, |hash: &mut PbHashKvResponse| {
                hash.compact_revision += 1
            });
        },
        ..HONEST
    },
    Liar {
        bug: "maintenance: status keeps its errors to itself",
        case: "quorum-lost",
        tells: |told| of(told, |status: &mut PbStatusResponse| status.errors.clear()),
        ..HONEST
    },
    Liar {
        bug: "start-up: every end is a clean one",
        case: "bad-command-lines",
        ends: |ended| ended.code = 0,
        ..HONEST
    },
    Liar {
        bug: "start-up: a new cluster is not forced",
        case: "force-new-cluster",
        flags: |flags| flags.retain(|flag| flag != "--force-new-cluster"),
        ..HONEST
    },
    Liar {
        bug: "disks: what was lost is still there",
        case: "wiped-single",
        keeps_wiped_disks: true,
        ..HONEST
    },
    Liar {
        bug: "versions: all are the same",
        case: "max-learners",
        version: |_| "3.6.16",
        ..HONEST
    },
];

/// A broken simulation.
pub(crate) struct Lying {
    pub(crate) server: Simulated,
    pub(crate) liar: &'static Liar,
}

impl Arm for Lying {
    fn address(&mut self, name: &str) -> String {
        self.server.address(name)
    }

    fn boot(&mut self, name: &str, flags: &[String]) {
        let mut flags = flags.to_vec();
        (self.liar.flags)(&mut flags);
        self.server.boot(name, &flags);
    }

    fn kill(&mut self, name: &str) {
        self.server.kill(name);
    }

    fn terminate(&mut self, name: &str) {
        self.server.terminate(name);
    }

    fn pause(&mut self, name: &str) {
        self.server.pause(name);
    }

    fn resume(&mut self, name: &str) {
        self.server.resume(name);
    }

    fn wipe(&mut self, name: &str) {
        if !self.liar.keeps_wiped_disks {
            self.server.wipe(name);
        }
    }

    async fn ended(&mut self, name: &str) -> Option<Ended> {
        let mut ended = self.server.ended(name).await?;
        (self.liar.ends)(&mut ended);
        Some(ended)
    }

    fn channel(&mut self, name: &str) -> Wire {
        self.server.channel(name).with(self.liar)
    }

    async fn page(&mut self, name: &str, path: &str) -> Option<(u16, String)> {
        self.server.page(name, path).await
    }
}

/// Whether the liar's case sees it, in any version.
fn is_seen(liar: &'static Liar) -> bool {
    let case = cases().into_iter().find(|it| it.name == liar.case);
    let case = case.unwrap_or_else(|| panic!("there is no case {}", liar.case));
    recorded_versions().iter().any(|version| {
        let expected = recorded(version, &case).expect("it was recorded");
        let answers = play_broken(version, &case.script, liar);
        difference(&case, &expected, &answers, "simulated").is_some()
    })
}

#[test]
fn every_lie_is_seen_and_an_honest_simulation_is_believed() {
    if std::env::var_os("CASE").is_some() {
        return;
    }
    static TRUTH: Liar = HONEST;
    assert!(!is_seen(&TRUTH));
    for liar in LIARS {
        assert!(is_seen(liar), "{} does not see: {}", liar.case, liar.bug);
        println!("{}: seen by {}", liar.bug, liar.case);
    }
}
