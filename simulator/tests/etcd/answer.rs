//! Asking a member, and writing down the answer so that two arms can be compared.
//!
//! Always holds: what differs from run to run (addresses, IDs, terms, who leads) is written by name
//! or left out; codes, messages, revisions and everything else is kept.

use std::{collections::BTreeMap, time::Duration};

use etcd_client::proto::{
    PbAlarmRequest, PbAlarmResponse, PbCompactionRequest, PbCompactionResponse, PbCompare,
    PbDefragmentRequest, PbDefragmentResponse, PbDeleteRequest, PbDeleteResponse, PbHashKvRequest,
    PbHashKvResponse, PbKeyValue, PbLeaseGrantRequest, PbLeaseGrantResponse, PbLeaseLeasesRequest,
    PbLeaseLeasesResponse, PbLeaseRevokeRequest, PbLeaseRevokeResponse, PbLeaseTimeToLiveRequest,
    PbLeaseTimeToLiveResponse, PbMember, PbMemberAddRequest, PbMemberAddResponse,
    PbMemberListRequest, PbMemberListResponse, PbMemberPromoteRequest, PbMemberPromoteResponse,
    PbMemberRemoveRequest, PbMemberRemoveResponse, PbMemberUpdateRequest, PbMemberUpdateResponse,
    PbMoveLeaderRequest, PbMoveLeaderResponse, PbPutRequest, PbPutResponse, PbRangeRequest,
    PbRangeResponse, PbResponseHeader, PbSnapshotRequest, PbSnapshotResponse, PbTargetUnion,
    PbTxnOpRequest, PbTxnOpResponse, PbTxnRequest, PbTxnRequestOp, PbTxnResponse, PbWatchRequest,
    PbWatchRequestUnion, PbWatchResponse,
};
use regex::{Captures, Regex};
use tokio::time::{sleep, timeout};

use crate::{
    arm::Arm,
    grpc::{PATIENCE, Refused, Wire, call, refused, stream},
    play::Play,
};

/// Who is who.
#[derive(Default)]
pub(crate) struct Names {
    by_address: BTreeMap<String, String>,
    /// Member name to role.
    roles: BTreeMap<String, String>,
}

impl Names {
    pub(crate) fn learn(&mut self, name: &str, address: &str) {
        self.by_address.insert(address.to_owned(), name.to_owned());
    }

    pub(crate) fn members(&self) -> Vec<String> {
        let mut members: Vec<String> = self.by_address.values().cloned().collect();
        members.sort();
        members
    }

    /// From now on the leader is `leader`, and the others are `follower`, `follower2`, ...
    pub(crate) fn assign_roles(&mut self, leader: &str) {
        self.roles.clear();
        let mut followers = 0;
        for member in self.members() {
            let role = if member == leader {
                "leader".to_owned()
            } else {
                followers += 1;
                match followers {
                    1 => "follower".to_owned(),
                    more => format!("follower{more}"),
                }
            };
            self.roles.insert(member, role);
        }
    }

    /// The member behind a word of a script.
    pub(crate) fn real(&self, word: &str) -> String {
        let named = self.roles.iter().find(|(_, role)| *role == word);
        named.map_or(word.to_owned(), |(member, _)| member.clone())
    }

    fn role(&self, member: &str) -> String {
        self.roles.get(member).cloned().unwrap_or(member.to_owned())
    }

    /// A text without addresses and IDs.
    pub(crate) fn plain(&self, text: &str) -> String {
        let pattern = |pattern: &str| Regex::new(pattern).expect("a valid pattern");
        let addresses = pattern(r"\d+\.\d+\.\d+\.\d+");
        let text = addresses.replace_all(text, |found: &Captures| {
            self.by_address
                .get(&found[0])
                .cloned()
                .unwrap_or(found[0].to_owned())
        });
        let text = pattern(r"\{ClusterID:.*\}: ").replace_all(&text, "{...}: ");
        let text = pattern(r"\b[0-9a-f]{15,16}\b").replace_all(&text, "ID");
        let text = pattern(r"memberID:\d+").replace_all(&text, "memberID:N");
        let text = pattern(r"tocommit\(\d+\)").replace_all(&text, "tocommit(N)");
        let text = pattern(r"\bm\d\b").replace_all(&text, |found: &Captures| self.role(&found[0]));
        text.into_owned()
    }

    fn of_member(&self, member: &PbMember) -> String {
        let url = member
            .peer_ur_ls
            .first()
            .map(String::as_str)
            .unwrap_or_default();
        let host = url
            .trim_start_matches("http://")
            .split(':')
            .next()
            .unwrap_or_default();
        let name = self.by_address.get(host).cloned().unwrap_or(url.to_owned());
        let mut text = self.role(&name);
        if member.is_learner {
            text.push_str("/learner");
        }
        if member.name.is_empty() {
            text.push_str("/unstarted");
        }
        text
    }

    fn list(&self, members: &[PbMember]) -> String {
        let mut names: Vec<String> = members.iter().map(|it| self.of_member(it)).collect();
        names.sort();
        names.join(" ")
    }
}

/// The last words in a log: what an operator finds there.
pub(crate) fn last_words(log: &[String]) -> String {
    let field = |line: &str, name: &str| {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        line[name].as_str().map(str::to_owned)
    };
    for line in log.iter().rev() {
        if line.starts_with("panic: ") {
            return line.clone();
        }
        let level = field(line, "level");
        if level.as_deref() == Some("fatal") {
            let (message, error) = (field(line, "msg"), field(line, "error"));
            return format!(
                "{}: {}",
                message.unwrap_or_default(),
                error.unwrap_or_default()
            );
        }
    }
    let removed = "the member has been permanently removed from the cluster";
    if log.iter().any(|line| line.contains(removed)) {
        return removed.to_owned();
    }
    String::new()
}

fn told<T>(result: Result<T, Refused>, show: impl FnOnce(T) -> String) -> String {
    match result {
        Ok(answer) => show(answer),
        Err(Refused::Status(status)) => format!("{:?}: {}", status.code(), status.message()),
        Err(Refused::Unreachable) => "unreachable".to_owned(),
        Err(Refused::Silent) => "no answer".to_owned(),
    }
}

fn revision(header: Option<&PbResponseHeader>) -> String {
    header.map_or("no header".to_owned(), |header| {
        format!("revision {}", header.revision)
    })
}

fn pair(kv: &PbKeyValue) -> String {
    let text = |bytes: &[u8]| match bytes.len() {
        0..=40 => String::from_utf8_lossy(bytes).into_owned(),
        long => format!("{long} bytes"),
    };
    let mut pair = format!(
        "{}={} (created {} modified {} version {}",
        text(&kv.key),
        text(&kv.value),
        kv.create_revision,
        kv.mod_revision,
        kv.version
    );
    if kv.lease != 0 {
        pair.push_str(&format!(" lease {}", kv.lease));
    }
    pair.push(')');
    pair
}

fn pairs(kvs: &[PbKeyValue]) -> String {
    kvs.iter().map(pair).collect::<Vec<_>>().join(", ")
}

fn alarm_name(alarm: i32) -> &'static str {
    ["NONE", "NOSPACE", "CORRUPT"]
        .get(usize::try_from(alarm).unwrap_or(9))
        .unwrap_or(&"?")
}

/// Asks a member something; gives the answer as text.
pub(crate) async fn ask<A: Arm>(play: &mut Play<'_, A>, words: &[&str], via: &str) -> String {
    match words[0] {
        "add" | "remove" | "promote" | "update" | "list" | "stale-list" | "move" => {
            members(play, words, via).await
        }
        "grant" | "revoke" | "ttl" | "leases" => leases(play, words, via).await,
        "put" | "get" | "stale-get" | "delete" | "txn" | "fill" | "compact" | "watch" => {
            keys(play, words, via).await
        }
        _ => maintenance(play, words, via).await,
    }
}

async fn id_of<A: Arm>(play: &mut Play<'_, A>, name: &str) -> u64 {
    if let Ok(number) = name.parse() {
        return number;
    }
    let address = play.address(name);
    for member in play.names.members() {
        let ask = PbMemberListRequest {
            linearizable: false,
        };
        let path = "/etcdserverpb.Cluster/MemberList";
        let channel = play.arm.channel(&member);
        let list: Result<PbMemberListResponse, Refused> = call(channel, path, ask).await;
        let found = list.ok().and_then(|list| {
            let has = |member: &&PbMember| {
                member
                    .peer_ur_ls
                    .iter()
                    .any(|url| url.contains(&format!("//{address}:")))
            };
            list.members.iter().find(has).map(|member| member.id)
        });
        if let Some(id) = found {
            return id;
        }
    }
    0xdead
}

async fn members<A: Arm>(play: &mut Play<'_, A>, words: &[&str], via: &str) -> String {
    let channel = play.arm.channel(via);
    match words {
        ["list" | "stale-list"] => {
            let linearizable = words[0] == "list";
            let ask = PbMemberListRequest { linearizable };
            let answer = call(channel, "/etcdserverpb.Cluster/MemberList", ask).await;
            told(answer, |list: PbMemberListResponse| {
                play.names.list(&list.members)
            })
        }
        ["add", name, kind @ ..] => {
            let url = match *name {
                "nothing" => String::new(),
                name if name.starts_with("http") => name.to_owned(),
                name => format!("http://{}:2380", play.address(name)),
            };
            let ask = PbMemberAddRequest {
                peer_ur_ls: vec![url],
                is_learner: kind == ["learner"],
            };
            let answer = call(channel, "/etcdserverpb.Cluster/MemberAdd", ask).await;
            told(answer, |added: PbMemberAddResponse| {
                play.names.list(&added.members)
            })
        }
        ["remove", name] => {
            let ask = PbMemberRemoveRequest {
                id: id_of(play, name).await,
            };
            let answer = call(channel, "/etcdserverpb.Cluster/MemberRemove", ask).await;
            told(answer, |left: PbMemberRemoveResponse| {
                play.names.list(&left.members)
            })
        }
        ["promote", name] => {
            let ask = PbMemberPromoteRequest {
                id: id_of(play, name).await,
            };
            let answer = call(channel, "/etcdserverpb.Cluster/MemberPromote", ask).await;
            told(answer, |now: PbMemberPromoteResponse| {
                play.names.list(&now.members)
            })
        }
        ["update", name, to] => {
            let id = id_of(play, name).await;
            let url = format!("http://{}:2380", play.address(to));
            let ask = PbMemberUpdateRequest {
                id,
                peer_ur_ls: vec![url],
            };
            let answer = call(channel, "/etcdserverpb.Cluster/MemberUpdate", ask).await;
            told(answer, |now: PbMemberUpdateResponse| {
                play.names.list(&now.members)
            })
        }
        ["move", name] => {
            let ask = PbMoveLeaderRequest {
                target_id: id_of(play, name).await,
            };
            let answer = call(channel, "/etcdserverpb.Maintenance/MoveLeader", ask).await;
            told(answer, |_: PbMoveLeaderResponse| "moved".to_owned())
        }
        _ => panic!("no such line: {}", words.join(" ")),
    }
}

async fn keys<A: Arm>(play: &mut Play<'_, A>, words: &[&str], via: &str) -> String {
    let channel = play.arm.channel(via);
    match words {
        ["put", key, value, more @ ..] => {
            let mut ask = put(key, value);
            for word in more {
                match word.split_once('=') {
                    Some(("lease", id)) => ask.lease = id.parse().expect("a lease"),
                    _ => ask.prev_kv = *word == "prev",
                }
            }
            let answer = call(channel, "/etcdserverpb.KV/Put", ask).await;
            told(answer, |put: PbPutResponse| {
                let before = put.prev_kv.iter().map(pair).collect::<String>();
                format!("{} {before}", revision(put.header.as_ref()))
                    .trim()
                    .to_owned()
            })
        }
        ["fill"] => {
            for number in 0..100 {
                let ask = put(&format!("fill-{number}"), &"x".repeat(100_000));
                let answer = call(channel.clone(), "/etcdserverpb.KV/Put", ask).await;
                let answer = told(answer, |_: PbPutResponse| String::new());
                if !answer.is_empty() {
                    return answer;
                }
                // etcd looks at the size of what was written out, which is done each 100 ms.
                sleep(Duration::from_millis(200)).await;
            }
            "never full".to_owned()
        }
        ["get" | "stale-get", key, more @ ..] => {
            let mut ask = PbRangeRequest {
                key: key.trim_end_matches('*').into(),
                serializable: words[0] == "stale-get",
                ..PbRangeRequest::default()
            };
            if key.ends_with('*') {
                ask.range_end = after(key.trim_end_matches('*'));
            }
            for word in more {
                match word.split_once('=') {
                    Some(("revision", at)) => ask.revision = at.parse().expect("a revision"),
                    Some(("limit", limit)) => ask.limit = limit.parse().expect("a limit"),
                    _ if *word == "count" => ask.count_only = true,
                    _ => ask.keys_only = true,
                }
            }
            let answer = call(channel, "/etcdserverpb.KV/Range", ask).await;
            told(answer, |range: PbRangeResponse| {
                let more = if range.more { " and more" } else { "" };
                let header = revision(range.header.as_ref());
                format!(
                    "{header}: {} found: {}{more}",
                    range.count,
                    pairs(&range.kvs)
                )
            })
        }
        ["delete", key] => {
            let mut ask = PbDeleteRequest {
                key: key.trim_end_matches('*').into(),
                prev_kv: true,
                ..PbDeleteRequest::default()
            };
            if key.ends_with('*') {
                ask.range_end = after(key.trim_end_matches('*'));
            }
            let answer = call(channel, "/etcdserverpb.KV/DeleteRange", ask).await;
            told(answer, |deleted: PbDeleteResponse| {
                let header = revision(deleted.header.as_ref());
                format!(
                    "{header}: {} deleted: {}",
                    deleted.deleted,
                    pairs(&deleted.prev_kvs)
                )
            })
        }
        ["txn", "if", compares @ .., "then", then, "else", other] => {
            let ask = PbTxnRequest {
                compare: compares.iter().map(|text| compare(text)).collect(),
                success: operations(then),
                failure: operations(other),
            };
            let answer = call(channel, "/etcdserverpb.KV/Txn", ask).await;
            told(answer, |txn: PbTxnResponse| txn_answer(&txn))
        }
        ["compact", at] => {
            let ask = PbCompactionRequest {
                revision: at.parse().expect("a revision"),
                physical: true,
            };
            let answer = call(channel, "/etcdserverpb.KV/Compact", ask).await;
            told(answer, |done: PbCompactionResponse| {
                revision(done.header.as_ref())
            })
        }
        ["watch", key, from, count] => {
            let from = from.parse().expect("a revision");
            watch(play, key, from, count.parse().expect("a number"), via).await
        }
        _ => panic!("no such line: {}", words.join(" ")),
    }
}

fn put(key: &str, value: &str) -> PbPutRequest {
    PbPutRequest {
        key: if key == "''" { Vec::new() } else { key.into() },
        value: value.into(),
        ..PbPutRequest::default()
    }
}

/// The end of the range of keys with a prefix.
fn after(prefix: &str) -> Vec<u8> {
    let mut end = prefix.as_bytes().to_vec();
    match end.last_mut() {
        Some(last) => *last += 1,
        None => end.push(0),
    }
    end
}

/// `value(k)=v`, `version(k)>1`, `mod(k)=3`, `create(k)!0`, `lease(k)<5`.
fn compare(text: &str) -> PbCompare {
    let parts = Regex::new(r"^(\w+)\((\w+)\)([=<>!])(\w*)$").expect("a valid pattern");
    let parts = parts
        .captures(text)
        .unwrap_or_else(|| panic!("no comparison: {text}"));
    let number = || parts[4].parse::<i64>().expect("a number");
    let (target, union) = match &parts[1] {
        "version" => (0, PbTargetUnion::Version(number())),
        "create" => (1, PbTargetUnion::CreateRevision(number())),
        "mod" => (2, PbTargetUnion::ModRevision(number())),
        "value" => (3, PbTargetUnion::Value(parts[4].into())),
        _ => (4, PbTargetUnion::Lease(number())),
    };
    PbCompare {
        result: match &parts[3] {
            "=" => 0,
            ">" => 1,
            "<" => 2,
            _ => 3,
        },
        target,
        key: parts[2].into(),
        target_union: Some(union),
        ..PbCompare::default()
    }
}

/// `put:k:v,get:k,delete:k`, or `-` for none.
fn operations(text: &str) -> Vec<PbTxnRequestOp> {
    let parts = text.split(',').filter(|part| *part != "-");
    parts
        .map(|part| {
            let words: Vec<&str> = part.split(':').collect();
            let request = match words.as_slice() {
                ["put", key, value] => PbTxnOpRequest::RequestPut(put(key, value)),
                ["get", key] => PbTxnOpRequest::RequestRange(PbRangeRequest {
                    key: (*key).into(),
                    ..PbRangeRequest::default()
                }),
                ["delete", key] => PbTxnOpRequest::RequestDeleteRange(PbDeleteRequest {
                    key: (*key).into(),
                    ..PbDeleteRequest::default()
                }),
                _ => panic!("no operation: {part}"),
            };
            PbTxnRequestOp {
                request: Some(request),
            }
        })
        .collect()
}

fn txn_answer(txn: &PbTxnResponse) -> String {
    let mut text = format!("{}: {}", revision(txn.header.as_ref()), txn.succeeded);
    for response in txn.responses.iter().filter_map(|it| it.response.as_ref()) {
        let part = match response {
            PbTxnOpResponse::ResponsePut(put) => format!("put {}", revision(put.header.as_ref())),
            PbTxnOpResponse::ResponseRange(range) => format!("got {}", pairs(&range.kvs)),
            PbTxnOpResponse::ResponseDeleteRange(gone) => format!("deleted {}", gone.deleted),
            PbTxnOpResponse::ResponseTxn(txn) => format!("txn {}", txn_answer(txn)),
        };
        text.push_str("; ");
        text.push_str(&part);
    }
    text
}

/// Watches a key until so many events have come.
async fn watch<A: Arm>(
    play: &mut Play<'_, A>,
    key: &str,
    from: i64,
    count: usize,
    via: &str,
) -> String {
    let mut union = PbWatchRequestUnion::CreateRequest(Default::default());
    if let PbWatchRequestUnion::CreateRequest(create) = &mut union {
        create.key = key.trim_end_matches('*').into();
        create.start_revision = from;
        create.prev_kv = true;
        if key.ends_with('*') {
            create.range_end = after(key.trim_end_matches('*'));
        }
    }
    let ask = PbWatchRequest {
        request_union: Some(union),
    };
    let opened = stream(
        play.arm.channel(via),
        "/etcdserverpb.Watch/Watch",
        ask,
        true,
    )
    .await;
    let mut responses = match opened {
        Ok(responses) => responses,
        Err(refusal) => return told(Err(refusal), |(): ()| String::new()),
    };
    let mut events = Vec::new();
    let mut text = String::new();
    while events.len() < count {
        let next: Result<PbWatchResponse, Refused> =
            match timeout(PATIENCE, responses.message()).await {
                Ok(Ok(Some(response))) => Ok(response),
                Ok(Ok(None)) => return format!("{text} end of stream"),
                Ok(Err(status)) => Err(refused(status)),
                Err(_) => Err(Refused::Silent),
            };
        match next {
            Ok(response) if response.canceled => {
                return format!(
                    "canceled, compacted at {}, {:?}",
                    response.compact_revision, response.cancel_reason
                );
            }
            Ok(response) => events.extend(response.events),
            Err(refusal) => return told(Err(refusal), |(): ()| String::new()),
        }
    }
    for event in &events {
        let kind = if event.r#type == 0 { "put" } else { "delete" };
        let kv = event.kv.as_ref().map(pair).unwrap_or_default();
        let before = event
            .prev_kv
            .as_ref()
            .map(pair)
            .unwrap_or("nothing".to_owned());
        text.push_str(&format!("{kind} {kv} after {before}; "));
    }
    text.trim_end_matches("; ").to_owned()
}

async fn leases<A: Arm>(play: &mut Play<'_, A>, words: &[&str], via: &str) -> String {
    let channel = play.arm.channel(via);
    let number = |text: &str| text.parse::<i64>().expect("a number");
    match words {
        ["grant", id, ttl] => {
            let ask = PbLeaseGrantRequest {
                id: number(id),
                ttl: number(ttl),
            };
            let answer = call(channel, "/etcdserverpb.Lease/LeaseGrant", ask).await;
            told(answer, |lease: PbLeaseGrantResponse| {
                format!(
                    "{} lease {} for {} s",
                    revision(lease.header.as_ref()),
                    lease.id,
                    lease.ttl
                )
            })
        }
        ["revoke", id] => {
            let ask = PbLeaseRevokeRequest { id: number(id) };
            let answer = call(channel, "/etcdserverpb.Lease/LeaseRevoke", ask).await;
            told(answer, |gone: PbLeaseRevokeResponse| {
                revision(gone.header.as_ref())
            })
        }
        ["ttl", id] => {
            let ask = PbLeaseTimeToLiveRequest {
                id: number(id),
                keys: true,
            };
            let answer = call(channel, "/etcdserverpb.Lease/LeaseTimeToLive", ask).await;
            told(answer, |lease: PbLeaseTimeToLiveResponse| {
                let mut keys: Vec<_> = lease
                    .keys
                    .iter()
                    .map(|key| String::from_utf8_lossy(key).into_owned())
                    .collect();
                keys.sort();
                let left = if lease.ttl > 0 { "left" } else { "gone" };
                format!(
                    "{left}, granted {}, keys {}",
                    lease.granted_ttl,
                    keys.join(",")
                )
            })
        }
        ["leases"] => {
            let answer = call(
                channel,
                "/etcdserverpb.Lease/LeaseLeases",
                PbLeaseLeasesRequest {},
            )
            .await;
            told(answer, |all: PbLeaseLeasesResponse| {
                let mut ids: Vec<i64> = all.leases.iter().map(|lease| lease.id).collect();
                ids.sort_unstable();
                format!("{ids:?}")
            })
        }
        _ => panic!("no such line: {}", words.join(" ")),
    }
}

async fn maintenance<A: Arm>(play: &mut Play<'_, A>, words: &[&str], via: &str) -> String {
    let channel = play.arm.channel(via);
    match words {
        ["status"] => match play.status(via).await {
            Some(status) => {
                let leader = if status.leader == 0 {
                    "no leader"
                } else {
                    "a leader"
                };
                let role = if status.is_learner {
                    "learner"
                } else {
                    "voter"
                };
                format!(
                    "{} {role}, {leader}, errors {:?}",
                    status.version, status.errors
                )
            }
            None => "unreachable".to_owned(),
        },
        ["alarms"] => alarm(channel, play, 0, 0, 0).await,
        ["disarm"] => alarm(channel, play, 2, 0, 1).await,
        ["disarm", name] => {
            let id = id_of(play, name).await;
            alarm(channel, play, 2, id, 1).await
        }
        ["raise", kind, name] => {
            let id = id_of(play, name).await;
            alarm(channel, play, 1, id, if *kind == "CORRUPT" { 2 } else { 1 }).await
        }
        ["defrag"] => {
            let answer = call(
                channel,
                "/etcdserverpb.Maintenance/Defragment",
                PbDefragmentRequest {},
            )
            .await;
            told(answer, |_: PbDefragmentResponse| "done".to_owned())
        }
        ["hashkv", at] => {
            let ask = PbHashKvRequest {
                revision: at.parse().expect("a revision"),
            };
            let answer = call(channel, "/etcdserverpb.Maintenance/HashKV", ask).await;
            told(answer, |hash: PbHashKvResponse| {
                let compacted = hash.compact_revision;
                format!(
                    "{}, compacted at {compacted}",
                    revision(hash.header.as_ref())
                )
            })
        }
        ["snapshot"] => {
            let path = "/etcdserverpb.Maintenance/Snapshot";
            let asked =
                stream::<_, PbSnapshotResponse>(channel, path, PbSnapshotRequest::default(), false);
            match asked.await {
                Ok(mut parts) => match timeout(PATIENCE, parts.message()).await {
                    Ok(Ok(Some(part))) if !part.blob.is_empty() => "data".to_owned(),
                    Ok(Ok(_)) => "no data".to_owned(),
                    Ok(Err(status)) => told(Err(refused(status)), |(): ()| String::new()),
                    Err(_) => "no answer".to_owned(),
                },
                Err(refusal) => told(Err(refusal), |(): ()| String::new()),
            }
        }
        _ => panic!("no such line: {}", words.join(" ")),
    }
}

async fn alarm<A: Arm>(
    channel: Wire,
    play: &mut Play<'_, A>,
    action: i32,
    member_id: u64,
    alarm: i32,
) -> String {
    let ask = PbAlarmRequest {
        action,
        member_id,
        alarm,
    };
    let answer = call(channel, "/etcdserverpb.Maintenance/Alarm", ask).await;
    let _ = &play;
    told(answer, |alarms: PbAlarmResponse| {
        let names: Vec<&str> = alarms
            .alarms
            .iter()
            .map(|it| alarm_name(it.alarm))
            .collect();
        format!("alarms: {}", names.join(" "))
    })
}
