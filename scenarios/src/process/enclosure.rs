//! The inside: what a run finds in the namespaces it has to itself.
//!
//! Owns: the proof of being inside ([`Enclosure`]), the disk in memory, the run's own addresses,
//! its DNS and its resolver settings.
//! Always holds: whoever has an [`Enclosure`] may mount, make interfaces and start pods without
//! the host seeing it; every file written below [`Enclosure::disk`] is gone when the run ends.
//! Deliberately does not know: pods, etcd.

use std::{
    env, fs, io,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    sync::Arc,
};

use nix::{
    mount::{MsFlags, mount},
    sys::{
        prctl,
        signal::{SigSet, Signal},
    },
};

use simulator::net::Resolve;

use super::{address::CLUSTER_DNS, dns::Dns, network, permission::CannotEnter};

/// Tells the command inside who started it.
pub(super) const SUPERVISOR: &str = "SCENARIOS_SUPERVISOR_PID";

/// Where the disk in memory is mounted, unseen from outside. A mount needs a folder that exists
/// already (one made for it would stay behind after a kill), and this one is on every Linux while
/// no run reads it or could be asked to write a report to it.
const DISK: &str = "/sys/bus";

/// Namespaces that belong to this run. It can only be had from [`enter`](super::enter).
#[derive(Debug)]
pub struct Enclosure {
    disk: PathBuf,
    dns: Dns,
}

impl Enclosure {
    /// The enclosure that this process was started in, or nothing when it is still on the host.
    pub(super) fn adopt() -> Result<Option<Self>, CannotEnter> {
        let Some(supervisor) = env::var(SUPERVISOR)
            .ok()
            .and_then(|pid| pid.parse::<u32>().ok())
        else {
            return Ok(None);
        };
        if std::process::id() != 1 {
            return Ok(None);
        }
        // The supervisor blocks signals to wait for them, and children inherit that.
        SigSet::all()
            .thread_unblock()
            .map_err(|errno| CannotEnter::step("hear signals", errno.into()))?;
        die_with(supervisor)?;
        furnish().map(Some)
    }

    /// Lets every process of the run, and its pods, look these names up from now on.
    pub fn answer_with(&self, names: Arc<dyn Resolve>) {
        self.dns.switch_to(names);
    }

    /// A folder in memory, of this run alone.
    #[must_use]
    pub fn disk(&self) -> &Path {
        &self.disk
    }
}

/// Has the kernel kill this process, the first of its namespace, when its supervisor dies.
fn die_with(supervisor: u32) -> Result<(), CannotEnter> {
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(|errno| {
        CannotEnter::step("be tied to the command that was called", errno.into())
    })?;
    // It may have died before the line above; then somebody else is the parent by now. `getppid`
    // cannot tell across namespaces, but the host's /proc, still mounted here, can.
    let stat = fs::read_to_string("/proc/self/stat")
        .map_err(|source| CannotEnter::step("read /proc/self/stat", source))?;
    if parent(&stat) == Some(supervisor) {
        Ok(())
    } else {
        Err(CannotEnter::Orphan)
    }
}

/// The fourth field; the second may contain blanks and brackets.
fn parent(stat: &str) -> Option<u32> {
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

fn furnish() -> Result<Enclosure, CannotEnter> {
    let step = |step| move |source| CannotEnter::step(step, source);
    remount("/", MsFlags::MS_PRIVATE | MsFlags::MS_REC).map_err(step("keep mounts to itself"))?;
    mount(
        Some("run"),
        DISK,
        Some("tmpfs"),
        MsFlags::empty(),
        Some("mode=0755"),
    )
    .map_err(|errno| CannotEnter::step("mount a disk in memory", errno.into()))?;
    let disk = PathBuf::from(DISK);
    resolve_like_a_pod(&disk).map_err(step("use the simulated cluster's DNS"))?;
    fs::write("/proc/sys/net/ipv4/ip_forward", "1").map_err(step("forward between pods"))?;
    network::prepare().map_err(step("make the pods' network"))?;
    let dns = Dns::serve(&[CLUSTER_DNS, Ipv4Addr::LOCALHOST]).map_err(step("serve DNS"))?;
    Ok(Enclosure { disk, dns })
}

fn remount(target: &str, flags: MsFlags) -> io::Result<()> {
    Ok(mount(
        None::<&str>,
        target,
        None::<&str>,
        flags,
        None::<&str>,
    )?)
}

/// Points the C library of this process at the cluster's DNS and at nothing else: a host that asks
/// a resolver daemon through a socket file would bypass it.
fn resolve_like_a_pod(disk: &Path) -> io::Result<()> {
    let settings = [
        (
            "/etc/resolv.conf",
            resolv_conf(&["svc.cluster.local", "cluster.local"]),
        ),
        (
            "/etc/nsswitch.conf",
            "passwd: files\ngroup: files\nhosts: files dns\n".to_owned(),
        ),
    ];
    for (target, content) in settings {
        // A host without the file: the C library then asks 127.0.0.1, where the DNS listens too.
        let Ok(target) = fs::canonicalize(target) else {
            continue;
        };
        let source = disk.join(target.file_name().unwrap_or_default());
        fs::write(&source, content)?;
        mount(
            Some(&source),
            &target,
            None::<&str>,
            MsFlags::MS_BIND,
            None::<&str>,
        )?;
    }
    Ok(())
}

/// What the kubelet writes for `dnsPolicy: ClusterFirst`.
pub(super) fn resolv_conf(search: &[&str]) -> String {
    format!(
        "search {}\nnameserver {CLUSTER_DNS}\noptions ndots:5\n",
        search.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_is_found_behind_a_name_with_brackets() {
        assert_eq!(parent("17 (a) b (c)) S 4711 17 17 0 -1"), Some(4711));
        assert_eq!(parent("nonsense"), None);
    }
}
