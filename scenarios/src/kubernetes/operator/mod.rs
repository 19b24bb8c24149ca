//! Who looks after the cluster.
//!
//! Owns: the choice between an operator that is there and one that runs from here, and the CRD of
//! the latter.
//! Always holds: there is exactly one that we know of; an end that nobody asked for is told.
//! Deliberately does not know: what an operator does.

mod deployed;
mod in_process;
mod program;

use std::{net::IpAddr, sync::Arc};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api, Client,
    api::{ListParams, Patch, PatchParams},
};
use tokio::time::{Duration, sleep, timeout};

use super::{OperatorChoice, connection::Connection, reach::Reach};
use crate::{
    strikes::OperatorWire,
    user::{chain, cluster_api},
    world::{Calls, WorldFailed},
    worlds::CannotBegin,
};
use deployed::Deployed;
use in_process::InProcess;
use program::Program;

/// Time between the death of an operator on this machine and its next life.
const COMING_BACK: Duration = Duration::from_secs(1);

/// Time that a new CRD has until the API server serves it.
const ESTABLISHED: Duration = Duration::from_secs(30);

/// The operator of a run.
pub(super) enum Operator {
    Deployed(Deployed),
    InProcess(InProcess),
    Program(Program),
}

impl Operator {
    /// Finds the operator, or starts it.
    pub(super) async fn choose(
        choice: &OperatorChoice,
        connection: &Connection,
        namespace: &str,
        reach: &Arc<Reach>,
    ) -> Result<Self, CannotBegin> {
        let deployed = Deployed::find(&connection.kube).await?;
        if *choice == OperatorChoice::Deployed {
            served(&connection.kube, namespace).await?;
            return Ok(Self::Deployed(deployed));
        }
        if let Some(pod) = deployed.pods().first() {
            return Err(CannotBegin(format!(
                "an operator runs in this cluster already (pod {pod}), and two would work on the \
                 same resource: use --operator deployed, or scale it to 0 first"
            )));
        }
        install_crd(&connection.kube).await?;
        match choice {
            OperatorChoice::Program(path) => {
                Program::start(path, connection, namespace).map(Self::Program)
            }
            _ => InProcess::start(connection, namespace, reach).map(Self::InProcess),
        }
    }

    /// Which one it is, for people.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Deployed(operator) => operator.describe(),
            Self::InProcess(_) => "operator in this process".to_owned(),
            Self::Program(operator) => operator.describe(),
        }
    }

    /// Kills it; it comes back by itself, as a Deployment's pod does.
    pub(super) async fn kill_once(&self) -> Result<(), WorldFailed> {
        match self {
            Self::Deployed(operator) => operator.kill().await,
            Self::InProcess(_) | Self::Program(_) => {
                self.stop().await?;
                sleep(COMING_BACK).await;
                self.start().await
            }
        }
    }

    /// Kills it, and keeps it from coming back.
    pub(super) async fn stop(&self) -> Result<(), WorldFailed> {
        match self {
            Self::Deployed(operator) => operator.scale(false).await,
            Self::InProcess(operator) => {
                operator.kill();
                Ok(())
            }
            Self::Program(operator) => {
                operator.kill();
                Ok(())
            }
        }
    }

    /// Starts it again after [`Operator::stop`].
    pub(super) async fn start(&self) -> Result<(), WorldFailed> {
        let started = match self {
            Self::Deployed(operator) => return operator.scale(true).await,
            Self::InProcess(operator) => operator.boot(),
            Self::Program(operator) => operator.boot(),
        };
        started.map_err(|error| WorldFailed::Host {
            doing: "the operator again".to_owned(),
            why: error.to_string(),
        })
    }

    /// Stops its process where it is, or lets it go on.
    pub(super) async fn pause(&self, paused: bool) -> Result<(), WorldFailed> {
        match self {
            Self::Program(operator) => operator.pause(paused).map_err(|error| WorldFailed::Host {
                doing: "kill -STOP on the operator".to_owned(),
                why: error.to_string(),
            }),
            Self::Deployed(_) | Self::InProcess(_) => {
                Err(cannot("pause the operator (with --operator PATH it can)"))
            }
        }
    }

    /// The wire that its calls go over, when it runs in this process.
    pub(super) fn wire(&self) -> Option<&OperatorWire> {
        match self {
            Self::InProcess(operator) => Some(operator.wire()),
            Self::Deployed(_) | Self::Program(_) => None,
        }
    }

    /// What it has sent that no operator may send, as far as it is seen.
    pub(super) fn misdeeds(&self) -> Vec<String> {
        self.wire().map(OperatorWire::misdeeds).unwrap_or_default()
    }

    /// What it has asked so far, where that is seen.
    pub(super) fn calls(&self) -> Option<Calls> {
        match self {
            Self::InProcess(operator) => Some(operator.calls()),
            Self::Deployed(_) | Self::Program(_) => None,
        }
    }

    /// Whether it is dead and comes back in a moment.
    pub(super) fn is_dead(&self) -> bool {
        matches!(self, Self::InProcess(operator) if operator.is_dead())
    }

    /// Addresses of its pods; none when it runs on this machine.
    pub(super) fn addresses(&self) -> Vec<IpAddr> {
        match self {
            Self::Deployed(operator) => operator.addresses(),
            Self::InProcess(_) | Self::Program(_) => Vec::new(),
        }
    }

    /// Why it is not running any more, when nobody asked for that.
    pub(super) fn crashed(&self) -> Option<String> {
        match self {
            Self::Deployed(operator) => operator.crashed(),
            Self::InProcess(operator) => operator.crashed(),
            Self::Program(operator) => operator.crashed(),
        }
    }
}

/// A deployed operator brings its CRD.
async fn served(kube: &Client, namespace: &str) -> Result<(), CannotBegin> {
    let listed = cluster_api(kube.clone(), namespace)
        .list(&ListParams::default().limit(1))
        .await;
    listed.map(drop).map_err(|error| {
        CannotBegin(format!(
            "failed to list EtcdClusters in {namespace}: {}\n  is the operator deployed? \
             `kind-config/deploy` does it; or say --operator in-process",
            chain(&error)
        ))
    })
}

async fn install_crd(kube: &Client) -> Result<(), CannotBegin> {
    let definitions: Api<CustomResourceDefinition> = Api::all(kube.clone());
    let definition = operator::crd();
    let name = definition.metadata.name.clone().unwrap_or_default();
    let failed = |error: kube::Error| {
        CannotBegin(format!(
            "failed to install the CRD {name}: {}",
            chain(&error)
        ))
    };
    let params = PatchParams::apply("scenarios").force();
    let applied = definitions
        .patch(&name, &params, &Patch::Apply(&definition))
        .await;
    applied.map_err(failed)?;
    let established = async {
        loop {
            let found = definitions.get(&name).await?;
            let conditions = found.status.and_then(|status| status.conditions);
            let mut conditions = conditions.into_iter().flatten();
            if conditions.any(|it| it.type_ == "Established" && it.status == "True") {
                return Ok(());
            }
            sleep(Duration::from_millis(100)).await;
        }
    };
    match timeout(ESTABLISHED, established).await {
        Ok(result) => result.map_err(failed),
        Err(_) => Err(CannotBegin(format!(
            "failed to install the CRD {name}: the API server does not serve it"
        ))),
    }
}

/// What an operator that cannot be killed or started again answers.
pub(super) fn cannot(what: &str) -> WorldFailed {
    WorldFailed::CannotDo {
        world: "kube",
        what: what.to_owned(),
    }
}
