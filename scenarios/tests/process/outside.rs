//! The host's side: runs the cases, and looks for what they left behind.

use std::{
    collections::BTreeSet,
    env, fs,
    io::{BufRead, BufReader},
    os::unix::{
        fs::PermissionsExt,
        process::{CommandExt, ExitStatusExt},
    },
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, ExitStatus, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, geteuid},
};
use scenarios::process::EtcdBinary;

use crate::CASE;

/// An ordinary user, when the tests run as root.
const USER: u32 = 1000;

/// What a test does with the host.
type Test = fn(&Host);

const TESTS: &[(&str, Test)] = &[
    ("a pod with etcd answers by its name", |host| {
        host.passes("one")
    }),
    (
        "three static members survive kills, restarts and a new address",
        |host| host.passes("three"),
    ),
    (
        "members are paused, unplugged, cut off, wiped, and recover",
        |host| host.passes("faults"),
    ),
    (
        "the image is the official one: no shell, no entry point",
        |host| host.passes("image"),
    ),
    (
        "a killed run leaves nothing behind",
        killed_run_leaves_nothing,
    ),
    (
        "a terminated run ends and leaves nothing behind",
        terminated_run_ends,
    ),
    (
        "a run inside that is killed leaves nothing behind",
        killed_inside_leaves_nothing,
    ),
    (
        "a command that handles a signal ends in its own way",
        handler_is_given_time,
    ),
    ("the exit code is the command's", |host| {
        assert_eq!(host.run("exit-7").code(), Some(7))
    }),
];

/// Runs the tests whose names contain `filter`, as each kind of user that is possible here.
pub(crate) fn run(etcds: &[EtcdBinary], filter: &str) -> ExitCode {
    let mut failed = 0;
    for host in etcds.iter().flat_map(hosts) {
        println!("real arm: etcd {} as {}", host.version, host.who());
        for (name, test) in TESTS.iter().filter(|(name, _)| name.contains(filter)) {
            let begin = Instant::now();
            let passed = catch_unwind(AssertUnwindSafe(|| test(&host))).is_ok();
            failed += u32::from(!passed);
            let outcome = if passed { "ok" } else { "FAILED" };
            println!(
                "test {name} ({}) ... {outcome} ({:.1?})",
                host.who(),
                begin.elapsed()
            );
        }
    }
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// As the user who runs the tests; for root, as an ordinary user too.
fn hosts(etcd: &EtcdBinary) -> Vec<Host> {
    let users = if geteuid().is_root() {
        vec![None, Some(USER)]
    } else {
        vec![None]
    };
    users
        .into_iter()
        .map(|user| Host::new(etcd, user))
        .collect()
}

/// The programs where the user can read them.
struct Host {
    version: String,
    user: Option<u32>,
    folder: tempfile::TempDir,
}

impl Host {
    fn new(etcd: &EtcdBinary, user: Option<u32>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::copy(env::current_exe().unwrap(), folder.path().join("run")).unwrap();
        fs::copy(&etcd.path, folder.path().join("etcd")).unwrap();
        Self {
            version: etcd.version.clone(),
            user,
            folder,
        }
    }

    fn who(&self) -> &'static str {
        match self.user {
            Some(_) => "ordinary user",
            None if geteuid().is_root() => "root",
            None => "this user",
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, case: &str) -> Command {
        let mut command = Command::new(self.file("run"));
        command
            .args([CASE, case])
            .env("ETCD_BIN", self.file("etcd"))
            .current_dir("/");
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command
    }

    fn run(&self, case: &str) -> ExitStatus {
        self.command(case).status().unwrap()
    }

    fn passes(&self, case: &str) {
        let before = Traces::now(self);
        let status = self.run(case);
        assert!(status.success(), "{status}");
        Traces::now(self).assert_same_as(&before);
    }

    /// Starts a run of three members and waits until they serve.
    fn start_lingering(&self) -> Child {
        let child = self.start("linger");
        let processes = Traces::now(self).processes;
        assert!(
            processes.len() >= 5,
            "called, inside, and three members: {processes:?}"
        );
        child
    }

    /// Starts a case that says when it is ready.
    fn start(&self, case: &str) -> Child {
        let mut child = self.command(case).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert_eq!(line, "ready\n");
        child
    }
}

fn killed_run_leaves_nothing(host: &Host) {
    let before = Traces::now(host);
    let mut child = host.start_lingering();
    child.kill().unwrap();
    child.wait().unwrap();
    before.comes_back(host);
}

fn terminated_run_ends(host: &Host) {
    let before = Traces::now(host);
    let mut child = host.start_lingering();
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM).unwrap();
    let begin = Instant::now();
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(143));
    assert!(
        begin.elapsed() < Duration::from_secs(2),
        "{:?}",
        begin.elapsed()
    );
    before.comes_back(host);
}

fn handler_is_given_time(host: &Host) {
    let mut child = host.start("polite");
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(5));
}

fn killed_inside_leaves_nothing(host: &Host) {
    let before = Traces::now(host);
    let mut child = host.start_lingering();
    let children = format!("/proc/{0}/task/{0}/children", child.id());
    let inside = fs::read_to_string(children)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    kill(Pid::from_raw(inside), Signal::SIGKILL).unwrap();
    let status = child.wait().unwrap();
    assert_eq!(
        (status.code(), status.signal()),
        (Some(137), None),
        "told as a shell tells it"
    );
    before.comes_back(host);
}

/// What a run could leave on the host.
#[derive(Debug, PartialEq, Eq)]
struct Traces {
    /// Those started from this host's folder, with their command lines.
    processes: BTreeSet<String>,
    mounts: BTreeSet<String>,
    interfaces: BTreeSet<String>,
    files: BTreeSet<PathBuf>,
}

impl Traces {
    fn now(host: &Host) -> Self {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        let temporary = names(&env::temp_dir())
            .into_iter()
            .chain(names(host.folder.path()));
        Self {
            processes: processes_of(host),
            mounts: mounts.lines().map(str::to_owned).collect(),
            interfaces: names(Path::new("/sys/class/net"))
                .into_iter()
                .map(|path| path.display().to_string())
                .collect(),
            files: temporary.chain(names(Path::new("/sys/bus"))).collect(),
        }
    }

    fn assert_same_as(&self, before: &Self) {
        assert_eq!(self.processes, before.processes, "processes");
        assert_eq!(self.mounts, before.mounts, "mounts");
        assert_eq!(self.interfaces, before.interfaces, "interfaces");
        // Other programs use the folder for temporary files too.
        let ours: Vec<_> = self
            .files
            .difference(&before.files)
            .filter(|it| is_ours(it))
            .collect();
        assert!(ours.is_empty(), "files: {ours:?}");
    }

    /// The kernel ends the processes of a namespace one by one; that takes a moment.
    fn comes_back(&self, host: &Host) {
        let deadline = Instant::now() + Duration::from_secs(5);
        while Self::now(host).processes != self.processes && Instant::now() < deadline {
            sleep(Duration::from_millis(10));
        }
        Self::now(host).assert_same_as(self);
    }
}

fn names(folder: &Path) -> BTreeSet<PathBuf> {
    fs::read_dir(folder)
        .unwrap()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect()
}

fn processes_of(host: &Host) -> BTreeSet<String> {
    let folder = host.folder.path();
    let all = names(Path::new("/proc")).into_iter().filter_map(|process| {
        let program = fs::read_link(process.join("exe")).ok()?;
        // In a pod, the same program has the path that it has there.
        let is_ours = program.starts_with(folder) || is_etcd_of(&process, folder);
        is_ours.then(|| format!("{} {}", process.display(), program.display()))
    });
    all.collect()
}

fn is_etcd_of(process: &Path, folder: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let inode = |path: &Path| {
        fs::metadata(path)
            .ok()
            .map(|about| (about.dev(), about.ino()))
    };
    let running = inode(&process.join("exe"));
    running.is_some() && running == inode(&folder.join("etcd"))
}

fn is_ours(path: &Path) -> bool {
    path.display().to_string().contains("scenario") || path.starts_with("/sys/bus")
}
