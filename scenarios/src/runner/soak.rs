//! One cluster that lives long.
//!
//! Owns: episode after episode on the same cluster: something changes while things go wrong, all is
//! well again, everything that was written is there, and then nothing happens for a while.
//! Always holds: what is kept does not grow with time: each episode has a history of its own, which
//! is judged and forgotten, and the clients' store is compacted.
//! Deliberately does not know: how long an hour takes in its world.

use std::time::Duration;

use chaos::{fault::Fault, history::Summary};
use simulator::determinism::Seed;

use super::{Event, Run, Stopped};
use crate::{
    fuzz::generate::Story,
    report::Verdict,
    scenario::{Expectation, Instruction},
    world::World,
};

/// How long, and what goes wrong.
#[derive(Clone, Debug)]
pub struct Soak {
    /// Time on the world's clock.
    pub lasting: Duration,
    /// Time from the beginning of one episode to that of the next, at least.
    pub episode: Duration,
    /// What may go wrong.
    pub kinds: Vec<Fault>,
    /// What makes up the story.
    pub seed: u64,
}

/// What has come of it so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sofar {
    /// Time on the world's clock.
    pub at: Duration,
    /// Episodes.
    pub episodes: u64,
    /// Faults that have hit somebody.
    pub faults: u64,
    /// What clients did.
    pub clients: Summary,
}

/// Between two looks at a cluster with which nothing is wrong, and nothing is to happen.
const CALM_LOOK: Duration = Duration::from_secs(10);

impl<W: World> Run<'_, W> {
    /// The scenario's steps first, then episodes until time is up.
    pub(super) async fn soak(&mut self, soak: &Soak) -> Result<(), Stopped> {
        self.all().await?;
        let seed = Seed(soak.seed).derive("soak");
        let mut story = Story::new(seed, &soak.kinds).about(&self.scenario.cluster);
        for number in 1.. {
            let began = self.world.elapsed();
            if began >= soak.lasting {
                break;
            }
            let mut step = story.change(number);
            if story.size() > 0 {
                let readable = Expectation::WritesReadable;
                step.instructions.push(Instruction::Expect(readable));
            }
            story.swarm_anew(&soak.kinds);
            self.one(number as usize, &step).await?;
            self.turn_the_page(number).await?;
            let end = (began + soak.episode).min(soak.lasting);
            while self.world.elapsed() < end {
                let left = end - self.world.elapsed();
                self.pass_up_to(left, CALM_LOOK).await?;
                self.look().await?;
            }
        }
        Ok(())
    }

    /// Judges the episode's history, and begins another one.
    async fn turn_the_page(&mut self, episode: u32) -> Result<(), Stopped> {
        self.stop_traffic().await;
        if let Some(violation) = self.violations().first() {
            return Err(Stopped {
                verdict: Verdict::Safety,
                reason: violation.to_string(),
            });
        }
        if let Err(why) = self.world.compact().await {
            self.note(format!("not compacted: {why}"));
        }
        self.start_traffic(episode);
        let sofar = Sofar {
            at: self.world.elapsed(),
            episodes: u64::from(episode),
            faults: self.situations.values().sum(),
            clients: self.summary,
        };
        (self.tell)(Event::Turned(sofar));
        Ok(())
    }
}
