//! Settings of etcd that a user may choose.
//!
//! Owns: which of etcd's many options are offered, and in which bounds.
//! Always holds: what is offered cannot make two members disagree, open a member to strangers or
//! lose an acknowledged write, however it is set; names are etcd's own in camel case.
//! Deliberately does not know: how etcd is told.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of etcd. What is left out has etcd's own default.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
    "(has(self.electionTimeoutMs) ? self.electionTimeoutMs : 1000) >= 5 * (has(self.heartbeatIntervalMs) ? self.heartbeatIntervalMs : 100)"
).message("electionTimeoutMs (1000 when left out) must be at least 5 times heartbeatIntervalMs (100 when left out)"))]
#[x_kube(validation = Rule::new(
    "!has(self.autoCompactionMode) || self.autoCompactionMode != 'revision' || !has(self.autoCompactionRetention) || self.autoCompactionRetention.matches('^[0-9]+$')"
).message("autoCompactionRetention must be a number of revisions, such as 1000, when autoCompactionMode is revision"))]
pub struct EtcdOptions {
    /// Most bytes that the database may take; beyond it etcd takes no writes until it is compacted
    /// and defragmented. etcd's default is 2 GiB; its documentation advises not to go above 8 GiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1_048_576, max = 107_374_182_400_i64))]
    pub quota_backend_bytes: Option<i64>,

    /// Whether autoCompactionRetention is a time or a number of revisions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_compaction_mode: Option<AutoCompactionMode>,

    /// History that is kept: a time such as 30m or 12h (a bare number means hours), or a number of
    /// revisions. etcd's default, 0, keeps all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), regex(pattern = r"^(0|[1-9][0-9]*)(s|m|h)?$"))]
    pub auto_compaction_retention: Option<String>,

    /// Committed transactions after which a member writes a snapshot and shortens its log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 100, max = 1_000_000))]
    pub snapshot_count: Option<i64>,

    /// Milliseconds between two heartbeats of the leader: about the time of a round trip between
    /// members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 10, max = 2000))]
    pub heartbeat_interval_ms: Option<i64>,

    /// Milliseconds without a heartbeat after which a member stands for election.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 50, max = 10_000))]
    pub election_timeout_ms: Option<i64>,

    /// Most bytes that one request may have. etcd's default is 1.5 MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1024, max = 33_554_432))]
    pub max_request_bytes: Option<i64>,

    /// Most operations in one transaction. etcd's default is 128.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65_536))]
    pub max_txn_ops: Option<i64>,

    /// What etcd logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_level: Option<LogLevel>,
}

/// How history is bounded.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum AutoCompactionMode {
    /// By age.
    Periodic,
    /// By number of revisions.
    Revision,
}

/// What etcd logs.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Everything.
    Debug,
    /// etcd's default.
    Info,
    /// What may need attention.
    Warn,
    /// What went wrong.
    Error,
}

impl EtcdOptions {
    /// Milliseconds between heartbeats, with etcd's default.
    #[must_use]
    pub fn heartbeat_ms(&self) -> i64 {
        self.heartbeat_interval_ms.unwrap_or(100)
    }

    /// Milliseconds until an election, with etcd's default.
    #[must_use]
    pub fn election_ms(&self) -> i64 {
        self.election_timeout_ms.unwrap_or(1000)
    }

    /// What is set, by the name that etcd's configuration file has for it.
    #[must_use]
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let number = |value: Option<i64>| value.map(|value| value.to_string());
        let mode = self.auto_compaction_mode.map(|mode| match mode {
            AutoCompactionMode::Periodic => "periodic",
            AutoCompactionMode::Revision => "revision",
        });
        let level = self.log_level.map(|level| match level {
            LogLevel::Debug => "debug",
            LogLevel::Info => "info",
            LogLevel::Warn => "warn",
            LogLevel::Error => "error",
        });
        // In quotes, since the file is YAML and etcd wants text: a bare 1 would be a number.
        let retention = self.auto_compaction_retention.as_ref();
        let all = [
            ("quota-backend-bytes", number(self.quota_backend_bytes)),
            ("auto-compaction-mode", mode.map(str::to_owned)),
            (
                "auto-compaction-retention",
                retention.map(|text| format!("\"{text}\"")),
            ),
            ("snapshot-count", number(self.snapshot_count)),
            ("heartbeat-interval", number(self.heartbeat_interval_ms)),
            ("election-timeout", number(self.election_timeout_ms)),
            ("max-request-bytes", number(self.max_request_bytes)),
            ("max-txn-ops", number(self.max_txn_ops)),
            ("log-level", level.map(str::to_owned)),
        ];
        all.into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect()
    }
}
