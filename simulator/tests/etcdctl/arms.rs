//! Where the members are that etcdctl talks to.
//!
//! Owns: three running members `m0` to `m2` with a client port each, and starting a fourth.
//! Always holds: whatever was started ends with the arm.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU8, Ordering},
};

/// Members that etcdctl can be pointed at.
pub(crate) trait Arm {
    fn name(&self) -> &'static str;
    /// Addresses of members by name, also of one that does not run yet.
    fn addresses(&self) -> &BTreeMap<String, String>;
    /// Starts the member `m3` with the flags that `member add` tells.
    fn start_added(&mut self);
    /// A folder for what etcdctl saves.
    fn folder(&self) -> &Path;
}

/// Ends a process with whoever owns it.
struct Owned(Child);

impl Drop for Owned {
    fn drop(&mut self) {
        // One that has ended by itself cannot be killed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Loopback addresses that no other arm uses.
fn fresh_addresses() -> impl Fn(u8) -> String {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let (process, subnet) = (
        64 + std::process::id() % 128,
        NEXT.fetch_add(1, Ordering::Relaxed),
    );
    move |member| format!("127.{process}.{subnet}.{}", member + 1)
}

fn flags(
    name: &str,
    addresses: &BTreeMap<String, String>,
    state: &str,
    data: &Path,
) -> Vec<String> {
    let listed = addresses
        .iter()
        .filter(|(member, _)| state == "existing" || *member != "m3")
        .map(|(member, address)| format!("{member}=http://{address}:2380"));
    let own = &addresses[name];
    [
        ("name", name.to_owned()),
        ("data-dir", data.join(name).display().to_string()),
        ("listen-client-urls", format!("http://{own}:2379")),
        ("advertise-client-urls", format!("http://{own}:2379")),
        ("listen-peer-urls", format!("http://{own}:2380")),
        ("initial-advertise-peer-urls", format!("http://{own}:2380")),
        ("initial-cluster", listed.collect::<Vec<_>>().join(",")),
        ("initial-cluster-state", state.to_owned()),
    ]
    .into_iter()
    .map(|(flag, value)| format!("--{flag}={value}"))
    .collect()
}

fn spawn(program: &Path, arguments: &[String]) -> Owned {
    let child = Command::new(program)
        .args(arguments)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    Owned(child.expect("it starts"))
}

/// Real etcd.
pub(crate) struct Real {
    binary: PathBuf,
    addresses: BTreeMap<String, String>,
    folder: tempfile::TempDir,
    running: Vec<Owned>,
}

impl Real {
    pub(crate) fn start(binary: &Path) -> Self {
        let address = fresh_addresses();
        let addresses: BTreeMap<String, String> =
            (0..4).map(|it| (format!("m{it}"), address(it))).collect();
        let folder = tempfile::tempdir().expect("a folder");
        let start = |name: &str| {
            let flags = flags(name, &addresses, "new", folder.path());
            spawn(binary, &flags)
        };
        let running = ["m0", "m1", "m2"].map(start).into();
        Self {
            binary: binary.to_owned(),
            addresses,
            folder,
            running,
        }
    }
}

impl Arm for Real {
    fn name(&self) -> &'static str {
        "real"
    }

    fn addresses(&self) -> &BTreeMap<String, String> {
        &self.addresses
    }

    fn start_added(&mut self) {
        let flags = flags("m3", &self.addresses, "existing", self.folder.path());
        self.running.push(spawn(&self.binary, &flags));
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// `simulator serve --etcd 3`, and `simulator etcd` for the fourth.
pub(crate) struct Served {
    version: String,
    addresses: BTreeMap<String, String>,
    folder: tempfile::TempDir,
    running: Vec<Owned>,
}

const SIMULATOR: &str = env!("CARGO_BIN_EXE_simulator");

impl Served {
    pub(crate) fn start(version: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut child = Command::new(SIMULATOR)
            .args(["serve", "--listen=127.0.0.1:0", "--nodes=1", "--kubeconfig"])
            .arg(folder.path().join("kubeconfig"))
            .arg(format!("--etcd=3@{version}"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the simulator starts");
        let output = child.stdout.take().expect("its output is piped");
        let running = vec![Owned(child)];
        let mut lines = BufReader::new(output).lines().map_while(Result::ok);
        let urls = lines
            .find_map(|line| {
                line.split_once("ETCDCTL_ENDPOINTS=")
                    .map(|it| it.1.to_owned())
            })
            .expect("it tells its endpoints");
        // Whoever prints into a pipe that nobody reads would wait one day.
        std::thread::spawn(move || lines.for_each(drop));
        let host = |url: &str| {
            url.trim_start_matches("http://")
                .trim_end_matches(":2379")
                .to_owned()
        };
        let mut addresses: BTreeMap<String, String> = urls
            .split(',')
            .enumerate()
            .map(|(member, url)| (format!("m{member}"), host(url)))
            .collect();
        addresses.insert("m3".to_owned(), fresh_addresses()(3));
        Self {
            version: version.to_owned(),
            addresses,
            folder,
            running,
        }
    }
}

impl Arm for Served {
    fn name(&self) -> &'static str {
        "simulated"
    }

    fn addresses(&self) -> &BTreeMap<String, String> {
        &self.addresses
    }

    fn start_added(&mut self) {
        let mut arguments = vec!["etcd".to_owned(), self.version.clone()];
        let data = self.folder.path();
        arguments.extend(flags("m3", &self.addresses, "existing", data));
        self.running.push(spawn(Path::new(SIMULATOR), &arguments));
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }
}
