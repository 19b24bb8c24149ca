//! `scenarios soak`.
//!
//! Owns: a long life from its options to its exit code, and a report every so often.
//! Always holds: each report says how much memory this process has, so that what grows is seen; a
//! life that ends early says why.
//! Deliberately does not know: what happens in an episode.

use std::{fs, time::Duration};

use chaos::fault::Fault;
use serde_json::json;
use simulator::determinism::wall_time;

use super::{CommandFailed, fuzz::kinds};
use crate::{
    cli::{self, WorldKind},
    report::Verdict,
    runner::{
        Event,
        soak::{Soak, Sofar},
    },
    scenario::{
        Action, Cluster, EtcdVersion, Expectation, Instruction, Scenario, Span, Step, Traffic,
        Volumes,
    },
    show::{progress::Progress, seconds},
    worlds::{self, Entered, Ran, Request},
};

const DEFAULT_VERSION: EtcdVersion = EtcdVersion {
    major: 3,
    minor: 6,
    patch: 16,
};

pub(super) fn soak(options: &cli::Soak) -> Result<Verdict, CommandFailed> {
    check(options)?;
    let kinds = kinds(&options.only, &options.without)?;
    let entered = worlds::enter(options.world, options.etcd.as_deref(), &options.kube);
    let ground = match entered {
        Ok(Entered::Here(ground)) => ground,
        Ok(Entered::Elsewhere(code)) => return Err(CommandFailed::EndedElsewhere(code)),
        Err(error) => return Err(CommandFailed::Cannot(error.to_string())),
    };
    let only = ground
        .etcd_version()
        .map_err(|error| CommandFailed::Cannot(error.to_string()))?;
    let version = options.etcd_version.or(only).unwrap_or(DEFAULT_VERSION);
    let request = Request {
        scenario: beginning(options, version),
        seed: options.seed,
        keep_trace: false,
        planted: None,
        soak: Some(life(options, kinds)),
    };
    let mut diary = Diary::new(options);
    let ran = ground
        .run(&request, &mut |event| diary.hear(event))
        .map_err(|failed| CommandFailed::Cannot(failed.to_string()))?;
    Ok(diary.close(&ran))
}

fn life(options: &cli::Soak, kinds: Vec<Fault>) -> Soak {
    let hours = options.days * 24.0 + options.hours;
    Soak {
        lasting: Duration::from_secs_f64(hours.max(0.01) * 3600.0),
        episode: options.episode.duration(),
        kinds,
        seed: options.seed,
    }
}

/// A cluster with clients, as it is before the first episode.
fn beginning(options: &cli::Soak, version: EtcdVersion) -> Scenario {
    let mut instructions = vec![Instruction::Do(Action::Create)];
    instructions.extend(
        Span::from_millis(600_000)
            .map(|within| Instruction::Expect(Expectation::Members { count: 3, within })),
    );
    Scenario {
        story: vec!["A cluster that lives long.".to_owned()],
        cluster: Cluster {
            name: "demo".to_owned(),
            size: 3,
            version,
            volumes: Volumes::Deleted,
        },
        traffic: Some(Traffic {
            puts: options.puts,
            reads: options.reads,
            keys: 8,
        }),
        steps: vec![Step {
            title: "create".to_owned(),
            instructions,
        }],
        finally: vec![],
    }
}

/// Reports as time goes by.
struct Diary {
    json: bool,
    verbose: bool,
    every: Duration,
    next: Duration,
    began: Duration,
    last: Option<Sofar>,
    progress: Progress,
}

impl Diary {
    fn new(options: &cli::Soak) -> Self {
        let every = options.report_every.duration();
        Self {
            json: options.json,
            verbose: options.verbose,
            every,
            next: every,
            began: wall_time(),
            last: None,
            progress: Progress::on_stderr(),
        }
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::Turned(sofar) => {
                let due = sofar.at >= self.next;
                if due {
                    self.next = sofar.at + self.every;
                    self.write(&sofar, "report");
                }
                self.last = Some(sofar);
            }
            Event::Waiting { at, missing } => {
                self.progress.show(&format!("{}  {missing}", seconds(at)));
            }
            Event::Happened(moment) if self.verbose => {
                self.progress.clear();
                println!("{:>10}  {}", seconds(moment.at), moment.what);
            }
            _ => {}
        }
    }

    fn write(&mut self, sofar: &Sofar, what: &str) {
        self.progress.clear();
        let (wall, memory) = (wall_time() - self.began, resident_kib());
        let clients = &sofar.clients;
        if self.json {
            let line = json!({
                "what": what,
                "world_s": sofar.at.as_secs(),
                "wall_s": wall.as_secs_f64(),
                "episodes": sofar.episodes,
                "faults": sofar.faults,
                "clients": clients,
                "resident_kib": memory,
            });
            println!("{line}");
            return;
        }
        let memory = memory.map_or("? MiB".to_owned(), |kib| {
            format!("{:.1} MiB", kib as f64 / 1024.0)
        });
        println!(
            "{:>8} in the world, {:>8.0} s on the wall: {} episodes, {} faults, {} writes acknowledged, \
             {} unknown, {} reads, longest stall {:.1} s, memory {memory}",
            span(sofar.at),
            wall.as_secs_f64(),
            sofar.episodes,
            sofar.faults,
            clients.acknowledged,
            clients.unknown,
            clients.reads,
            clients.longest_stall_ms as f64 / 1000.0,
        );
    }

    fn close(mut self, ran: &Ran) -> Verdict {
        if let Some(last) = self.last.take() {
            self.write(&last, "end");
        }
        let outcome = &ran.outcome;
        if self.json {
            let line = json!({
                "what": "verdict",
                "verdict": outcome.verdict,
                "reason": outcome.reason,
                "situations": outcome.situations,
                "world_s": outcome.took.as_secs(),
            });
            println!("{line}");
            return outcome.verdict;
        }
        for violation in &outcome.violations {
            println!("violated: {violation}");
        }
        if let Some(reason) = &outcome.reason {
            println!("why: {reason}");
        }
        let verdict = outcome.verdict.to_string().to_uppercase();
        println!("{verdict}  {} in the world", span(outcome.took));
        outcome.verdict
    }
}

fn span(time: Duration) -> String {
    let minutes = time.as_secs() / 60;
    match minutes {
        0..=119 => format!("{minutes} min"),
        120..=2879 => format!("{:.1} h", minutes as f64 / 60.0),
        _ => format!("{:.1} d", minutes as f64 / 1440.0),
    }
}

/// Memory of this process that is in use; none where the system does not tell.
fn resident_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}

/// What options do not go together.
fn check(options: &cli::Soak) -> Result<(), CommandFailed> {
    let text = if options.etcd.is_some() && options.world != WorldKind::Process {
        "--etcd is the program that `--world process` runs; for other worlds say --etcd-version"
    } else if options.days == 0.0 && options.hours == 0.0 {
        "say how long: --days or --hours, on the world's clock"
    } else {
        return Ok(());
    };
    Err(CommandFailed::BadInput(format!("error: {text}")))
}
