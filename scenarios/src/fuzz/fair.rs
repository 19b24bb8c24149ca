//! Which schedules prove something.
//!
//! Owns: what has to hold of a scenario so that a right operator passes it.
//! Always holds: a fair scenario that fails shows a bug, of the operator or of the world.
//! Deliberately does not know: how scenarios are made or made smaller.

use chaos::fault::{Fault, OperatorFault};

use crate::scenario::{Action, Expectation, Instruction, Scenario};

/// Checks that whatever is expected is expected of a world in which nothing is wrong any more, and
/// that no more than one member loses its data at a time, out of three or more.
///
/// # Errors
/// Says what is not fair.
pub fn check(scenario: &Scenario) -> Result<(), &'static str> {
    let mut state = State {
        wrong: false,
        lost: 0,
        size: scenario.cluster.size,
        least: scenario.cluster.size,
        exists: false,
    };
    let told = scenario.steps.iter().flat_map(|step| &step.instructions);
    told.into_iter()
        .try_for_each(|instruction| state.tell(instruction))
}

struct State {
    /// A fault may still last, or come.
    wrong: bool,
    /// Members that have lost their data since all was well.
    lost: u32,
    size: u32,
    /// The smallest wanted size since all was well.
    least: u32,
    exists: bool,
}

impl State {
    fn tell(&mut self, instruction: &Instruction) -> Result<(), &'static str> {
        match instruction {
            Instruction::Do(action) => self.act(*action),
            Instruction::Expect(expectation) => self.expect(expectation)?,
        }
        if self.lost > 1 || (self.lost == 1 && self.least < 3) {
            return Err("data is lost that a right operator cannot bring back");
        }
        Ok(())
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Create => self.exists = true,
            Action::Scale(size) => {
                self.size = size;
                self.least = self.least.min(size);
            }
            Action::Strike(strike) => {
                self.lost += u32::from(strike.fault.destroys_data());
                let announced = strike.trigger != chaos::fault::Trigger::Now;
                self.wrong |= announced || strike.fault.lasts().is_some() || waits(&strike.fault);
            }
            Action::Heal => self.wrong = false,
            Action::Delete => self.exists = false,
            Action::Change(_) | Action::Wait(_) | Action::Recover | Action::Edit(_) => {}
        }
    }

    fn expect(&mut self, expectation: &Expectation) -> Result<(), &'static str> {
        let late = "something is expected while things may go wrong: `heal everything` comes first";
        match expectation {
            Expectation::Members { .. } if self.wrong => Err(late),
            Expectation::Members { .. } => {
                self.lost = 0;
                self.least = self.size;
                Ok(())
            }
            Expectation::Stays { .. } if self.wrong || self.lost > 0 => Err(late),
            Expectation::NothingLeft { .. } | Expectation::OnlyVolumesLeft { .. } if self.wrong => {
                Err(late)
            }
            Expectation::WritesReadable if self.wrong || self.lost > 0 => Err(late),
            _ => Ok(()),
        }
    }
}

fn waits(fault: &Fault) -> bool {
    matches!(fault, Fault::Operator(OperatorFault::KillAt { .. }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::parse;

    fn judge(lines: &str) -> Result<(), &'static str> {
        let text = format!("cluster demo: size 3, version 3.5.21\nstep \"a\"\n{lines}");
        check(&parse(&text).unwrap_or_else(|wrong| panic!("{wrong:?}")))
    }

    #[test]
    fn what_is_wrong_has_to_be_healed_before_anything_is_expected() {
        let cut = "create the cluster\nin 5s: cut off the leader for 1h\n";
        let expect = "expect 3 members within 5m\n";
        assert!(judge(&format!("{cut}{expect}")).is_err());
        assert_eq!(judge(&format!("{cut}heal everything\n{expect}")), Ok(()));
    }

    #[test]
    fn two_members_must_not_lose_their_data_before_the_first_is_replaced() {
        let lose = "lose the data of a follower\n";
        let expect = "expect 3 members within 5m\n";
        let twice = format!("create the cluster\n{expect}{lose}");
        assert!(judge(&format!("{twice}{lose}{expect}")).is_err());
        assert_eq!(judge(&format!("{twice}{expect}{lose}{expect}")), Ok(()));
        assert!(judge(&format!("create the cluster\nscale to 2\n{lose}")).is_err());
    }
}
