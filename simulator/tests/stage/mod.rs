//! A simulated world with a user in it, for tests of operators.

#![allow(dead_code, reason = "each test binary uses another part of it")]

use std::time::Duration;

use k8s_openapi::api::{
    apps::v1::StatefulSet,
    coordination::v1::Lease,
    core::v1::{PersistentVolumeClaim, Pod},
};
use kube::{
    Api, Client,
    api::{DeleteParams, Patch, PatchParams, PostParams, PropagationPolicy},
};
use operator::{EtcdCluster, Leadership, Options};
use serde_json::{Value, json};
use simulator::{
    determinism::Simulation,
    world::{Counter, Operator, SimWorld, WorldOptions},
};
use tokio::time::{Instant, sleep};

pub struct Stage {
    pub sim: SimWorld,
    pub user: Client,
}

impl Stage {
    pub async fn set(simulation: &Simulation) -> Self {
        let filter = tracing_subscriber::EnvFilter::from_default_env();
        let _ = tracing_subscriber::fmt()
            .without_time()
            .with_env_filter(filter)
            .try_init();
        let options = WorldOptions::new(simulation.seed);
        let sim = SimWorld::start(simulation, options, Vec::new())
            .await
            .unwrap();
        sim.world.install_crd().unwrap();
        let host = sim.world.net().add_host("user").unwrap();
        let user = sim.world.kube_client(host, "kubectl", &Counter::default());
        Self { sim, user }
    }

    pub fn operator(&self, identity: &str) -> Operator {
        self.sim.world.start_operator(options(identity)).unwrap()
    }

    pub fn clusters(&self) -> Api<EtcdCluster> {
        Api::default_namespaced(self.user.clone())
    }

    pub async fn create(&self, name: &str, size: u32) {
        let cluster: EtcdCluster = serde_json::from_value(json!({
            "apiVersion": "etcd.etcd.io/v1alpha1",
            "kind": "EtcdCluster",
            "metadata": {"name": name},
            "spec": {"size": size, "storage": {"retentionPolicy": "Delete"}},
        }))
        .unwrap();
        let created = self
            .clusters()
            .create(&PostParams::default(), &cluster)
            .await;
        created.unwrap();
    }

    pub async fn scale(&self, size: u32) {
        let patch = Patch::Merge(json!({"spec": {"size": size}}));
        let params = PatchParams::default();
        self.clusters()
            .patch("demo", &params, &patch)
            .await
            .unwrap();
    }

    /// Changes the spec.
    pub async fn edit(&self, spec: Value) {
        let patch = Patch::Merge(json!({"spec": spec}));
        let params = PatchParams::default();
        let edited = self.clusters().patch("demo", &params, &patch).await;
        edited.unwrap();
    }

    pub async fn delete(&self, name: &str) {
        let deleted = self.clusters().delete(name, &DeleteParams::default()).await;
        deleted.unwrap();
    }

    /// Status of a cluster, as JSON.
    pub async fn status(&self, name: &str) -> Value {
        let cluster = self.clusters().get(name).await.unwrap();
        serde_json::to_value(cluster.status).unwrap()
    }

    pub async fn until_ready(&self, wanted: u64) {
        self.until("demo", |status| {
            status["readyReplicas"] == wanted && status["phase"] == "Running"
        })
        .await;
    }

    pub async fn until_phase(&self, phase: &str) {
        self.until("demo", |status| status["phase"] == phase).await;
    }

    /// Waits for a status; tells how long that took.
    pub async fn until(&self, name: &str, holds: impl Fn(&Value) -> bool) -> Duration {
        let started = Instant::now();
        loop {
            let status = self.status(name).await;
            if holds(&status) {
                return started.elapsed();
            }
            assert!(started.elapsed() < Duration::from_secs(120), "{status:#}");
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// The StatefulSet is deleted by hand, then a member with its volume.
    pub async fn damage(&self) {
        let params = DeleteParams::default();
        let orphan = DeleteParams {
            propagation_policy: Some(PropagationPolicy::Orphan),
            ..params.clone()
        };
        let sets: Api<StatefulSet> = Api::default_namespaced(self.user.clone());
        sets.delete("demo", &orphan).await.unwrap();
        sleep(Duration::from_secs(5)).await;
        let pods: Api<Pod> = Api::default_namespaced(self.user.clone());
        let pod = pods.get("demo-1").await.unwrap();
        let volumes = pod.spec.unwrap().volumes.unwrap_or_default();
        let claim = volumes
            .into_iter()
            .find_map(|it| it.persistent_volume_claim);
        let claims: Api<PersistentVolumeClaim> = Api::default_namespaced(self.user.clone());
        claims
            .delete(&claim.unwrap().claim_name, &params)
            .await
            .unwrap();
        pods.delete("demo-1", &params).await.unwrap();
    }

    pub async fn holder(&self) -> String {
        let leases: Api<Lease> = Api::default_namespaced(self.user.clone());
        let spec = leases.get("etcd-operator").await.unwrap().spec.unwrap();
        spec.holder_identity.unwrap_or_default()
    }

    /// Cuts an operator off from the API server, in both directions, or ends that.
    pub fn cut(&self, operator: &Operator, cut: bool) {
        let (net, api) = (self.sim.world.net(), self.sim.world.api_host());
        for (from, to) in [(operator.host(), api), (api, operator.host())] {
            if cut {
                net.cut(from, to);
            } else {
                net.heal(from, to);
            }
        }
    }
}

pub fn options(identity: &str) -> Options {
    Options {
        leadership: Some(Leadership {
            namespace: "default".to_owned(),
            name: "etcd-operator".to_owned(),
            identity: identity.to_owned(),
        }),
        ..Options::default()
    }
}
