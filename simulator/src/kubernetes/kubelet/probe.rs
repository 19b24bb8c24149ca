//! Probes: when one is due, and what a row of results means.
//!
//! Owns: periods, delays, thresholds and the hold after a verdict, as the kubelet's prober has them.
//! Always holds: one attempt at a time; a verdict changes only after a full row of equal results.
//! Deliberately does not know: how an attempt is made, and what follows from a verdict.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::kubernetes::runtime::{ContainerId, HttpProbe};

/// What a probe is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// Whether the container has started; the other two wait for it.
    Startup,
    /// Whether it should get traffic.
    Readiness,
    /// Whether it should be killed.
    Liveness,
}

impl Purpose {
    /// Its field in the container's spec.
    #[must_use]
    pub fn field(self) -> &'static str {
        match self {
            Self::Startup => "startupProbe",
            Self::Readiness => "readinessProbe",
            Self::Liveness => "livenessProbe",
        }
    }

    /// Its name in events.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Startup => "Startup",
            Self::Readiness => "Readiness",
            Self::Liveness => "Liveness",
        }
    }
}

impl Purpose {
    /// What is taken for true of a new container.
    fn first_verdict(self) -> Option<bool> {
        match self {
            Self::Startup => None,
            Self::Readiness => Some(false),
            Self::Liveness => Some(true),
        }
    }
}

/// The settings of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The request to make.
    pub http: HttpProbe,
    initial_delay: SignedDuration,
    period: SignedDuration,
    failures: u32,
    successes: u32,
    /// Seconds that a container gets to stop after this probe has failed it.
    pub grace: Option<i64>,
}

/// What of a probe the simulation cannot do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// Something besides probes.
    #[error("not modelled: {0}")]
    NotModelled(&'static str),
    /// Only HTTP probes are made.
    #[error("not modelled: a {0} that is not httpGet")]
    NotHttp(&'static str),
    /// The port is a name that the container does not give to any of its ports.
    #[error("{probe} names port {port:?}, which the container does not have")]
    NoPort {
        /// Field of the probe.
        probe: &'static str,
        /// The name.
        port: String,
    },
    /// Only plain HTTP probes are made.
    #[error("not modelled: a {0} with scheme HTTPS")]
    Https(&'static str),
}

impl Settings {
    /// Reads a container's probe, if it has one for this purpose.
    ///
    /// # Errors
    /// When it has one that the simulation cannot do.
    pub fn of(container: &Value, purpose: Purpose) -> Result<Option<Self>, Unusable> {
        let field = purpose.field();
        let spec = &container[field];
        if spec.is_null() {
            return Ok(None);
        }
        let get = &spec["httpGet"];
        if !get.is_object() {
            return Err(Unusable::NotHttp(field));
        }
        if get["scheme"] == "HTTPS" {
            return Err(Unusable::Https(field));
        }
        let number = |name: &str, default: i64| spec[name].as_i64().unwrap_or(default);
        let count =
            |name: &str, default: i64| u32::try_from(number(name, default)).unwrap_or(1).max(1);
        Ok(Some(Self {
            http: HttpProbe {
                port: port(container, &get["port"], field)?,
                path: get["path"].as_str().unwrap_or("/").to_owned(),
                timeout_seconds: count("timeoutSeconds", 1),
            },
            initial_delay: SignedDuration::from_secs(number("initialDelaySeconds", 0)),
            period: SignedDuration::from_secs(number("periodSeconds", 10).max(1)),
            failures: count("failureThreshold", 3),
            successes: count("successThreshold", 1),
            grace: spec["terminationGracePeriodSeconds"].as_i64(),
        }))
    }
}

fn port(container: &Value, port: &Value, probe: &'static str) -> Result<u16, Unusable> {
    let named = || {
        let ports = container["ports"].as_array()?;
        ports.iter().find(|entry| entry["name"] == *port)?["containerPort"].as_u64()
    };
    let number = port
        .as_u64()
        .or_else(|| port.as_str()?.parse().ok())
        .or_else(named);
    number
        .and_then(|number| u16::try_from(number).ok())
        .ok_or_else(|| Unusable::NoPort {
            probe,
            port: port.as_str().unwrap_or_default().to_owned(),
        })
}

/// What is known of the container when a probe is due.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The container.
    pub container: ContainerId,
    /// Since when it runs.
    pub running_since: Timestamp,
    /// Whether it has passed its startup probe, or has none.
    pub started: bool,
    /// Whether its pod is being deleted.
    pub terminating: bool,
}

/// One probe of one container, over all restarts of it.
#[derive(Clone, Debug)]
pub struct Probe {
    /// What it is for.
    pub purpose: Purpose,
    /// Its settings.
    pub settings: Settings,
    next: Timestamp,
    in_flight: Option<u64>,
    container: Option<ContainerId>,
    verdict: Option<bool>,
    last: Option<bool>,
    row: u32,
    on_hold: bool,
}

impl Probe {
    /// A probe of a pod that its kubelet has just taken on. The periods count from then.
    #[must_use]
    pub fn new(purpose: Purpose, settings: Settings, now: Timestamp) -> Self {
        Self {
            purpose,
            settings,
            next: now,
            in_flight: None,
            container: None,
            verdict: None,
            last: None,
            row: 0,
            on_hold: false,
        }
    }

    /// When to ask [`Probe::begin`] next. Not while an attempt is under way.
    #[must_use]
    pub fn next(&self) -> Option<Timestamp> {
        self.in_flight.is_none().then_some(self.next)
    }

    /// Has the next attempt made at once; the periods count from then.
    pub fn hurry(&mut self, now: Timestamp) {
        self.next = now;
    }

    /// Lets turns go by that came while there was nothing to probe. The period is kept.
    pub fn skip_missed(&mut self, now: Timestamp) {
        while self.next < now {
            self.next += self.settings.period;
        }
    }

    /// Begins an attempt if one is due and makes sense. `token` names it.
    pub fn begin(&mut self, target: Target, token: u64, now: Timestamp) -> bool {
        if self.in_flight.is_some() || now < self.next {
            return false;
        }
        while self.next <= now {
            self.next += self.settings.period;
        }
        if self.container != Some(target.container) {
            self.container = Some(target.container);
            self.verdict = self.purpose.first_verdict();
            self.on_hold = false;
        }
        let ending = target.terminating && self.purpose != Purpose::Readiness;
        let ran = now.duration_since(target.running_since).as_secs();
        let early = ran < self.settings.initial_delay.as_secs();
        let turn = target.started != (self.purpose == Purpose::Startup);
        if self.on_hold || ending || early || !turn {
            return false;
        }
        self.in_flight = Some(token);
        true
    }

    /// Takes the result of the attempt that `token` names. Gives the new verdict if it changed.
    pub fn end(&mut self, token: u64, success: bool) -> Option<bool> {
        if self.in_flight != Some(token) {
            return None;
        }
        self.in_flight = None;
        if self.last == Some(success) {
            self.row += 1;
        } else {
            self.last = Some(success);
            self.row = 1;
        }
        let needed = if success {
            self.settings.successes
        } else {
            self.settings.failures
        };
        if self.row < needed {
            return None;
        }
        if self.purpose == Purpose::Startup || (self.purpose == Purpose::Liveness && !success) {
            self.on_hold = true;
            self.row = 0;
        }
        let changed = self.verdict != Some(success);
        self.verdict = Some(success);
        changed.then_some(success)
    }

    /// Whether the attempt that `token` names is under way.
    #[must_use]
    pub fn is_waiting_for(&self, token: u64) -> bool {
        self.in_flight == Some(token)
    }

    /// Forgets an attempt whose container is gone.
    pub fn abandon(&mut self) {
        self.in_flight = None;
    }

    /// Whether this container has passed the probe.
    #[must_use]
    pub fn passed(&self, container: ContainerId) -> bool {
        self.container == Some(container) && self.verdict == Some(true)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn probe(purpose: Purpose, spec: Value) -> Probe {
        let mut container = json!({"ports": [{"name": "metrics", "containerPort": 2381}]});
        container[purpose.field()] = spec;
        let settings = Settings::of(&container, purpose).unwrap().unwrap();
        Probe::new(purpose, settings, at(0))
    }

    fn target(container: u64, since: i64) -> Target {
        Target {
            container: ContainerId(container),
            running_since: at(since),
            started: true,
            terminating: false,
        }
    }

    fn get(more: Value) -> Value {
        let mut spec = json!({"httpGet": {"port": "metrics", "path": "/readyz"}});
        for (field, value) in more.as_object().unwrap() {
            spec[field] = value.clone();
        }
        spec
    }

    #[test]
    fn a_probe_reads_its_settings_and_the_usual_defaults() {
        let probe = probe(Purpose::Readiness, get(json!({})));
        assert_eq!(probe.settings.http.port, 2381);
        assert_eq!(probe.settings.http.timeout_seconds, 1);
        assert_eq!(probe.settings.period, SignedDuration::from_secs(10));
        assert_eq!((probe.settings.failures, probe.settings.successes), (3, 1));
    }

    #[test]
    fn probes_that_cannot_be_made_say_so() {
        let container = json!({"livenessProbe": {"exec": {"command": ["true"]}}});
        let refused = Settings::of(&container, Purpose::Liveness).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "not modelled: a livenessProbe that is not httpGet"
        );
        let container = json!({"readinessProbe": {"httpGet": {"port": "nope"}}});
        let refused = Settings::of(&container, Purpose::Readiness).unwrap_err();
        assert!(refused.to_string().contains("\"nope\""));
    }

    #[test]
    fn attempts_keep_their_period_and_never_overlap() {
        let mut probe = probe(Purpose::Readiness, get(json!({"periodSeconds": 2})));
        assert!(probe.begin(target(1, 0), 7, at(0)));
        assert_eq!(probe.next(), None);
        assert!(!probe.begin(target(1, 0), 8, at(2)));
        assert_eq!(probe.end(7, true), Some(true));
        assert_eq!(probe.next(), Some(at(2)));
        assert!(probe.begin(target(1, 0), 9, at(5)));
        probe.end(9, true);
        assert_eq!(probe.next(), Some(at(6)));
    }

    #[test]
    fn a_verdict_needs_a_full_row_of_results() {
        let spec = get(json!({"failureThreshold": 3, "successThreshold": 2, "periodSeconds": 1}));
        let mut probe = probe(Purpose::Readiness, spec);
        let mut verdicts = Vec::new();
        // A new container is not ready, so that failing at first is no news.
        for (second, success) in [true, true, false, false, true, false, false, false]
            .into_iter()
            .enumerate()
        {
            let second = i64::try_from(second).unwrap();
            assert!(probe.begin(target(1, 0), 1, at(second)));
            verdicts.push(probe.end(1, success));
        }
        let wanted = [None, Some(true), None, None, None, None, None, Some(false)];
        assert_eq!(verdicts, wanted);
    }

    #[test]
    fn the_initial_delay_counts_from_the_start_of_the_container() {
        let spec = get(json!({"initialDelaySeconds": 5, "periodSeconds": 1}));
        let mut probe = probe(Purpose::Liveness, spec);
        assert!(!probe.begin(target(1, 3), 1, at(7)));
        assert!(probe.begin(target(1, 3), 1, at(8)));
    }

    #[test]
    fn readiness_and_liveness_wait_for_the_startup_probe() {
        let mut startup = probe(Purpose::Startup, get(json!({"periodSeconds": 1})));
        let mut readiness = probe(Purpose::Readiness, get(json!({"periodSeconds": 1})));
        let starting = Target {
            started: false,
            ..target(1, 0)
        };
        assert!(!readiness.begin(starting, 1, at(0)));
        assert!(startup.begin(starting, 2, at(0)));
        assert_eq!(startup.end(2, true), Some(true));
        // Having passed, it is not asked again for this container.
        assert!(!startup.begin(target(1, 0), 3, at(1)));
        assert!(readiness.begin(target(1, 0), 4, at(1)));
    }

    #[test]
    fn a_failed_liveness_probe_is_quiet_until_there_is_a_new_container() {
        let spec = get(json!({"failureThreshold": 1, "periodSeconds": 1}));
        let mut probe = probe(Purpose::Liveness, spec);
        assert!(probe.begin(target(1, 0), 1, at(0)));
        assert_eq!(probe.end(1, false), Some(false));
        assert!(!probe.begin(target(1, 0), 2, at(1)));
        assert!(probe.begin(target(2, 2), 3, at(2)));
    }

    #[test]
    fn a_pod_that_is_being_deleted_is_only_asked_for_readiness() {
        let ending = Target {
            terminating: true,
            ..target(1, 0)
        };
        let mut liveness = probe(Purpose::Liveness, get(json!({})));
        let mut readiness = probe(Purpose::Readiness, get(json!({})));
        assert!(!liveness.begin(ending, 1, at(0)));
        assert!(readiness.begin(ending, 2, at(0)));
    }
}
