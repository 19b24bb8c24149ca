//! Events, recorded the way components of Kubernetes do.
//!
//! Owns: counting an event that repeats instead of writing it again, and the limit on how often
//! one component may speak about one object.
//! Always holds: 25 events about an object come through at once, after that one in five minutes.
//! Deliberately does not know: what the events mean. Merging of similar messages is not modelled:
//! each message counts for itself.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::object::{Meta, stamp};
use crate::kubernetes::api::{ApiServer, resource::EVENTS};

const BURST: f64 = 25.0;
const REFILL_PER_SECOND: f64 = 1.0 / 300.0;
/// An event that has not repeated for so long starts again from one.
const FORGET_AFTER: SignedDuration = SignedDuration::from_mins(10);

/// Which of the two forms of events a component writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// `source`, `count`, `firstTimestamp` and `lastTimestamp`: controllers and kubelets.
    Counted,
    /// `eventTime` and `series`: the scheduler.
    Series,
}

/// Records the events of one component.
#[derive(Debug)]
pub struct Recorder {
    component: String,
    host: String,
    style: Style,
    known: BTreeMap<String, Known>,
    budgets: BTreeMap<String, Budget>,
    written: u64,
}

#[derive(Debug)]
struct Known {
    name: String,
    count: u64,
    last: Timestamp,
}

#[derive(Debug)]
struct Budget {
    tokens: f64,
    at: Timestamp,
}

impl Recorder {
    /// A recorder for a component, which runs on `host` if that is not empty.
    #[must_use]
    pub fn new(component: &str, host: &str, style: Style) -> Self {
        Self {
            component: component.to_owned(),
            host: host.to_owned(),
            style,
            known: BTreeMap::new(),
            budgets: BTreeMap::new(),
            written: 0,
        }
    }

    /// Records that something happened to an object.
    pub fn record(
        &mut self,
        api: &mut ApiServer,
        now: Timestamp,
        about: &Value,
        what: (&str, &str),
        message: &str,
    ) {
        self.record_about(api, now, about, "", what, message);
    }

    /// Records that something happened to a part of an object.
    pub fn record_about(
        &mut self,
        api: &mut ApiServer,
        now: Timestamp,
        about: &Value,
        field: &str,
        (kind, reason): (&str, &str),
        message: &str,
    ) {
        if !self.may_speak(about.uid(), now) {
            return;
        }
        self.forget(now);
        let key = [about.uid(), field, kind, reason, message].join("\n");
        if self.repeat(api, now, about, &key) {
            return;
        }
        let event = self.event(now, about, field, (kind, reason), message);
        let name = event.name().to_owned();
        // An event is never worth an error: a real recorder drops it too.
        if api.create(now, &self.component, &EVENTS, event).is_ok() {
            let known = Known {
                name,
                count: 1,
                last: now,
            };
            self.known.insert(key, known);
        }
    }

    fn may_speak(&mut self, uid: &str, now: Timestamp) -> bool {
        let budget = self.budgets.entry(uid.to_owned()).or_insert(Budget {
            tokens: BURST,
            at: now,
        });
        let refill = now.duration_since(budget.at).as_secs_f64() * REFILL_PER_SECOND;
        budget.tokens = (budget.tokens + refill).min(BURST);
        budget.at = now;
        let may = budget.tokens >= 1.0;
        if may {
            budget.tokens -= 1.0;
        }
        may
    }

    fn forget(&mut self, now: Timestamp) {
        self.known
            .retain(|_, known| now.duration_since(known.last) <= FORGET_AFTER);
        self.budgets.retain(|_, budget| {
            let refilled = now.duration_since(budget.at).as_secs_f64() * REFILL_PER_SECOND;
            budget.tokens + refilled < BURST
        });
    }

    fn repeat(&mut self, api: &mut ApiServer, now: Timestamp, about: &Value, key: &str) -> bool {
        let Some(known) = self.known.get_mut(key) else {
            return false;
        };
        let Some(event) = api.get(&EVENTS, namespace_of(about), &known.name) else {
            return false;
        };
        known.count += 1;
        known.last = now;
        let mut event = (*event).clone();
        match self.style {
            Style::Counted => {
                event["count"] = known.count.into();
                event["lastTimestamp"] = stamp(now);
            }
            Style::Series => {
                let at = micros(now);
                event["series"] = json!({"count": known.count, "lastObservedTime": at});
            }
        }
        api.update(now, &self.component, &EVENTS, "", event).is_ok()
    }

    fn event(
        &mut self,
        now: Timestamp,
        about: &Value,
        field: &str,
        (kind, reason): (&str, &str),
        message: &str,
    ) -> Value {
        // The ordinal keeps two events of the same moment apart.
        self.written += 1;
        let unique = now.as_nanosecond() + i128::from(self.written);
        let mut involved = json!({
            "apiVersion": about["apiVersion"], "kind": about["kind"], "name": about.name(),
            "uid": about.uid(), "resourceVersion": about["metadata"]["resourceVersion"],
        });
        if !about.namespace().is_empty() {
            involved["namespace"] = about.namespace().into();
        }
        if !field.is_empty() {
            involved["fieldPath"] = field.into();
        }
        let mut event = json!({
            "apiVersion": "v1", "kind": "Event",
            "metadata": {
                "name": format!("{}.{unique:x}", about.name()), "namespace": namespace_of(about),
            },
            "involvedObject": involved, "type": kind, "reason": reason, "message": message,
            "reportingComponent": self.component, "reportingInstance": self.host,
        });
        match self.style {
            Style::Counted => {
                event["source"] = json!({"component": self.component});
                if !self.host.is_empty() {
                    event["source"]["host"] = self.host.clone().into();
                }
                event["count"] = 1.into();
                event["firstTimestamp"] = stamp(now);
                event["lastTimestamp"] = stamp(now);
                event["eventTime"] = Value::Null;
            }
            Style::Series => {
                event["eventTime"] = micros(now);
                event["action"] = action(reason).into();
                event["firstTimestamp"] = Value::Null;
                event["lastTimestamp"] = Value::Null;
                event["source"] = json!({});
            }
        }
        event
    }
}

fn action(reason: &str) -> &'static str {
    match reason {
        "Scheduled" => "Binding",
        _ => "Scheduling",
    }
}

fn micros(at: Timestamp) -> Value {
    at.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string().into()
}

/// Events about what lives in no namespace go to `default`.
fn namespace_of(about: &Value) -> &str {
    match about.namespace() {
        "" => "default",
        namespace => namespace,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::api::resource::PODS;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    fn pod(api: &mut ApiServer) -> Value {
        let pod = json!({
            "metadata": {"name": "demo-0", "namespace": "default"},
            "spec": {"containers": [{"name": "etcd", "image": "etcd:v3.5.21"}]},
        });
        (*api.create(at(0), "test", &PODS, pod).unwrap()).clone()
    }

    fn counts(api: &ApiServer) -> Vec<(String, u64)> {
        let events = api.list(&EVENTS, Some("default"));
        let of = |event: &Value| {
            (
                event.text("/message").to_owned(),
                event["count"].as_u64().unwrap_or(0),
            )
        };
        events.iter().map(|event| of(event)).collect()
    }

    #[test]
    fn a_repeated_event_is_counted_and_not_written_again() {
        let mut api = ApiServer::new(1);
        let pod = pod(&mut api);
        let mut recorder = Recorder::new("kubelet", "node-1", Style::Counted);
        for second in 0..3 {
            recorder.record(&mut api, at(second), &pod, ("Warning", "Unhealthy"), "503");
        }
        recorder.record(&mut api, at(3), &pod, ("Warning", "Unhealthy"), "refused");
        assert_eq!(
            counts(&api),
            [("503".to_owned(), 3), ("refused".to_owned(), 1)]
        );
        let event = &api.list(&EVENTS, Some("default"))[0];
        assert_eq!(event["firstTimestamp"], stamp(at(0)));
        assert_eq!(event["lastTimestamp"], stamp(at(2)));
        assert_eq!(event.text("/source/host"), "node-1");
    }

    #[test]
    fn after_25_events_about_an_object_one_in_five_minutes_comes_through() {
        let mut api = ApiServer::new(1);
        let pod = pod(&mut api);
        let mut recorder = Recorder::new("kubelet", "node-1", Style::Counted);
        for second in 0..60 {
            recorder.record(&mut api, at(second), &pod, ("Warning", "Unhealthy"), "503");
        }
        assert_eq!(counts(&api), [("503".to_owned(), 25)]);
        recorder.record(&mut api, at(301), &pod, ("Warning", "Unhealthy"), "503");
        assert_eq!(counts(&api), [("503".to_owned(), 26)]);
    }

    #[test]
    fn an_event_comes_back_after_it_was_deleted() {
        let mut api = ApiServer::new(1);
        let pod = pod(&mut api);
        let mut recorder = Recorder::new("kubelet", "node-1", Style::Counted);
        recorder.record(&mut api, at(0), &pod, ("Normal", "Started"), "x");
        let name = api.list(&EVENTS, Some("default"))[0].name().to_owned();
        let options = crate::kubernetes::api::DeleteOptions::default();
        api.delete(at(1), "test", &EVENTS, "default", &name, &options)
            .unwrap();
        recorder.record(&mut api, at(2), &pod, ("Normal", "Started"), "x");
        assert_eq!(counts(&api), [("x".to_owned(), 1)]);
    }
}
