//! Disks: what outlives a process.
//!
//! Owns: data dirs by path, and what is durable in them.
//! Always holds: a write reaches a disk only when its sync has ended, so a process that dies loses
//! what it had not synced, and nothing else.
//! Deliberately does not know: raft's rules, who mounts the disk.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::raft_log::RaftLog;

/// Time that a sync takes on a healthy disk.
const SYNC_TIME: Duration = Duration::from_micros(1500);

/// A disk. A clone is another handle on the same disk.
#[derive(Clone, Debug)]
pub struct Disk {
    inner: Arc<Mutex<Content>>,
}

#[derive(Debug)]
struct Content {
    dirs: BTreeMap<String, DataDir>,
    sync_time: Duration,
}

/// What an etcd data dir holds.
#[derive(Clone, Debug, Default)]
pub(super) struct DataDir {
    /// Identity written into the write-ahead log; `None` while there is no log.
    pub(super) identity: Option<Identity>,
    pub(super) log: RaftLog,
    /// The members that a joining member was told of, with their peer URLs.
    pub(super) told: BTreeMap<u64, Vec<String>>,
    /// The file of the database grows and only shrinks by defragmentation.
    pub(super) allocated: i64,
    /// The log fails its checksum.
    pub(super) corrupt: bool,
    /// The file of the database is no database.
    pub(super) corrupt_database: bool,
}

/// Whose data this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) member: u64,
    pub(super) cluster: u64,
}

impl Default for Disk {
    fn default() -> Self {
        Self::new()
    }
}

impl Disk {
    /// An empty, healthy disk.
    #[must_use]
    pub fn new() -> Self {
        let content = Content {
            dirs: BTreeMap::new(),
            sync_time: SYNC_TIME,
        };
        Self {
            inner: Arc::new(Mutex::new(content)),
        }
    }

    /// Throws everything away. A process that still runs keeps what it has in memory, and what it
    /// writes from then on does not make a usable data dir again.
    pub fn erase(&self) {
        self.lock().dirs.clear();
    }

    /// Damages every write-ahead log on it: the next start fails its checksum.
    pub fn corrupt(&self) {
        for dir in self.lock().dirs.values_mut() {
            dir.corrupt = true;
        }
    }

    /// Damages every database on it: the next start panics.
    pub fn corrupt_database(&self) {
        for dir in self.lock().dirs.values_mut() {
            dir.corrupt_database = true;
        }
    }

    /// Makes every sync take this long.
    pub fn set_sync_time(&self, time: Duration) {
        self.lock().sync_time = time;
    }

    /// Makes syncs as fast as on a healthy disk again.
    pub fn reset_sync_time(&self) {
        self.set_sync_time(SYNC_TIME);
    }

    /// Whether some etcd has ever written a log here.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lock().dirs.values().all(|dir| dir.identity.is_none())
    }

    /// A copy of all content, on a disk of its own: a volume snapshot.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        let content = self.lock();
        let copy = Content {
            dirs: content.dirs.clone(),
            sync_time: SYNC_TIME,
        };
        Self {
            inner: Arc::new(Mutex::new(copy)),
        }
    }

    /// IDs of the member and cluster whose data is at `path` relative to the mount.
    #[must_use]
    pub fn identity(&self, path: &str) -> Option<(u64, u64)> {
        let content = self.lock();
        let identity = content.dirs.get(path)?.identity?;
        Some((identity.member, identity.cluster))
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One data dir on some disk.
#[derive(Clone, Debug)]
pub(super) struct Dir {
    disk: Disk,
    path: String,
}

impl Dir {
    /// The data dir at an absolute path: on the disk mounted closest above it, or, when there is
    /// none, on a disk that nobody else will ever see.
    pub(super) fn locate(disks: &BTreeMap<String, Disk>, path: &str) -> Self {
        let inside = |mount: &str| {
            let rest = path.strip_prefix(mount.trim_end_matches('/'))?;
            (rest.is_empty() || rest.starts_with('/')).then(|| rest.trim_matches('/').to_owned())
        };
        disks
            .iter()
            .filter_map(|(mount, disk)| Some((mount.len(), disk, inside(mount)?)))
            .max_by_key(|(length, _, _)| *length)
            .map_or_else(
                || Self {
                    disk: Disk::new(),
                    path: path.to_owned(),
                },
                |(_, disk, path)| Self {
                    disk: disk.clone(),
                    path,
                },
            )
    }

    pub(super) fn read(&self) -> DataDir {
        self.disk
            .lock()
            .dirs
            .get(&self.path)
            .cloned()
            .unwrap_or_default()
    }

    pub(super) fn sync_time(&self) -> Duration {
        self.disk.lock().sync_time
    }

    /// Writes a whole data dir: at bootstrap.
    pub(super) fn create(&self, dir: DataDir) {
        self.disk.lock().dirs.insert(self.path.clone(), dir);
    }

    /// Changes the data dir, if it was not thrown away meanwhile.
    pub(super) fn update(&self, change: impl FnOnce(&mut DataDir)) {
        if let Some(dir) = self.disk.lock().dirs.get_mut(&self.path) {
            change(dir);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_dir_lives_on_the_closest_mount_above_it() {
        let (outer, inner) = (Disk::new(), Disk::new());
        let disks = BTreeMap::from([
            ("/var/lib".to_owned(), outer.clone()),
            ("/var/lib/etcd".to_owned(), inner.clone()),
        ]);
        let identity = Some(Identity {
            member: 1,
            cluster: 2,
        });
        Dir::locate(&disks, "/var/lib/etcd/data").create(DataDir {
            identity,
            ..DataDir::default()
        });
        assert!(outer.is_empty());
        assert_eq!(inner.identity("data"), Some((1, 2)));
    }

    #[test]
    fn a_mount_of_a_similar_name_is_not_above() {
        let disk = Disk::new();
        let disks = BTreeMap::from([("/var/lib/et".to_owned(), disk.clone())]);
        let identity = Some(Identity {
            member: 1,
            cluster: 2,
        });
        Dir::locate(&disks, "/var/lib/etcd").create(DataDir {
            identity,
            ..DataDir::default()
        });
        assert!(disk.is_empty());
    }
}
