//! Real etcd processes as pods: what must work, and what must be gone afterwards.
//!
//! Owns: running each case as a command of its own, as root and as an ordinary user.
//! Always holds: a case that did not run says so; without etcd nothing is reported as passed.
//! Deliberately does not know: scenarios, the operator.
//!
//! `cargo test --test process [PART OF A NAME]`; the cases are in `inside.rs` and `outside.rs`.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod cluster;
mod inside;
mod outside;

use std::{env, path::Path, process::ExitCode};

use scenarios::process::{EtcdBinary, NoEtcd, Side, enter};

/// First argument of the command that a case runs as.
const CASE: &str = "case";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [first, name] = arguments.as_slice()
        && first == CASE
    {
        return run_case(name);
    }
    if arguments.iter().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
    }
    let filter = arguments.iter().find(|argument| !argument.starts_with('-'));
    let etcds = match etcds() {
        Ok(etcds) => etcds,
        Err(NoEtcd::NotFound) => {
            println!("real arm skipped: no etcd\n{}", NoEtcd::NotFound);
            return ExitCode::SUCCESS;
        }
        Err(reason) => {
            println!("{reason}");
            return ExitCode::FAILURE;
        }
    };
    outside::run(&etcds, filter.map_or("", String::as_str))
}

/// The etcd of this machine, and one of another version if `ETCD_BIN_3_6` names it.
fn etcds() -> Result<Vec<EtcdBinary>, NoEtcd> {
    let mut etcds = vec![EtcdBinary::find(None)?];
    if let Some(second) = env::var_os("ETCD_BIN_3_6") {
        etcds.push(EtcdBinary::find(Some(Path::new(&second)))?);
    }
    Ok(etcds)
}

fn run_case(name: &str) -> ExitCode {
    let enclosure = match enter() {
        Ok(Side::Inside(enclosure)) => enclosure,
        Ok(Side::Outside(code)) => return code,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(inside::run(name, &enclosure));
    ExitCode::SUCCESS
}
