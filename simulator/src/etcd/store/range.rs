//! Reading a span of keys at a revision.
//!
//! Owns: what a range request selects, filters, sorts and cuts.
//! Always holds: `count` counts the whole span, whatever the limit.
//! Deliberately does not know: whether the read is linearizable.

use std::ops::Bound;

use etcd_client::proto::{PbKeyValue, PbRangeRequest, PbRangeResponse};

use super::{Failure, Store, Writer};

/// A span of keys, as `key` and `range_end` say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    from: Vec<u8>,
    to: Bound<Vec<u8>>,
}

impl Span {
    pub(crate) fn new(key: &[u8], range_end: &[u8]) -> Self {
        let to = match range_end {
            [] => Bound::Included(key.to_vec()),
            [0] => Bound::Unbounded,
            end => Bound::Excluded(end.to_vec()),
        };
        Self {
            from: key.to_vec(),
            to,
        }
    }

    pub(crate) fn contains(&self, key: &[u8]) -> bool {
        let below = match &self.to {
            Bound::Included(to) => key <= to.as_slice(),
            Bound::Excluded(to) => key < to.as_slice(),
            Bound::Unbounded => true,
        };
        below && key >= self.from.as_slice()
    }

    fn is_empty(&self) -> bool {
        matches!(&self.to, Bound::Excluded(to) if *to <= self.from)
    }
}

/// Refuses a range request that etcd would refuse before looking at any data.
pub(crate) fn check(request: &PbRangeRequest) -> Result<(), Failure> {
    if request.key.is_empty() {
        return Err(Failure::EmptyKey);
    }
    if !(0..=2).contains(&request.sort_order) || !(0..=4).contains(&request.sort_target) {
        return Err(Failure::InvalidSortOption);
    }
    Ok(())
}

impl Store {
    /// Answers a range request.
    pub(crate) fn range(&self, request: &PbRangeRequest) -> Result<PbRangeResponse, Failure> {
        self.range_at(request, self.revision)
    }

    fn range_at(&self, request: &PbRangeRequest, now: i64) -> Result<PbRangeResponse, Failure> {
        if request.revision > now {
            return Err(Failure::FutureRevision);
        }
        if request.revision > 0 && request.revision < self.compacted {
            return Err(Failure::Compacted);
        }
        let revision = if request.revision > 0 {
            request.revision
        } else {
            now
        };
        let span = Span::new(&request.key, &request.range_end);
        let selected = self.select(&span, revision);
        let mut response = PbRangeResponse {
            count: i64::try_from(selected.len()).unwrap_or(i64::MAX),
            ..PbRangeResponse::default()
        };
        if request.count_only {
            return Ok(response);
        }
        let mut kvs: Vec<PbKeyValue> = selected
            .into_iter()
            .filter(|kv| passes(request, kv))
            .cloned()
            .collect();
        sort(request, &mut kvs);
        if let Some(limit) = usize::try_from(request.limit)
            .ok()
            .filter(|limit| *limit > 0)
        {
            response.more = kvs.len() > limit;
            kvs.truncate(limit);
        }
        if request.keys_only {
            kvs.iter_mut().for_each(|kv| kv.value.clear());
        }
        response.kvs = kvs;
        Ok(response)
    }

    /// The live keys of a span at a revision, in order of key.
    pub(super) fn select(&self, span: &Span, revision: i64) -> Vec<&PbKeyValue> {
        if span.is_empty() {
            return Vec::new();
        }
        self.index
            .range((Bound::Included(span.from.clone()), span.to.clone()))
            .filter_map(|(_, history)| self.latest(history, revision))
            .collect()
    }
}

impl Writer<'_> {
    pub(super) fn range(&self, request: &PbRangeRequest) -> Result<PbRangeResponse, Failure> {
        self.store.range_at(request, self.revision())
    }
}

fn passes(request: &PbRangeRequest, kv: &PbKeyValue) -> bool {
    let at_least = |bound: i64, value: i64| bound == 0 || value >= bound;
    let at_most = |bound: i64, value: i64| bound == 0 || value <= bound;
    at_least(request.min_mod_revision, kv.mod_revision)
        && at_most(request.max_mod_revision, kv.mod_revision)
        && at_least(request.min_create_revision, kv.create_revision)
        && at_most(request.max_create_revision, kv.create_revision)
}

fn sort(request: &PbRangeRequest, kvs: &mut [PbKeyValue]) {
    // Sort order NONE with a target other than the key means ascending, as in etcd.
    let (order, target) = (request.sort_order, request.sort_target);
    if order == 0 && target == 0 {
        return;
    }
    match target {
        1 => kvs.sort_by_key(|kv| kv.version),
        2 => kvs.sort_by_key(|kv| kv.create_revision),
        3 => kvs.sort_by_key(|kv| kv.mod_revision),
        4 => kvs.sort_by(|a, b| a.value.cmp(&b.value)),
        _ => kvs.sort_by(|a, b| a.key.cmp(&b.key)),
    }
    if order == 2 {
        kvs.reverse();
    }
}
