//! The simulated arm: simulated members on a simulated network, in virtual time.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};

use hyper_util::rt::TokioIo;
use simulator::{
    determinism::{Simulation, simulate},
    etcd::{Disk, Launch, Running, Version, launch},
    net::{Death, HostId, Net, Resolve, connect_by_name},
};
use tokio::time::timeout;
use tonic::transport::Endpoint;

use crate::{
    arm::{Arm, Ended},
    grpc::Wire,
    lies::Liar,
};

/// Plays a script against the simulation of a version.
pub(crate) fn play(version: &str, script: &[String]) -> Vec<String> {
    let version: Version = version.parse().expect("a version");
    simulate(1, async |simulation| {
        let mut arm = Simulated::new(simulation, version);
        crate::play::play(&mut arm, script).await
    })
    .expect("a deterministic simulation")
}

/// The same with a simulation that is broken.
pub(crate) fn play_broken(version: &str, script: &[String], liar: &'static Liar) -> Vec<String> {
    let version: Version = (liar.version)(version).parse().expect("a version");
    simulate(1, async |simulation| {
        let server = Simulated::new(simulation, version);
        crate::play::play(&mut crate::lies::Lying { server, liar }, script).await
    })
    .expect("a deterministic simulation")
}

struct Place {
    host: HostId,
    disk: Disk,
    running: Option<Running>,
}

pub(crate) struct Simulated {
    simulation: Simulation,
    net: Arc<dyn Net>,
    client: HostId,
    version: Version,
    places: BTreeMap<String, Place>,
    starts: u64,
}

/// Everything is reached by its address.
struct NoNames;

impl Resolve for NoNames {
    fn resolve(&self, _: &str) -> Vec<IpAddr> {
        Vec::new()
    }
}

impl Simulated {
    fn new(simulation: Simulation, version: Version) -> Self {
        let net: Arc<dyn Net> = Arc::new(simulation.net.clone());
        let client = net.add_host("client").expect("a free address");
        Self {
            simulation,
            net,
            client,
            version,
            places: BTreeMap::new(),
            starts: 0,
        }
    }

    fn place(&mut self, name: &str) -> &mut Place {
        let net = &self.net;
        self.places.entry(name.to_owned()).or_insert_with(|| Place {
            host: net.add_host(name).expect("a free address"),
            disk: Disk::new(),
            running: None,
        })
    }
}

impl Arm for Simulated {
    fn address(&mut self, name: &str) -> String {
        let host = self.place(name).host;
        self.net.ip(host).to_string()
    }

    fn boot(&mut self, name: &str, flags: &[String]) {
        self.starts += 1;
        let seed = self.starts;
        let place = self.place(name);
        let mut argv = vec!["etcd".to_owned(), "--data-dir=/data/etcd".to_owned()];
        argv.extend(flags.iter().cloned());
        let (host, disk) = (place.host, place.disk.clone());
        let start = Launch {
            argv,
            env: BTreeMap::new(),
            files: BTreeMap::new(),
            disks: BTreeMap::from([("/data".to_owned(), disk)]),
            version: self.version,
            seed,
            label: name.to_owned(),
        };
        let net = Arc::clone(&self.net);
        let (clock, trace) = (self.simulation.clock, self.simulation.trace.clone());
        let running = launch(net, Arc::new(NoNames), host, clock, trace, start);
        self.place(name).running = Some(running);
    }

    fn kill(&mut self, name: &str) {
        let place = self.place(name);
        place.running = None;
        let host = place.host;
        self.net.kill(host, Death::Process);
    }

    fn terminate(&mut self, name: &str) {
        if let Some(running) = &self.place(name).running {
            running.terminate();
        }
    }

    fn pause(&mut self, name: &str) {
        let host = self.place(name).host;
        self.net.pause(host);
    }

    fn resume(&mut self, name: &str) {
        let host = self.place(name).host;
        self.net.resume(host);
    }

    fn wipe(&mut self, name: &str) {
        self.place(name).disk.erase();
    }

    async fn ended(&mut self, name: &str) -> Option<Ended> {
        let place = self.place(name);
        let host = place.host;
        let running = place.running.as_ref()?;
        let exit = timeout(Duration::from_secs(60), running.exited())
            .await
            .ok()?;
        place.running = None;
        self.net.kill(host, Death::Process);
        Some(Ended {
            code: exit.code,
            log: exit.last_words,
        })
    }

    fn channel(&mut self, name: &str) -> Wire {
        let address = self.address(name);
        let (net, client) = (Arc::clone(&self.net), self.client);
        let connector = tower::service_fn(move |uri: http::Uri| {
            let net = Arc::clone(&net);
            async move {
                let (host, port) = (uri.host().unwrap_or_default(), uri.port_u16().unwrap_or(80));
                let stream = connect_by_name(net, Arc::new(NoNames), client, host, port).await;
                stream.map(TokioIo::new)
            }
        });
        Endpoint::from_shared(format!("http://{address}:2379"))
            .expect("a valid address")
            .connect_with_connector_lazy(connector)
            .into()
    }

    async fn page(&mut self, name: &str, path: &str) -> Option<(u16, String)> {
        let address = self.address(name);
        let connecting = connect_by_name(
            Arc::clone(&self.net),
            Arc::new(NoNames),
            self.client,
            &address,
            2381,
        );
        crate::real::get(connecting.await.ok()?, &address, path).await
    }
}
