//! The configuration of one member: command line, environment or configuration file.
//!
//! Owns: precedence, defaults, and the checks that etcd makes before it starts.
//! Always holds: a configuration that etcd refuses is refused with etcd's exit code and words; an
//! option that would need what is not modelled is refused with "not modelled".
//! Deliberately does not know: the state of the cluster, the data dir.

mod flags;

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;

use super::{
    urls::Url,
    version::{Quirks, Version},
};
use flags::Kind;

const DEFAULT_NAME: &str = "default";
const DEFAULT_PEER_URL: &str = "http://localhost:2380";
const DEFAULT_CLIENT_URL: &str = "http://localhost:2379";
const DEFAULT_QUOTA: i64 = 2 * 1024 * 1024 * 1024;
const DEFAULT_CATCH_UP: u64 = 5_000;
const MAX_ELECTION_MS: u64 = 50_000;

/// Options that would change what a client or a peer sees, and are not modelled.
const NOT_MODELLED: &[&str] = &[
    "auto-tls",
    "cert-file",
    "client-cert-auth",
    "discovery",
    "discovery-srv",
    "discovery-token",
    "listen-client-http-urls",
    "peer-auto-tls",
    "peer-cert-file",
    "peer-client-cert-auth",
    "proxy",
    "trusted-ca-file",
    "peer-trusted-ca-file",
    "wal-dir",
];

/// A member's configuration.
#[derive(Clone, Debug)]
pub(super) struct Config {
    pub(super) name: String,
    pub(super) data_dir: String,
    pub(super) listen_peer: Vec<Url>,
    pub(super) listen_client: Vec<Url>,
    pub(super) listen_metrics: Vec<Url>,
    pub(super) advertise_peer: Vec<Url>,
    pub(super) advertise_client: Vec<Url>,
    /// `name=url,...`; read only when there is no data yet.
    pub(super) initial_cluster: String,
    pub(super) token: String,
    pub(super) existing: bool,
    pub(super) heartbeat: Duration,
    pub(super) election: Duration,
    pub(super) pre_vote: bool,
    pub(super) strict_reconfig: bool,
    pub(super) skip_initial_ticks: bool,
    pub(super) force_new_cluster: bool,
    pub(super) quota: i64,
    pub(super) snapshot_count: u64,
    pub(super) first_compaction: u64,
    pub(super) catch_up: u64,
    pub(super) max_learners: usize,
}

/// Why etcd would not start: exit code and what it prints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) code: i32,
    pub(super) words: Vec<String>,
}

impl Refused {
    fn usage(problem: String) -> Self {
        Self {
            code: 2,
            words: vec![problem, "Usage:".to_owned()],
        }
    }

    fn unverified(problem: impl ToString) -> Self {
        let problem = Value::String(problem.to_string());
        let line =
            format!(r#"{{"level":"warn","msg":"failed to verify flags","error":{problem}}}"#);
        Self {
            code: 1,
            words: vec![line],
        }
    }
}

impl Config {
    /// Reads a configuration as etcd does: a configuration file rules out everything else; else
    /// flags go before environment.
    pub(super) fn read(
        argv: &[String],
        environment: &BTreeMap<String, String>,
        files: &BTreeMap<String, Vec<u8>>,
        version: Version,
    ) -> Result<Self, Refused> {
        let quirks = version.quirks();
        let program = argv.first().filter(|first| !first.starts_with('-'));
        let mut values = flags::parse(&argv[usize::from(program.is_some())..], quirks)?;
        if values.get("version").is_some_and(|value| is_true(value)) {
            return Err(Refused {
                code: 0,
                words: vec![format!("etcd Version: {version}")],
            });
        }
        let file = values
            .get("config-file")
            .or_else(|| environment.get("ETCD_CONFIG_FILE"));
        let from_file = file.filter(|file| !file.is_empty()).cloned();
        match &from_file {
            Some(path) => values = read_file(path, files, quirks)?,
            None => flags::add_environment(&mut values, environment, quirks)?,
        }
        let values = Values {
            values,
            from_file: from_file.is_some(),
        };
        values.refuse_what_is_not_modelled()?;
        let config = values.config(quirks)?;
        config.check()?;
        Ok(config)
    }

    /// Ticks of an election timeout.
    pub(super) fn election_ticks(&self) -> usize {
        let ticks = self.election.as_millis() / self.heartbeat.as_millis().max(1);
        usize::try_from(ticks).unwrap_or(usize::MAX)
    }

    /// How long a request may take: 5 s, and two elections.
    pub(super) fn request_timeout(&self) -> Duration {
        Duration::from_secs(5) + 2 * self.election
    }

    /// How long dialling a peer may take: 1 s, and an election.
    pub(super) fn peer_dial_timeout(&self) -> Duration {
        Duration::from_secs(1) + self.election
    }

    fn check(&self) -> Result<(), Refused> {
        for url in self
            .listen_peer
            .iter()
            .chain(&self.listen_client)
            .chain(&self.listen_metrics)
        {
            if url.host() != "localhost" && url.host().parse::<std::net::IpAddr>().is_err() {
                let problem = format!("expected IP in URL for binding ({url})");
                return Err(Refused::unverified(problem));
            }
        }
        let (heartbeat, election) = (self.heartbeat.as_millis(), self.election.as_millis());
        for (flag, value) in [
            ("heartbeat-interval", heartbeat),
            ("election-timeout", election),
        ] {
            if value == 0 {
                return Err(Refused::unverified(format!(
                    "--{flag} must be >0 (set to 0ms)"
                )));
            }
        }
        if 5 * heartbeat > election {
            return Err(Refused::unverified(format!(
                "--election-timeout[{election}ms] should be at least as 5 times as \
                 --heartbeat-interval[{heartbeat}ms]"
            )));
        }
        if election > u128::from(MAX_ELECTION_MS) {
            return Err(Refused::unverified(format!(
                "--election-timeout[{election}ms] is too long, and should be set less than \
                 {MAX_ELECTION_MS}ms"
            )));
        }
        Ok(())
    }
}

/// Values by flag name, wherever they came from.
struct Values {
    values: BTreeMap<String, String>,
    from_file: bool,
}

impl Values {
    fn config(&self, quirks: Quirks) -> Result<Config, Refused> {
        let name = self.text("name", DEFAULT_NAME);
        let advertise_peer = self.urls("initial-advertise-peer-urls", DEFAULT_PEER_URL)?;
        let listens_explicitly = self.values.contains_key("listen-client-urls");
        if listens_explicitly && !self.values.contains_key("advertise-client-urls") {
            let problem =
                "--advertise-client-urls is required when --listen-client-urls is set explicitly";
            return Err(Refused::unverified(problem));
        }
        let own = advertise_peer
            .iter()
            .map(|url| format!("{name}={url}"))
            .collect::<Vec<_>>();
        Ok(Config {
            data_dir: self.text("data-dir", &format!("{name}.etcd")),
            listen_peer: self.urls("listen-peer-urls", DEFAULT_PEER_URL)?,
            listen_client: self.urls("listen-client-urls", DEFAULT_CLIENT_URL)?,
            listen_metrics: self.urls("listen-metrics-urls", "")?,
            advertise_client: self.urls("advertise-client-urls", DEFAULT_CLIENT_URL)?,
            initial_cluster: self.text("initial-cluster", &own.join(",")),
            token: self.text("initial-cluster-token", "etcd-cluster"),
            existing: self.text("initial-cluster-state", "new") == "existing",
            heartbeat: Duration::from_millis(self.number("heartbeat-interval", 100)),
            election: Duration::from_millis(self.number("election-timeout", 1000)),
            pre_vote: self.switch("pre-vote", true),
            strict_reconfig: self.switch("strict-reconfig-check", true),
            skip_initial_ticks: self.switch("initial-election-tick-advance", true),
            force_new_cluster: self.switch("force-new-cluster", false),
            quota: self.quota(),
            snapshot_count: self.number("snapshot-count", quirks.snapshot_count).max(1),
            first_compaction: quirks.first_compaction,
            catch_up: self.catch_up(),
            max_learners: usize::try_from(self.number("max-learners", 1)).unwrap_or(1),
            name,
            advertise_peer,
        })
    }

    fn refuse_what_is_not_modelled(&self) -> Result<(), Refused> {
        let set = |name: &&&str| {
            self.values
                .get(**name)
                .is_some_and(|value| !matches!(value.as_str(), "" | "false" | "off"))
        };
        match NOT_MODELLED.iter().find(set) {
            Some(name) => Err(Refused::unverified(format!("not modelled: --{name}"))),
            None => Ok(()),
        }
    }

    fn text(&self, name: &str, default: &str) -> String {
        let value = self.values.get(name).filter(|value| !value.is_empty());
        value.map_or(default, String::as_str).to_owned()
    }

    fn number(&self, name: &str, default: u64) -> u64 {
        self.values
            .get(name)
            .and_then(|value| value.parse().ok())
            .unwrap_or(default)
    }

    fn switch(&self, name: &str, default: bool) -> bool {
        self.values
            .get(name)
            .map_or(default, |value| is_true(value))
    }

    /// 0 means the default, a negative value no quota at all.
    fn quota(&self) -> i64 {
        match self
            .values
            .get("quota-backend-bytes")
            .and_then(|value| value.parse::<i64>().ok())
        {
            None | Some(0) => DEFAULT_QUOTA,
            Some(quota) if quota < 0 => i64::MAX,
            Some(quota) => quota,
        }
    }

    fn catch_up(&self) -> u64 {
        let names = [
            "snapshot-catchup-entries",
            "experimental-snapshot-catchup-entries",
        ];
        names
            .iter()
            .fold(DEFAULT_CATCH_UP, |default, name| self.number(name, default))
    }

    fn urls(&self, name: &str, default: &str) -> Result<Vec<Url>, Refused> {
        let text = self.text(name, default);
        if text.is_empty() {
            return Ok(Vec::new());
        }
        Url::parse_list(&text).map_err(|problem| {
            if self.from_file {
                let words = vec![format!("unexpected error setting up {name}: {problem}")];
                return Refused { code: 1, words };
            }
            Refused::usage(format!(
                "invalid value {text:?} for flag -{name}: {problem}"
            ))
        })
    }
}

/// Reads a configuration file. Keys that etcd does not know are passed over, as etcd does.
fn read_file(
    path: &str,
    files: &BTreeMap<String, Vec<u8>>,
    quirks: Quirks,
) -> Result<BTreeMap<String, String>, Refused> {
    let content = files
        .get(path)
        .ok_or_else(|| Refused::unverified(format!("open {path}: no such file or directory")))?;
    let text = String::from_utf8_lossy(content);
    let parsed: BTreeMap<String, Value> = serde_saphyr::from_str(&text).map_err(|problem| {
        Refused::unverified(format!("error converting YAML to JSON: {problem}"))
    })?;
    let mut values = BTreeMap::new();
    for (name, value) in parsed {
        if name.ends_with("-transport-security") {
            refuse_tls(&name, &value)?;
        }
        let Some(kind) = flags::kind(&name, quirks) else {
            continue;
        };
        let text = match (kind, &value) {
            (_, Value::Null) => continue,
            (Kind::Switch, Value::Bool(value)) => value.to_string(),
            (Kind::Number, Value::Number(value)) => value.to_string(),
            (Kind::Text, Value::String(value)) => value.clone(),
            (Kind::Text, Value::Number(_) | Value::Bool(_) | Value::Array(_))
                if !is_plain_text(&name) =>
            {
                value.to_string()
            }
            (_, found) => return Err(wrong_type(&name, found)),
        };
        values.insert(name, text);
    }
    Ok(values)
}

/// Options that etcd reads from a file as a string and nothing else.
fn is_plain_text(name: &str) -> bool {
    name.ends_with("-urls") || matches!(name, "name" | "data-dir" | "initial-cluster")
}

fn wrong_type(name: &str, found: &Value) -> Refused {
    let found = match found {
        Value::String(_) => "string",
        Value::Number(_) => "number",
        Value::Bool(_) => "bool",
        Value::Array(_) => "array",
        Value::Object(_) | Value::Null => "object",
    };
    Refused::unverified(format!(
        "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {found} into Go \
         struct field configYAML.Config.{name}"
    ))
}

fn refuse_tls(section: &str, value: &Value) -> Result<(), Refused> {
    let is_set = |value: &Value| {
        !matches!(value, Value::Null | Value::Bool(false)) && value.as_str() != Some("")
    };
    match value.as_object() {
        Some(options) if options.values().any(is_set) => {
            Err(Refused::unverified(format!("not modelled: {section}")))
        }
        _ => Ok(()),
    }
}

fn is_true(value: &str) -> bool {
    matches!(value, "true" | "1" | "t")
}

#[cfg(test)]
mod tests;
