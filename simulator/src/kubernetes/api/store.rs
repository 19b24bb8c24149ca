//! Where objects are kept, and what happened to them lately.
//!
//! Owns: the collections, the one revision counter, and the history that watches replay.
//! Always holds: each change has a revision of its own, one above the last; the object of a change
//! carries that revision as its `resourceVersion`; the history has no gaps.
//! Deliberately does not know: what makes an object valid, or who may change it.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::sync::watch;

type Names = BTreeMap<String, Arc<Value>>;
type Collection = BTreeMap<String, Names>;

/// How long the history is kept: a real server compacts every five minutes what is older than that.
const HISTORY: SignedDuration = SignedDuration::from_mins(5);

/// Events live for an hour after they were last written: `kube-apiserver --event-ttl`.
const EVENT_TTL: SignedDuration = SignedDuration::from_hours(1);

/// What a change did to its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Added,
    Modified,
    Deleted,
}

impl Verb {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Modified => "MODIFIED",
            Self::Deleted => "DELETED",
        }
    }
}

/// One change of one object.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) revision: u64,
    at: Timestamp,
    pub(super) resource: Arc<str>,
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) verb: Verb,
    /// The object after the change; for a deletion as it was last, with the revision of its end.
    pub(super) object: Arc<Value>,
    pub(super) previous: Option<Arc<Value>>,
    /// The event as JSON, made by the first watch that needs it and shared by all.
    pub(super) encoded: OnceLock<Bytes>,
}

/// How often an object of one name was created and deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lives {
    /// Times that it was created.
    pub created: u64,
    /// Times that it was deleted.
    pub deleted: u64,
}

/// What comes and goes all the time by design.
const SHORT_LIVED: [&str; 1] = ["events"];

/// All objects, at the current revision.
pub(super) struct Store {
    collections: BTreeMap<Arc<str>, Collection>,
    history: VecDeque<Arc<Change>>,
    revision: u64,
    compacted: u64,
    last_compaction: Option<Timestamp>,
    /// Events in the order in which they were written.
    events: VecDeque<Arc<Change>>,
    lives: BTreeMap<String, Lives>,
    wake: watch::Sender<u64>,
}

impl Store {
    pub(super) fn new() -> Self {
        Self {
            collections: BTreeMap::new(),
            history: VecDeque::new(),
            revision: 1,
            compacted: 1,
            last_compaction: None,
            events: VecDeque::new(),
            lives: BTreeMap::new(),
            wake: watch::channel(1).0,
        }
    }

    /// The same objects and history; changes of one are not changes of the other.
    pub(super) fn snapshot(&self) -> Self {
        Self {
            collections: self.collections.clone(),
            history: self.history.clone(),
            revision: self.revision,
            compacted: self.compacted,
            last_compaction: self.last_compaction,
            events: self.events.clone(),
            lives: self.lives.clone(),
            wake: watch::channel(self.revision).0,
        }
    }

    /// How often each object was created and deleted, as `RESOURCE NAMESPACE/NAME`.
    pub(super) fn lives(&self) -> &BTreeMap<String, Lives> {
        &self.lives
    }

    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    /// The latest revision that the history no longer covers.
    pub(super) fn compacted(&self) -> u64 {
        self.compacted
    }

    pub(super) fn changed(&self) -> watch::Receiver<u64> {
        self.wake.subscribe()
    }

    pub(super) fn get(&self, resource: &str, namespace: &str, name: &str) -> Option<&Arc<Value>> {
        self.collections.get(resource)?.get(namespace)?.get(name)
    }

    /// The objects of a resource, of one namespace or of all, ordered by namespace and name.
    pub(super) fn list<'a>(
        &'a self,
        resource: &str,
        namespace: Option<&'a str>,
    ) -> impl Iterator<Item = &'a Arc<Value>> + use<'a> {
        self.collections
            .get(resource)
            .into_iter()
            .flatten()
            .filter(move |(name, _)| namespace.is_none_or(|wanted| wanted == name.as_str()))
            .flat_map(|(_, names)| names.values())
    }

    /// Stores an object under its `metadata.namespace` and `metadata.name`.
    pub(super) fn put(&mut self, now: Timestamp, resource: &str, mut object: Value) -> Arc<Value> {
        self.revision += 1;
        object["metadata"]["resourceVersion"] = self.revision.to_string().into();
        let (namespace, name) = key(&object);
        let object = Arc::new(object);
        let resource = self.intern(resource);
        let previous = self
            .collections
            .entry(Arc::clone(&resource))
            .or_default()
            .entry(namespace.clone())
            .or_default()
            .insert(name.clone(), Arc::clone(&object));
        let verb = if previous.is_some() {
            Verb::Modified
        } else {
            Verb::Added
        };
        self.record(Change {
            revision: self.revision,
            at: now,
            resource,
            namespace,
            name,
            verb,
            object: Arc::clone(&object),
            previous,
            encoded: OnceLock::new(),
        });
        if self
            .history
            .back()
            .is_some_and(|it| &*it.resource == "events")
        {
            self.events.extend(self.history.back().cloned());
            self.forget_events(now);
        }
        object
    }

    /// Removes events whose time is up. This is done when another is written, not by a clock of its
    /// own: until then nobody cares.
    fn forget_events(&mut self, now: Timestamp) {
        let old = |change: &Arc<Change>| now.duration_since(change.at) >= EVENT_TTL;
        while self.events.front().is_some_and(old) {
            let Some(written) = self.events.pop_front() else {
                return;
            };
            let collection = self.collections.get(&*written.resource);
            let names = collection.and_then(|it| it.get(&written.namespace));
            let stored = names.and_then(|it| it.get(&written.name));
            // What was written again since then is further back in the line.
            if stored.is_some_and(|stored| Arc::ptr_eq(stored, &written.object)) {
                let last = (*written.object).clone();
                self.remove(now, &written.resource, last);
            }
        }
    }

    /// Removes an object, and gives it as it was last.
    pub(super) fn remove(
        &mut self,
        now: Timestamp,
        resource: &str,
        mut last: Value,
    ) -> Option<Arc<Value>> {
        let (namespace, name) = key(&last);
        let names = self.collections.get_mut(resource)?.get_mut(&namespace)?;
        let previous = names.remove(&name)?;
        self.revision += 1;
        last["metadata"]["resourceVersion"] = self.revision.to_string().into();
        let object = Arc::new(last);
        let resource = self.intern(resource);
        self.record(Change {
            revision: self.revision,
            at: now,
            resource,
            namespace,
            name,
            verb: Verb::Deleted,
            object: Arc::clone(&object),
            previous: Some(previous),
            encoded: OnceLock::new(),
        });
        Some(object)
    }

    /// The changes after a revision; `None` when they are no longer all known.
    pub(super) fn since(&self, revision: u64) -> Option<impl Iterator<Item = &Arc<Change>>> {
        let first = self.compacted + 1;
        let skip = (revision + 1).checked_sub(first)?;
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        Some(self.history.range(skip.min(self.history.len())..))
    }

    /// The objects of a resource as they were at a revision; `None` when that is no longer known.
    pub(super) fn list_at(
        &self,
        resource: &str,
        namespace: Option<&str>,
        revision: u64,
    ) -> Option<Vec<Arc<Value>>> {
        let mut objects: BTreeMap<(String, String), Arc<Value>> = self
            .list(resource, namespace)
            .map(|object| (key(object), Arc::clone(object)))
            .collect();
        let undone: Vec<&Arc<Change>> = self.since(revision)?.collect();
        for change in undone.into_iter().rev() {
            let elsewhere = namespace.is_some_and(|wanted| wanted != change.namespace);
            if &*change.resource != resource || elsewhere {
                continue;
            }
            let key = (change.namespace.clone(), change.name.clone());
            match &change.previous {
                Some(previous) => objects.insert(key, Arc::clone(previous)),
                None => objects.remove(&key),
            };
        }
        Some(objects.into_values().collect())
    }

    /// Forgets the history up to and with a revision.
    pub(super) fn compact(&mut self, revision: u64) {
        while self
            .history
            .front()
            .is_some_and(|change| change.revision <= revision)
        {
            self.history.pop_front();
        }
        self.compacted = self.compacted.max(revision.min(self.revision));
    }

    fn record(&mut self, change: Change) {
        let now = change.at;
        self.count(&change);
        self.history.push_back(Arc::new(change));
        let due = self
            .last_compaction
            .is_none_or(|at| now.duration_since(at) >= HISTORY);
        if due {
            self.last_compaction = Some(now);
            let old = |change: &&Arc<Change>| now.duration_since(change.at) > HISTORY;
            if let Some(last) = self.history.iter().take_while(old).last() {
                self.compact(last.revision);
            }
        }
        self.wake.send_replace(self.revision);
    }

    fn count(&mut self, change: &Change) {
        if change.verb == Verb::Modified || SHORT_LIVED.contains(&&*change.resource) {
            return;
        }
        let name = format!("{} {}/{}", change.resource, change.namespace, change.name);
        let lives = self.lives.entry(name).or_default();
        match change.verb {
            Verb::Deleted => lives.deleted += 1,
            Verb::Added | Verb::Modified => lives.created += 1,
        }
    }

    fn intern(&self, resource: &str) -> Arc<str> {
        match self.collections.get_key_value(resource) {
            Some((known, _)) => Arc::clone(known),
            None => Arc::from(resource),
        }
    }
}

fn key(object: &Value) -> (String, String) {
    let field = |name: &str| {
        object["metadata"][name]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    (field("namespace"), field("name"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    fn object(name: &str, value: u32) -> Value {
        json!({"metadata": {"namespace": "ns", "name": name}, "value": value})
    }

    #[test]
    fn an_old_revision_lists_what_was_there_then() {
        let mut store = Store::new();
        store.put(at(0), "things", object("a", 1));
        store.put(at(1), "things", object("b", 1));
        let then = store.revision();
        store.put(at(2), "things", object("a", 2));
        store.remove(at(3), "things", object("b", 1));
        store.put(at(4), "things", object("c", 1));
        store.put(at(4), "others", object("d", 1));

        let listed = store.list_at("things", Some("ns"), then).unwrap();
        let seen: Vec<_> = listed
            .iter()
            .map(|object| {
                (
                    object["metadata"]["name"].as_str().unwrap(),
                    object["value"].as_u64(),
                )
            })
            .collect();
        assert_eq!(seen, [("a", Some(1)), ("b", Some(1))]);
    }

    #[test]
    fn history_is_forgotten_after_five_minutes_and_says_so() {
        let mut store = Store::new();
        store.put(at(0), "things", object("a", 1));
        let first = store.revision();
        store.put(at(299), "things", object("a", 2));
        assert_eq!(store.since(first).unwrap().count(), 1);
        store.put(at(900), "things", object("a", 3));
        assert!(store.since(first).is_none());
        assert!(store.list_at("things", None, first).is_none());
        assert_eq!(store.since(store.revision()).unwrap().count(), 0);
    }

    #[test]
    fn an_event_is_gone_an_hour_after_it_was_last_written() {
        let mut store = Store::new();
        store.put(at(0), "events", object("a", 1));
        store.put(at(0), "events", object("b", 1));
        store.put(at(0), "things", object("c", 1));
        store.put(at(1800), "events", object("b", 2));
        store.put(at(3600), "events", object("d", 1));
        assert!(store.get("events", "ns", "a").is_none());
        assert!(store.get("events", "ns", "b").is_some());
        assert!(store.get("things", "ns", "c").is_some());
        store.put(at(5400), "events", object("d", 2));
        assert!(store.get("events", "ns", "b").is_none());
    }

    #[test]
    fn a_deletion_has_a_revision_of_its_own() {
        let mut store = Store::new();
        let created = store.put(at(0), "things", object("a", 1));
        let last = store.remove(at(1), "things", (*created).clone()).unwrap();
        assert_eq!(last["metadata"]["resourceVersion"], "3");
        assert_eq!(store.revision(), 3);
        let once = Lives {
            created: 1,
            deleted: 1,
        };
        assert_eq!(store.lives()["things ns/a"], once);
        assert!(store.remove(at(2), "things", (*created).clone()).is_none());
    }
}
