//! `kubectl port-forward`, for clusters whose pods have no address that can be reached from here.
//!
//! Owns: one kubectl per pod, started when the pod is first wanted and again after it has ended.
//! Always holds: a forwarding belongs to one pod by UID; kubectl ends when the handle is dropped.
//! Deliberately does not know: what is said through it.
//!
//! kubectl and not a websocket of our own: whoever has such a cluster has kubectl, it is the client
//! that this protocol is tested with, and nothing else here needs websockets.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, Command},
    runtime::Handle,
    time::timeout,
};

/// Time that kubectl has to say where it listens.
const START_TIMEOUT: Duration = Duration::from_secs(10);

type Starting = Shared<BoxFuture<'static, Result<Arc<Forwarding>, String>>>;

/// Starts forwardings and knows those that run.
pub(super) struct Forwarder {
    /// `port-forward`'s arguments before the pod.
    arguments: Vec<String>,
    /// Where kubectl is watched over: not on the runtime of whoever asks, which may end sooner.
    runtime: Handle,
    /// By UID of the pod and port.
    known: Mutex<BTreeMap<(String, u16), Starting>>,
}

struct Forwarding {
    at: SocketAddr,
    kubectl: Mutex<Child>,
}

impl Forwarding {
    fn runs(&self) -> bool {
        let mut kubectl = self.kubectl.lock().unwrap_or_else(PoisonError::into_inner);
        matches!(kubectl.try_wait(), Ok(None))
    }
}

impl Forwarder {
    /// Forwards to pods of this namespace.
    pub(super) fn new(mut kubectl_arguments: Vec<String>, namespace: &str) -> Self {
        kubectl_arguments.extend(["--namespace", namespace, "port-forward"].map(str::to_owned));
        Self {
            arguments: kubectl_arguments,
            runtime: Handle::current(),
            known: Mutex::default(),
        }
    }

    /// The local address that leads to this port of the pod.
    pub(super) async fn way_to(
        &self,
        pod: &str,
        uid: &str,
        port: u16,
    ) -> Result<SocketAddr, String> {
        let starting = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            // Those that have not ended: still starting, or running.
            known.retain(|_, it| {
                it.peek()
                    .is_none_or(|it| it.as_ref().is_ok_and(|it| it.runs()))
            });
            let start = || self.start(pod, port);
            known
                .entry((uid.to_owned(), port))
                .or_insert_with(start)
                .clone()
        };
        starting.await.map(|forwarding| forwarding.at)
    }

    /// In a task of its own, so that a caller who loses patience does not end it for the others.
    fn start(&self, pod: &str, port: u16) -> Starting {
        let mut command = Command::new("kubectl");
        command
            .args(&self.arguments)
            .args(["--address", "127.0.0.1"])
            .args([format!("pod/{pod}"), format!(":{port}")])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let started = self.runtime.spawn(async move {
            match timeout(START_TIMEOUT, forward(command)).await {
                Ok(result) => result.map_err(|error| match error.kind() {
                    io::ErrorKind::NotFound => {
                        "pods cannot be reached from here, and there is no kubectl on the PATH to \
                         forward their ports"
                            .to_owned()
                    }
                    _ => format!("failed to forward a port with kubectl: {error}"),
                }),
                Err(_) => Err("kubectl port-forward did not begin".to_owned()),
            }
        });
        let started = started.map(|joined| joined.unwrap_or_else(|error| Err(error.to_string())));
        started.boxed().shared()
    }
}

async fn forward(mut command: Command) -> io::Result<Arc<Forwarding>> {
    let mut kubectl = command.spawn()?;
    let (Some(stdout), Some(mut stderr)) = (kubectl.stdout.take(), kubectl.stderr.take()) else {
        return Err(io::Error::other("kubectl has no output"));
    };
    let mut lines = BufReader::new(stdout).lines();
    while let Some(line) = lines.next_line().await? {
        let Some(at) = listening(&line) else { continue };
        // It tells of every connection; somebody has to take that.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        tokio::spawn(async move { tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await });
        let kubectl = Mutex::new(kubectl);
        return Ok(Arc::new(Forwarding { at, kubectl }));
    }
    let mut why = String::new();
    stderr.read_to_string(&mut why).await?;
    Err(io::Error::other(why.trim().to_owned()))
}

/// The address in `Forwarding from 127.0.0.1:40123 -> 2379`.
fn listening(line: &str) -> Option<SocketAddr> {
    let (address, _) = line.strip_prefix("Forwarding from ")?.split_once(" -> ")?;
    address.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_read_from_what_kubectl_says() {
        let line = "Forwarding from 127.0.0.1:40123 -> 2379";
        assert_eq!(listening(line), "127.0.0.1:40123".parse().ok());
        assert_eq!(listening("Handling connection for 2379"), None);
    }
}
