//! Cases that run in the enclosure. Each is a function; a panic is a failure.

use std::{fs, io::Write, time::Duration};

use scenarios::process::Enclosure;
use simulator::kubernetes::runtime::{ContainerRuntime, Signal};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{sleep, timeout},
};

use crate::cluster::{Cluster, PATIENCE, client};

/// Runs the case of this name, chosen by `outside`.
pub(crate) async fn run(name: &str, enclosure: &Enclosure) {
    match name {
        "one" => one(enclosure).await,
        "three" => three(enclosure).await,
        "faults" => faults(enclosure).await,
        "image" => image(enclosure).await,
        "linger" => linger(enclosure).await,
        "polite" => polite().await,
        "exit-7" => std::process::exit(7),
        other => panic!("no case {other}"),
    }
}

async fn one(enclosure: &Enclosure) {
    let mut cluster = Cluster::new(enclosure);
    cluster.pod(0);
    let member = cluster.member(0, 1);
    cluster.healthy(member).await;
    let status = client(0).await.status().await.unwrap();
    assert_eq!(status.version(), cluster.etcd.version);
}

async fn three(enclosure: &Enclosure) {
    let mut cluster = Cluster::new(enclosure);
    let mut members = Vec::new();
    cluster.pods(3);
    (0..3).for_each(|ordinal| members.push(cluster.member(ordinal, 3)));
    for member in &members {
        cluster.healthy(*member).await;
    }
    client(0).await.put("key", "value", None).await.unwrap();

    // A killed container restarts in its pod: same address, same data.
    cluster.runtime.signal(members[2], Signal::Kill);
    assert_eq!(cluster.exit(members[2]).await, 137);
    let refused = cluster.probe(members[2], "/health").await.unwrap_err();
    assert!(
        refused.contains("connection refused"),
        "the pod's kernel answers: {refused}"
    );
    members[2] = cluster.member(2, 3);
    cluster.healthy(members[2]).await;

    // A terminated one ends as first process of its namespace does: with 0, not by the signal.
    cluster.runtime.signal(members[1], Signal::Terminate);
    assert_eq!(cluster.exit(members[1]).await, 0);
    assert!(
        cluster
            .runtime
            .logs(members[1])
            .iter()
            .any(|line| line.contains("terminated"))
    );

    // A pod that comes back has another address, and its volume.
    cluster.remove_pod(1);
    let address = cluster.pod(1);
    members[1] = cluster.member(1, 3);
    cluster.healthy(members[1]).await;
    assert_eq!(address.to_string(), "10.244.1.3");
    let got = client(1).await.get("key", None).await.unwrap();
    assert_eq!(got.kvs()[0].value(), b"value");
    assert_eq!(
        client(0).await.member_list().await.unwrap().members().len(),
        3
    );
}

async fn faults(enclosure: &Enclosure) {
    let mut cluster = Cluster::new(enclosure);
    cluster.pods(3);
    let members: Vec<_> = (0..3).map(|ordinal| cluster.member(ordinal, 3)).collect();
    for member in &members {
        cluster.healthy(*member).await;
    }
    let faults = cluster.runtime.faults();

    faults.pause("default", "demo-0").unwrap();
    let silent = cluster.probe(members[0], "/health").await.unwrap_err();
    assert!(
        silent.contains("deadline exceeded"),
        "accepted, not answered: {silent}"
    );
    faults.resume("default", "demo-0").unwrap();
    cluster.healthy(members[0]).await;

    faults.plug("default", "demo-0", false).unwrap();
    let unreachable = cluster.probe(members[0], "/health").await;
    assert!(unreachable.is_err(), "{unreachable:?}");
    faults.plug("default", "demo-0", true).unwrap();
    cluster.healthy(members[0]).await;

    // Cut off from both others, one member has no quorum; the run still reaches it.
    let mut cuts = Vec::new();
    for other in ["demo-1", "demo-2"] {
        cuts.push(
            faults
                .cut(("default", "demo-0"), ("default", other))
                .unwrap(),
        );
        cuts.push(
            faults
                .cut(("default", other), ("default", "demo-0"))
                .unwrap(),
        );
    }
    let alone = async {
        while cluster.probe(members[0], "/health").await == Ok(200) {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, alone)
        .await
        .expect("a member that is cut off loses its leader");
    client(1).await.put("during", "cut", None).await.unwrap();
    for cut in &cuts {
        faults.heal(cut).unwrap();
    }
    cluster.healthy(members[0]).await;

    faults.kill("default", "demo-2").unwrap();
    assert_eq!(cluster.exit(members[2]).await, 137);
    faults.wipe_volume("pv-2").unwrap();
    assert!(
        fs::read_dir(enclosure.disk().join("volumes/pv-2"))
            .unwrap()
            .next()
            .is_none()
    );
    assert!(faults.kill("default", "demo-9").is_err());
}

async fn image(enclosure: &Enclosure) {
    let mut cluster = Cluster::new(enclosure);
    cluster.pod(0);
    let mut container = cluster.container(0, 1);

    // Arguments alone take the place of the image's command, which is no entry point.
    container.command.clear();
    let failed = cluster.runtime.start("uid-0", &container).unwrap_err();
    assert!(
        failed
            .message
            .contains("exec: \"--config-file=/etc/etcd/etcd.yaml\": stat"),
        "{failed}"
    );
    container.args = vec!["--version".into()];
    let failed = cluster.runtime.start("uid-0", &container).unwrap_err();
    assert!(
        failed
            .message
            .contains("executable file not found in $PATH"),
        "{failed}"
    );

    container.command = vec!["/bin/sh".into()];
    let failed = cluster.runtime.start("uid-0", &container).unwrap_err();
    assert!(
        failed.message.contains("no such file"),
        "there is no shell: {failed}"
    );

    container.command = vec!["etcd".into()];
    container.args = vec!["--config-file=/no/such".into()];
    let ended = cluster.start(0, &container);
    assert_eq!(cluster.exit(ended).await, 1);
    assert!(
        cluster
            .runtime
            .logs(ended)
            .iter()
            .any(|line| line.contains("/no/such"))
    );

    // Of a volume that was deleted, nothing is left.
    let member = cluster.member(0, 1);
    cluster.healthy(member).await;
    cluster.runtime.signal(member, Signal::Kill);
    assert_eq!(cluster.exit(member).await, 137);
    assert!(enclosure.disk().join("volumes/pv-0/data").exists());
    cluster.runtime.delete_volume("pv-0");
    assert!(!enclosure.disk().join("volumes/pv-0").exists());

    // And of a runtime that is gone, nothing at all: the next one finds an empty enclosure.
    drop(cluster);
    assert_eq!(
        fs::read_dir(enclosure.disk().join("pods")).unwrap().count(),
        0
    );
    let links = fs::read_to_string("/proc/self/net/dev").unwrap();
    assert!(!links.contains("pod"), "{links}");
    one(enclosure).await;
}

/// Three members, then it only waits to be killed.
async fn linger(enclosure: &Enclosure) {
    let mut cluster = Cluster::new(enclosure);
    cluster.pods(3);
    let members: Vec<_> = (0..3).map(|ordinal| cluster.member(ordinal, 3)).collect();
    for member in members {
        cluster.healthy(member).await;
    }
    say_ready();
    std::future::pending::<()>().await;
}

/// Ends when it is asked to, but not at once.
async fn polite() {
    let mut asked = signal(SignalKind::terminate()).unwrap();
    say_ready();
    asked.recv().await;
    sleep(Duration::from_millis(100)).await;
    std::process::exit(5);
}

fn say_ready() {
    println!("ready");
    std::io::stdout().flush().unwrap();
}
