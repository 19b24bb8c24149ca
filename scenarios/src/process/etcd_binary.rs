//! The etcd program that stands behind the pods' image.
//!
//! Owns: where it is looked for, and its version.
//! Always holds: an [`EtcdBinary`] has answered `--version`.
//! Deliberately does not know: how it is run in a pod.

use std::{
    env,
    ffi::OsStr,
    fmt, fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

/// The variable that names the program.
const VARIABLE: &str = "ETCD_BIN";

/// An etcd program that runs on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EtcdBinary {
    /// Where it is.
    pub path: PathBuf,
    /// Its version without a leading `v`, for example `3.5.21`.
    pub version: String,
}

impl fmt::Display for EtcdBinary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "etcd {} ({})", self.version, self.path.display())
    }
}

/// There is no etcd to run.
#[derive(Debug, thiserror::Error)]
pub enum NoEtcd {
    /// Nobody named one and none is installed.
    #[error(
        "failed to find etcd: give its path with --etcd, in the variable ETCD_BIN, or put it on the PATH.\n  \
         Releases are at https://github.com/etcd-io/etcd/releases; on Debian and Ubuntu: apt install etcd-server"
    )]
    NotFound,
    /// What was named is no program.
    #[error("failed to use {} (from {named_by}) as etcd: {reason}", path.display())]
    NotEtcd {
        /// What was named.
        path: PathBuf,
        /// `--etcd`, `ETCD_BIN` or `PATH`.
        named_by: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

impl EtcdBinary {
    /// The etcd that `--etcd` names; else the one of `ETCD_BIN`; else the first on the `PATH`.
    ///
    /// # Errors
    /// When there is none, or when the one that was named does not answer `--version` as etcd does.
    pub fn find(option: Option<&Path>) -> Result<Self, NoEtcd> {
        Self::find_in(
            option,
            env::var_os(VARIABLE).as_deref(),
            env::var_os("PATH").as_deref(),
        )
    }

    fn find_in(
        option: Option<&Path>,
        variable: Option<&OsStr>,
        search: Option<&OsStr>,
    ) -> Result<Self, NoEtcd> {
        let variable = variable.filter(|value| !value.is_empty()).map(Path::new);
        if let Some(path) = option {
            return Self::at(path, "--etcd");
        }
        if let Some(path) = variable {
            return Self::at(path, VARIABLE);
        }
        let installed = search
            .into_iter()
            .flat_map(env::split_paths)
            .map(|dir| dir.join("etcd"));
        match installed.into_iter().find(|path| is_program(path)) {
            Some(path) => Self::at(&path, "PATH"),
            None => Err(NoEtcd::NotFound),
        }
    }

    fn at(path: &Path, named_by: &'static str) -> Result<Self, NoEtcd> {
        let no = |reason: String| NoEtcd::NotEtcd {
            path: path.to_owned(),
            named_by,
            reason,
        };
        let found = fs::canonicalize(path).map_err(|error| no(error.to_string()))?;
        let text = ask_version(&found).map_err(|error| no(error.to_string()))?;
        let version = parse_version(&text)
            .ok_or_else(|| no("its answer to --version is not etcd's".to_owned()))?;
        Ok(Self {
            path: found,
            version: version.to_owned(),
        })
    }
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
}

fn ask_version(path: &Path) -> io::Result<String> {
    let output = Command::new(path).arg("--version").output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn parse_version(answer: &str) -> Option<&str> {
    answer
        .lines()
        .find_map(|line| line.strip_prefix("etcd Version: "))
        .map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(dir: &Path, name: &str, version: &str) -> PathBuf {
        let path = dir.join(name);
        fs::write(
            &path,
            format!("#!/bin/sh\necho 'etcd Version: {version}'\n"),
        )
        .unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn the_option_wins_over_the_variable_and_the_variable_over_the_path() {
        let dir = tempfile::tempdir().unwrap();
        let dir = fs::canonicalize(dir.path()).unwrap();
        let option = program(&dir, "one", "3.5.21");
        let variable = program(&dir, "two", "3.6.16");
        program(&dir, "etcd", "3.4.0");
        let search = Some(dir.as_os_str());
        let found = EtcdBinary::find_in(Some(&option), Some(variable.as_os_str()), search).unwrap();
        assert_eq!(
            found,
            EtcdBinary {
                path: option,
                version: "3.5.21".into()
            }
        );
        let found = EtcdBinary::find_in(None, Some(variable.as_os_str()), search).unwrap();
        assert_eq!(found.version, "3.6.16");
        let found = EtcdBinary::find_in(None, Some(OsStr::new("")), search).unwrap();
        assert_eq!(found.version, "3.4.0", "an empty variable names nothing");
    }

    #[test]
    fn no_etcd_at_all_names_the_three_ways_and_two_sources() {
        let text = EtcdBinary::find_in(None, None, None)
            .unwrap_err()
            .to_string();
        for part in [
            "--etcd",
            "ETCD_BIN",
            "PATH",
            "etcd-io/etcd/releases",
            "etcd-server",
        ] {
            assert!(text.contains(part), "{part} is missing in: {text}");
        }
    }

    #[test]
    fn a_named_program_that_is_not_etcd_is_refused_and_not_searched_for_elsewhere() {
        let dir = tempfile::tempdir().unwrap();
        program(dir.path(), "etcd", "3.6.16");
        let search = Some(dir.path().as_os_str());
        let text = EtcdBinary::find_in(Some(Path::new("/bin/true")), None, search).unwrap_err();
        assert!(text.to_string().contains("--version"), "{text}");
        let text = EtcdBinary::find_in(None, Some(OsStr::new("/no/such")), search).unwrap_err();
        assert!(text.to_string().contains("ETCD_BIN"), "{text}");
    }
}
