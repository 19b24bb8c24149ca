//! Real etcd processes as pods: what must work, and what must be gone afterwards.
//!
//! Owns: running each case as a command of its own, as root and as an ordinary user.
//! Always holds: a case that did not run says so; without etcd nothing is reported as passed.
//! Deliberately does not know: scenarios, the operator.
//!
//! `cargo test --test process [PART OF A NAME]`; the cases are in `inside.rs` and `outside.rs`.

#![cfg(target_os = "linux")]

mod cluster;
mod inside;
mod outside;

use std::{
    env,
    process::{ExitCode, Termination},
};

use scenarios::process::{EtcdBinary, Side, enter};

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
    match EtcdBinary::find(None) {
        Ok(etcd) => outside::run(&etcd, filter.map_or("", String::as_str)),
        Err(reason) => {
            println!("real arm skipped: no etcd\n{reason}");
            ExitCode::SUCCESS
        }
    }
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
    runtime
        .expect("an async runtime starts")
        .block_on(inside::run(name, &enclosure))
        .report()
}
