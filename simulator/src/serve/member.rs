//! One simulated member as a process of its own: `simulator etcd VERSION FLAGS...`.
//!
//! Owns: the network of one host that it runs on, its log on stderr, signals and its exit code.
//! Always holds: it takes the flags and the environment of etcd, listens where they say, and ends
//! as etcd would. What it stores ends with it: there is no data dir on the machine's disk.
//! Deliberately does not know: clusters; it finds its peers as any member does.

use std::{collections::BTreeMap, io, net::Ipv4Addr, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::sleep,
};

use crate::{
    clock::Clock,
    determinism::Seed,
    etcd::{Launch, Version, launch},
    net::{LoopbackNet, Net, Resolve},
    trace::Trace,
};

/// How often the log is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Why no member runs.
#[derive(Debug, thiserror::Error)]
pub enum MemberFailed {
    /// Its URLs do not name one IPv4 address of this machine.
    #[error(
        "find the address of the member: --listen-client-urls must have one IPv4 address, for \
         example http://127.0.0.9:2379"
    )]
    Address,
    /// There is no address for it.
    #[error("start the member: {0}")]
    Start(#[source] io::Error),
    /// Signals cannot be received.
    #[error("wait for SIGTERM: {0}")]
    Signals(#[source] io::Error),
}

/// Runs a member until it ends, and gives its exit code. Call it inside a current-thread runtime
/// with IO.
///
/// # Errors
/// When it cannot be started at all. What etcd itself refuses is an exit code.
pub async fn run_member(
    version: Version,
    flags: Vec<String>,
    env: BTreeMap<String, String>,
    err: &mut (dyn io::Write + Send),
) -> Result<i32, MemberFailed> {
    let mut terminate = signal(SignalKind::terminate()).map_err(MemberFailed::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(MemberFailed::Signals)?;
    let clock = Clock::starting_at(Timestamp::now());
    let trace = Trace::new(clock, 1);
    let start = Launch {
        argv: flags,
        env,
        files: BTreeMap::new(),
        disks: BTreeMap::new(),
        version,
        // Members of one cluster must not draw alike, and two starts of one member neither.
        seed: Seed(u64::from(std::process::id()))
            .derive(&clock.now().to_string())
            .0,
        label: "member".to_owned(),
    };
    let address = match start.listens_on() {
        Some(host) => host.parse().map_err(|_| MemberFailed::Address)?,
        // It refuses to start in its own words.
        None => Ipv4Addr::LOCALHOST,
    };
    let net = Arc::new(LoopbackNet::on([address], trace.clone()));
    let host = net.add_host("member").map_err(MemberFailed::Start)?;
    let running = launch(net, Arc::new(OfTheMachine), host, clock, trace, start);
    let mut exited = running.exited();
    let mut told = Told::default();
    loop {
        tokio::select! {
            biased;
            exit = &mut exited => {
                told.tell(err, running.logs());
                return Ok(exit.code);
            }
            _ = terminate.recv() => running.terminate(),
            _ = interrupt.recv() => running.terminate(),
            () = sleep(LOOK) => told.tell(err, running.logs()),
        }
    }
}

/// Names as the machine knows them.
struct OfTheMachine;

impl Resolve for OfTheMachine {
    fn resolve(&self, name: &str) -> Vec<std::net::IpAddr> {
        use std::net::ToSocketAddrs as _;
        let found = (name, 0).to_socket_addrs();
        found.map_or(Vec::new(), |found| found.map(|it| it.ip()).collect())
    }
}

/// How much of the log was printed: it is a window that moves.
#[derive(Default)]
struct Told(Vec<String>);

impl Told {
    fn tell(&mut self, err: &mut dyn io::Write, lines: Vec<String>) {
        let known = (0..=self.0.len()).find(|from| lines.starts_with(&self.0[*from..]));
        let known = known.map_or(0, |from| self.0.len() - from);
        for line in &lines[known..] {
            // Nobody reads any more: that is no reason to stop.
            let _ = writeln!(err, "{line}");
        }
        self.0 = lines;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_told_once_also_when_the_window_moves() {
        let (mut told, mut out) = (Told::default(), Vec::new());
        for window in [
            &["a"][..],
            &["a", "b"],
            &["b", "c"],
            &["b", "c"],
            &["d", "e"],
        ] {
            told.tell(&mut out, window.iter().map(|it| (*it).to_owned()).collect());
        }
        assert_eq!(String::from_utf8(out).unwrap(), "a\nb\nc\nd\ne\n");
    }
}
