//! A raft log: hard state, entries, and the snapshot that the entries follow.
//!
//! Owns: append with overwrite, compaction, and the log as raft reads it.
//! Always holds: entries are contiguous and start right after `compacted`.
//! Deliberately does not know: what is durable (see [`super::disk`]), what entries mean.

use raft::{
    Error, GetEntriesContext, RaftState, Storage, StorageError,
    eraftpb::{ConfState, Entry, HardState, Snapshot},
};

/// The log of one member.
#[derive(Clone, Debug, Default)]
pub(super) struct RaftLog {
    hard_state: HardState,
    /// Index and term of the last entry that was thrown away.
    compacted: (u64, u64),
    entries: Vec<Entry>,
    snapshot: Snapshot,
    /// For followers that need entries from before `compacted`.
    offered: Option<Snapshot>,
    /// The configuration that raft starts with; set when the log is opened.
    conf_state: ConfState,
}

/// Something to be written to a log.
#[derive(Clone, Debug, Default)]
pub(super) struct Write {
    pub(super) hard_state: Option<HardState>,
    pub(super) entries: Vec<Entry>,
    pub(super) snapshot: Option<Snapshot>,
}

impl RaftLog {
    pub(super) fn write(&mut self, write: &Write) {
        if let Some(snapshot) = &write.snapshot {
            self.install(snapshot.clone());
        }
        self.append(&write.entries);
        if let Some(hard_state) = &write.hard_state {
            self.hard_state = hard_state.clone();
        }
    }

    fn append(&mut self, entries: &[Entry]) {
        let Some(first) = entries.first() else { return };
        let keep = first.index.saturating_sub(self.compacted.0 + 1);
        assert!(
            keep <= self.entries.len() as u64,
            "raft appends without gaps"
        );
        self.entries
            .truncate(usize::try_from(keep).unwrap_or(usize::MAX));
        self.entries.extend_from_slice(entries);
    }

    /// Replaces everything by a snapshot received from the leader.
    fn install(&mut self, snapshot: Snapshot) {
        let (index, term) = position(&snapshot);
        self.entries.clear();
        self.compacted = (index, term);
        self.hard_state.commit = self.hard_state.commit.max(index);
        self.hard_state.term = self.hard_state.term.max(term);
        self.snapshot = snapshot;
    }

    /// Keeps a snapshot of the member's own, and only the `catch_up` entries before it. The very
    /// first entry goes in any case, as etcd has it (`compactRaftLog` in its `server.go`).
    pub(super) fn compact(&mut self, snapshot: Snapshot, catch_up: u64) {
        let first_kept = position(&snapshot).0.saturating_sub(catch_up).max(1) + 1;
        self.snapshot = snapshot;
        let Some(drop) = first_kept
            .checked_sub(self.compacted.0 + 1)
            .filter(|drop| *drop > 0)
        else {
            return;
        };
        let drop = usize::try_from(drop)
            .unwrap_or(usize::MAX)
            .min(self.entries.len());
        if let Some(last) = self.entries.drain(..drop).next_back() {
            self.compacted = (last.index, last.term);
        }
    }

    /// Throws away what was never committed: what `force-new-cluster` does first.
    pub(super) fn drop_uncommitted(&mut self) {
        let keep = self.hard_state.commit.saturating_sub(self.compacted.0);
        self.entries
            .truncate(usize::try_from(keep).unwrap_or(usize::MAX));
    }

    /// Committed entries after the snapshot, for replay.
    pub(super) fn committed_after_snapshot(&self) -> Vec<Entry> {
        let from = position(&self.snapshot).0;
        let committed = self.hard_state.commit;
        self.entries
            .iter()
            .filter(|entry| entry.index > from && entry.index <= committed)
            .cloned()
            .collect()
    }

    pub(super) fn snapshot_taken(&self) -> &Snapshot {
        &self.snapshot
    }

    pub(super) fn offer(&mut self, snapshot: Option<Snapshot>) {
        self.offered = snapshot;
    }

    pub(super) fn offered(&self) -> Option<&Snapshot> {
        self.offered.as_ref()
    }

    pub(super) fn compacted(&self) -> u64 {
        self.compacted.0
    }

    pub(super) fn hard_state(&self) -> &HardState {
        &self.hard_state
    }

    pub(super) fn set_conf_state(&mut self, conf_state: ConfState) {
        self.conf_state = conf_state;
    }

    pub(super) fn last(&self) -> u64 {
        self.entries
            .last()
            .map_or(self.compacted.0, |entry| entry.index)
    }

    pub(super) fn term_of(&self, index: u64) -> Option<u64> {
        if index == self.compacted.0 {
            return Some(self.compacted.1);
        }
        let at = usize::try_from(index.checked_sub(self.compacted.0 + 1)?).ok()?;
        self.entries.get(at).map(|entry| entry.term)
    }
}

/// Index and term of a snapshot; zero when it is empty.
pub(super) fn position(snapshot: &Snapshot) -> (u64, u64) {
    (snapshot.get_metadata().index, snapshot.get_metadata().term)
}

impl Storage for RaftLog {
    fn initial_state(&self) -> raft::Result<RaftState> {
        Ok(RaftState::new(
            self.hard_state.clone(),
            self.conf_state.clone(),
        ))
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        _context: GetEntriesContext,
    ) -> raft::Result<Vec<Entry>> {
        let first = self.compacted.0 + 1;
        if low < first {
            return Err(Error::Store(StorageError::Compacted));
        }
        let at = |index: u64| usize::try_from(index - first).unwrap_or(usize::MAX);
        let range = self.entries.get(at(low)..at(high.max(low)));
        let mut entries = range
            .ok_or(Error::Store(StorageError::Unavailable))?
            .to_vec();
        raft::util::limit_size(&mut entries, max_size.into());
        Ok(entries)
    }

    fn term(&self, index: u64) -> raft::Result<u64> {
        let missing = if index < self.compacted.0 {
            StorageError::Compacted
        } else {
            StorageError::Unavailable
        };
        self.term_of(index).ok_or(Error::Store(missing))
    }

    fn first_index(&self) -> raft::Result<u64> {
        Ok(self.compacted.0 + 1)
    }

    fn last_index(&self) -> raft::Result<u64> {
        Ok(self.last())
    }

    fn snapshot(&self, request_index: u64, _to: u64) -> raft::Result<Snapshot> {
        let offered = self.offered.as_ref();
        let new_enough = offered.filter(|snapshot| position(snapshot).0 >= request_index);
        let missing = Error::Store(StorageError::SnapshotTemporarilyUnavailable);
        new_enough.cloned().ok_or(missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(index: u64, term: u64) -> Entry {
        Entry {
            index,
            term,
            ..Entry::default()
        }
    }

    fn written(entries: Vec<Entry>) -> RaftLog {
        let mut log = RaftLog::default();
        log.write(&Write {
            entries,
            ..Write::default()
        });
        log
    }

    #[test]
    fn a_later_leader_overwrites_the_tail() {
        let mut log = written(vec![entry(1, 1), entry(2, 1), entry(3, 1)]);
        log.write(&Write {
            entries: vec![entry(2, 2)],
            ..Write::default()
        });
        assert_eq!((log.last(), log.term_of(2)), (2, Some(2)));
    }

    #[test]
    fn compaction_keeps_the_catch_up_entries_and_the_term_before_them() {
        let mut log = written((1..=10).map(|index| entry(index, 1)).collect());
        let mut snapshot = Snapshot::default();
        snapshot.mut_metadata().index = 8;
        snapshot.mut_metadata().term = 1;
        log.compact(snapshot, 3);
        assert_eq!(
            (log.first_index(), log.last(), log.term_of(5)),
            (Ok(6), 10, Some(1))
        );
        assert_eq!(log.term_of(4), None);
    }
}
