//! Watches: the changes of a collection as they happen.
//!
//! Owns: one watch's position in the history, its selector, its bookmarks and its end.
//! Always holds: every change that the selector lets through is seen once and in order, or the
//! watch ends with `410 Expired`; an object that comes to match is an addition, one that ceases to
//! match is a deletion.
//! Deliberately does not know: sockets. It is asked again when the store has changed or a time it
//! named has come.

use std::sync::Arc;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    ApiError, ApiServer, Resource,
    answer::{Form, encode},
    list::too_large,
    render::Renderer,
    selector::Selector,
    store::{Change, Verb},
    views,
};

/// A real server sends bookmarks about once a minute.
const BOOKMARK_EVERY: SignedDuration = SignedDuration::from_secs(60);

/// One watch of one client.
pub struct Watch {
    pub(super) resource: Arc<Resource>,
    pub(super) namespace: Option<String>,
    pub(super) selector: Selector,
    pub(super) renderer: Renderer,
    pub(super) bookmarks: bool,
    pub(super) start: Start,
    pub(super) cursor: u64,
    pub(super) ends: Timestamp,
    pub(super) next_bookmark: Timestamp,
    pub(super) over: bool,
}

/// How a watch begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// With the changes after the cursor.
    Changes,
    /// With all objects, as additions.
    State,
    /// With all objects, and a bookmark that says that these were all.
    StateThenMark,
}

/// What a watch has to say now.
#[derive(Debug, Default)]
pub struct Step {
    /// Lines to send, in order.
    pub lines: Vec<Bytes>,
    /// When to ask again even if nothing changes; `None` when the watch is over.
    pub next: Option<Timestamp>,
}

impl Watch {
    pub(super) fn begin(now: Timestamp, timeout: SignedDuration, with: Self) -> Self {
        Self {
            ends: now + timeout,
            next_bookmark: now + BOOKMARK_EVERY,
            ..with
        }
    }

    /// What is new since the last call.
    pub fn step(&mut self, api: &ApiServer, now: Timestamp) -> Step {
        let mut lines = Vec::new();
        if !self.over {
            self.initial(api, now, &mut lines);
            self.changes(api, now, &mut lines);
            self.bookmark(now, &mut lines);
        }
        self.over |= now >= self.ends;
        let wake = if self.bookmarks {
            self.next_bookmark.min(self.ends)
        } else {
            self.ends
        };
        Step {
            lines,
            next: (!self.over).then_some(wake),
        }
    }

    fn initial(&mut self, api: &ApiServer, now: Timestamp, lines: &mut Vec<Bytes>) {
        let start = std::mem::replace(&mut self.start, Start::Changes);
        if start == Start::Changes {
            return;
        }
        let current = api.store.revision();
        if self.cursor > current {
            lines.push(error_line(&too_large(self.cursor, current)));
            self.over = true;
            return;
        }
        let objects = api.store.list(&self.resource.id, self.namespace.as_deref());
        for object in objects.filter(|object| self.selector.matches(object)) {
            let object = views::outward(&self.resource, object);
            lines.push(self.renderer.event(now, "ADDED", &object));
        }
        self.cursor = api.store.revision();
        if start == Start::StateThenMark && self.bookmarks {
            lines.push(self.mark(now, json!({"k8s.io/initial-events-end": "true"})));
        }
    }

    fn changes(&mut self, api: &ApiServer, now: Timestamp, lines: &mut Vec<Bytes>) {
        if self.over {
            return;
        }
        let Some(changes) = api.store.since(self.cursor) else {
            let compacted = api.store.compacted();
            let why = format!("too old resource version: {} ({compacted})", self.cursor);
            lines.push(error_line(&ApiError::expired(why)));
            self.over = true;
            return;
        };
        for change in changes {
            if self.concerns(change) {
                lines.extend(self.line(now, change));
            }
        }
        self.cursor = self.cursor.max(api.store.revision());
    }

    fn concerns(&self, change: &Change) -> bool {
        *change.resource == *self.resource.id
            && self
                .namespace
                .as_ref()
                .is_none_or(|wanted| *wanted == change.namespace)
    }

    fn line(&self, now: Timestamp, change: &Change) -> Option<Bytes> {
        let matches = |object: &Arc<Value>| self.selector.matches(object);
        let before = change.previous.as_ref().is_some_and(matches);
        let after = change.verb != Verb::Deleted && matches(&change.object);
        let verb = match (before, after) {
            (false, false) => return None,
            (false, true) => Verb::Added,
            (true, true) => Verb::Modified,
            (true, false) => Verb::Deleted,
        };
        if verb != change.verb && verb == Verb::Deleted {
            // The object as it was when it still matched, at the revision of the change.
            let mut last = change.previous.as_deref()?.clone();
            last["metadata"]["resourceVersion"] = change.revision.to_string().into();
            let last = views::outward(&self.resource, &Arc::new(last));
            return Some(self.renderer.event(now, verb.as_str(), &last));
        }
        let shown = views::outward(&self.resource, &change.object);
        let shared = verb == change.verb
            && self.renderer.form == Form::Whole
            && Arc::ptr_eq(&shown, &change.object);
        if !shared {
            return Some(self.renderer.event(now, verb.as_str(), &shown));
        }
        let encode = || self.renderer.event(now, verb.as_str(), &shown);
        Some(change.encoded.get_or_init(encode).clone())
    }

    fn bookmark(&mut self, now: Timestamp, lines: &mut Vec<Bytes>) {
        if self.over || now < self.next_bookmark {
            return;
        }
        self.next_bookmark = now + BOOKMARK_EVERY;
        if self.bookmarks {
            lines.push(self.mark(now, Value::Null));
        }
    }

    fn mark(&self, now: Timestamp, annotations: Value) -> Bytes {
        let mut object = json!({
            "kind": self.resource.kind, "apiVersion": self.resource.api_version(),
            "metadata": {"resourceVersion": self.cursor.to_string()},
        });
        if !annotations.is_null() {
            object["metadata"]["annotations"] = annotations;
        }
        self.renderer.event(now, "BOOKMARK", &object)
    }

    /// For the trace.
    #[must_use]
    pub fn resource(&self) -> &Resource {
        &self.resource
    }
}

fn error_line(refusal: &ApiError) -> Bytes {
    let mut line = encode(&json!({"type": "ERROR", "object": refusal.status()})).to_vec();
    line.push(b'\n');
    line.into()
}
