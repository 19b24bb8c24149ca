//! The pages that probes and Prometheus read: health, metrics, version.
//!
//! Owns: their answers, state by state and version by version.
//! Always holds: `/health` and `/readyz` read through consensus unless asked not to, so without
//! quorum they answer late; `/livez` never does.
//! Deliberately does not know: connections.

use std::{fmt::Write as _, sync::Arc};

use futures::FutureExt;
use http::{Method, Request, Response, StatusCode, header};

use crate::etcd::{failure::Failure, member::Member, server::Server, state::NO_SPACE};

type Page = Response<String>;

pub(super) async fn answer<B>(server: &Arc<Server>, request: &Request<B>) -> Page {
    answer_with(server, request, Read::Asked).await
}

/// The answer, with a read through consensus done in this way if it takes one.
async fn answer_with<B>(server: &Arc<Server>, request: &Request<B>, read: Read) -> Page {
    if request.method() != Method::GET {
        return page(
            StatusCode::METHOD_NOT_ALLOWED,
            "Method Not Allowed\n".to_owned(),
        );
    }
    let query = Query(request.uri().query().unwrap_or_default());
    let quirks = server.look(Member::quirks);
    match request.uri().path() {
        "/health" => health(server, &query, read).await,
        "/livez" if quirks.livez_and_readyz => livez(server, &query),
        "/readyz" if quirks.livez_and_readyz => readyz(server, &query, read).await,
        "/metrics" => page(StatusCode::OK, metrics(server)),
        "/version" => page(StatusCode::OK, version(server)),
        _ => page(StatusCode::NOT_FOUND, "404 page not found\n".to_owned()),
    }
}

/// The status of what a GET would be answered at once. `None` where a read through consensus may
/// not be confirmed at once: then only asking can tell.
pub(in crate::etcd) fn status_at_once(server: &Arc<Server>, path: &str) -> Option<StatusCode> {
    if !server.would_confirm_reads() {
        return None;
    }
    let request = Request::get(path).body(()).ok()?;
    let page = answer_with(server, &request, Read::Granted);
    page.now_or_never().map(|page| page.status())
}

/// How a read through consensus is done.
#[derive(Clone, Copy)]
enum Read {
    /// By asking the leader.
    Asked,
    /// Not at all: it would be confirmed at once.
    Granted,
}

impl Read {
    async fn confirm(self, server: &Arc<Server>) -> Result<(), Failure> {
        match self {
            Self::Asked => server.read().await,
            Self::Granted => Ok(()),
        }
    }
}

/// The query of a URL.
struct Query<'a>(&'a str);

impl Query<'_> {
    fn has(&self, name: &str, value: &str) -> bool {
        let wanted = Some((name, value));
        self.0.split('&').any(|pair| pair.split_once('=') == wanted)
    }

    fn names(&self, name: &str) -> bool {
        self.0
            .split('&')
            .any(|pair| pair.split('=').next() == Some(name))
    }
}

async fn health(server: &Arc<Server>, query: &Query<'_>, read: Read) -> Page {
    let reason = unhealthy(server, query, read).await;
    let with_reason = server.look(|member| member.quirks().health_has_reason);
    let healthy = reason.is_none();
    let body = match (with_reason, reason.unwrap_or_default()) {
        (true, reason) => format!(
            r#"{{"health":"{healthy}","reason":{}}}"#,
            serde_json::Value::from(reason)
        ),
        (false, _) => format!(r#"{{"health":"{healthy}"}}"#),
    };
    if healthy {
        return page(StatusCode::OK, body);
    }
    page(StatusCode::SERVICE_UNAVAILABLE, body + "\n")
}

async fn unhealthy(server: &Arc<Server>, query: &Query<'_>, read: Read) -> Option<String> {
    for alarm in server.look(|member| member.state().alarms()) {
        let name = if alarm.alarm == NO_SPACE {
            "NOSPACE"
        } else {
            "CORRUPT"
        };
        if !query.has("exclude", name) {
            return Some(format!("ALARM {name}"));
        }
    }
    if query.has("serializable", "true") {
        return None;
    }
    if server.look(Member::leader) == 0 {
        return Some("RAFT NO LEADER".to_owned());
    }
    let failed = read.confirm(server).await.err();
    failed.map(|failure| format!("RANGE ERROR:{failure}"))
}

fn livez(_server: &Arc<Server>, query: &Query<'_>) -> Page {
    report(vec![("serializable_read", Ok(()))], query)
}

async fn readyz(server: &Arc<Server>, query: &Query<'_>, read: Read) -> Page {
    let mut checks = vec![
        ("data_corruption", corruption(server)),
        ("serializable_read", Ok(())),
    ];
    if !query.has("exclude", "linearizable_read") {
        let read = read.confirm(server).await;
        let read = read.map_err(|failure| failure.to_string());
        checks.push(("linearizable_read", read));
    }
    let is_learner = server.look(Member::is_learner);
    let learner = if is_learner {
        Err("not supported for learner".to_owned())
    } else {
        Ok(())
    };
    checks.push(("non_learner", learner));
    checks.retain(|(name, _)| !query.has("exclude", name));
    report(checks, query)
}

fn corruption(server: &Arc<Server>) -> Result<(), String> {
    let corrupt = server.look(|member| {
        member
            .state()
            .alarms()
            .into_iter()
            .any(|alarm| alarm.alarm != NO_SPACE)
    });
    if corrupt {
        Err("alarm activated: CORRUPT".to_owned())
    } else {
        Ok(())
    }
}

fn report(checks: Vec<(&str, Result<(), String>)>, query: &Query<'_>) -> Page {
    let healthy = checks.iter().all(|(_, result)| result.is_ok());
    let mut reason = String::new();
    for (name, result) in checks {
        // Writing to a string cannot fail.
        let _ = match result {
            Ok(()) => writeln!(reason, "[+]{name} ok"),
            Err(problem) => writeln!(reason, "[-]{name} failed: {problem}"),
        };
    }
    if !healthy {
        return page(StatusCode::SERVICE_UNAVAILABLE, reason + "\n");
    }
    let verbose = if query.names("verbose") {
        reason
    } else {
        String::new()
    };
    page(StatusCode::OK, verbose + "ok\n")
}

fn version(server: &Arc<Server>) -> String {
    server.look(|member| {
        let cluster = member.state().cluster_version.clone();
        let cluster = cluster.unwrap_or_else(|| "not_decided".to_owned());
        let server = member.version();
        if member.quirks().tells_storage {
            let storage = format!("{}.{}.0", server.major, server.minor);
            return format!(
                r#"{{"etcdserver":"{server}","etcdcluster":"{cluster}","storage":"{storage}"}}"#
            );
        }
        format!(r#"{{"etcdserver":"{server}","etcdcluster":"{cluster}"}}"#)
    })
}

fn metrics(server: &Arc<Server>) -> String {
    let values = server.look(|member| {
        let flag = |is: bool| i64::from(is);
        let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        [
            ("etcd_server_has_leader", flag(member.leader() != 0)),
            ("etcd_server_is_leader", flag(member.is_leader())),
            ("etcd_server_is_learner", flag(member.is_learner())),
            (
                "etcd_server_proposals_committed_total",
                number(member.committed()),
            ),
            (
                "etcd_server_proposals_applied_total",
                number(member.applied()),
            ),
            ("etcd_mvcc_db_total_size_in_bytes", member.allocated()),
            (
                "etcd_mvcc_db_total_size_in_use_in_bytes",
                member.state().store.bytes(),
            ),
            ("etcd_server_quota_backend_bytes", member.config().quota),
            (
                "etcd_debugging_mvcc_current_revision",
                member.state().store.revision(),
            ),
        ]
    });
    let mut text = String::new();
    for (name, value) in values {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "# TYPE {name} gauge\n{name} {value}");
    }
    let version = server.look(Member::version);
    text + &format!(
        "# TYPE etcd_server_version gauge\netcd_server_version{{server_version=\"{version}\"}} 1\n"
    )
}

fn page(status: StatusCode, body: String) -> Page {
    let mut page = Response::new(body);
    *page.status_mut() = status;
    let kind = header::HeaderValue::from_static("text/plain; charset=utf-8");
    page.headers_mut().insert(header::CONTENT_TYPE, kind);
    page
}
