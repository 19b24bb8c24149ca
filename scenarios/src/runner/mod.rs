//! Takes a scenario through a world.
//!
//! Owns: the order of things: act, look until it is as expected, judge every look.
//! Always holds: whatever a step waits for, every look is judged by every invariant; a run ends
//! with a verdict.
//! Deliberately does not know: which world it is, and how its report is shown.

mod expect;
pub mod glance;
pub mod soak;
mod striking;
mod timeline;

use std::{collections::BTreeMap, time::Duration};

use chaos::{
    Observation, Violation,
    history::{History, Summary},
    invariants::Watch,
    traffic::{Rates, Traffic},
};

use simulator::kubernetes::api::Lives;

use crate::{
    report::{Moment, StepReport, Verdict},
    scenario::{Action, Instruction, Scenario, Step},
    world::{Calls, World, WorldFailed},
};

use self::{
    glance::Glance,
    soak::{Soak, Sofar},
};

/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What a run tells while it goes.
#[derive(Clone, Debug)]
pub enum Event {
    /// A step begins.
    Began {
        /// Its index.
        index: usize,
        /// Its title.
        title: String,
    },
    /// Something happened.
    Happened(Moment),
    /// The run waits, and this is still missing.
    Waiting {
        /// When, since the world began.
        at: Duration,
        /// What is missing.
        missing: String,
    },
    /// The cluster was looked at.
    Looked(Box<Glance>),
    /// Somebody did something, or something must never happen and did.
    Marked(Mark),
    /// A step came to its end.
    Ended(StepReport),
    /// An episode of a soak came to its end.
    Turned(Sofar),
}

/// A moment that a picture of the run shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// When, since the world began.
    pub at: Duration,
    /// What it is about.
    pub about: About,
    /// What, in words.
    pub what: String,
    /// The pod that it is about, if any.
    pub whom: Option<String>,
}

/// What a mark is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// The user did something.
    User,
    /// A fault began that lasts.
    FaultBegins,
    /// A fault is over.
    FaultEnds,
    /// A fault that does not last.
    Fault,
    /// A rule was broken.
    Violation,
}

/// What the runner found; the rest of a report is known to whoever started the run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How it ended.
    pub verdict: Verdict,
    /// Why, when it did not pass.
    pub reason: Option<String>,
    /// What clients did.
    pub traffic: Option<Summary>,
    /// What must never happen, and did.
    pub violations: Vec<Violation>,
    /// How often which kind of fault hit in which situation.
    pub situations: BTreeMap<String, u64>,
    /// How often each object was created and deleted; empty where nobody counts.
    pub lives: BTreeMap<String, Lives>,
    /// Time in the world.
    pub took: Duration,
}

/// Why a run stopped early.
#[derive(Debug)]
struct Stopped {
    verdict: Verdict,
    reason: String,
}

impl From<WorldFailed> for Stopped {
    fn from(failed: WorldFailed) -> Self {
        Self {
            verdict: Verdict::Crash,
            reason: failed.to_string(),
        }
    }
}

/// Runs the scenario; `tell` hears of everything at once.
pub async fn run<W: World>(world: &W, scenario: &Scenario, tell: &mut dyn FnMut(Event)) -> Outcome {
    run_on(world, scenario, None, tell).await
}

/// Runs the scenario, and then what a soak makes of its cluster, if there is one.
pub async fn run_on<W: World>(
    world: &W,
    scenario: &Scenario,
    soak: Option<&Soak>,
    tell: &mut dyn FnMut(Event),
) -> Outcome {
    let mut run = Run {
        world,
        scenario,
        tell,
        watch: Watch::default(),
        traffic: None,
        settled_history: Vec::new(),
        summary: Summary::default(),
        last: None,
        timeline: Vec::new(),
        faults: striking::Faults::default(),
        step_began: Duration::ZERO,
        situations: BTreeMap::new(),
        glanced: Calls::default(),
        leaves_out_what_cannot_be_done: soak.is_some(),
    };
    let longest = soak.map_or(longest(scenario), |soak| {
        soak.lasting * 2 + longest(scenario)
    });
    let living = async {
        match soak {
            None => run.all().await,
            Some(soak) => run.soak(soak).await,
        }
    };
    let ended = tokio::select! {
        biased;
        ended = living => ended,
        () = world.pass(longest) => Err(stuck(longest)),
    };
    run.conclude(ended).await
}

/// Time that a run may take on the world's clock: all that its file gives to anything, and plenty
/// for what a world does in between.
fn longest(scenario: &Scenario) -> Duration {
    const PLENTY: Duration = Duration::from_secs(30 * 60);
    let told = scenario.steps.iter().flat_map(|step| &step.instructions);
    let spans = told.map(|instruction| match instruction {
        Instruction::Do(Action::Wait(span)) => span.duration(),
        Instruction::Do(_) => Duration::ZERO,
        Instruction::Expect(expectation) => expectation.longest(),
    });
    spans.sum::<Duration>() * 2 + PLENTY
}

fn stuck(after: Duration) -> Stopped {
    let minutes = after.as_secs() / 60;
    Stopped {
        verdict: Verdict::Crash,
        reason: format!("the run was stuck: it had not ended after {minutes} minutes"),
    }
}

struct Run<'a, W> {
    world: &'a W,
    scenario: &'a Scenario,
    tell: &'a mut dyn FnMut(Event),
    watch: Watch,
    traffic: Option<Traffic>,
    /// Violations found in the histories of clients that have stopped.
    settled_history: Vec<Violation>,
    summary: Summary,
    last: Option<Observation>,
    timeline: Vec<Moment>,
    faults: striking::Faults,
    step_began: Duration,
    situations: BTreeMap<String, u64>,
    /// What the operator had called by the last look.
    glanced: Calls,
    /// Made-up faults need not be possible in every world; those of a file do.
    leaves_out_what_cannot_be_done: bool,
}

impl<W: World> Run<'_, W> {
    async fn all(&mut self) -> Result<(), Stopped> {
        for (index, step) in self.scenario.steps.iter().enumerate() {
            self.one(index, step).await?;
        }
        for expectation in &self.scenario.finally {
            self.expect(expectation).await?;
        }
        Ok(())
    }

    /// One step with its report.
    async fn one(&mut self, index: usize, step: &Step) -> Result<(), Stopped> {
        (self.tell)(Event::Began {
            index,
            title: step.title.clone(),
        });
        let (began, calls) = (self.world.elapsed(), self.world.calls());
        self.step_began = began;
        let result = self.step(step).await;
        let report = StepReport {
            title: step.title.clone(),
            began,
            took: self.world.elapsed() - began,
            wall: Duration::ZERO,
            calls: self
                .world
                .calls()
                .map(|now| now.since(&calls.unwrap_or_default())),
            timeline: std::mem::take(&mut self.timeline),
            failed: result.as_ref().err().map(|stopped| stopped.reason.clone()),
        };
        (self.tell)(Event::Ended(report));
        result
    }

    async fn step(&mut self, step: &Step) -> Result<(), Stopped> {
        for instruction in &step.instructions {
            match instruction {
                Instruction::Do(action) => self.act(*action).await?,
                Instruction::Expect(expectation) => self.expect(expectation).await?,
            }
        }
        Ok(())
    }

    async fn act(&mut self, action: Action) -> Result<(), Stopped> {
        match action {
            Action::Strike(strike) => return self.strike(strike).await,
            Action::Heal => return self.heal().await,
            _ => {}
        }
        self.note(format!("user: {action}"));
        if !matches!(action, Action::Wait(_)) {
            self.mark(About::User, action.to_string(), None);
        }
        match action {
            Action::Wait(span) => {
                let end = self.world.elapsed() + span.duration();
                while self.world.elapsed() < end {
                    self.pass(end - self.world.elapsed()).await?;
                    self.look().await?;
                }
                return Ok(());
            }
            Action::Delete => self.stop_traffic().await,
            _ => {}
        }
        self.world.act(&self.scenario.cluster, action).await?;
        if action == Action::Create {
            self.start_traffic(0);
        }
        Ok(())
    }

    /// Starts clients with a history of their own, if the scenario has any.
    fn start_traffic(&mut self, history: u32) {
        self.traffic = self.scenario.traffic.map(|traffic| {
            self.world.start_traffic(Rates {
                puts: traffic.puts,
                reads: traffic.reads,
                keys: traffic.keys,
                history,
            })
        });
    }

    /// Looks once, and judges what is seen.
    async fn look(&mut self) -> Result<(), Stopped> {
        if let Some(reason) = self.world.crashed() {
            return Err(Stopped {
                verdict: Verdict::Crash,
                reason,
            });
        }
        let look = self.world.look(&self.scenario.cluster).await?;
        for what in timeline::changes(self.last.as_ref(), &look) {
            self.note_at(look.at, what);
        }
        let calls = self.world.calls();
        let made = calls.as_ref().map(|now| now.since(&self.glanced));
        let glance = Glance::of(&look, made.as_ref());
        self.glanced = calls.unwrap_or_default();
        (self.tell)(Event::Looked(Box::new(glance)));
        for violation in self.watch.judge(&look) {
            self.mark(About::Violation, violation.invariant.to_owned(), None);
            self.note_at(
                look.at,
                format!("VIOLATION {}: {}", violation.invariant, violation.evidence),
            );
        }
        self.last = Some(look);
        Ok(())
    }

    fn mark(&mut self, about: About, what: String, whom: Option<String>) {
        let at = self.world.elapsed();
        (self.tell)(Event::Marked(Mark {
            at,
            about,
            what,
            whom,
        }));
    }

    fn note(&mut self, what: String) {
        self.note_at(self.world.elapsed(), what);
    }

    fn note_at(&mut self, at: Duration, what: String) {
        let moment = Moment { at, what };
        self.timeline.push(moment.clone());
        (self.tell)(Event::Happened(moment));
    }

    /// Ends the clients' history: what comes after a deletion is another store.
    async fn stop_traffic(&mut self) {
        let Some(mut traffic) = self.traffic.take() else {
            return;
        };
        traffic.stop().await;
        let history = traffic.history();
        self.settled_history.extend(history.check());
        self.summary = add(self.summary, history.summary(self.world.elapsed()));
    }

    /// A copy, so that clients can go on while it is judged.
    fn history(&self) -> History {
        self.traffic
            .as_ref()
            .map(|traffic| traffic.history().clone())
            .unwrap_or_default()
    }

    fn violations(&self) -> Vec<Violation> {
        let mut all = self.watch.violations().to_vec();
        all.extend(self.world.noticed());
        all.extend(self.settled_history.iter().cloned());
        all.extend(self.history().check());
        all
    }

    async fn conclude(mut self, ended: Result<(), Stopped>) -> Outcome {
        // A real world goes on when the run is over.
        if let Err(stopped) = self.heal().await {
            self.note(format!("not healed: {}", stopped.reason));
        }
        self.stop_traffic().await;
        let violations = self.violations();
        let seen_before = self.watch.violations();
        for violation in violations.iter().filter(|it| !seen_before.contains(it)) {
            (self.tell)(Event::Marked(Mark {
                at: violation.at,
                about: About::Violation,
                what: violation.invariant.to_owned(),
                whom: None,
            }));
        }
        self.situations.extend(self.world.met());
        let (verdict, reason) = match (violations.first(), ended) {
            (Some(violation), _) => (Verdict::Safety, Some(violation.to_string())),
            (None, Err(stopped)) => (stopped.verdict, Some(stopped.reason)),
            (None, Ok(())) => (Verdict::Pass, None),
        };
        Outcome {
            verdict,
            reason,
            traffic: self.scenario.traffic.map(|_| self.summary),
            violations,
            situations: self.situations,
            lives: self.world.lives(),
            took: self.world.elapsed(),
        }
    }
}

fn add(one: Summary, other: Summary) -> Summary {
    Summary {
        acknowledged: one.acknowledged + other.acknowledged,
        unknown: one.unknown + other.unknown,
        reads: one.reads + other.reads,
        failed_reads: one.failed_reads + other.failed_reads,
        longest_stall_ms: one.longest_stall_ms.max(other.longest_stall_ms),
    }
}
