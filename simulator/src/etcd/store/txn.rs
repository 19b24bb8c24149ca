//! Transactions: compare, then one of two lists of operations.
//!
//! Owns: comparisons, nesting, and what a transaction may contain.
//! Always holds: a refused transaction changes nothing.
//! Deliberately does not know: who proposed it.

use std::cmp::Ordering;

use etcd_client::proto::{
    PbCompare, PbCompareTarget, PbKeyValue, PbPutRequest, PbResponseHeader, PbResponseOp,
    PbTargetUnion, PbTxnOpRequest as Op, PbTxnOpResponse, PbTxnRequest, PbTxnRequestOp,
    PbTxnResponse,
};

use super::{Failure, Span, Store, Writer, range};

/// Most operations in one transaction (`--max-txn-ops`).
const MAX_OPS: usize = 128;

/// Refuses a transaction that etcd would refuse before looking at any data.
pub(crate) fn check(request: &PbTxnRequest) -> Result<(), Failure> {
    let longest = request
        .success
        .len()
        .max(request.failure.len())
        .max(request.compare.len());
    if longest > MAX_OPS {
        return Err(Failure::TooManyOps);
    }
    if request.compare.iter().any(|compare| compare.key.is_empty()) {
        return Err(Failure::EmptyKey);
    }
    for branch in [&request.success, &request.failure] {
        check_branch(branch)?;
    }
    Ok(())
}

fn check_branch(branch: &[PbTxnRequestOp]) -> Result<(), Failure> {
    let mut puts: Vec<&[u8]> = Vec::new();
    let mut deletes: Vec<Span> = Vec::new();
    for op in branch {
        match &op.request {
            Some(Op::RequestRange(range)) => range::check(range)?,
            Some(Op::RequestPut(put)) => {
                check_put(put)?;
                if puts.contains(&put.key.as_slice()) {
                    return Err(Failure::DuplicateKey);
                }
                puts.push(&put.key);
            }
            Some(Op::RequestDeleteRange(delete)) if delete.key.is_empty() => {
                return Err(Failure::EmptyKey);
            }
            Some(Op::RequestDeleteRange(delete)) => {
                deletes.push(Span::new(&delete.key, &delete.range_end));
            }
            Some(Op::RequestTxn(txn)) => check(txn)?,
            None => return Err(Failure::KeyNotFound),
        }
    }
    if puts
        .iter()
        .any(|key| deletes.iter().any(|span| span.contains(key)))
    {
        return Err(Failure::DuplicateKey);
    }
    Ok(())
}

/// Refuses a put that etcd would refuse before looking at any data.
pub(crate) fn check_put(put: &PbPutRequest) -> Result<(), Failure> {
    if put.key.is_empty() {
        return Err(Failure::EmptyKey);
    }
    if put.ignore_value && !put.value.is_empty() {
        return Err(Failure::ValueProvided);
    }
    if put.ignore_lease && put.lease != 0 {
        return Err(Failure::LeaseProvided);
    }
    Ok(())
}

/// Whether the transaction could change anything.
pub(crate) fn writes(request: &PbTxnRequest) -> bool {
    request
        .success
        .iter()
        .chain(&request.failure)
        .any(|op| match &op.request {
            Some(Op::RequestRange(_)) | None => false,
            Some(Op::RequestTxn(txn)) => writes(txn),
            Some(Op::RequestPut(_) | Op::RequestDeleteRange(_)) => true,
        })
}

/// Whether the transaction could put anything, and so take space.
pub(crate) fn puts(request: &PbTxnRequest) -> bool {
    request
        .success
        .iter()
        .chain(&request.failure)
        .any(|op| match &op.request {
            Some(Op::RequestPut(_)) => true,
            Some(Op::RequestTxn(txn)) => puts(txn),
            _ => false,
        })
}

/// The leases that puts of the transaction name.
pub(crate) fn leases(request: &PbTxnRequest) -> Vec<i64> {
    let ops = request.success.iter().chain(&request.failure);
    ops.flat_map(|op| match &op.request {
        Some(Op::RequestPut(put)) if put.lease != 0 => vec![put.lease],
        Some(Op::RequestTxn(txn)) => leases(txn),
        _ => Vec::new(),
    })
    .collect()
}

impl Store {
    /// Runs a transaction that writes nothing.
    pub(crate) fn read_txn(&self, request: &PbTxnRequest) -> Result<PbTxnResponse, Failure> {
        // Nothing is written, so the copy shows the same revision as the original.
        self.clone().write().txn(request)
    }
}

impl Writer<'_> {
    pub(crate) fn txn(&mut self, request: &PbTxnRequest) -> Result<PbTxnResponse, Failure> {
        let succeeded = request.compare.iter().all(|compare| self.holds(compare));
        let branch = if succeeded {
            &request.success
        } else {
            &request.failure
        };
        // Everything that can fail is looked at first: a transaction is all or nothing.
        self.check_reads(branch)?;
        let responses = branch
            .iter()
            .map(|op| self.perform(op))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(PbTxnResponse {
            header: None,
            succeeded,
            responses,
        })
    }

    fn check_reads(&self, branch: &[PbTxnRequestOp]) -> Result<(), Failure> {
        for op in branch {
            match &op.request {
                Some(Op::RequestRange(range)) => drop(self.range(range)?),
                Some(Op::RequestPut(put)) if put.ignore_value || put.ignore_lease => {
                    self.store
                        .at(&put.key, self.now.revision)
                        .ok_or(Failure::KeyNotFound)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn perform(&mut self, op: &PbTxnRequestOp) -> Result<PbResponseOp, Failure> {
        let response = match &op.request {
            Some(Op::RequestRange(range)) => {
                let mut response = self.range(range)?;
                response.header = self.header();
                PbTxnOpResponse::ResponseRange(response)
            }
            Some(Op::RequestPut(put)) => {
                let mut response = self.put(put)?;
                response.header = self.header();
                PbTxnOpResponse::ResponsePut(response)
            }
            Some(Op::RequestDeleteRange(delete)) => {
                let mut response = self.delete(delete);
                response.header = self.header();
                PbTxnOpResponse::ResponseDeleteRange(response)
            }
            Some(Op::RequestTxn(txn)) => {
                let mut response = self.txn(txn)?;
                response.header = self.header();
                PbTxnOpResponse::ResponseTxn(response)
            }
            None => return Err(Failure::KeyNotFound),
        };
        Ok(PbResponseOp {
            response: Some(response),
        })
    }

    fn header(&self) -> Option<PbResponseHeader> {
        Some(PbResponseHeader {
            revision: self.revision(),
            ..PbResponseHeader::default()
        })
    }

    fn holds(&self, compare: &PbCompare) -> bool {
        let span = Span::new(&compare.key, &compare.range_end);
        let found = self.store.select(&span, self.now.revision);
        if found.is_empty() {
            // An absent key compares as one of version, revisions and lease 0; never by value.
            let absent = PbKeyValue::default();
            return compare.target != PbCompareTarget::Value as i32 && matches(compare, &absent);
        }
        found.into_iter().all(|kv| matches(compare, kv))
    }
}

fn matches(compare: &PbCompare, kv: &PbKeyValue) -> bool {
    let number = |actual: i64, wanted: i64| actual.cmp(&wanted);
    let ordering = match &compare.target_union {
        Some(PbTargetUnion::Version(wanted)) => number(kv.version, *wanted),
        Some(PbTargetUnion::CreateRevision(wanted)) => number(kv.create_revision, *wanted),
        Some(PbTargetUnion::ModRevision(wanted)) => number(kv.mod_revision, *wanted),
        Some(PbTargetUnion::Lease(wanted)) => number(kv.lease, *wanted),
        Some(PbTargetUnion::Value(wanted)) => kv.value.cmp(wanted),
        None => match compare.target {
            0 => number(kv.version, 0),
            1 => number(kv.create_revision, 0),
            2 => number(kv.mod_revision, 0),
            4 => number(kv.lease, 0),
            _ => kv.value.as_slice().cmp(&[]),
        },
    };
    match compare.result {
        0 => ordering == Ordering::Equal,
        1 => ordering == Ordering::Greater,
        2 => ordering == Ordering::Less,
        _ => ordering != Ordering::Equal,
    }
}
