//! One cluster in a simulated world: the world, its operator and its user.

#![allow(dead_code, reason = "each file of tests uses its part")]

use std::{future::Future, time::Duration};

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams},
    core::{ApiResource, GroupVersionKind},
};
use serde_json::{Value, json};
use simulator::{
    determinism::Simulation,
    world::{Counter, Operator, SimWorld, WorldOptions},
};
use tokio::time::{Instant, sleep};

/// What the members run.
pub const IMAGE_VERSION: &str = "3.5.21";

/// A world with an operator, and a user who has a client.
pub struct Stage {
    pub sim: SimWorld,
    pub operator: Operator,
    pub user: Client,
}

impl Stage {
    pub async fn set(simulation: &Simulation) -> Self {
        // Set RUST_LOG to see what the operator says.
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
        let operator = sim
            .world
            .start_operator(operator::Options::default())
            .unwrap();
        let host = sim.world.net().add_host("user").unwrap();
        let user = sim.world.kube_client(host, "kubectl", &Counter::default());
        Self {
            sim,
            operator,
            user,
        }
    }

    pub fn clusters(&self) -> Api<DynamicObject> {
        let crd = operator::crd();
        let version = &crd.spec.versions[0].name;
        let kind = GroupVersionKind::gvk(&crd.spec.group, version, &crd.spec.names.kind);
        Api::default_namespaced_with(self.user.clone(), &ApiResource::from_gvk(&kind))
    }

    pub async fn create(&self, size: u32) {
        let crd = operator::crd();
        let cluster: DynamicObject = serde_json::from_value(json!({
            "apiVersion": format!("{}/{}", crd.spec.group, crd.spec.versions[0].name),
            "kind": crd.spec.names.kind,
            "metadata": {"name": "demo"},
            "spec": {"size": size, "version": IMAGE_VERSION},
        }))
        .unwrap();
        self.clusters()
            .create(&PostParams::default(), &cluster)
            .await
            .unwrap();
    }

    pub async fn scale(&self, size: u32) {
        let patch = Patch::Merge(json!({"spec": {"size": size}}));
        self.clusters()
            .patch("demo", &PatchParams::default(), &patch)
            .await
            .unwrap();
    }

    pub async fn status(&self) -> Value {
        let cluster = self.clusters().get("demo").await.unwrap();
        cluster.data["status"].clone()
    }

    /// Members that the whole cluster agrees on: every pod was asked, all gave the same list.
    pub async fn members(&self) -> Option<usize> {
        let pods: Api<Pod> = Api::default_namespaced(self.user.clone());
        let pods = pods.list(&ListParams::default()).await.ok()?;
        let mut answers = Vec::new();
        for pod in &pods {
            let ip = pod.status.as_ref()?.pod_ip.clone()?;
            let host = self.sim.pods.host_of("default", &pod.name_any())?;
            let mut client = self
                .sim
                .world
                .dial_etcd(host, &ip, 2379, &Counter::default())
                .await
                .ok()?;
            let members = client.member_list().await.ok()?;
            let voters = members
                .members()
                .iter()
                .filter(|it| !it.is_learner() && !it.name().is_empty());
            let mut ids: Vec<u64> = voters.map(etcd_client::Member::id).collect();
            ids.sort_unstable();
            answers.push(ids);
        }
        answers.dedup();
        let [one] = answers.as_slice() else {
            return None;
        };
        (one.len() == pods.items.len()).then_some(one.len())
    }

    pub fn objects<K>(&self) -> Api<K>
    where
        K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
    {
        Api::default_namespaced(self.user.clone())
    }

    pub async fn annotate(&self, key: &str, value: &str) {
        let patch = Patch::Merge(json!({"metadata": {"annotations": {key: value}}}));
        self.clusters()
            .patch("demo", &PatchParams::default(), &patch)
            .await
            .unwrap();
    }

    /// The claim of a member, whose name carries the cluster's UID.
    pub async fn claim_of(&self, ordinal: u32) -> String {
        let claims = self.objects::<PersistentVolumeClaim>();
        let claims = claims.list(&ListParams::default()).await.unwrap();
        let ending = format!("-demo-{ordinal}");
        let found = claims
            .iter()
            .find(|claim| claim.name_any().ends_with(&ending));
        found.unwrap().name_any()
    }

    /// What a person does who wants to be rid of a member's data.
    pub async fn delete_pod_and_volume(&self, ordinal: u32) {
        let claim = self.claim_of(ordinal).await;
        let claims = self.objects::<PersistentVolumeClaim>();
        claims
            .delete(&claim, &DeleteParams::default())
            .await
            .unwrap();
        self.delete_pod(ordinal).await;
    }

    pub async fn delete_pod(&self, ordinal: u32) {
        let pods = self.objects::<Pod>();
        let name = format!("demo-{ordinal}");
        pods.delete(&name, &DeleteParams::default()).await.unwrap();
    }

    pub async fn etcd(&self, ordinal: u32) -> Option<etcd_client::Client> {
        let name = format!("demo-{ordinal}");
        let pod = self.objects::<Pod>().get(&name).await.ok()?;
        let ip = pod.status?.pod_ip?;
        let host = self.sim.pods.host_of("default", &name)?;
        let counter = Counter::default();
        let dial = self.sim.world.dial_etcd(host, &ip, 2379, &counter);
        dial.await.ok()
    }

    pub async fn put(&self, ordinal: u32, key: &str, value: &str) {
        let mut client = self.etcd(ordinal).await.unwrap();
        client.put(key, value, None).await.unwrap();
    }

    pub async fn get(&self, ordinal: u32, key: &str) -> Option<String> {
        let mut client = self.etcd(ordinal).await?;
        let answer = client.get(key, None).await.ok()?;
        let found = answer.kvs().first()?.value_str().ok()?.to_owned();
        Some(found)
    }

    /// Status, reason and message of a condition.
    pub async fn condition(&self, kind: &str) -> (String, String, String) {
        let status = self.status().await;
        let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
        let found = conditions
            .iter()
            .find(|condition| condition["type"] == kind);
        let text = |key: &str| {
            found
                .and_then(|it| it[key].as_str())
                .unwrap_or("")
                .to_owned()
        };
        (text("status"), text("reason"), text("message"))
    }

    /// Member IDs by name, as the status tells them.
    pub async fn ids(&self) -> Vec<(String, String)> {
        let status = self.status().await;
        let members = status["members"].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        members
            .iter()
            .map(|it| (text(&it["name"]), text(&it["id"])))
            .collect()
    }

    /// As the user wants it, and the status says so.
    pub async fn until_settled(&self, size: usize) {
        let what = format!("settled at {size}");
        self.until(&what, async || {
            let calm = self.condition("Progressing").await.1 == "AsWanted";
            calm && self.members().await == Some(size)
        })
        .await;
    }

    pub async fn until_members(&self, wanted: usize) {
        let what = format!("{wanted} members");
        self.until(&what, async || self.members().await == Some(wanted))
            .await;
    }

    pub async fn until<F: Future<Output = bool>>(&self, what: &str, holds: impl Fn() -> F) {
        let started = Instant::now();
        while !holds().await {
            if started.elapsed() > Duration::from_secs(120) {
                let mut lines = self.sim.world.trace().since(0);
                lines.retain(|line| !line.what.contains(" by kubectl "));
                let last = lines.len().saturating_sub(60);
                for line in &lines[last..] {
                    println!(
                        "{:>10.3} {:24} {}",
                        line.at.as_secs_f64(),
                        line.who,
                        line.what
                    );
                }
                panic!("not {what} within 120 s; status {}", self.status().await);
            }
            sleep(Duration::from_millis(100)).await;
        }
    }
}
