//! Benchmarks: the planner, and whole scenarios in the simulated world.
//!
//! Owns: nothing but what benchmarks share: pictures of clusters, servers, scenarios.
//! Deliberately does not know: targets. Numbers are read and compared by people; see `README.md`.

pub mod api;
pub mod members;
pub mod runs;

use operator::{
    etcd::{Member, MemberReport},
    identity::Identity,
    observe::{Membership, Observed, PodView, StatefulSetView},
    validate::Desired,
};

/// A healthy cluster of this many voters, and a wish for `size`.
#[must_use]
pub fn healthy_cluster(voters: u32, size: u32) -> (Desired, Observed) {
    let desired = desired(size);
    let mut observed = Observed {
        stateful_set: Some(StatefulSetView {
            replicas: voters,
            owned: true,
            template: Some(desired.template_hash.clone()),
            up_to_date: true,
            ..StatefulSetView::default()
        }),
        ..Observed::default()
    };
    let mut members = Vec::new();
    for ordinal in 0..voters {
        let id = desired.identity.bootstrap_member_id(ordinal);
        members.push(Member {
            id,
            name: desired.identity.member(ordinal),
            peer_urls: vec![desired.identity.peer_url(ordinal)],
            client_urls: vec![desired.identity.client_url(ordinal)],
            learner: false,
        });
        let pod = PodView {
            running: true,
            ready: true,
            template: Some(desired.template_hash.clone()),
            ..PodView::default()
        };
        observed.pods.insert(ordinal, pod);
        observed.reports.insert(ordinal, Ok(report(&desired, id)));
    }
    observed.membership = Membership::Known {
        cluster_id: 1,
        members,
    };
    (desired, observed)
}

fn report(desired: &Desired, id: u64) -> MemberReport {
    MemberReport {
        member_id: id,
        cluster_id: 1,
        leader: Some(desired.identity.bootstrap_member_id(0)),
        term: 2,
        raft_index: 10,
        applied_index: 10,
        learner: false,
        version: desired.version.to_string(),
        db_size: 20480,
        errors: Vec::new(),
    }
}

fn desired(size: u32) -> Desired {
    Desired {
        identity: Identity {
            name: "demo".into(),
            namespace: "default".into(),
            uid: "5f3e1c00-1111-4222-8333-444455556666".into(),
            domain: "cluster.local".into(),
        },
        size,
        version: operator::version::EtcdVersion {
            major: 3,
            minor: 5,
            patch: 21,
        },
        image: "gcr.io/etcd-development/etcd:v3.5.21".into(),
        storage_size: Default::default(),
        storage_class: None,
        retention: operator::api::RetentionPolicy::Retain,
        version_refused: None,
        resources: Default::default(),
        options: Default::default(),
        pod_template: Default::default(),
        template_hash: "0123456789abcdef".into(),
        recovery_word: None,
        generation: Some(1),
        deleting: false,
    }
}
