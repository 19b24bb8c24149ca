//! The image that pods run: etcd's official one, put together from a program on this machine.
//!
//! Owns: which image references exist, and what a container of them finds in its root folder.
//! Always holds: the program behind an image has exactly the version that the reference asks for.
//! Deliberately does not know: namespaces, volumes.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use simulator::kubernetes::runtime::{Container, StartFailed};

use super::{container::Bind, etcd_binary::EtcdBinary, libraries};

/// Where the image has its program.
const PROGRAM: &str = "/usr/local/bin/etcd";

/// Where a container starts.
pub(super) const WORKING_FOLDER: &str = "/var/lib/etcd/";

/// What the image sets; a container's own environment wins.
pub(super) const ENVIRONMENT: [(&str, &str); 2] = [
    (
        "PATH",
        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ),
    ("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt"),
];

/// Devices of the host that every container has.
const DEVICES: [&str; 4] = ["/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"];

const FOLDERS: [&str; 4] = ["tmp", "var/etcd", "var/lib/etcd", "etc"];

const FILES: [(&str, &str); 3] = [
    (
        "etc/passwd",
        "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n",
    ),
    ("etc/group", "root:x:0:\nnonroot:x:65532:\n"),
    ("etc/nsswitch.conf", "hosts: files dns\n"),
];

/// The images that can be pulled in this world.
#[derive(Debug)]
pub(super) struct Images(Vec<EtcdBinary>);

impl Images {
    pub(super) fn of(programs: Vec<EtcdBinary>) -> Self {
        Self(programs)
    }

    /// The program behind an image reference.
    pub(super) fn pull(&self, reference: &str) -> Result<&EtcdBinary, StartFailed> {
        let failed = |message| StartFailed {
            reason: "ErrImagePull".into(),
            message,
        };
        let Some(version) = etcd_version(reference) else {
            return Err(failed(format!(
                "not modelled: \"{reference}\" is not an image of etcd with a version, and this world runs no other"
            )));
        };
        self.0.iter().find(|program| program.version == version).ok_or_else(|| {
            let there: Vec<_> = self.0.iter().map(ToString::to_string).collect();
            failed(format!(
                "failed to pull \"{reference}\": this world has {}; give the path of an etcd {version} with --etcd",
                there.join(", ")
            ))
        })
    }
}

/// The version in a reference such as `quay.io/coreos/etcd:v3.5.21` or
/// `registry.k8s.io/etcd:3.5.21-0`, whose suffix counts builds of the image.
fn etcd_version(reference: &str) -> Option<&str> {
    let name = reference.rsplit('/').next()?;
    let tag = name.split('@').next()?.strip_prefix("etcd:")?;
    let version = tag.strip_prefix('v').unwrap_or(tag);
    Some(match version.rsplit_once('-') {
        Some((plain, build)) if build.parse::<u32>().is_ok() => plain,
        _ => version,
    })
}

/// What a container runs. The official image has a default command and no entry point, so
/// arguments alone take the command's place, as on a real cluster.
pub(super) fn argv(container: &Container) -> Vec<String> {
    let argv: Vec<_> = container
        .command
        .iter()
        .chain(&container.args)
        .cloned()
        .collect();
    if argv.is_empty() {
        vec![PROGRAM.to_owned()]
    } else {
        argv
    }
}

/// Writes the image's files below `root`, with empty places for the program and the devices.
pub(super) fn unpack(root: &Path) -> io::Result<()> {
    for folder in FOLDERS {
        fs::create_dir_all(root.join(folder))?;
    }
    for (file, content) in FILES {
        fs::write(root.join(file), content)?;
    }
    for place in DEVICES.into_iter().chain([PROGRAM]) {
        let place = below(root, place);
        fs::create_dir_all(place.parent().unwrap_or(root))?;
        fs::write(place, "")?;
    }
    Ok(())
}

/// The parts of the image that are not copied: the program, the devices, and the libraries if the
/// program needs any.
pub(super) fn binds(program: &Path) -> io::Result<Vec<Bind>> {
    let shared = DEVICES.into_iter().chain(libraries::needed_by(program)?);
    let shared = shared.map(|path| (PathBuf::from(path), path));
    let all = shared.chain([(program.to_owned(), PROGRAM)]);
    Ok(all
        .map(|(source, target)| Bind {
            source,
            target: target.to_owned(),
            read_only: false,
        })
        .collect())
}

/// A path of the container as the host sees it.
pub(super) fn below(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn images() -> Images {
        Images::of(vec![EtcdBinary {
            path: "/bin/etcd".into(),
            version: "3.5.21".into(),
        }])
    }

    #[test]
    fn a_reference_finds_the_program_of_its_version() {
        for reference in [
            "quay.io/coreos/etcd:v3.5.21",
            "gcr.io/etcd-development/etcd:v3.5.21",
            "registry.k8s.io/etcd:3.5.21-0",
            "localhost:5000/etcd:v3.5.21",
            "etcd:v3.5.21@sha256:abc",
        ] {
            assert!(images().pull(reference).is_ok(), "{reference}");
        }
    }

    #[test]
    fn another_version_is_not_there_and_the_message_says_which_is() {
        let failed = images().pull("quay.io/coreos/etcd:v3.6.16").unwrap_err();
        assert_eq!(failed.reason, "ErrImagePull");
        assert!(
            failed.message.contains("etcd 3.5.21 (/bin/etcd)"),
            "{failed}"
        );
        let failed = images()
            .pull("quay.io/coreos/etcd:v3.5.21-rc.0")
            .unwrap_err();
        assert!(failed.message.contains("3.5.21-rc.0"), "{failed}");
    }

    #[test]
    fn what_is_not_etcd_is_not_modelled() {
        for reference in ["busybox:1.36", "etcd", "quay.io/coreos/etcdctl:v3.5.21"] {
            let failed = images().pull(reference).unwrap_err();
            assert!(failed.message.contains("not modelled"), "{failed}");
        }
    }

    #[test]
    fn arguments_alone_replace_the_image_s_command() {
        let mut container = Container {
            name: "etcd".into(),
            image: String::new(),
            command: Vec::new(),
            args: Vec::new(),
            env: BTreeMap::new(),
            mounts: BTreeMap::new(),
        };
        assert_eq!(argv(&container), [PROGRAM]);
        container.args = vec!["--name=a".into()];
        assert_eq!(argv(&container), ["--name=a"]);
        container.command = vec!["etcd".into()];
        assert_eq!(argv(&container), ["etcd", "--name=a"]);
    }
}
