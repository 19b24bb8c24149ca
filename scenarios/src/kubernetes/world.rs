//! A run on a real cluster, from moving in to leaving.
//!
//! Owns: the order in which the parts are made and taken down.
//! Always holds: what was made is taken down and what was broken is mended however the run ends:
//! passed, failed, panicked or interrupted.
//! Deliberately does not know: what a scenario does.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, resume_unwind},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::FutureExt;
use jiff::Timestamp;
use simulator::clock::Clock;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::sleep,
};

use super::{
    KubeOptions,
    commands::Commands,
    connection::Connection,
    faults::Faults,
    home::Home,
    operator::Operator,
    reach::{Reach, Way},
    sampler::Sampler,
    visitor::Visitor,
};
use crate::{
    report::{Moment, Verdict},
    runner::{self, Event, Outcome},
    scenario::Scenario,
    user::User,
    worlds::{CannotBegin, Ran, Request, Tell},
};

/// Time that an interrupted run has to end by itself; it may hang on an API server that is frozen.
const ENDING: Duration = Duration::from_secs(10);

/// Runs a scenario on a real cluster.
///
/// # Errors
/// When there is no cluster to run it on.
pub fn run(
    options: &KubeOptions,
    commands: &Commands,
    request: &Request,
    tell: Tell<'_>,
) -> Result<Ran, CannotBegin> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| CannotBegin(format!("failed to start the world: {error}")))?;
    let ran = runtime.block_on(visit(options, commands, request, tell));
    // Watches that wait for an API server that does not answer are of no interest any more.
    runtime.shutdown_background();
    ran
}

async fn visit(
    options: &KubeOptions,
    commands: &Commands,
    request: &Request,
    tell: Tell<'_>,
) -> Result<Ran, CannotBegin> {
    let scenario = &request.scenario;
    // Before anything is made, so that a signal during the start is not lost.
    let mut signals = Signals::listen()?;
    let connection = Connection::open(options).await?;
    let home = Home::enter(&connection.kube, options.namespace.as_deref()).await?;
    let settled = tokio::select! {
        settled = settle(options, commands, &connection, &home, scenario) => settled,
        () = signals.next() => Err(CannotBegin("the run was interrupted".to_owned())),
    };
    let (lived, unmended) = match settled {
        Ok(visitor) => {
            let living =
                AssertUnwindSafe(live(options, &connection, &home, &visitor, tell, request));
            let lived = tokio::select! {
                lived = living.catch_unwind() => lived,
                () = interruption(&mut signals, &visitor.interrupted) => Ok(Ok(interrupted_run())),
            };
            (lived, visitor.faults.heal_all().await)
        }
        Err(cannot) => (Ok(Err(cannot)), Vec::new()),
    };
    for why in unmended {
        eprintln!("{why}");
    }
    let passed = matches!(&lived, Ok(Ok(ran)) if ran.outcome.verdict == Verdict::Pass);
    if options.keep && !passed {
        eprintln!("kept as it is: namespace {}", home.name);
    } else {
        let left = tokio::select! {
            left = home.leave(&scenario.cluster.name) => left,
            () = signals.next() => Err(format!("left as it is: namespace {}", home.name)),
        };
        if let Err(why) = left {
            eprintln!("{why}");
        }
    }
    lived.unwrap_or_else(|panic| resume_unwind(panic))
}

/// Makes all that a run needs in its namespace.
async fn settle(
    options: &KubeOptions,
    commands: &Commands,
    connection: &Connection,
    home: &Home,
    scenario: &Scenario,
) -> Result<Arc<Visitor>, CannotBegin> {
    let clock = Clock::starting_at(Timestamp::now());
    let (kube, namespace) = (connection.kube.clone(), home.name.as_str());
    let reach = Arc::new(Reach::start(connection, namespace, options.reach));
    let operator = Operator::choose(&options.operator, connection, namespace, &reach).await?;
    let operator = Arc::new(operator);
    let faults = Faults::new(
        (kube.clone(), namespace),
        commands.clone(),
        Arc::clone(&operator),
        Arc::clone(&reach),
    );
    Ok(Arc::new(Visitor {
        sampler: Sampler::start(kube.clone(), namespace, &scenario.cluster.name, clock),
        kube,
        reach,
        operator,
        faults,
        clock,
        tasks: Mutex::default(),
        interrupted: Arc::default(),
    }))
}

async fn live(
    options: &KubeOptions,
    connection: &Connection,
    home: &Home,
    visitor: &Arc<Visitor>,
    tell: Tell<'_>,
    request: &Request,
) -> Result<Ran, CannotBegin> {
    let say = |tell: Tell<'_>, what: String| {
        let at = visitor.clock.elapsed();
        tell(Event::Happened(Moment { at, what }));
    };
    let (server, operator) = (&connection.config.cluster_url, visitor.operator.describe());
    say(
        tell,
        format!("{server}, namespace {}; {operator}", home.name),
    );
    let user = User::new(visitor.clone(), &home.name)
        .await
        .map_err(|failed| CannotBegin(failed.to_string()))?
        .with_image(options.image.clone());
    let outcome = runner::run_on(&user, &request.scenario, request.soak.as_ref(), tell).await;
    say(tell, seen(visitor));
    Ok(Ran {
        outcome,
        trace_hash: None,
        trace: Vec::new(),
        effort: None,
    })
}

/// What was seen of the status, and from where.
fn seen(visitor: &Visitor) -> String {
    let found = visitor.sampler.found();
    let way = match visitor.reach.way() {
        Some(Way::Direct) => "by their addresses",
        Some(Way::Forward) => "through kubectl port-forward",
        None => "at no time",
    };
    format!(
        "status sampled {} times ({} without an answer): READY was above the pods that ran for {} \
         ms at most; pods were reached {way}",
        found.samples,
        found.unanswered,
        found.longest_false.as_millis(),
    )
}

fn interrupted_run() -> Ran {
    let outcome = Outcome {
        verdict: Verdict::Crash,
        reason: Some("the run was interrupted".to_owned()),
        traffic: None,
        violations: Vec::new(),
        situations: BTreeMap::new(),
        lives: BTreeMap::new(),
        took: Duration::ZERO,
    };
    Ran {
        outcome,
        trace_hash: None,
        trace: Vec::new(),
        effort: None,
    }
}

/// Asks the run to end on a signal; completes when it had its time, or on a second signal.
async fn interruption(signals: &mut Signals, flag: &AtomicBool) {
    signals.next().await;
    flag.store(true, Ordering::Relaxed);
    tokio::select! {
        () = sleep(ENDING) => {}
        () = signals.next() => {}
    }
}

/// Ctrl-C and SIGTERM.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> Result<Self, CannotBegin> {
        let listen = |kind| {
            signal(kind)
                .map_err(|error| CannotBegin(format!("failed to wait for signals: {error}")))
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
