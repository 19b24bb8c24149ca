//! Test your own `kube` operator here.
//!
//! The simulated Kubernetes is not tied to the etcd operator. Any operator written with `kube` runs
//! in it unmodified, if it takes its [`kube::Client`] from whoever starts it: the client's bytes
//! travel over a simulated network, and its watches, caches and retries are the real ones. Time is
//! virtual, so an hour of waiting costs nothing, and a seed gives the same run each time.
//!
//! What follows is a whole operator and its test. The operator keeps a copy of every ConfigMap that
//! is labelled `mirror: please`. The test takes the API server away while the operator works, kills
//! the operator, and damages what it made while nobody looks.
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//!
//! use futures::StreamExt as _;
//! use k8s_openapi::api::core::v1::ConfigMap;
//! use kube::{
//!     Api, Client, Resource as _, ResourceExt as _,
//!     api::{DeleteParams, Patch, PatchParams, PostParams},
//!     runtime::{Controller, controller::Action, watcher},
//! };
//! use serde_json::json;
//! use simulator::{
//!     determinism::simulate,
//!     net::Death,
//!     world::{Counter, SimWorld, WorldOptions},
//! };
//! use tokio::time::{sleep, timeout};
//!
//! // The operator. Nothing in it knows that it is simulated.
//! async fn operate(client: Client) {
//!     let maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
//!     let wanted = watcher::Config::default().labels("mirror=please");
//!     Controller::new(maps.clone(), wanted)
//!         .owns(maps, watcher::Config::default())
//!         .run(
//!             reconcile,
//!             |_, _, _| Action::requeue(Duration::from_secs(1)),
//!             Arc::new(client),
//!         )
//!         .for_each(|_| async {})
//!         .await;
//! }
//!
//! async fn reconcile(map: Arc<ConfigMap>, client: Arc<Client>) -> Result<Action, kube::Error> {
//!     let name = format!("{}-mirror", map.name_any());
//!     let mirror = json!({
//!         "apiVersion": "v1", "kind": "ConfigMap", "data": map.data,
//!         "metadata": {"name": name, "ownerReferences": [map.controller_owner_ref(&())]},
//!     });
//!     let maps: Api<ConfigMap> = Api::default_namespaced((*client).clone());
//!     let params = PatchParams::apply("mirror").force();
//!     maps.patch(&name, &params, &Patch::Apply(&mirror)).await?;
//!     Ok(Action::await_change())
//! }
//!
//! // Waits for what must become true, for at most five minutes of virtual time.
//! async fn until_data(maps: &Api<ConfigMap>, name: &str, data: Option<&str>) {
//!     let shows = async || {
//!         let found = maps.get_opt(name).await.ok()??.data?;
//!         found.get("k").cloned()
//!     };
//!     let becomes = async {
//!         while shows().await.as_deref() != data {
//!             sleep(Duration::from_millis(100)).await;
//!         }
//!     };
//!     let limit = Duration::from_secs(300);
//!     timeout(limit, becomes).await.expect("it becomes true");
//! }
//!
//! fn run(seed: u64) -> u64 {
//!     simulate(seed, async |simulation| {
//!         let options = WorldOptions::new(simulation.seed);
//!         let sim = SimWorld::start(&simulation, options, Vec::new()).await.unwrap();
//!         let world = sim.world.clone();
//!         let net = Arc::clone(world.net());
//!
//!         // Each process has a host of its own: what it spawned and opened ends with the host.
//!         let host = net.add_host("mirror").unwrap();
//!         let start_operator = || {
//!             let world = world.clone();
//!             let process = async move {
//!                 let client = world.kube_client(host, "mirror", &Counter::default());
//!                 operate(client).await;
//!             };
//!             net.spawn(host, Box::pin(process));
//!         };
//!         start_operator();
//!
//!         let user = net.add_host("user").unwrap();
//!         let maps: Api<ConfigMap> =
//!             Api::default_namespaced(world.kube_client(user, "user", &Counter::default()));
//!         let map = json!({
//!             "metadata": {"name": "a", "labels": {"mirror": "please"}}, "data": {"k": "1"},
//!         });
//!         let map: ConfigMap = serde_json::from_value(map).unwrap();
//!         maps.create(&PostParams::default(), &map).await.unwrap();
//!         until_data(&maps, "a-mirror", Some("1")).await;
//!
//!         // The API server dies while the operator watches, and comes back.
//!         net.kill(world.api_host(), Death::Process);
//!         sleep(Duration::from_secs(60)).await;
//!         world.start_api_server().await.unwrap();
//!         let patch = Patch::Merge(json!({"data": {"k": "2"}}));
//!         maps.patch("a", &PatchParams::default(), &patch).await.unwrap();
//!         until_data(&maps, "a-mirror", Some("2")).await;
//!
//!         // Somebody deletes the copy while the operator is dead. The next one makes it again.
//!         net.kill(host, Death::Process);
//!         maps.delete("a-mirror", &DeleteParams::default()).await.unwrap();
//!         start_operator();
//!         until_data(&maps, "a-mirror", Some("2")).await;
//!
//!         // The simulated garbage collector takes the copy with its owner.
//!         maps.delete("a", &DeleteParams::default()).await.unwrap();
//!         until_data(&maps, "a-mirror", None).await;
//!         simulation.trace.hash()
//!     })
//!     .unwrap()
//! }
//!
//! // The same seed, the same run, to the last packet: a failure can be looked at again.
//! assert_eq!(run(1), run(1));
//! assert_ne!(run(1), run(2));
//! ```
//!
//! # What there is
//! - **Kinds of your own**: create a `CustomResourceDefinition` first, as an administrator would;
//!   its schema, defaults, CEL rules, `status` and `scale` count from then on.
//! - **Faults**: [`Net`](crate::net::Net) kills, freezes and cuts off hosts.
//!   [`World::start_stale_api_server`](crate::world::World::start_stale_api_server) is a server that
//!   has stopped to learn, [`World::set_power`](crate::world::World::set_power) takes nodes,
//!   [`ApiServer::compact`](crate::kubernetes::api::ApiServer::compact) forgets history so that
//!   watches have to start again.
//! - **What happened**: every request, fault and change is a line of the
//!   [`Trace`](crate::trace::Trace).
//! - **Pods**: StatefulSets, scheduling, volumes, probes and DNS work. What runs in a container is
//!   up to [`Images`](crate::runtime::Images); the one that is here knows etcd.
//!
//! # How far it can be trusted
//! It is compared with a real API server, request by request (`tests/kubernetes`), and with real
//! etcd (`tests/etcd`). What is not modelled is refused with `501 not modelled`; see
//! [`kubernetes`](crate::kubernetes).
//!
//! # Without a test
//! `simulator serve` is the same world in real time, for kubectl and for operators in any language.
