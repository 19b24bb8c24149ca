//! The file that tells kubectl and operators where the world is.
//!
//! Owns: its content, and the rule what may be overwritten.
//! Always holds: a file that this program did not write is left alone.
//! Deliberately does not know: who reads it.

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// First line of every file that this program writes.
const MARK: &str = "# Written by `simulator serve`.";

/// Why there is no kubeconfig.
#[derive(Debug, thiserror::Error)]
pub enum KubeconfigFailed {
    /// It might be somebody's real one.
    #[error(
        "write the kubeconfig: {0} exists and was not written by `simulator serve`; \
         name another file with --kubeconfig, or remove it"
    )]
    SomebodyElses(PathBuf),
    /// The file system refuses.
    #[error("write the kubeconfig {path}: {source}; name another file with --kubeconfig")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// Writes a kubeconfig for the API server at `address`.
///
/// # Errors
/// When the file cannot be written, or is not ours.
pub fn write(path: &Path, address: SocketAddr) -> Result<(), KubeconfigFailed> {
    let failed = |source| KubeconfigFailed::Write {
        path: path.to_owned(),
        source,
    };
    match fs::read_to_string(path) {
        Ok(present) if !present.starts_with(MARK) => {
            return Err(KubeconfigFailed::SomebodyElses(path.to_owned()));
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    fs::write(path, content(address)).map_err(failed)
}

/// Removes the kubeconfig that [`write`] wrote: it leads nowhere any more.
pub fn remove(path: &Path) {
    let ours = fs::read_to_string(path).is_ok_and(|present| present.starts_with(MARK));
    if ours {
        // Who cannot remove it finds out that nobody answers there.
        let _ = fs::remove_file(path);
    }
}

fn content(address: SocketAddr) -> String {
    format!(
        "{MARK}
apiVersion: v1
kind: Config
current-context: simulator
clusters:
- name: simulator
  cluster:
    server: http://{address}
contexts:
- name: simulator
  context:
    cluster: simulator
    user: simulator
    namespace: default
users:
- name: simulator
  user: {{}}
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address() -> SocketAddr {
        "127.0.0.1:6443".parse().unwrap()
    }

    #[test]
    fn kube_reads_what_was_written() {
        let config = kube::config::Kubeconfig::from_yaml(&content(address())).unwrap();
        assert_eq!(config.current_context.as_deref(), Some("simulator"));
        let cluster = config.clusters[0].cluster.clone().unwrap();
        assert_eq!(cluster.server.as_deref(), Some("http://127.0.0.1:6443"));
    }

    #[test]
    fn its_own_file_is_written_again_and_somebody_else_s_is_not() {
        let path =
            std::env::temp_dir().join(format!("simulator-kubeconfig-{}", std::process::id()));
        write(&path, address()).unwrap();
        write(&path, address()).unwrap();
        fs::write(&path, "apiVersion: v1").unwrap();
        let refused = write(&path, address()).unwrap_err();
        fs::remove_file(&path).unwrap();
        assert!(refused.to_string().contains("--kubeconfig"), "{refused}");
    }
}
