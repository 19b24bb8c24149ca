//! The multi-version key-value store.
//!
//! Owns: versions of keys, revisions, compaction, and how much space the versions take.
//! Always holds: a revision, once given out, means the same content for ever, until it is compacted;
//! a transaction makes at most one revision.
//! Deliberately does not know: consensus, leases' lifetimes, quotas.

mod range;
mod txn;

use std::collections::BTreeMap;

use etcd_client::proto::{
    PbDeleteRequest, PbDeleteResponse, PbEvent, PbKeyValue, PbPutRequest, PbPutResponse,
};

use super::failure::Failure;

pub(super) use range::{Span, check as check_range};
pub(super) use txn::{
    check as check_txn, check_put, leases as txn_leases, puts as txn_puts, writes as txn_writes,
};

/// Bytes of an empty database, and of a version's place in it besides key and value.
const EMPTY_BYTES: i64 = 20_480;
const OVERHEAD_BYTES: usize = 64;

/// A point in history: revision, and position in the transaction that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct At {
    revision: i64,
    position: i64,
}

/// One version of a key.
#[derive(Clone, Debug, PartialEq)]
struct Version {
    kv: PbKeyValue,
    deleted: bool,
}

impl Version {
    fn bytes(&self) -> i64 {
        let bytes = self.kv.key.len() + self.kv.value.len() + OVERHEAD_BYTES;
        i64::try_from(bytes).unwrap_or(i64::MAX)
    }
}

/// The store of one member.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Store {
    revision: i64,
    compacted: i64,
    versions: BTreeMap<At, Version>,
    /// Each key's versions, oldest first.
    index: BTreeMap<Vec<u8>, Vec<At>>,
    bytes: i64,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            revision: 1,
            compacted: 0,
            versions: BTreeMap::new(),
            index: BTreeMap::new(),
            bytes: EMPTY_BYTES,
        }
    }
}

impl Store {
    pub(super) fn revision(&self) -> i64 {
        self.revision
    }

    pub(super) fn compacted(&self) -> i64 {
        self.compacted
    }

    /// Bytes in use.
    pub(super) fn bytes(&self) -> i64 {
        self.bytes
    }

    /// Starts a transaction.
    pub(super) fn write(&mut self) -> Writer<'_> {
        let now = At {
            revision: self.revision + 1,
            position: 0,
        };
        Writer { store: self, now }
    }

    /// Forgets what only older revisions show.
    pub(super) fn compact(&mut self, revision: i64) -> Result<(), Failure> {
        if revision <= self.compacted {
            return Err(Failure::Compacted);
        }
        if revision > self.revision {
            return Err(Failure::FutureRevision);
        }
        self.compacted = revision;
        let Self {
            index,
            versions,
            bytes,
            ..
        } = self;
        index.retain(|_, history| {
            let superseded = history.iter().rposition(|at| at.revision <= revision);
            let keep_from = superseded.map_or(0, |last| {
                let is_deletion = versions.get(&history[last]).is_some_and(|v| v.deleted);
                if is_deletion { last + 1 } else { last }
            });
            for at in history.drain(..keep_from) {
                *bytes -= versions.remove(&at).map_or(0, |version| version.bytes());
            }
            !history.is_empty()
        });
        Ok(())
    }

    /// What changed in a span of keys from a revision on, with the versions before if wanted.
    pub(super) fn events_since(
        &self,
        revision: i64,
        span: &Span,
        with_previous: bool,
    ) -> Vec<PbEvent> {
        self.versions
            .range(
                At {
                    revision,
                    position: 0,
                }..,
            )
            .filter(|(_, version)| span.contains(&version.kv.key))
            .map(|(at, version)| PbEvent {
                r#type: i32::from(version.deleted),
                kv: Some(version.kv.clone()),
                prev_kv: if with_previous {
                    self.before(*at, &version.kv.key)
                } else {
                    None
                },
            })
            .collect()
    }

    /// The live keys attached to a lease.
    pub(super) fn attached_to(&self, lease: i64) -> Vec<Vec<u8>> {
        let live = self
            .index
            .values()
            .filter_map(|history| self.latest(history, self.revision));
        live.filter(|kv| kv.lease == lease)
            .map(|kv| kv.key.clone())
            .collect()
    }

    /// A hash over all live versions up to a revision.
    pub(super) fn hash(&self, revision: i64) -> u32 {
        let mut hash = 0x811c_9dc5_u32;
        let mut feed = |bytes: &[u8]| {
            for byte in bytes {
                hash = (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
            }
        };
        for (at, version) in self.versions.range(
            ..At {
                revision: revision + 1,
                position: 0,
            },
        ) {
            feed(&at.revision.to_be_bytes());
            feed(&version.kv.key);
            feed(&version.kv.value);
            feed(&[u8::from(version.deleted)]);
        }
        hash
    }

    /// All versions in order of time, as a snapshot carries them.
    pub(super) fn dump(&self) -> impl Iterator<Item = (i64, bool, &PbKeyValue)> {
        self.versions
            .iter()
            .map(|(at, version)| (at.position, version.deleted, &version.kv))
    }

    /// The store that a snapshot describes.
    pub(super) fn load(
        revision: i64,
        compacted: i64,
        versions: impl IntoIterator<Item = (i64, bool, PbKeyValue)>,
    ) -> Self {
        let mut store = Self {
            revision,
            compacted,
            ..Self::default()
        };
        for (position, deleted, kv) in versions {
            store.insert(
                At {
                    revision: kv.mod_revision,
                    position,
                },
                Version { kv, deleted },
            );
        }
        store
    }

    fn insert(&mut self, at: At, version: Version) {
        self.bytes += version.bytes();
        self.index
            .entry(version.kv.key.clone())
            .or_default()
            .push(at);
        self.versions.insert(at, version);
    }

    /// The live version of a key at a revision.
    fn at(&self, key: &[u8], revision: i64) -> Option<&PbKeyValue> {
        self.latest(self.index.get(key)?, revision)
    }

    fn latest(&self, history: &[At], revision: i64) -> Option<&PbKeyValue> {
        let at = history.iter().rev().find(|at| at.revision <= revision)?;
        self.versions
            .get(at)
            .filter(|version| !version.deleted)
            .map(|version| &version.kv)
    }

    fn before(&self, at: At, key: &[u8]) -> Option<PbKeyValue> {
        let earlier = self
            .index
            .get(key)?
            .iter()
            .rev()
            .find(|other| **other < at)?;
        self.versions
            .get(earlier)
            .filter(|version| !version.deleted)
            .map(|v| v.kv.clone())
    }
}

/// A transaction in progress; it sees its own writes.
pub(super) struct Writer<'a> {
    store: &'a mut Store,
    now: At,
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        if self.now.position > 0 {
            self.store.revision = self.now.revision;
        }
    }
}

impl Writer<'_> {
    /// The revision that a read in this transaction shows.
    fn revision(&self) -> i64 {
        if self.now.position > 0 {
            self.now.revision
        } else {
            self.store.revision
        }
    }

    pub(super) fn put(&mut self, request: &PbPutRequest) -> Result<PbPutResponse, Failure> {
        let previous = self.store.at(&request.key, self.now.revision).cloned();
        let (mut value, mut lease) = (request.value.clone(), request.lease);
        if request.ignore_value || request.ignore_lease {
            let previous = previous.as_ref().ok_or(Failure::KeyNotFound)?;
            if request.ignore_value {
                value.clone_from(&previous.value);
            }
            if request.ignore_lease {
                lease = previous.lease;
            }
        }
        let kv = PbKeyValue {
            key: request.key.clone(),
            value,
            lease,
            create_revision: previous
                .as_ref()
                .map_or(self.now.revision, |kv| kv.create_revision),
            mod_revision: self.now.revision,
            version: previous.as_ref().map_or(0, |kv| kv.version) + 1,
        };
        self.record(Version { kv, deleted: false });
        Ok(PbPutResponse {
            header: None,
            prev_kv: previous.filter(|_| request.prev_kv),
        })
    }

    pub(super) fn delete(&mut self, request: &PbDeleteRequest) -> PbDeleteResponse {
        let span = Span::new(&request.key, &request.range_end);
        let doomed: Vec<PbKeyValue> = self
            .store
            .select(&span, self.now.revision)
            .into_iter()
            .cloned()
            .collect();
        for old in &doomed {
            let kv = PbKeyValue {
                key: old.key.clone(),
                mod_revision: self.now.revision,
                ..PbKeyValue::default()
            };
            self.record(Version { kv, deleted: true });
        }
        PbDeleteResponse {
            header: None,
            deleted: i64::try_from(doomed.len()).unwrap_or(i64::MAX),
            prev_kvs: if request.prev_kv { doomed } else { Vec::new() },
        }
    }

    fn record(&mut self, version: Version) {
        self.store.insert(self.now, version);
        self.now.position += 1;
    }
}

#[cfg(test)]
mod tests;
