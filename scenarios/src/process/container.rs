//! One process in a pod's namespaces: started, watched, signalled.
//!
//! Owns: the process, the last lines it printed.
//! Always holds: it is the first process of its own process namespace, as in a real container
//! (etcd ends differently there); its number is never used after the process was reaped.
//! Deliberately does not know: why it is started, what its exit means.

use std::{
    collections::{BTreeMap, VecDeque},
    fs::{self, File},
    io::{self, BufRead, BufReader, PipeReader},
    os::{fd::OwnedFd, unix::process::ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, setns, unshare},
    sys::{
        signal::{Signal, kill},
        wait::{Id, WaitPidFlag, waitid},
    },
    unistd::{Pid, chdir, chroot, sethostname},
};

use super::image::{self, below};

/// Lines of output that are kept.
const LOG_LINES_MAX: usize = 10_000;

/// A file or folder of the host shown in the container.
#[derive(Debug)]
pub(super) struct Bind {
    pub(super) source: PathBuf,
    /// Absolute path in the container.
    pub(super) target: String,
    pub(super) read_only: bool,
}

/// Everything that a process needs to be started.
#[derive(Debug)]
pub(super) struct Launch {
    pub(super) network: OwnedFd,
    pub(super) hostname: String,
    /// The container's root folder, with the image's files in it.
    pub(super) root: PathBuf,
    /// In order: parents before what is mounted inside them.
    pub(super) binds: Vec<Bind>,
    pub(super) argv: Vec<String>,
    pub(super) env: BTreeMap<String, String>,
}

/// A started process. Dropping it does not end the process.
#[derive(Clone, Debug)]
pub(super) struct Process(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// While it has not been reaped.
    pid: Option<Pid>,
    lines: VecDeque<String>,
}

impl Launch {
    /// Starts the process. `on_line` is called with each line that it prints; `on_exit` is called
    /// once, after that, with its exit code, 128 + signal when killed.
    pub(super) fn start(
        self,
        on_line: impl Fn(&str) + Send + 'static,
        on_exit: impl FnOnce(i32) + Send + 'static,
    ) -> io::Result<Process> {
        let (output, input) = io::pipe()?;
        let nothing = File::open("/dev/null")?;
        let command =
            move || self.spawn_inside(nothing.into(), input.try_clone()?.into(), input.into());
        // The namespaces of a thread are those of its children. This thread's only purpose is to
        // have them; it ends as soon as the process is there.
        let started = thread::Builder::new()
            .name("container".into())
            .spawn(command)?;
        let child = started
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        let pid = Pid::from_raw(child.id().cast_signed());
        let process = Process(Arc::new(Mutex::new(State {
            pid: Some(pid),
            lines: VecDeque::new(),
        })));
        process.watch(child, pid, (output, on_line), on_exit)?;
        Ok(process)
    }

    fn spawn_inside(self, stdin: Stdio, stdout: Stdio, stderr: Stdio) -> io::Result<Child> {
        setns(&self.network, CloneFlags::CLONE_NEWNET)?;
        unshare(
            CloneFlags::CLONE_NEWNS
                | CloneFlags::CLONE_NEWPID
                | CloneFlags::CLONE_NEWUTS
                | CloneFlags::CLONE_NEWIPC,
        )?;
        sethostname(&self.hostname)?;
        for bind in &self.binds {
            bind.mount_below(&self.root)?;
        }
        chroot(&self.root)?;
        chdir(image::WORKING_FOLDER)?;
        let (name, arguments) = self.argv.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let search = self.env.get("PATH").map_or("", String::as_str);
        Command::new(program(name, search)?)
            .args(arguments)
            .env_clear()
            .envs(&self.env)
            .stdin(stdin)
            .stdout(stdout)
            .stderr(stderr)
            .spawn()
    }
}

impl Bind {
    fn mount_below(&self, root: &Path) -> io::Result<()> {
        let target = below(root, &self.target);
        if self.source.is_dir() {
            fs::create_dir_all(&target)?;
        }
        let change = |flags| {
            mount(
                Some(&self.source),
                &target,
                None::<&str>,
                flags,
                None::<&str>,
            )
        };
        change(MsFlags::MS_BIND)?;
        if self.read_only {
            change(MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY)?;
        }
        Ok(())
    }
}

/// Where a program is, looked for and missed as a container runtime does.
fn program(name: &str, search: &str) -> io::Result<PathBuf> {
    let (mut places, missing): (Vec<_>, _) = if name.contains('/') {
        (
            vec![PathBuf::from(name)],
            format!("stat {name}: no such file or directory"),
        )
    } else {
        let places = search.split(':').map(|folder| Path::new(folder).join(name));
        (
            places.collect(),
            "executable file not found in $PATH".to_owned(),
        )
    };
    places.retain(|place| place.is_file());
    places.into_iter().next().ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::NotFound,
            format!("exec: \"{name}\": {missing}"),
        )
    })
}

impl Process {
    /// Sends a signal, if the process has not ended yet.
    pub(super) fn signal(&self, signal: Signal) {
        if let Some(pid) = self.state().pid {
            // It may be a zombie already; that is not worth a word.
            let _ = kill(pid, signal);
        }
    }

    /// Stops the process where it is. A signal takes effect in its own time, so this returns when
    /// every thread has stopped, or the process has ended.
    pub(super) fn freeze(&self) {
        let Some(pid) = self.state().pid else { return };
        if kill(pid, Signal::SIGSTOP).is_ok() {
            let states = WaitPidFlag::WSTOPPED | WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
            let _ = waitid(Id::Pid(pid), states);
        }
    }

    pub(super) fn is_running(&self) -> bool {
        self.state().pid.is_some()
    }

    /// The last lines of output, oldest first.
    pub(super) fn lines(&self) -> Vec<String> {
        self.state().lines.iter().cloned().collect()
    }

    fn watch(
        &self,
        child: Child,
        pid: Pid,
        (output, on_line): (PipeReader, impl Fn(&str) + Send + 'static),
        on_exit: impl FnOnce(i32) + Send + 'static,
    ) -> io::Result<()> {
        let log = self.clone();
        let reader = thread::Builder::new()
            .name("log".into())
            .spawn(move || log.collect(output, on_line))?;
        let process = self.clone();
        thread::Builder::new().name("wait".into()).spawn(move || {
            let code = process.reap(child, pid);
            let _ = reader.join();
            on_exit(code);
        })?;
        Ok(())
    }

    fn collect(&self, output: PipeReader, on_line: impl Fn(&str)) {
        for line in BufReader::new(output).split(b'\n') {
            let Ok(line) = line else { return };
            let line = String::from_utf8_lossy(&line).into_owned();
            on_line(&line);
            let mut state = self.state();
            if state.lines.len() == LOG_LINES_MAX {
                state.lines.pop_front();
            }
            state.lines.push_back(line);
        }
    }

    /// Waits for the end. The number is forgotten before the kernel may give it to another process.
    fn reap(&self, mut child: Child, pid: Pid) -> i32 {
        while waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT).is_err() {}
        self.state().pid = None;
        let status = child.wait().ok();
        let of_signal = |status: std::process::ExitStatus| status.signal().map(|it| 128 + it);
        status
            .and_then(|status| status.code().or_else(|| of_signal(status)))
            .unwrap_or(255)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
