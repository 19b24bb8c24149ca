//! `scenarios run`.
//!
//! Owns: from scenarios and seeds to reports.
//! Always holds: every scenario is read before the first one runs; each report carries the command
//! that gives it again; a panic in a run is a verdict, not the end of the program.
//! Deliberately does not know: worlds and outputs; it brings them together.

use std::{
    any::Any,
    collections::BTreeMap,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    time::Duration,
};

use simulator::determinism::wall_time;

use super::CommandFailed;
use crate::{
    cli::{Run, WorldKind},
    library::{self, Entry},
    report::{Report, StepReport, Subject, Verdict},
    reproduce,
    runner::{Event, Outcome},
    show::{
        Show, corpus,
        human::Human,
        json, junit,
        page::{chronicle::Chronicle, page},
    },
    worlds::{self, Entered, Ground, Ran, Request},
};

pub(super) fn run(options: &Run) -> Result<Verdict, CommandFailed> {
    let reports = reports(options)?;
    publish(options, &reports)
}

/// Writes the outputs for machines, and gives the worst verdict.
pub(super) fn publish(options: &Run, reports: &[Report]) -> Result<Verdict, CommandFailed> {
    if options.json {
        let document = json::document(reports).map_err(|error| {
            CommandFailed::Cannot(format!("error: failed to write the report: {error}"))
        })?;
        println!("{document}");
    }
    if let Some(path) = &options.junit {
        write("junit", path, &junit::report(reports))?;
    }
    Ok(reports
        .iter()
        .fold(Verdict::Pass, |worst, report| worst.worse(report.verdict)))
}

/// Runs everything that the options ask for.
pub(super) fn reports(options: &Run) -> Result<Vec<Report>, CommandFailed> {
    let entries = entries(options)?;
    check(options)?;
    let ground = match worlds::enter(options.world, options.etcd.as_deref(), &options.kube) {
        Ok(Entered::Here(ground)) => ground,
        Ok(Entered::Elsewhere(code)) => return Err(CommandFailed::EndedElsewhere(code)),
        Err(error) => return Err(CommandFailed::Cannot(error.to_string())),
    };
    let mut show: Box<dyn Show> = if options.json {
        Box::new(json::Quiet::default())
    } else {
        Box::new(Human::new(options.seeds > 1))
    };
    let mut reports = Vec::new();
    for entry in &entries {
        for seed in (options.seed..).take(usize::try_from(options.seeds).unwrap_or(usize::MAX)) {
            reports.push(one(options, &ground, entry, seed, &mut *show)?);
        }
    }
    if let (Some(path), Some(as_of)) = (&options.page, &options.as_of) {
        let scenarios = entries.iter().map(|entry| &entry.scenario);
        let runs: Vec<_> = reports.iter().zip(scenarios).collect();
        write("page", path, &corpus::page(&runs, as_of))?;
    }
    Ok(reports)
}

fn entries(options: &Run) -> Result<Vec<Entry>, CommandFailed> {
    let named = options.scenarios.iter();
    let found: Result<Vec<Entry>, _> = if options.all {
        library::all()
    } else {
        named.map(|argument| library::find(argument)).collect()
    };
    found.map_err(|error| CommandFailed::BadInput(error.to_string()))
}

/// What options do not go together.
fn check(options: &Run) -> Result<(), CommandFailed> {
    let process = options.world == WorldKind::Process;
    let kube = options.world == WorldKind::Kube;
    let text = if options.etcd.is_some() && !process {
        "--etcd is the program that `--world process` runs; for other worlds say --etcd-version"
    } else if options.etcd_version.is_some() && process {
        "--etcd-version is for other worlds; `--world process` runs the etcd that --etcd names"
    } else if options.page.is_some() && options.seeds > 1 {
        "--page is about one seed"
    } else if process && (options.seeds > 1 || options.all || options.scenarios.len() > 1) {
        "`--world process` runs one scenario at a time, once: real time is not told by a seed"
    } else if kube && options.trace.is_some() {
        "`--world kube` keeps no trace: the requests of a real cluster are not seen from outside"
    } else if !kube && !options.kube.words().is_empty() {
        let words = options.kube.words();
        return Err(CommandFailed::BadInput(format!(
            "error: {} is for `--world kube`",
            words[0]
        )));
    } else {
        return Ok(());
    };
    Err(CommandFailed::BadInput(format!("error: {text}")))
}

fn one(
    options: &Run,
    ground: &Ground,
    entry: &Entry,
    seed: u64,
    show: &mut dyn Show,
) -> Result<Report, CommandFailed> {
    let mut scenario = entry.scenario.clone();
    let only = ground
        .etcd_version()
        .map_err(|error| CommandFailed::Cannot(error.to_string()))?;
    if let Some(version) = options.etcd_version.or(only) {
        scenario.cluster.version = version;
    }
    let subject = subject(options, entry, seed, &scenario.cluster.version.to_string());
    show.begin(&subject, &scenario);
    let request = Request {
        scenario: scenario.clone(),
        seed,
        keep_trace: options.trace.is_some(),
        planted: None,
        soak: None,
    };
    let mut collected = Collected {
        steps: Vec::new(),
        step_began: Duration::ZERO,
        chronicle: Chronicle::default(),
    };
    let began = wall_time();
    let mut tell = |event: Event| show.event(&collected.add(event));
    let ran = catch_unwind(AssertUnwindSafe(|| ground.run(&request, &mut tell)));
    let wall = wall_time() - began;
    let ran = match ran {
        Ok(ran) => ran.map_err(|failed| CommandFailed::Cannot(failed.to_string()))?,
        Err(panic) => crashed(&*panic, &collected),
    };
    if let Some(path) = &options.trace {
        write("trace", path, &(ran.trace.join("\n") + "\n"))?;
    }
    let report = report(subject, ran, collected.steps, wall);
    if let Some(path) = &options.html {
        write(
            "html",
            path,
            &page(&report, &scenario, &collected.chronicle),
        )?;
    }
    show.end(&report);
    Ok(report)
}

/// Writes what an option asked for.
fn write(option: &str, path: &Path, text: &str) -> Result<(), CommandFailed> {
    fs::write(path, text).map_err(|error| {
        let path = path.display();
        CommandFailed::Cannot(format!("error: failed to write --{option} {path}: {error}"))
    })
}

/// Gathers step reports and puts wall times into them: a world's own clock may be virtual.
struct Collected {
    steps: Vec<StepReport>,
    step_began: Duration,
    chronicle: Chronicle,
}

impl Collected {
    fn add(&mut self, mut event: Event) -> Event {
        self.chronicle.hear(&event);
        match &mut event {
            Event::Began { .. } => self.step_began = wall_time(),
            Event::Ended(step) => {
                step.wall = wall_time() - self.step_began;
                self.steps.push(step.clone());
            }
            Event::Happened(_)
            | Event::Waiting { .. }
            | Event::Looked(_)
            | Event::Marked(_)
            | Event::Turned(_) => {}
        }
        event
    }
}

fn subject(options: &Run, entry: &Entry, seed: u64, etcd_version: &str) -> Subject {
    let mut words: Vec<String> = ["scenarios", "run", &entry.name].map(str::to_owned).into();
    let mut option = |name: &str, value: String| words.extend([name.to_owned(), value]);
    option("--world", options.world.name().to_owned());
    option("--seed", seed.to_string());
    if let Some(version) = options.etcd_version {
        option("--etcd-version", version.to_string());
    }
    if let Some(path) = &options.etcd {
        option("--etcd", path.display().to_string());
    }
    words.extend(options.kube.words());
    Subject {
        scenario: entry.name.clone(),
        world: options.world.name().to_owned(),
        seed,
        etcd_version: etcd_version.to_owned(),
        reproduce: reproduce::join(&words),
    }
}

fn crashed(panic: &(dyn Any + Send), collected: &Collected) -> Ran {
    let message = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    let outcome = Outcome {
        verdict: Verdict::Crash,
        reason: Some(format!("panic: {message}")),
        traffic: None,
        violations: Vec::new(),
        situations: BTreeMap::new(),
        lives: BTreeMap::new(),
        took: collected
            .steps
            .last()
            .map_or(Duration::ZERO, |step| step.began + step.took),
    };
    Ran {
        outcome,
        trace_hash: None,
        trace: Vec::new(),
        effort: None,
    }
}

fn report(subject: Subject, ran: Ran, steps: Vec<StepReport>, wall: Duration) -> Report {
    let Outcome {
        verdict,
        reason,
        traffic,
        violations,
        took,
        ..
    } = ran.outcome;
    let trace_hash = ran.trace_hash.map(|hash| format!("{hash:016x}"));
    Report {
        subject,
        verdict,
        reason,
        steps,
        traffic,
        violations,
        took,
        wall,
        trace_hash,
        effort: ran.effort,
    }
}
