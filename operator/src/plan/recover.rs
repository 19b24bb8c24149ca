//! Quorum lost for good, and the way back that only the user may open.
//!
//! Owns: what is lost and what survives, whether the user's word counts, and the stages of a start
//! from one survivor.
//! Always holds: without the word nothing is done. A word names the cluster and the number of the
//! recovery, so it counts once and nowhere else. `force-new-cluster` is strictly one-shot: left on
//! for a later start it would throw good members out. The member that started with it carries that
//! in its name, so etcd's own membership tells whether the process that runs was started without
//! it; nothing is grown before it was.
//! Deliberately does not know: growth. Once one member runs alone it is grown like any other
//! cluster, and all other volumes are leftovers.
//!
//! Stages, each told from what can be observed:
//! 1. no majority, a survivor, the right word: the configuration is that of the survivor alone,
//!    with `force-new-cluster`;
//! 2. that configuration is there and the survivor does not lead: its pod is restarted;
//! 3. the survivor is alone in the membership, under the name of the recovery: the recovery is
//!    counted in the status, then the configuration loses the flag and the pod is restarted;
//! 4. the survivor is alone, under its own name: growth.

use std::{collections::BTreeMap, fmt};

use jiff::{SignedDuration, Timestamp};

use super::{Action, Cluster, Damage, Plan, Restart, Step, Waiting, damage, first_trouble, quorum};
use crate::{
    api::MemberStatus,
    build::member_config,
    identity::{Identity, RECOVERY_ANNOTATION},
    observe::Observed,
    report::AVAILABLE,
    validate::Desired,
};

/// Members that are only silent may come back; the word is not acted on before they have been
/// silent this long.
const SILENT_FOR: SignedDuration = SignedDuration::from_mins(1);

/// A member that starts alone leads within two seconds. One that has run this long without a leader
/// was started without the flag.
const LEADS_WITHIN: SignedDuration = SignedDuration::from_secs(10);

/// A process publishes its name as soon as it leads.
const NAMED_WITHIN: SignedDuration = SignedDuration::from_secs(5);

/// Whether a member is told to begin anew. Its pod is then nobody else's to restart: it must do so
/// once.
pub(super) fn is_told(observed: &Observed) -> bool {
    let mut files = observed.config.iter().flat_map(BTreeMap::values);
    files.any(|file| member_config::forces_new_cluster(file))
}

/// What has become of the voters that were known last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// Voters that had a say.
    pub voters: usize,
    /// Their data is lost, and why.
    pub lost: Vec<(String, Damage)>,
    /// They do not answer, and why; their data may be there.
    pub silent: Vec<(String, String)>,
    /// They answer and have their data, the most advanced first.
    pub survivors: Vec<Survivor>,
    /// Those of all that see a leader: when most do, quorum is not lost, only slow to answer.
    pub led: usize,
}

/// A member that answers but finds no majority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survivor {
    /// Its ordinal.
    pub ordinal: u32,
    /// Its name.
    pub member: String,
    /// Its ID.
    pub id: u64,
    /// Raft term.
    pub term: u64,
    /// Last index that it knows to be agreed on.
    pub index: u64,
}

impl Loss {
    fn of(desired: &Desired, observed: &Observed, now: Timestamp) -> Self {
        let mut loss = Self::default();
        for member in observed.status.members.iter().filter(|m| !m.learner) {
            loss.voters += 1;
            loss.judge(desired, observed, member, now);
        }
        loss.survivors.sort_by_key(|survivor| {
            let advanced = (survivor.term, survivor.index);
            (std::cmp::Reverse(advanced), survivor.ordinal)
        });
        loss
    }

    fn judge(
        &mut self,
        desired: &Desired,
        observed: &Observed,
        member: &MemberStatus,
        now: Timestamp,
    ) {
        let name = member.name.clone();
        let (Some(ordinal), Some(id)) = (desired.identity.ordinal_of_name(&name), hex(&member.id))
        else {
            return self.silent.push((name, "it is not ours".to_owned()));
        };
        let report = observed.report_of(id);
        self.led += usize::from(report.is_some_and(|report| report.leader.is_some()));
        if let Some(damage) = damage::of(observed, ordinal, id, now) {
            return self.lost.push((name, damage));
        }
        match report {
            Some(report) => self.survivors.push(Survivor {
                ordinal,
                member: name,
                id,
                term: report.term,
                index: report.raft_index,
            }),
            None => self.silent.push((name, observed.silence(ordinal))),
        }
    }

    /// Whether no majority can ever answer again.
    fn for_good(&self) -> bool {
        self.voters > 0 && self.voters - self.lost.len() < quorum(self.voters)
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        for (member, damage) in &self.lost {
            parts.push(format!("{member} is lost ({damage})"));
        }
        for (member, why) in &self.silent {
            parts.push(format!("{member} does not answer ({why})"));
        }
        for Survivor {
            member,
            term,
            index,
            ..
        } in &self.survivors
        {
            parts.push(format!(
                "{member} has its data (raft term {term}, index {index})"
            ));
        }
        f.write_str(&parts.join("; "))
    }
}

/// What to do while nobody answers for a majority of a cluster that had one.
pub(super) fn plan(desired: &Desired, observed: &Observed, now: Timestamp, why: &str) -> Plan {
    let replicas = observed.stateful_set.as_ref().map_or(0, |set| set.replicas);
    let begun = begun(desired, observed);
    if let Some((ordinal, id)) = begun {
        let mut plan = start_alone(desired, observed, ordinal, id);
        plan.replicas = Some(replicas.max(ordinal + 1));
        plan.action = restart_to_force(observed, ordinal, id, now);
        return plan;
    }
    let loss = Loss::of(desired, observed, now);
    let led = loss.led >= quorum(loss.voters);
    let may_act = !led && (loss.for_good() || silent_long_enough(observed, now));
    let right = right_word(observed);
    if let (true, Some(survivor)) = (
        may_act && desired.recovery_word == right,
        loss.survivors.first(),
    ) {
        return start_alone(desired, observed, survivor.ordinal, survivor.id);
    }
    let config = files(desired, observed);
    let from_files = config
        .keys()
        .filter_map(|file| ordinal_of_file(&desired.identity, file));
    let pods = from_files.max().map_or(0, |highest| highest + 1);
    let advice = advice(desired, &loss, right.filter(|_| may_act));
    Plan {
        protected_voters: u32::try_from(config.len()).unwrap_or(u32::MAX),
        // Back from size 0, or the StatefulSet was deleted: as many pods as have a configuration.
        replicas: Some(replicas.max(pods)),
        waiting: Some(if loss.for_good() {
            Waiting::QuorumLost { loss, advice }
        } else {
            Waiting::MembershipUnknown {
                why: why.to_owned(),
                trouble: first_trouble(desired, observed),
                advice: may_act.then_some(advice),
            }
        }),
        config: (!config.is_empty()).then_some(config),
        ..Plan::default()
    }
}

/// The word that counts: the cluster's ID and the number of the recovery to come.
fn right_word(observed: &Observed) -> Option<String> {
    let cluster = observed.status.cluster_id.as_deref()?;
    Some(format!("{cluster}/{}", observed.status.recoveries + 1))
}

fn silent_long_enough(observed: &Observed, now: Timestamp) -> bool {
    let available = observed
        .status
        .conditions
        .iter()
        .find(|c| c.type_ == AVAILABLE);
    available.is_some_and(|condition| {
        condition.status == "False"
            && now.duration_since(condition.last_transition_time.0) >= SILENT_FOR
    })
}

fn advice(desired: &Desired, loss: &Loss, word: Option<String>) -> String {
    let Identity {
        name, namespace, ..
    } = &desired.identity;
    let (Some(survivor), Some(word)) = (loss.survivors.first(), word) else {
        return "no member with data answers: bring back a node or a volume of one, or delete the \
                EtcdCluster and restore its data into a new one"
            .to_owned();
    };
    let refused = match &desired.recovery_word {
        Some(given) => {
            format!("the annotation says {given:?}, which is not the word for this loss; ")
        }
        None => String::new(),
    };
    format!(
        "{refused}if they cannot be brought back, start anew from {survivor} alone, losing what only \
         the others had: `kubectl annotate etcdcluster {name} -n {namespace} --overwrite \
         {RECOVERY_ANNOTATION}={word}`",
        survivor = survivor.member,
    )
}

/// Stage 1: nobody but the survivor may start, and that one alone.
fn start_alone(desired: &Desired, observed: &Observed, ordinal: u32, id: u64) -> Plan {
    let recovery = observed.status.recoveries + 1;
    let member = desired.identity.member(ordinal);
    Plan {
        config: Some(member_config::forced_file(desired, ordinal, id, recovery)),
        protected_voters: 1,
        waiting: Some(Waiting::Recovering {
            member,
            trouble: observed
                .pods
                .get(&ordinal)
                .and_then(|pod| pod.trouble.clone()),
        }),
        ..Plan::default()
    }
}

/// Stage 2: the survivor runs from before.
fn restart_to_force(observed: &Observed, ordinal: u32, id: u64, now: Timestamp) -> Option<Action> {
    let pod = observed.pods.get(&ordinal).filter(|pod| !pod.terminating)?;
    let leaderless = observed
        .report_of(id)
        .is_some_and(|report| report.leader.is_none());
    let started = pod.started?;
    (leaderless && now.duration_since(started) >= LEADS_WITHIN).then(|| Action::RestartPod {
        ordinal,
        uid: pod.uid.clone(),
        why: Restart::ForceNewCluster,
    })
}

/// Stage 3, first half: the recovery is counted before its traces go, so that its word counts once.
pub(super) fn uncounted(cluster: &Cluster<'_>) -> Option<Waiting> {
    let (ordinal, _, recovery) = recovering(cluster)?;
    let counted = cluster.observed.status.recoveries >= recovery;
    (!counted).then(|| Waiting::Recovering {
        member: cluster.desired.identity.member(ordinal),
        trouble: None,
    })
}

/// The member that was started with the flag, its ID, and in which recovery.
fn recovering(cluster: &Cluster<'_>) -> Option<(u32, u64, u32)> {
    cluster.members.iter().find_map(|(ordinal, member)| {
        let recovery = cluster.desired.identity.recovery_of_name(&member.name)?;
        Some((*ordinal, member.id, recovery))
    })
}

/// Stage 3, second half: whoever was started with the flag is started once more without it.
pub(super) fn finish(cluster: &Cluster<'_>, now: Timestamp) -> Step {
    let Some((ordinal, id, _)) = recovering(cluster) else {
        return Step::Settled;
    };
    let member = cluster.desired.identity.member(ordinal);
    // It is alone, unless somebody has added a member by hand.
    if let Err(refusal) = cluster.gate.restart(id) {
        let step = format!("restart {member} without force-new-cluster");
        return Step::Wait(Waiting::QuorumAtRisk { step, refusal });
    }
    let pod = cluster.observed.pods.get(&ordinal);
    let named = pod.filter(|pod| !pod.terminating).filter(|pod| {
        let started = pod.started;
        started.is_some_and(|started| now.duration_since(started) >= NAMED_WITHIN)
    });
    match named {
        Some(pod) => Step::Act(Action::RestartPod {
            ordinal,
            uid: pod.uid.clone(),
            why: Restart::RecoveryOver,
        }),
        None => Step::Wait(Waiting::Recovering {
            member,
            trouble: cluster.trouble_of(ordinal),
        }),
    }
}

/// The member whose file has the flag, for a recovery that is not over.
fn begun(desired: &Desired, observed: &Observed) -> Option<(u32, u64)> {
    let identity = &desired.identity;
    observed.config.as_ref()?.iter().find_map(|(name, file)| {
        let recovery = identity.recovery_of_name(member_config::member_name(file)?)?;
        let current = recovery == observed.status.recoveries + 1;
        let ordinal = ordinal_of_file(identity, name)?;
        Some((ordinal, member_config::member_id(file)?)).filter(|_| current)
    })
}

/// The files as they are, except that nobody is told any more to begin the cluster; one that was
/// deleted or spoilt by hand, or belongs to a recovery that is over, is made anew from what the
/// status recorded.
fn files(desired: &Desired, observed: &Observed) -> BTreeMap<String, String> {
    let mut files = observed.config.clone().unwrap_or_default();
    files.retain(|name, file| {
        let ours = ordinal_of_file(&desired.identity, name).is_some();
        let sound = member_config::member_id(file).is_some();
        ours && sound && !member_config::forces_new_cluster(file)
    });
    for file in files.values_mut() {
        *file = member_config::joining(file);
    }
    for member in observed.status.members.iter().filter(|m| !m.learner) {
        let ordinal = desired.identity.ordinal_of_name(&member.name);
        if let (Some(ordinal), Some(id)) = (ordinal, hex(&member.id)) {
            files
                .entry(member_config::file_name(&desired.identity, ordinal))
                .or_insert_with(|| member_config::started_file(desired, ordinal, id));
        }
    }
    files
}

fn ordinal_of_file(identity: &Identity, name: &str) -> Option<u32> {
    identity.ordinal_of_name(name.strip_suffix(".yaml")?)
}

fn hex(id: &str) -> Option<u64> {
    u64::from_str_radix(id, 16).ok()
}
