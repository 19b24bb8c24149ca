//! Making a failing scenario small.
//!
//! Owns: what can be left out or made simpler, and in which order it is tried.
//! Always holds: what comes out fails like what went in, reads back, and is still fair; it is not
//! larger than what went in.
//! Deliberately does not know: how a scenario is run.

use chaos::{
    Span,
    fault::{Fault, OperatorFault, Strike, Trigger},
};

use super::fair;
use crate::scenario::{Action, Expectation, Instruction, Scenario, parse};

/// A scenario that was made smaller.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// What is left.
    pub scenario: Scenario,
    /// How many smaller ones were tried.
    pub tried: u32,
}

/// Makes the scenario smaller for as long as `fails` says that it fails in the same way, at most
/// `budget` times.
pub fn shrink(
    scenario: &Scenario,
    budget: u32,
    fails: &mut dyn FnMut(&Scenario) -> bool,
) -> Shrunk {
    let mut shrinker = Shrinker {
        best: scenario.clone(),
        tried: 0,
        budget,
        fails,
    };
    loop {
        let before = shrinker.best.clone();
        shrinker.steps();
        shrinker.instructions();
        shrinker.simplify();
        shrinker.heading();
        if shrinker.best == before || shrinker.tried >= budget {
            return Shrunk {
                scenario: shrinker.best,
                tried: shrinker.tried,
            };
        }
    }
}

struct Shrinker<'a> {
    best: Scenario,
    tried: u32,
    budget: u32,
    fails: &'a mut dyn FnMut(&Scenario) -> bool,
}

impl Shrinker<'_> {
    /// Takes the candidate if it makes sense, is fair, and fails.
    fn take(&mut self, candidate: Scenario) -> bool {
        if candidate == self.best || self.tried >= self.budget {
            return false;
        }
        let makes_sense = parse(&candidate.to_string()).is_ok_and(|read| read == candidate);
        if !makes_sense || fair::check(&candidate).is_err() {
            return false;
        }
        self.tried += 1;
        let fails = (self.fails)(&candidate);
        if fails {
            self.best = candidate;
        }
        fails
    }

    fn changed(&mut self, change: impl FnOnce(&mut Scenario)) -> bool {
        let mut candidate = self.best.clone();
        change(&mut candidate);
        candidate.steps.retain(|step| !step.instructions.is_empty());
        self.take(candidate)
    }

    /// Whole steps, from the end: what comes after the failure goes first.
    fn steps(&mut self) {
        for index in (0..self.best.steps.len()).rev() {
            self.changed(|scenario| drop(scenario.steps.remove(index)));
        }
    }

    /// Single instructions, from the end.
    fn instructions(&mut self) {
        for step in (0..self.best.steps.len()).rev() {
            let Some(count) = self.best.steps.get(step).map(|it| it.instructions.len()) else {
                continue;
            };
            for index in (0..count).rev() {
                self.changed(|scenario| {
                    if let Some(step) = scenario.steps.get_mut(step)
                        && index < step.instructions.len()
                    {
                        step.instructions.remove(index);
                    }
                });
            }
        }
    }

    /// Each instruction, for as long as something simpler does as well.
    fn simplify(&mut self) {
        for step in 0..self.best.steps.len() {
            for index in 0..self
                .best
                .steps
                .get(step)
                .map_or(0, |it| it.instructions.len())
            {
                while self.simplify_one(step, index) {}
            }
        }
    }

    fn simplify_one(&mut self, step: usize, index: usize) -> bool {
        let Some(instruction) = self.best.steps[step].instructions.get(index).cloned() else {
            return false;
        };
        simpler(&instruction).into_iter().any(|simpler| {
            self.changed(|scenario| scenario.steps[step].instructions[index] = simpler)
        })
    }

    fn heading(&mut self) {
        self.changed(|scenario| scenario.finally.clear());
        self.changed(|scenario| scenario.traffic = None);
        for size in [1, 3] {
            if size < self.best.cluster.size {
                self.changed(|scenario| resize(scenario, size));
            }
        }
    }
}

/// Another size at creation, and in what is expected before the first change of it.
fn resize(scenario: &mut Scenario, size: u32) {
    scenario.cluster.size = size;
    for instruction in scenario
        .steps
        .iter_mut()
        .flat_map(|it| &mut it.instructions)
    {
        match instruction {
            Instruction::Do(Action::Scale(_) | Action::Delete) => return,
            Instruction::Expect(
                Expectation::Members { count, .. } | Expectation::Stays { count, .. },
            ) => *count = size,
            _ => {}
        }
    }
}

/// What is simpler than the instruction, the simplest first.
fn simpler(instruction: &Instruction) -> Vec<Instruction> {
    match instruction {
        Instruction::Do(Action::Wait(span)) => shorter(*span)
            .into_iter()
            .map(|span| Instruction::Do(Action::Wait(span)))
            .collect(),
        Instruction::Do(Action::Strike(strike)) => simpler_strikes(*strike)
            .into_iter()
            .map(|strike| Instruction::Do(Action::Strike(strike)))
            .collect(),
        _ => Vec::new(),
    }
}

fn simpler_strikes(strike: Strike) -> Vec<Strike> {
    let Strike { trigger, fault } = strike;
    let mut simpler = Vec::new();
    match trigger {
        Trigger::Now => {}
        Trigger::In(span) => {
            let earlier = shorter(span).into_iter().map(Trigger::In);
            simpler.extend(earlier.map(|trigger| Strike { trigger, fault }));
        }
        Trigger::When(_) => simpler.push(Strike {
            trigger: Trigger::In(Span::SECOND),
            fault,
        }),
    }
    for span in fault.lasts().map(shorter).into_iter().flatten() {
        let fault = fault.lasting(span);
        simpler.push(Strike { trigger, fault });
    }
    if let Fault::Operator(OperatorFault::KillAt { moment, nth, call }) = fault {
        for nth in [1, nth / 2, nth - 1] {
            if nth > 0 {
                let fault = Fault::Operator(OperatorFault::KillAt { moment, nth, call });
                simpler.push(Strike { trigger, fault });
            }
        }
    }
    simpler
}

/// A tenth, a half; down to half a second.
fn shorter(span: Span) -> Vec<Span> {
    let millis = u64::try_from(span.duration().as_millis()).unwrap_or(u64::MAX);
    let parts = [millis / 10, millis / 2]
        .into_iter()
        .filter(|part| *part >= 500);
    parts
        .filter_map(|part| Span::from_millis(part / 100 * 100))
        .collect()
}

#[cfg(test)]
mod tests {
    use chaos::fault::Target;

    use super::*;
    use crate::fuzz::generate;

    fn strikes(scenario: &Scenario) -> Vec<Strike> {
        let told = scenario.steps.iter().flat_map(|step| &step.instructions);
        let strikes = told.filter_map(|it| match it {
            Instruction::Do(Action::Strike(strike)) => Some(*strike),
            _ => None,
        });
        strikes.collect()
    }

    /// Pretends that one kind of fault on the leader is all it takes.
    fn fails(scenario: &Scenario) -> bool {
        let hit =
            |it: &Strike| it.fault.kind() == "cut off" && it.fault.target() == Some(Target::Leader);
        strikes(scenario).iter().any(hit)
    }

    #[test]
    fn what_is_left_is_the_fault_that_it_takes() {
        let mut shrunk_any = false;
        for seed in 0..300 {
            let made = generate::scenario(seed, &Fault::kinds());
            if !fails(&made) {
                continue;
            }
            shrunk_any = true;
            let shrunk = shrink(&made, 1_000, &mut |it| fails(it));
            assert!(fails(&shrunk.scenario));
            assert_eq!(strikes(&shrunk.scenario).len(), 1, "{}", shrunk.scenario);
            let told: usize = shrunk
                .scenario
                .steps
                .iter()
                .map(|it| it.instructions.len())
                .sum();
            assert!(told <= 2, "{}", shrunk.scenario);
        }
        assert!(shrunk_any);
    }

    #[test]
    fn healing_is_never_left_out_before_something_is_expected() {
        let text = "cluster demo: size 3, version 3.5.21\nstep \"a\"\n create the cluster\n \
            in 5s: cut off the leader for 1m\n wait 10s\n heal everything\n \
            expect 3 members within 5m\n";
        let scenario = parse(text).unwrap_or_else(|wrong| panic!("{wrong:?}"));
        let expects = |it: &Scenario| fails(it) && it.to_string().contains("expect");
        let shrunk = shrink(&scenario, 1_000, &mut |it| expects(it)).scenario;
        assert!(shrunk.to_string().contains("heal everything"), "{shrunk}");
    }

    #[test]
    fn the_budget_is_kept() {
        let made = generate::scenario(1, &Fault::kinds());
        assert_eq!(shrink(&made, 7, &mut |_| false).tried, 7);
    }
}
