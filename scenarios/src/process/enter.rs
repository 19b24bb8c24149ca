//! The way into a run's own namespaces, and the watch over who went in.
//!
//! Owns: making the namespaces, starting this same command again inside them, passing on its
//! signals and its exit code.
//! Always holds: nothing that runs inside outlives this process, however it ends: the kernel kills
//! the first process inside when this one dies, and with it everything else in there.
//! Deliberately does not know: what the command does, what the inside looks like.

use std::{
    env, fs, io,
    os::unix::process::{CommandExt, ExitStatusExt},
    process::{Child, Command, ExitCode, ExitStatus},
};

use nix::{
    errno::Errno,
    sched::{CloneFlags, unshare},
    sys::signal::{SigSet, Signal, kill},
    unistd::{Pid, alarm, getegid, geteuid},
};

use super::{
    enclosure::{Enclosure, SUPERVISOR},
    permission::CannotEnter,
};

/// How long the command may take to end after it was asked to; then it is killed.
const GRACE_SECONDS: u32 = 3;

const FORWARDED: [Signal; 4] = [
    Signal::SIGINT,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGQUIT,
];

/// Which of the two processes this one turned out to be.
pub enum Side {
    /// The command proper, in namespaces of its own.
    Inside(Enclosure),
    /// The one that was called. The command has run inside and ended; nothing is left to do.
    Outside(ExitCode),
}

/// Takes the command into namespaces of its own: network, mounts, processes, and users unless it
/// runs as root. The command is started once more inside, with the same arguments.
///
/// Call it first thing in `main`: a process with threads may not make a user namespace.
///
/// # Errors
/// When the system does not let this user have namespaces; the text says what to do.
pub fn enter() -> Result<Side, CannotEnter> {
    if let Some(enclosure) = Enclosure::adopt()? {
        return Ok(Side::Inside(enclosure));
    }
    leave_the_host()?;
    supervise()
        .map(Side::Outside)
        .map_err(|source| CannotEnter::Start { source })
}

/// Makes the namespaces. Only children of this process will be in the process namespace.
fn leave_the_host() -> Result<(), CannotEnter> {
    let ours = CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS;
    if geteuid().is_root() {
        match unshare(ours) {
            // Root without the capability, as in most containers, may do what a user may do.
            Err(Errno::EPERM) => {}
            done => return done.map_err(CannotEnter::namespaces),
        }
    }
    let (user, group) = (geteuid(), getegid());
    unshare(ours | CloneFlags::CLONE_NEWUSER).map_err(CannotEnter::namespaces)?;
    // Without this line the kernel does not let an ordinary user write the group map.
    fs::write("/proc/self/setgroups", "deny")
        .and_then(|()| fs::write("/proc/self/uid_map", format!("0 {user} 1")))
        .and_then(|()| fs::write("/proc/self/gid_map", format!("0 {group} 1")))
        .map_err(|source| CannotEnter::step("become root of the new user namespace", source))
}

/// Runs this same command inside and stays until it has ended.
fn supervise() -> io::Result<ExitCode> {
    let mut awaited: SigSet = FORWARDED.into_iter().collect();
    awaited.add(Signal::SIGCHLD);
    awaited.add(Signal::SIGALRM);
    // Blocked, signals wait in line; a forwarded one must not end this process first.
    awaited.thread_block()?;
    let mut child = start_inside()?;
    let command = Pid::from_raw(child.id().cast_signed());
    let mut asked_to_end = false;
    loop {
        let signal = awaited.wait()?;
        if let Some(status) = child.try_wait()? {
            return Ok(exit_code(status));
        }
        match signal {
            Signal::SIGCHLD => {}
            // Who calls twice means it; and the first process of a namespace ignores every
            // signal that it has no handler for.
            _ if asked_to_end => kill(command, Signal::SIGKILL)?,
            signal => {
                kill(command, signal)?;
                asked_to_end = true;
                // No thread could sleep instead: there can be none after a process namespace was made.
                alarm::set(GRACE_SECONDS);
            }
        }
    }
}

fn start_inside() -> io::Result<Child> {
    let mut arguments = env::args_os();
    let name = arguments.next().unwrap_or_default();
    Command::new("/proc/self/exe")
        .arg0(name)
        .args(arguments)
        .env(SUPERVISOR, std::process::id().to_string())
        .spawn()
}

/// As a shell tells it: 128 and the signal for a process that was killed.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX))
}
