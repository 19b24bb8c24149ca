//! The way to the API server that a kubeconfig names.
//!
//! Owns: the client's configuration, and the same choice as arguments and environment of other
//! programs.
//! Always holds: kubectl, an operator program and this process speak to the same cluster as the
//! same user.
//! Deliberately does not know: what is asked.

use std::{io::Write, time::Duration};

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use tempfile::NamedTempFile;

use super::KubeOptions;
use crate::{user::chain, worlds::CannotBegin};

/// Time allowed for opening a connection to the API server.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A cluster and who we are there.
pub(super) struct Connection {
    pub(super) config: Config,
    pub(super) kube: Client,
    options: KubeOptions,
}

impl Connection {
    /// Reads the kubeconfig and makes a client of it.
    pub(super) async fn open(options: &KubeOptions) -> Result<Self, CannotBegin> {
        let config = configuration(options).await;
        let mut config = config.map_err(|error| {
            let why = chain(&*error);
            CannotBegin(format!(
                "failed to find a cluster: {why}\n  say --kubeconfig FILE (and --context NAME), or \
                 set KUBECONFIG"
            ))
        })?;
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        let kube = Client::try_from(config.clone())
            .map_err(|error| CannotBegin(format!("failed to make a client: {}", chain(&error))))?;
        Ok(Self {
            config,
            kube,
            options: options.clone(),
        })
    }

    /// What tells kubectl which cluster it is.
    pub(super) fn kubectl_arguments(&self) -> Vec<String> {
        let mut words = Vec::new();
        if let Some(path) = &self.options.kubeconfig {
            words.extend(["--kubeconfig".to_owned(), path.display().to_string()]);
        }
        if let Some(context) = &self.options.context {
            words.extend(["--context".to_owned(), context.clone()]);
        }
        words
    }

    /// A kubeconfig whose current context is the wanted one, for a program that cannot be told
    /// another. Only this user may read it; it is gone when the handle is.
    pub(super) fn kubeconfig_file(&self) -> Result<NamedTempFile, Box<dyn std::error::Error>> {
        let mut kubeconfig = match &self.options.kubeconfig {
            Some(path) => Kubeconfig::read_from(path)?,
            None => Kubeconfig::read()?,
        };
        if let Some(context) = &self.options.context {
            kubeconfig.current_context = Some(context.clone());
        }
        let mut file = NamedTempFile::with_prefix("kubeconfig-")?;
        file.write_all(serde_json::to_string(&kubeconfig)?.as_bytes())?;
        Ok(file)
    }
}

async fn configuration(options: &KubeOptions) -> Result<Config, Box<dyn std::error::Error>> {
    let choice = KubeConfigOptions {
        context: options.context.clone(),
        ..KubeConfigOptions::default()
    };
    Ok(match &options.kubeconfig {
        Some(path) => Config::from_custom_kubeconfig(Kubeconfig::read_from(path)?, &choice).await?,
        None if options.context.is_some() => Config::from_kubeconfig(&choice).await?,
        None => Config::infer().await?,
    })
}
