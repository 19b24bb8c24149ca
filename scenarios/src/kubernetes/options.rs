//! What is said about a real cluster on the command line.
//!
//! Owns: the options, and how a reproduce line repeats them.
//! Always holds: options that are left out are not repeated.
//! Deliberately does not know: what a cluster is.

use std::{
    convert::Infallible,
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use clap::{Args, ValueEnum};

/// Options of `--world kube`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "For --world kube")]
pub struct KubeOptions {
    /// The kubeconfig; else KUBECONFIG, else ~/.kube/config.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// A context of the kubeconfig; else its current one.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// Run in this namespace, which exists; else one is made for the run and deleted at its end.
    #[arg(long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// Leave the cluster and its namespace as they are when the run does not pass.
    #[arg(long)]
    pub keep: bool,
    /// Who looks after the cluster: `deployed` (an operator that runs there already), `in-process`
    /// (this build's, from here), or the path of an operator program to run from here.
    #[arg(long, value_name = "deployed|in-process|PATH", default_value_t)]
    pub operator: OperatorChoice,
    /// Image of etcd without its tag, in place of the default; the tag is `v` and the version.
    #[arg(long, value_name = "REPOSITORY")]
    pub image: Option<String>,
    /// What the host offers beyond what a user of the cluster may do: a table of commands.
    #[arg(long, value_name = "FILE")]
    pub commands: Option<PathBuf>,
    /// How pods are reached from here.
    #[arg(long, value_enum, default_value_t)]
    pub reach: ReachChoice,
}

/// Who looks after the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum OperatorChoice {
    /// An operator that runs in the cluster already.
    #[default]
    Deployed,
    /// This build's operator, in this process.
    InProcess,
    /// An operator program, as a child process.
    Program(PathBuf),
}

impl FromStr for OperatorChoice {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "deployed" => Self::Deployed,
            "in-process" => Self::InProcess,
            path => Self::Program(PathBuf::from(path)),
        })
    }
}

impl fmt::Display for OperatorChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deployed => f.write_str("deployed"),
            Self::InProcess => f.write_str("in-process"),
            Self::Program(path) => path.display().fmt(f),
        }
    }
}

/// How pods are reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ReachChoice {
    /// By their addresses where that works, else through `kubectl port-forward`.
    #[default]
    Auto,
    /// By their addresses.
    Direct,
    /// Through `kubectl port-forward`.
    Forward,
}

impl KubeOptions {
    /// The options as words of a command line; those that are left out are not among them.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let path = |path: &Path| path.display().to_string();
        let reach = self.reach.to_possible_value();
        let reach = reach.filter(|_| self.reach != ReachChoice::default());
        let operator = Some(self.operator.to_string());
        let operator = operator.filter(|_| self.operator != OperatorChoice::default());
        let valued = [
            ("--kubeconfig", self.kubeconfig.as_deref().map(path)),
            ("--context", self.context.clone()),
            ("--namespace", self.namespace.clone()),
            ("--operator", operator),
            ("--image", self.image.clone()),
            ("--commands", self.commands.as_deref().map(path)),
            ("--reach", reach.map(|value| value.get_name().to_owned())),
        ];
        let given = valued
            .into_iter()
            .filter_map(|(name, value)| Some([name.to_owned(), value?]));
        let keep = self.keep.then(|| "--keep".to_owned());
        given.flatten().chain(keep).collect()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        kube: KubeOptions,
    }

    #[test]
    fn what_is_left_out_is_not_repeated() {
        assert_eq!(KubeOptions::default().words(), Vec::<String>::new());
    }

    #[test]
    fn the_words_give_the_same_options() {
        let options = KubeOptions {
            kubeconfig: Some("a b/config".into()),
            context: Some("kind-etcd".to_owned()),
            namespace: Some("demo".to_owned()),
            keep: true,
            operator: OperatorChoice::Program("target/debug/operator".into()),
            image: Some("quay.io/coreos/etcd".to_owned()),
            commands: Some("kind-config/commands.yaml".into()),
            reach: ReachChoice::Forward,
        };
        let words = ["line".to_owned()].into_iter().chain(options.words());
        assert_eq!(Line::parse_from(words).kube, options);
    }
}
