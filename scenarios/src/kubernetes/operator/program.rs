//! An operator program, as a child of this process.
//!
//! Owns: the process, its kubeconfig and where its log goes.
//! Always holds: it ends with the run.
//! Deliberately does not know: which build it is.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, PoisonError},
};

use tempfile::NamedTempFile;

use crate::{kubernetes::connection::Connection, worlds::CannotBegin};

/// A running operator program.
pub(in crate::kubernetes) struct Program {
    path: PathBuf,
    namespace: String,
    kubeconfig: NamedTempFile,
    log: PathBuf,
    running: Mutex<Option<Child>>,
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Program {
    pub(super) fn start(
        path: &Path,
        connection: &Connection,
        namespace: &str,
    ) -> Result<Self, CannotBegin> {
        let failed = |why: &dyn std::fmt::Display| {
            CannotBegin(format!(
                "failed to start the operator {}: {why}",
                path.display()
            ))
        };
        let operator = Self {
            path: path.to_owned(),
            namespace: namespace.to_owned(),
            kubeconfig: connection
                .kubeconfig_file()
                .map_err(|error| failed(&error))?,
            log: std::env::temp_dir().join(format!("operator-{namespace}.log")),
            running: Mutex::default(),
        };
        operator.boot().map_err(|error| failed(&error))?;
        Ok(operator)
    }

    pub(super) fn describe(&self) -> String {
        let (path, log) = (self.path.display(), self.log.display());
        format!("operator {path}, whose log is {log}")
    }

    /// `kill -9`.
    pub(in crate::kubernetes) fn kill(&self) {
        let running = self
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(mut child) = running {
            // Both fail only when it has ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts it, also again.
    pub(in crate::kubernetes) fn boot(&self) -> std::io::Result<()> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        let child = Command::new(&self.path)
            .args(["run", "--namespace", &self.namespace])
            .env("KUBECONFIG", self.kubeconfig.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(child);
        Ok(())
    }

    /// SIGSTOP, or SIGCONT.
    pub(in crate::kubernetes) fn pause(&self, paused: bool) -> std::io::Result<()> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(child) = &*running else {
            return Ok(());
        };
        let signal = if paused { "-STOP" } else { "-CONT" };
        let status = Command::new("kill")
            .args([signal, &child.id().to_string()])
            .status()?;
        if status.success() {
            return Ok(());
        }
        Err(std::io::Error::other(format!("kill ended with {status}")))
    }

    pub(super) fn crashed(&self) -> Option<String> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let status = running.as_mut()?.try_wait().ok()??;
        let log = self.log.display();
        Some(format!(
            "the operator ended with {status}; its log is {log}"
        ))
    }
}
