//! Which program is in which image.
//!
//! Owns: the images that can be pulled: etcd's, in the versions that the world allows.
//! Always holds: any other image fails like one that the registry does not have.
//! Deliberately does not know: pods.

use std::sync::Arc;

use super::{Process, Program, Start, hosts::HostsFile};
use crate::{
    clock::Clock,
    determinism::Seed,
    etcd::{self, Glance, Version},
    kubernetes::runtime::{HttpProbe, StartFailed},
    net::{BoxFuture, Net, Resolve},
    trace::Trace,
};

/// Starts programs from images.
pub trait Images: Send {
    /// Starts the program of an image.
    ///
    /// # Errors
    /// When there is no such image, or its program cannot be run.
    fn start(&mut self, start: Start) -> Result<Box<dyn Process>, StartFailed>;
}

/// The images `REGISTRY/etcd:vX.Y.Z`, with a simulated etcd of that version inside.
pub struct EtcdImages {
    /// The network that members are on.
    pub net: Arc<dyn Net>,
    /// Cluster DNS.
    pub resolver: Arc<dyn Resolve>,
    /// Calendar time.
    pub clock: Clock,
    /// Where members record what they do.
    pub trace: Trace,
    /// Randomness of the members; each start of each pod gets a stream of its own.
    pub seed: Seed,
    /// Versions that the registry has; all of them when empty.
    pub versions: Vec<Version>,
    /// Starts so far.
    pub starts: u64,
}

impl Images for EtcdImages {
    fn start(&mut self, start: Start) -> Result<Box<dyn Process>, StartFailed> {
        let Start {
            host,
            label,
            own_name,
            program,
        } = start;
        let version = self.version(&program.image)?;
        let argv = argv(&program)?;
        self.starts += 1;
        let seed = self
            .seed
            .derive(&format!("{label} start {}", self.starts))
            .0;
        let Program {
            env, files, disks, ..
        } = program;
        let launch = etcd::Launch {
            argv,
            env,
            files,
            disks,
            version,
            seed,
            label,
        };
        let net = Arc::clone(&self.net);
        let resolver = Arc::new(HostsFile {
            own: own_name.map(|name| (name, net.ip(host))),
            dns: Arc::clone(&self.resolver),
        });
        let running = etcd::launch(net, resolver, host, self.clock, self.trace.clone(), launch);
        Ok(Box::new(EtcdProcess(running)))
    }
}

impl EtcdImages {
    fn version(&self, image: &str) -> Result<Version, StartFailed> {
        let name = image.rsplit('/').next().unwrap_or_default();
        let version = name
            .strip_prefix("etcd:v")
            .and_then(|text| text.parse::<Version>().ok());
        let there = |version: &Version| self.versions.is_empty() || self.versions.contains(version);
        version.filter(there).ok_or_else(|| StartFailed {
            reason: "ErrImagePull".to_owned(),
            message: format!(
                "failed to pull and unpack image \"{image}\": failed to resolve reference \
                 \"{image}\": {image}: not found"
            ),
        })
    }
}

/// The official image has a default command and no entry point, so arguments alone take the
/// command's place, as on a real cluster. There is no other program in it.
fn argv(program: &Program) -> Result<Vec<String>, StartFailed> {
    const COMMAND: &str = "/usr/local/bin/etcd";
    match program.argv.first().map(String::as_str) {
        None => Ok(vec![COMMAND.to_owned()]),
        Some("etcd" | COMMAND) => Ok(program.argv.clone()),
        Some(other) => Err(StartFailed {
            reason: "RunContainerError".to_owned(),
            message: format!(
                "failed to create containerd task: failed to create shim task: OCI runtime create \
                 failed: runc create failed: unable to start container process: exec: {:?}: \
                 executable file not found in $PATH",
                other
            ),
        }),
    }
}

struct EtcdProcess(etcd::Running);

impl Process for EtcdProcess {
    fn terminate(&self) {
        self.0.terminate();
    }

    fn exited(&self) -> BoxFuture<i32> {
        let exited = self.0.exited();
        Box::pin(async move { exited.await.code })
    }

    fn glance(&self) -> Option<Glance> {
        self.0.glance()
    }

    fn status_at_once(&self, probe: &HttpProbe) -> Option<u16> {
        self.0.status_at_once(probe.port, &probe.path)
    }

    fn logs(&self) -> Vec<String> {
        self.0.logs()
    }
}
