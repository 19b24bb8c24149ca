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
    thread,
    time::Duration,
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
    alone(|| unshare(ours | CloneFlags::CLONE_NEWUSER)).map_err(CannotEnter::namespaces)?;
    // Without this line the kernel does not let an ordinary user write the group map.
    fs::write("/proc/self/setgroups", "deny")
        .and_then(|()| fs::write("/proc/self/uid_map", format!("0 {user} 1")))
        .and_then(|()| fs::write("/proc/self/gid_map", format!("0 {group} 1")))
        .map_err(|source| CannotEnter::step("become root of the new user namespace", source))
}

/// Tries until this process has no other thread. One that was joined may still be on its way out.
fn alone(attempt: impl Fn() -> nix::Result<()>) -> nix::Result<()> {
    for _ in 0..100 {
        match attempt() {
            Err(Errno::EINVAL) => thread::sleep(Duration::from_millis(1)),
            done => return done,
        }
    }
    attempt()
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
    let mut asked_to_end = None;
    loop {
        let signal = awaited.wait()?;
        if let Some(status) = child.try_wait()? {
            return Ok(exit_code(status, asked_to_end));
        }
        match signal {
            Signal::SIGCHLD => {}
            // Who calls twice means it.
            _ if asked_to_end.is_some() => kill(command, Signal::SIGKILL)?,
            signal => {
                asked_to_end = Some(signal);
                end(command, signal)?;
            }
        }
    }
}

/// Lets the command end in its own way if it has one, within a time limit. As the first process of
/// its namespace it would not even notice a signal that it has no handler for.
fn end(command: Pid, signal: Signal) -> nix::Result<()> {
    if !handles(command, signal) {
        return kill(command, Signal::SIGKILL);
    }
    // No thread could sleep instead: there can be none after a process namespace was made.
    alarm::set(GRACE_SECONDS);
    kill(command, signal)
}

fn handles(process: Pid, signal: Signal) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    caught(&status).is_some_and(|mask| mask >> (signal as i32 - 1) & 1 == 1)
}

/// The signals that a process has handlers for, one bit each.
fn caught(status: &str) -> Option<u64> {
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigCgt:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
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

/// As a shell tells it: 128 and the signal for a process that a signal ended, which is the one
/// that was asked for even when it took more to end it.
fn exit_code(status: ExitStatus, asked_to_end: Option<Signal>) -> ExitCode {
    let killed = status
        .signal()
        .map(|signal| asked_to_end.map_or(signal, |asked| asked as i32));
    let code = status.code().or(killed.map(|signal| 128 + signal));
    ExitCode::from(
        code.and_then(|code| u8::try_from(code).ok())
            .unwrap_or(u8::MAX),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handled_signals_are_read_from_the_process_status() {
        let status = "Name:\tx\nSigIgn:\t0000000000001000\nSigCgt:\t0000000000004002\n";
        assert_eq!(caught(status), Some(1 << (15 - 1) | 1 << (2 - 1)));
        assert_eq!(caught("Name:\tx\n"), None);
    }

    #[test]
    fn a_command_that_had_to_be_killed_ended_by_the_signal_it_was_asked_with() {
        let shown = |status, asked| format!("{:?}", exit_code(ExitStatus::from_raw(status), asked));
        let code = |code: u8| format!("{:?}", ExitCode::from(code));
        assert_eq!(shown(9, Some(Signal::SIGTERM)), code(143));
        assert_eq!(shown(9, None), code(137));
        assert_eq!(shown(7 << 8, Some(Signal::SIGTERM)), code(7));
    }
}
