//! Faults on the way between the operator and whom it calls.
//!
//! Owns: which calls are late, refused, lost or the operator's last.
//! Always holds: every other call is hit, not every call, so that the operator can get on; the
//! count is all that decides, so the same run gives the same hits.
//! Deliberately does not know: the operator, and what its calls are for.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use chaos::fault::{ApiTrouble, Call, Moment};
use serde_json::Value;
use simulator::world::{Outgoing, Refusal, Ruling, Side, Wire};
use tokio::sync::watch;

use crate::planted::{Plant, Planted};

/// How much later a slow API server answers.
const SLOWER: Duration = Duration::from_secs(2);

/// The wire under the operator's clients.
pub struct OperatorWire {
    planted: Option<Planted>,
    state: Mutex<State>,
    silence: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    troubles: Vec<ApiTrouble>,
    kills: Vec<Kill>,
    /// Where reads go instead.
    reads: Option<String>,
    /// Calls that a trouble could have hit.
    candidates: u64,
    /// What was sent that no operator may send.
    misdeeds: Vec<String>,
    met: BTreeMap<String, u64>,
}

struct Kill {
    moment: Moment,
    left: u32,
    call: Call,
}

impl Default for OperatorWire {
    fn default() -> Self {
        Self::with(None)
    }
}

impl OperatorWire {
    /// A wire that makes a known-bad operator of the one on it, if a bug is given.
    #[must_use]
    pub fn with(planted: Option<&'static Plant>) -> Self {
        Self {
            planted: planted.map(Planted::new),
            state: Mutex::default(),
            silence: watch::channel(false).0,
        }
    }

    /// What was sent so far that no operator may send.
    #[must_use]
    pub fn misdeeds(&self) -> Vec<String> {
        self.state().misdeeds.clone()
    }

    /// Situations that were met here, with their count.
    #[must_use]
    pub fn met(&self) -> BTreeMap<String, u64> {
        self.state().met.clone()
    }

    /// Kills the operator around its `nth` call of this kind from now on.
    pub fn kill_at(&self, moment: Moment, nth: u32, call: Call) {
        let left = nth;
        self.state().kills.push(Kill { moment, left, call });
    }

    /// Forgets the kills that have not come yet.
    pub fn forget_kills(&self) {
        self.state().kills.clear();
    }

    /// Begins or ends a trouble of the API server.
    pub fn trouble(&self, trouble: ApiTrouble, begins: bool) {
        let mut state = self.state();
        state.troubles.retain(|it| *it != trouble);
        if begins {
            state.troubles.push(trouble);
        }
        if trouble == ApiTrouble::Silent {
            self.silence.send_replace(begins);
        }
    }

    /// Sends reads to another API server, or back to the usual one.
    pub fn read_from(&self, server: Option<String>) {
        self.state().reads = server;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wire for OperatorWire {
    fn rule(&self, call: &Outgoing) -> Ruling {
        let mut state = self.state();
        if let Some(moment) = state.kill(call) {
            return match moment {
                Moment::Before => Ruling::DieBefore,
                Moment::After => Ruling::DieAfter,
            };
        }
        if self
            .planted
            .as_ref()
            .is_some_and(|planted| planted.pretends(call))
        {
            return Ruling::Pretend;
        }
        if call.to == Side::Kubernetes && !call.watches {
            return state.trouble(call);
        }
        Ruling::Pass
    }

    /// A server that is behind has old lists and watches. One object by its name it reads from a
    /// majority of Kubernetes' own etcd, so that is as it is (Kubernetes documentation, "Kubernetes
    /// API concepts", semantics of `resourceVersion`).
    fn detour(&self, call: &Outgoing) -> Option<String> {
        if call.to != Side::Kubernetes || call.writes || names_one(&call.path) {
            return None;
        }
        let mut state = self.state();
        let server = state.reads.clone()?;
        state.meet(READ_THE_PAST.to_owned());
        Some(server)
    }

    fn request(&self, call: &Outgoing, body: &Bytes) -> Option<Bytes> {
        let other = self.planted.as_ref().and_then(|it| it.request(call, body));
        if call.name.starts_with("DELETE ") && !names_a_uid(other.as_ref().unwrap_or(body)) {
            let misdeed = format!("{} without the UID of what is meant", call.path);
            self.state().misdeeds.push(misdeed);
        }
        other
    }

    fn silence(&self) -> Option<watch::Receiver<bool>> {
        Some(self.silence.subscribe())
    }
}

/// The words of a read that was answered by an API server which knows only what was.
pub const READ_THE_PAST: &str = "the operator read what was true no more";

/// The words of a death around a call.
#[must_use]
pub fn died(moment: Moment, call: Call) -> String {
    let moment = match moment {
        Moment::Before => "before",
        Moment::After => "after",
    };
    format!("the operator died {moment} a {call}")
}

/// Whether a path is that of one object in a namespace.
fn names_one(path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    let mut parts = path.split('/').skip_while(|part| *part != "namespaces");
    parts.nth(3).is_some()
}

impl State {
    fn meet(&mut self, what: String) {
        *self.met.entry(what).or_default() += 1;
    }

    /// Whether this call is the operator's last.
    fn kill(&mut self, call: &Outgoing) -> Option<Moment> {
        let mut due = None;
        for kill in self.kills.iter_mut().filter(|kill| is_a(kill.call, call)) {
            kill.left -= 1;
            if kill.left == 0 {
                due = Some(kill.moment);
            }
        }
        self.kills.retain(|kill| kill.left > 0);
        for (_, kind) in Call::ALL.iter().filter(|(_, kind)| is_a(*kind, call)) {
            if let Some(moment) = due {
                self.meet(died(moment, *kind));
            }
        }
        due
    }

    fn trouble(&mut self, call: &Outgoing) -> Ruling {
        if self.troubles.is_empty() {
            return Ruling::Pass;
        }
        self.candidates += 1;
        let odd = self.candidates % 2 == 1;
        for trouble in &self.troubles {
            let ruling = match trouble {
                ApiTrouble::Slow => Ruling::Late(SLOWER),
                ApiTrouble::Throttling if odd => refuse(429, "TooManyRequests", "slow down"),
                ApiTrouble::Refusing if odd && call.writes => refuse(
                    503,
                    "ServiceUnavailable",
                    "the server is currently unable to answer",
                ),
                ApiTrouble::Conflicting if odd && call.writes => {
                    refuse(409, "Conflict", "the object has been modified")
                }
                ApiTrouble::LosingAnswers if odd && call.writes => Ruling::LoseAnswer,
                _ => continue,
            };
            return ruling;
        }
        Ruling::Pass
    }
}

fn refuse(code: u16, reason: &'static str, message: &str) -> Ruling {
    Ruling::Refuse(Refusal {
        code,
        reason,
        message: message.to_owned(),
    })
}

/// Whether the options of a deletion say which object is meant, and not only its name.
fn names_a_uid(options: &Bytes) -> bool {
    let options: Value = serde_json::from_slice(options).unwrap_or_default();
    options
        .pointer("/preconditions/uid")
        .is_some_and(Value::is_string)
}

/// Whether the call that leaves is one of this kind.
fn is_a(kind: Call, call: &Outgoing) -> bool {
    let kubernetes = |resource: &str| {
        let (verb, of) = call.name.split_once(' ').unwrap_or_default();
        call.to == Side::Kubernetes && call.writes && verb != "DELETE" && of == resource
    };
    match kind {
        Call::Write => call.writes,
        Call::MemberAdd | Call::MemberPromote | Call::MemberRemove | Call::MoveLeader => {
            call.to == Side::Etcd && call.name == kind.to_string()
        }
        Call::ConfigWrite => kubernetes("configmaps"),
        Call::StatefulSetWrite => kubernetes("statefulsets") || kubernetes("statefulsets/scale"),
        Call::StatusWrite => kubernetes("etcdclusters/status"),
        Call::Deletion => call.to == Side::Kubernetes && call.name.starts_with("DELETE "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(to: Side, name: &str) -> Outgoing {
        Outgoing {
            to,
            name: name.to_owned(),
            path: "/".to_owned(),
            writes: !name.starts_with("GET ") && name != "MemberList",
            watches: false,
        }
    }

    #[test]
    fn the_operator_dies_at_the_chosen_call_and_only_once() {
        let wire = OperatorWire::default();
        wire.kill_at(Moment::After, 2, Call::MemberAdd);
        let add = call(Side::Etcd, "MemberAdd");
        let rulings = [
            wire.rule(&call(Side::Etcd, "MemberList")),
            wire.rule(&add),
            wire.rule(&call(Side::Kubernetes, "PATCH configmaps")),
            wire.rule(&add),
            wire.rule(&add),
        ];
        let expected = [
            Ruling::Pass,
            Ruling::Pass,
            Ruling::Pass,
            Ruling::DieAfter,
            Ruling::Pass,
        ];
        assert_eq!(rulings, expected);
    }

    #[test]
    fn a_refusing_server_hits_every_other_write_and_no_read() {
        let wire = OperatorWire::default();
        wire.trouble(ApiTrouble::Conflicting, true);
        let patch = call(Side::Kubernetes, "PATCH statefulsets");
        assert!(matches!(wire.rule(&patch), Ruling::Refuse(it) if it.code == 409));
        assert_eq!(wire.rule(&patch), Ruling::Pass);
        assert_eq!(wire.rule(&call(Side::Kubernetes, "GET pods")), Ruling::Pass);
        wire.trouble(ApiTrouble::Conflicting, false);
        assert_eq!(wire.rule(&patch), Ruling::Pass);
    }

    #[test]
    fn a_deletion_by_name_alone_is_a_misdeed() {
        let wire = OperatorWire::default();
        let delete = call(Side::Kubernetes, "DELETE pods");
        let guarded = Bytes::from_static(br#"{"preconditions": {"uid": "u"}}"#);
        assert_eq!(wire.request(&delete, &guarded), None);
        assert!(wire.misdeeds().is_empty());
        wire.request(&delete, &Bytes::from_static(b"{}"));
        assert_eq!(wire.misdeeds().len(), 1);
    }

    #[test]
    fn only_reads_travel_in_time() {
        let wire = OperatorWire::default();
        wire.read_from(Some("stale:6443".to_owned()));
        assert!(wire.detour(&call(Side::Kubernetes, "GET pods")).is_some());
        assert!(wire.detour(&call(Side::Kubernetes, "PATCH pods")).is_none());
        assert!(wire.detour(&call(Side::Etcd, "MemberList")).is_none());
    }

    #[test]
    fn one_object_is_told_from_a_list() {
        let clusters = "/apis/etcd.etcd.io/v1alpha1/namespaces/default/etcdclusters";
        assert!(names_one(&format!("{clusters}/demo")));
        assert!(!names_one(&format!("{clusters}?watch=true")));
        assert!(!names_one("/api/v1/pods?limit=500"));
    }
}
