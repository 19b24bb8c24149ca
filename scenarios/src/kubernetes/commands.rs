//! What a host offers beyond what a user of the cluster may do, as a table of commands.
//!
//! Owns: the names of the commands, what each is told in its environment, and running one.
//! Always holds: what is not in the table is refused with the name to add; a command that fails or
//! does not end says so with its last words.
//! Deliberately does not know: any host. Whether a node is a machine, a container or a namespace is
//! the table's business.
//!
//! The file is YAML, a name and a line for `sh` each:
//!
//! ```yaml
//! node-off: docker stop --time 0 "$NODE"
//! node-on: docker start "$NODE"
//! ```

use std::{collections::BTreeMap, io, path::Path, process::Stdio, time::Duration};

use serde::{Deserialize, Serialize};
use tokio::{process::Command, time::timeout};

use crate::world::WorldFailed;

/// Time that a command has. Longer than a node takes to start.
const DEADLINE: Duration = Duration::from_secs(60);

/// Everything that a table may offer. All variables are set for every command, as far as they
/// have a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Offer {
    /// `kill -9` on the process in container `$CONTAINER_ID` of pod `$POD` on `$NODE`.
    Kill,
    /// Stops that process where it is (SIGSTOP).
    Pause,
    /// Lets it go on (SIGCONT).
    Resume,
    /// Drops every packet from address `$FROM_IP` to `$TO_IP`, and only that way.
    Cut,
    /// Takes every cut back.
    Heal,
    /// Pulls the plug of `$NODE`.
    NodeOff,
    /// Powers `$NODE` on; it comes back with its disk.
    NodeOn,
    /// Stops the kubelet of `$NODE`; containers go on.
    KubeletDown,
    /// Starts it again.
    KubeletUp,
    /// Stops the API server's process where it is: its clients hang.
    ApiFreeze,
    /// Lets it go on.
    ApiThaw,
    /// Ends the API server's process: its clients are refused.
    ApiKill,
    /// Starts it again.
    ApiStart,
}

impl Offer {
    /// The name in the table.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Cut => "cut",
            Self::Heal => "heal",
            Self::NodeOff => "node-off",
            Self::NodeOn => "node-on",
            Self::KubeletDown => "kubelet-down",
            Self::KubeletUp => "kubelet-up",
            Self::ApiFreeze => "api-freeze",
            Self::ApiThaw => "api-thaw",
            Self::ApiKill => "api-kill",
            Self::ApiStart => "api-start",
        }
    }
}

/// The commands of a host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Commands(BTreeMap<Offer, String>);

/// A command with what it is told.
pub(super) type Told = Vec<(&'static str, String)>;

impl Commands {
    /// Reads a table.
    ///
    /// # Errors
    /// When the file cannot be read or is no table; the text is complete.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|error| format!("failed to read {}: {error}", path.display()))?;
        serde_saphyr::from_str(&text)
            .map_err(|error| format!("{} is no table of commands: {error}", path.display()))
    }

    /// Whether the table has this one.
    ///
    /// # Errors
    /// Says what to add.
    pub(super) fn need(&self, offer: Offer, what: &str) -> Result<(), WorldFailed> {
        if self.0.contains_key(&offer) {
            return Ok(());
        }
        let name = offer.name();
        Err(WorldFailed::CannotDo {
            world: "kube",
            what: format!(
                "{what} (a user of a cluster cannot; where the host can, give a table with the \
                 command `{name}` by --commands FILE, see the README of scenarios)"
            ),
        })
    }

    /// Runs one.
    ///
    /// # Errors
    /// When it is not in the table, fails, or does not end.
    pub(super) async fn run(&self, offer: Offer, told: &Told) -> Result<(), WorldFailed> {
        self.need(offer, offer.name())?;
        let line = &self.0[&offer];
        let ended = timeout(DEADLINE, run(line, told)).await;
        let why = match ended {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("it did not end within {} s", DEADLINE.as_secs()),
        };
        Err(WorldFailed::Host {
            doing: format!("`{line}` ({})", offer.name()),
            why,
        })
    }
}

async fn run(line: &str, told: &Told) -> io::Result<()> {
    let mut command = Command::new("sh");
    command
        .args(["-c", line])
        .envs(told.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let child = command.spawn()?;
    let output = child.wait_with_output().await?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    let words = words.trim().lines().last().unwrap_or("no words").to_owned();
    Err(io::Error::other(format!("{}: {words}", output.status)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Commands {
        serde_saphyr::from_str(text).expect("a table")
    }

    #[tokio::test]
    async fn a_command_is_told_whom_it_is_about() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("out").display().to_string();
        let commands = table(&format!("node-off: echo \"${{NODE#node-}}\" > {file}"));
        let told = vec![("NODE", "node-3".to_owned())];
        commands.run(Offer::NodeOff, &told).await.expect("it runs");
        assert_eq!(std::fs::read_to_string(file).expect("written"), "3\n");
    }

    #[tokio::test]
    async fn what_fails_says_its_last_words() {
        let commands = table("heal: echo first >&2; echo no such switch >&2; exit 3");
        let failed = commands.run(Offer::Heal, &Told::new()).await;
        let text = failed.expect_err("it fails").to_string();
        assert!(text.contains("no such switch"), "{text}");
        assert!(!text.contains("first >&2; echo no such switch: "), "{text}");
    }

    #[tokio::test]
    async fn what_is_not_in_the_table_is_named() {
        let failed = Commands::default().run(Offer::NodeOff, &Told::new()).await;
        let text = failed.expect_err("it is not there").to_string();
        assert!(text.contains("the command `node-off`"), "{text}");
    }

    #[test]
    fn a_name_that_is_none_is_refused() {
        let refused = serde_saphyr::from_str::<Commands>("node-of: true").expect_err("refused");
        assert!(refused.to_string().contains("node-off"), "{refused}");
    }
}
