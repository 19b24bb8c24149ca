//! From a command line to a serving member.
//!
//! Owns: the order of a start, and every way in which etcd refuses to start.
//! Always holds: a refusal has etcd's exit code and last words; peers are answered only after the
//! member knows its place, clients only after it has told the cluster its name.
//! Deliberately does not know: what happens once it runs.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use etcd_client::proto::PbMember;
use tokio::time::{Instant, sleep, timeout};

use super::{
    Launch,
    bootstrap::{force_new_cluster, found, initial_members, join, replay},
    command::Op,
    config::Config,
    crash::Crash,
    disk::{DataDir, Dir},
    failure::Failure,
    identity::cluster_id,
    member::{Beginning, Member},
    peers::{
        self, Peers, ask_url,
        wire::{Ask, Question, Reply, Said},
    },
    process::{Level, Process},
    resolving::urls_are_equal,
    server::Server,
    urls::{Url, parse_initial_cluster, texts},
    version::Version,
    web,
};
use crate::net::Listener;

/// From exec to the first system call of interest.
const EXEC: Duration = Duration::from_millis(30);
/// How long a founding member asks each peer whether it was there before.
const BOOTSTRAP_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a joining member asks each peer for the member list.
const MEMBERS_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a start failed.
#[derive(Debug)]
enum Failed {
    /// The usual way: a fatal log line, and exit code 1.
    Refused(String),
    /// A panic.
    Crashed(Crash),
}

impl From<String> for Failed {
    fn from(error: String) -> Self {
        Self::Refused(error)
    }
}

/// Runs a member from start to end.
pub(super) async fn run(process: Arc<Process>, launch: Launch) {
    sleep(EXEC).await;
    let Launch {
        argv,
        env,
        files,
        disks,
        version,
        seed,
        ..
    } = launch;
    let config = match Config::read(&argv, &env, &files, version) {
        Ok(config) => config,
        Err(refused) => {
            for words in refused.words {
                process.trace(&words);
                process.print(words);
            }
            return process.exit(refused.code);
        }
    };
    process.log(Level::Info, "Running: ", &[("args", &argv.join(" "))]);
    process.trace(format_args!(
        "starts: etcd {version} {}",
        argv.get(1..).unwrap_or(&[]).join(" ")
    ));
    let dir = Dir::locate(&disks, &config.data_dir);
    let starting = start(&process, config, version, seed, dir);
    let started = tokio::select! {
        biased;
        // Go's own handler ends a process that has not installed one; as PID 1 with status 2.
        () = process.terminated() => return process.exit(2),
        started = starting => started,
    };
    match started {
        Ok(server) => {
            process.terminated().await;
            server.shut_down().await;
        }
        Err(Failed::Crashed(crash)) => process.crash(&crash, version),
        Err(Failed::Refused(error)) => {
            process.trace(format_args!("failed to start: {error}"));
            let (level, message) = if version.quirks().names_the_bootstrap {
                (Level::Error, "bootstrap failed")
            } else {
                (Level::Warn, "failed to start etcd")
            };
            process.log(level, message, &[("error", &error)]);
            process.log(Level::Fatal, "discovery failed", &[("error", &error)]);
            process.exit(1);
        }
    }
}

async fn start(
    process: &Arc<Process>,
    config: Config,
    version: Version,
    seed: u64,
    dir: Dir,
) -> Result<Arc<Server>, Failed> {
    let peer_ports = listen(process, &config.listen_peer).await?;
    let client_ports = listen(process, &config.listen_client).await?;
    let data = data_dir(process, &config, version, &dir).await?;
    let Some(identity) = data.identity else {
        return Err(format!("data dir {} has no identity", config.data_dir).into());
    };
    let state = replay(&data, version.quirks(), config.max_learners);
    check_cluster_version(state.cluster_version.as_deref(), version)?;
    let metrics = config.listen_metrics.clone();
    let (id, cluster) = (identity.member, identity.cluster);
    process.trace(format_args!("is member {id:x} of cluster {cluster:x}"));
    let (unix_millis, told) = (process.unix_millis(), data.told.clone());
    let dial_timeout = config.peer_dial_timeout();
    let beginning = Beginning {
        id,
        version,
        config,
        seed,
        unix_millis,
        dir,
        data,
        state,
    };
    let member = Member::start(beginning, process.now());
    let peers = Peers::new(Arc::clone(process), id, cluster, told, dial_timeout);
    let server = Server::new(Arc::clone(process), member, peers);
    server.start();
    for listener in peer_ports {
        process.spawn(peers::serve(Arc::clone(&server), listener));
    }
    for listener in listen(process, &metrics).await? {
        process.spawn(web::serve_metrics(Arc::clone(&server), listener));
    }
    publish(&server).await;
    server.begins_to_serve();
    process.log(Level::Info, "ready to serve client requests", &[]);
    process.trace("serves clients");
    for listener in client_ports {
        process.spawn(web::serve_clients(Arc::clone(&server), listener));
    }
    Ok(server)
}

/// Opens the ports of these URLs. A simulated host has one interface, and whoever listens on it
/// is also reached by `localhost`, so two URLs with one port are one listener.
async fn listen(process: &Process, urls: &[Url]) -> Result<Vec<Box<dyn Listener>>, Failed> {
    let mut listeners = Vec::new();
    let mut ports = BTreeSet::new();
    for url in urls.iter().filter(|url| ports.insert(url.port())) {
        let bound = process.bind(url.port()).await;
        let refused = |error| format!("listen tcp {}:{}: bind: {error}", url.host(), url.port());
        listeners.push(bound.map_err(refused)?);
    }
    Ok(listeners)
}

/// The data dir, made if there is none.
async fn data_dir(
    process: &Process,
    config: &Config,
    version: Version,
    dir: &Dir,
) -> Result<DataDir, Failed> {
    let mut data = dir.read();
    if data.corrupt_database {
        let path = format!("{}/member/snap/db", config.data_dir);
        return Err(Failed::Crashed(Crash::Database { path }));
    }
    if data.corrupt {
        return Err("walpb: crc mismatch".to_owned().into());
    }
    if data.identity.is_some() {
        if config.force_new_cluster {
            let state = replay(&data, version.quirks(), config.max_learners);
            force_new_cluster(&mut data, &state.members);
            dir.create(data.clone());
            process.trace("forces a new cluster");
        }
        return Ok(data);
    }
    let wrong = |error| format!("error setting up initial cluster: {error}");
    let cluster = parse_initial_cluster(&config.initial_cluster).map_err(wrong)?;
    let Some(own_urls) = cluster.get(&config.name) else {
        let name = &config.name;
        return Err(format!(
            "couldn't find local name {name:?} in the initial cluster configuration"
        )
        .into());
    };
    let mut all: Vec<String> = cluster.values().flat_map(|urls| texts(urls)).collect();
    all.sort();
    if all.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(format!(
            "initial cluster {} has duplicate url",
            config.initial_cluster
        )
        .into());
    }
    let data = if config.existing {
        join_existing(process, config, version, &cluster).await?
    } else {
        advertised_as_listed(process, config, own_urls).await?;
        found_new(process, config, &cluster).await?
    };
    dir.create(data.clone());
    Ok(data)
}

/// A founding member: refuses when a peer says that it was there before.
async fn found_new(
    process: &Process,
    config: &Config,
    cluster: &BTreeMap<String, Vec<Url>>,
) -> Result<DataDir, Failed> {
    let members = initial_members(cluster, &config.token);
    let own = own_id(&members, &config.name);
    let others = remote_urls(cluster, &config.name);
    if let Some((remote, _)) = remote_members(process, config, &others, BOOTSTRAP_TIMEOUT).await {
        let known = remote.iter().find(|member| member.id == own);
        if known.is_some_and(|member| !member.client_ur_ls.is_empty()) {
            return Err(format!("member {own:x} has already been bootstrapped").into());
        }
    }
    let id = cluster_id(members.iter().map(|member| member.id));
    process.trace(format_args!(
        "founds cluster {id:x} with {} members",
        members.len()
    ));
    Ok(found(own, &members))
}

/// A joining member: takes its ID from the list of the cluster that it joins.
async fn join_existing(
    process: &Process,
    config: &Config,
    version: Version,
    cluster: &BTreeMap<String, Vec<Url>>,
) -> Result<DataDir, Failed> {
    let others = remote_urls(cluster, &config.name);
    let Some((existing, cluster_id)) =
        remote_members(process, config, &others, MEMBERS_TIMEOUT).await
    else {
        return Err(
            "cannot fetch cluster info from peer urls: could not retrieve cluster \
                    information from the given URLs"
                .to_owned()
                .into(),
        );
    };
    let matched = match_members(process, &existing, cluster)
        .await
        .map_err(|error| {
            format!(
                "error validating peerURLs {}: {error}",
                describe(cluster_id, &existing)
            )
        })?;
    let Some(own) = matched.get(&config.name).copied() else {
        return Err(format!("no ID for {:?}", config.name).into());
    };
    check_versions(process, config, version, &existing, own).await?;
    process.trace(format_args!("joins cluster {cluster_id:x}"));
    Ok(join(own, cluster_id, &existing))
}

/// The ID of each name, by peer URLs: the same text, or the same addresses behind other names.
async fn match_members(
    process: &Process,
    existing: &[PbMember],
    cluster: &BTreeMap<String, Vec<Url>>,
) -> Result<BTreeMap<String, u64>, String> {
    if existing.len() != cluster.len() {
        return Err("member count is unequal".to_owned());
    }
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut ids = BTreeMap::new();
    for member in existing {
        let mut found = None;
        let mut last = String::from("<nil>");
        for (name, urls) in cluster {
            match urls_are_equal(process, &member.peer_ur_ls, &texts(urls), deadline).await {
                Ok(()) => {
                    found = Some(name.clone());
                    break;
                }
                Err(error) => last = error,
            }
        }
        let Some(name) = found else {
            return Err(format!(
                "PeerURLs: no match found for existing member ({:x}, [{}]), last resolver error ({last})",
                member.id,
                member.peer_ur_ls.join(" ")
            ));
        };
        ids.insert(name, member.id);
    }
    Ok(ids)
}

/// A joining member asks every other for its version, one after the other.
async fn check_versions(
    process: &Process,
    config: &Config,
    version: Version,
    existing: &[PbMember],
    own: u64,
) -> Result<(), Failed> {
    let limit = version
        .quirks()
        .version_probe_is_bounded
        .then(|| config.request_timeout());
    let mut compatible = false;
    for member in existing.iter().filter(|member| member.id != own) {
        for url in member
            .peer_ur_ls
            .iter()
            .filter_map(|url| Url::parse(url).ok())
        {
            let Some(reply) = probe(process, config, &url, Ask::Version, limit).await else {
                continue;
            };
            let theirs = reply.cluster_version.parse::<Version>();
            match theirs {
                Ok(theirs) if theirs > version.of_cluster() => {
                    return Err("incompatible with current running cluster"
                        .to_owned()
                        .into());
                }
                Ok(_) => compatible = true,
                Err(_) => {}
            }
            break;
        }
    }
    if compatible {
        Ok(())
    } else {
        Err("incompatible with current running cluster"
            .to_owned()
            .into())
    }
}

async fn probe(
    process: &Process,
    config: &Config,
    url: &Url,
    ask: Ask,
    limit: Option<Duration>,
) -> Option<Reply> {
    let question = Question::new(ask, 0, 0, 0);
    let asked = ask_url(process, url, &question, config.peer_dial_timeout());
    match limit {
        Some(limit) => timeout(limit, asked).await.ok()?.ok(),
        None => asked.await.ok(),
    }
}

/// The member list and cluster ID of the first peer that tells them.
async fn remote_members(
    process: &Process,
    config: &Config,
    urls: &[Url],
    limit: Duration,
) -> Option<(Vec<PbMember>, u64)> {
    for url in urls {
        let Some(reply) = probe(process, config, url, Ask::Members, Some(limit)).await else {
            let address = format!("{url}/members");
            process.log(
                Level::Warn,
                "failed to get cluster response",
                &[("address", &address)],
            );
            continue;
        };
        return match reply.said() {
            Some(Said::Members(members)) if !members.is_empty() => Some((members, reply.cluster)),
            _ => None,
        };
    }
    None
}

/// What a member advertises must be what the initial cluster says of it.
async fn advertised_as_listed(
    process: &Process,
    config: &Config,
    listed: &[Url],
) -> Result<(), Failed> {
    let (advertised, listed) = (texts(&config.advertise_peer), texts(listed));
    let deadline = Instant::now() + Duration::from_secs(30);
    let Err(error) = urls_are_equal(process, &advertised, &listed, deadline).await else {
        return Ok(());
    };
    let name = &config.name;
    let missing = |from: &[String], of: &[String]| {
        let missing = of.iter().filter(|url| !from.contains(url));
        missing
            .map(|url| format!("{name}={url}"))
            .collect::<Vec<_>>()
            .join(",")
    };
    let unadvertised = missing(&advertised, &listed);
    if !unadvertised.is_empty() {
        return Err(format!(
            "--initial-cluster has {unadvertised} but missing from \
             --initial-advertise-peer-urls={} ({error})",
            advertised.join(",")
        )
        .into());
    }
    Err(format!(
        "--initial-advertise-peer-urls has {} but missing from --initial-cluster={name}={}",
        missing(&listed, &advertised),
        advertised.join(",")
    )
    .into())
}

fn check_cluster_version(cluster: Option<&str>, own: Version) -> Result<(), Failed> {
    let Some(determined) = cluster.and_then(|text| text.parse::<Version>().ok()) else {
        return Ok(());
    };
    if own.of_cluster() >= determined {
        return Ok(());
    }
    Err(format!(
        "cluster cannot be downgraded (current version: {own} is lower than determined cluster \
         version: {}.{}).",
        determined.major, determined.minor
    )
    .into())
}

/// Tells the cluster this member's name and client URLs, until that has worked.
async fn publish(server: &Arc<Server>) {
    let told = server.look(|member| PbMember {
        id: member.id(),
        name: member.config().name.clone(),
        client_ur_ls: texts(&member.config().advertise_client),
        ..PbMember::default()
    });
    loop {
        match server.replicate(Op::Publish(told.clone())).await {
            Ok(_) => return,
            // The process is about to end.
            Err(Failure::Stopped) => std::future::pending().await,
            Err(failure) => {
                let message = "failed to publish local member to cluster through raft";
                let error = failure.to_string();
                server
                    .process()
                    .log(Level::Warn, message, &[("error", &error)]);
                // A failure that comes at once must not make a loop without a pause.
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn own_id(members: &[PbMember], name: &str) -> u64 {
    members
        .iter()
        .find(|member| member.name == name)
        .map_or(0, |member| member.id)
}

fn remote_urls(cluster: &BTreeMap<String, Vec<Url>>, own: &str) -> Vec<Url> {
    let others = cluster.iter().filter(|(name, _)| name.as_str() != own);
    let mut urls: Vec<Url> = others.flat_map(|(_, urls)| urls.clone()).collect();
    urls.sort();
    urls
}

fn describe(cluster: u64, members: &[PbMember]) -> String {
    let ids: Vec<String> = members
        .iter()
        .map(|member| format!("{:x}", member.id))
        .collect();
    format!("{{ClusterID:{cluster:x} Members:[{}]}}", ids.join(" "))
}
