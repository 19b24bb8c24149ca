//! The command line of etcd, as far as names and kinds of flags go.
//!
//! Owns: which flags exist in which version, and how Go reads them.
//! Always holds: a flag that this version of etcd does not have is refused as etcd refuses it.
//! Deliberately does not know: what flags mean.

use std::collections::BTreeMap;

use crate::etcd::version::Quirks;

use super::Refused;

/// Flags of 3.5 and 3.6, from their `--help`.
#[rustfmt::skip]
const EVERYWHERE: &[&str] = &[
    "advertise-client-urls", "auth-token", "auth-token-ttl", "auto-compaction-mode",
    "auto-compaction-retention", "auto-tls", "backend-batch-interval", "backend-batch-limit",
    "backend-bbolt-freelist-type", "bcrypt-cost", "cert-file", "cipher-suites",
    "client-cert-allowed-hostname", "client-cert-auth", "client-cert-file", "client-crl-file",
    "client-key-file", "config-file", "cors", "data-dir", "discovery", "discovery-fallback",
    "discovery-proxy", "discovery-srv", "discovery-srv-name", "election-timeout",
    "enable-grpc-gateway", "enable-log-rotation", "enable-pprof",
    "experimental-bootstrap-defrag-threshold-megabytes",
    "experimental-compact-hash-check-enabled", "experimental-compact-hash-check-time",
    "experimental-compaction-batch-limit", "experimental-compaction-sleep-interval",
    "experimental-corrupt-check-time", "experimental-distributed-tracing-address",
    "experimental-distributed-tracing-instance-id",
    "experimental-distributed-tracing-sampling-rate",
    "experimental-distributed-tracing-service-name", "experimental-downgrade-check-time",
    "experimental-enable-distributed-tracing", "experimental-enable-lease-checkpoint",
    "experimental-enable-lease-checkpoint-persist", "experimental-initial-corrupt-check",
    "experimental-memory-mlock", "experimental-peer-skip-client-san-verification",
    "experimental-stop-grpc-service-on-defrag", "experimental-txn-mode-write-with-shared-buffer",
    "experimental-warning-apply-duration", "experimental-watch-progress-notify-interval",
    "force-new-cluster", "grpc-keepalive-interval", "grpc-keepalive-min-time",
    "grpc-keepalive-timeout", "heartbeat-interval", "host-whitelist",
    "initial-advertise-peer-urls", "initial-cluster", "initial-cluster-state",
    "initial-cluster-token", "initial-election-tick-advance", "key-file",
    "listen-client-http-urls", "listen-client-urls", "listen-metrics-urls", "listen-peer-urls",
    "log-level", "log-outputs", "log-rotation-config-json", "logger", "max-concurrent-streams",
    "max-request-bytes", "max-snapshots", "max-txn-ops", "max-wals", "metrics", "name",
    "peer-auto-tls", "peer-cert-allowed-cn", "peer-cert-allowed-hostname", "peer-cert-file",
    "peer-client-cert-auth", "peer-client-cert-file", "peer-client-key-file", "peer-crl-file",
    "peer-key-file", "peer-trusted-ca-file", "pre-vote", "quota-backend-bytes",
    "raft-read-timeout", "raft-write-timeout", "self-signed-cert-validity", "snapshot-count",
    "socket-reuse-address", "socket-reuse-port", "strict-reconfig-check", "tls-max-version",
    "tls-min-version", "trusted-ca-file", "unsafe-no-fsync", "v2-deprecation", "version",
    "wal-dir"
];

/// Flags that 3.6 dropped.
#[rustfmt::skip]
const ONLY_IN_35: &[&str] = &[
    "enable-v2", "experimental-enable-v2v3", "proxy", "proxy-dial-timeout", "proxy-failure-wait",
    "proxy-read-timeout", "proxy-refresh-interval", "proxy-write-timeout"
];

/// Flags that 3.6 brought.
#[rustfmt::skip]
const SINCE_36: &[&str] = &[
    "bootstrap-defrag-threshold-megabytes", "compact-hash-check-time", "compaction-batch-limit",
    "compaction-sleep-interval", "corrupt-check-time", "discovery-cacert", "discovery-cert",
    "discovery-dial-timeout", "discovery-endpoints", "discovery-insecure-skip-tls-verify",
    "discovery-insecure-transport", "discovery-keepalive-time", "discovery-keepalive-timeout",
    "discovery-key", "discovery-password", "discovery-request-timeout", "discovery-token",
    "discovery-user", "distributed-tracing-address", "distributed-tracing-instance-id",
    "distributed-tracing-sampling-rate", "distributed-tracing-service-name",
    "downgrade-check-time", "enable-distributed-tracing", "experimental-snapshot-catchup-entries",
    "experimental-warning-unary-request-duration", "feature-gates", "log-format", "max-learners",
    "memory-mlock", "peer-skip-client-san-verification", "snapshot-catchup-entries",
    "warning-apply-duration", "warning-unary-request-duration", "watch-progress-notify-interval"
];

/// Flags that need no value.
#[rustfmt::skip]
const SWITCHES: &[&str] = &[
    "auto-tls", "client-cert-auth", "discovery-insecure-skip-tls-verify",
    "discovery-insecure-transport", "enable-distributed-tracing", "enable-grpc-gateway",
    "enable-log-rotation", "enable-pprof", "enable-v2", "experimental-compact-hash-check-enabled",
    "experimental-enable-distributed-tracing", "experimental-enable-lease-checkpoint",
    "experimental-enable-lease-checkpoint-persist", "experimental-initial-corrupt-check",
    "experimental-memory-mlock", "experimental-peer-skip-client-san-verification",
    "experimental-stop-grpc-service-on-defrag", "experimental-txn-mode-write-with-shared-buffer",
    "force-new-cluster", "initial-election-tick-advance", "memory-mlock", "peer-auto-tls",
    "peer-client-cert-auth", "peer-skip-client-san-verification", "pre-vote",
    "socket-reuse-address", "socket-reuse-port", "strict-reconfig-check", "unsafe-no-fsync",
    "version"
];

/// Flags whose value is a whole number.
#[rustfmt::skip]
const NUMBERS: &[&str] = &[
    "election-timeout", "experimental-snapshot-catchup-entries", "heartbeat-interval",
    "max-concurrent-streams", "max-learners", "max-request-bytes", "max-snapshots", "max-txn-ops",
    "max-wals", "quota-backend-bytes", "snapshot-catchup-entries", "snapshot-count"
];

/// What a flag takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Switch,
    Number,
    Text,
}

/// The kind of a flag; `None` when this version has no such flag.
pub(super) fn kind(name: &str, quirks: Quirks) -> Option<Kind> {
    let of_version = if quirks.max_learners_flag {
        SINCE_36
    } else {
        ONLY_IN_35
    };
    if !EVERYWHERE.contains(&name) && !of_version.contains(&name) {
        return None;
    }
    Some(match () {
        () if SWITCHES.contains(&name) => Kind::Switch,
        () if NUMBERS.contains(&name) => Kind::Number,
        () => Kind::Text,
    })
}

/// Reads a command line without its program name into values by flag.
pub(super) fn parse(
    arguments: &[String],
    quirks: Quirks,
) -> Result<BTreeMap<String, String>, Refused> {
    let mut values = BTreeMap::new();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let bare = argument
            .strip_prefix("--")
            .or_else(|| argument.strip_prefix('-'));
        let Some(bare) = bare.filter(|bare| !bare.is_empty()) else {
            return Err(Refused::unverified(format!(
                "'{argument}' is not a valid flag"
            )));
        };
        let (name, mut value) = match bare.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (bare, None),
        };
        if matches!(name, "h" | "help") {
            return Err(Refused {
                code: 0,
                words: vec!["Usage: etcd [flags]".to_owned()],
            });
        }
        let Some(kind) = kind(name, quirks) else {
            return Err(Refused::usage(format!(
                "flag provided but not defined: -{name}"
            )));
        };
        if value.is_none() {
            value = match kind {
                Kind::Switch => Some("true".to_owned()),
                Kind::Number | Kind::Text => arguments.next().cloned(),
            };
        }
        let value =
            value.ok_or_else(|| Refused::usage(format!("flag needs an argument: -{name}")))?;
        check(name, kind, &value).map_err(Refused::usage)?;
        values.insert(name.to_owned(), value);
    }
    Ok(values)
}

/// Adds `ETCD_*` variables for flags that the command line does not set.
pub(super) fn add_environment(
    values: &mut BTreeMap<String, String>,
    environment: &BTreeMap<String, String>,
    quirks: Quirks,
) -> Result<(), Refused> {
    for (variable, value) in environment {
        let Some(name) = variable.strip_prefix("ETCD_") else {
            continue;
        };
        let name = name.to_lowercase().replace('_', "-");
        let Some(kind) = kind(&name, quirks) else {
            continue;
        };
        if value.is_empty() || values.contains_key(&name) {
            continue;
        }
        check(&name, kind, value).map_err(|problem| {
            Refused::unverified(format!("invalid value {value:?} for {variable}: {problem}"))
        })?;
        values.insert(name, value.clone());
    }
    Ok(())
}

fn check(name: &str, kind: Kind, value: &str) -> Result<(), String> {
    match kind {
        Kind::Switch if !matches!(value, "true" | "false" | "1" | "0" | "t" | "f") => Err(format!(
            "invalid boolean value {value:?} for -{name}: parse error"
        )),
        Kind::Number if value.parse::<i64>().is_err() => Err(format!(
            "invalid value {value:?} for flag -{name}: parse error"
        )),
        Kind::Text if name == "initial-cluster-state" && !matches!(value, "new" | "existing") => {
            Err(format!(
                "invalid value {value:?} for flag -{name}: invalid value"
            ))
        }
        _ => Ok(()),
    }
}
