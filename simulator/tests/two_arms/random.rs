//! Random scripts, played on both arms.
//!
//! Always holds: a script that the arms answer differently is shrunk to the shortest that still
//! does, and printed as a case. Without a real arm the simulation is played twice and compared with
//! itself. `SCRIPTS=n` is how many scripts there are of each kind; `SEED=n` picks others.

use std::cell::Cell;

use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner},
};

use super::recording::transcript;

/// Plays a script and gives the answer to each line.
pub(crate) type Play<'a> = Box<dyn Fn(&[String]) -> Vec<String> + 'a>;

/// A version of the real thing, and the two that are compared.
pub(crate) struct Arms<'a> {
    pub(crate) version: String,
    /// The real one; `None` where there is none.
    pub(crate) real: Option<Play<'a>>,
    pub(crate) simulated: Play<'a>,
}

fn number(name: &str, default: u32) -> u32 {
    let given = std::env::var(name).ok();
    given.map_or(default, |text| text.parse().expect("a number"))
}

/// Plays random scripts until two arms differ. `begin` goes before each of them.
pub(crate) fn compare(
    kind: &str,
    scripts: impl Strategy<Value = Vec<String>>,
    begin: &[&str],
    arms: &[Arms<'_>],
) {
    let two = arms.iter().any(|it| it.real.is_some());
    let cases = number("SCRIPTS", if two { 2 } else { 10 });
    let mut seed = [0; 32];
    seed[..4].copy_from_slice(&number("SEED", 1).to_le_bytes());
    let config = Config {
        cases,
        max_shrink_iters: 300,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let (played, asked) = (Cell::new(0), Cell::new(0));
    let result = runner.run(&scripts, |lines| {
        let begin = begin.iter().map(|line| (*line).to_owned());
        let script: Vec<String> = begin.chain(lines).collect();
        for arm in arms {
            let simulated = (arm.simulated)(&script);
            let real = arm.real.as_ref().unwrap_or(&arm.simulated)(&script);
            same(&arm.version, &script, &real, &simulated)?;
            played.set(played.get() + 1);
            asked.set(asked.get() + script.len());
        }
        Ok(())
    });
    let which = if two {
        "two arms"
    } else {
        "simulated arm only"
    };
    let (played, asked) = (played.get(), asked.get());
    println!("{kind}: {played} scripts alike with {asked} lines, {which}");
    match result {
        Ok(()) => {}
        Err(TestError::Fail(why, _)) => panic!("{kind}: {why}"),
        Err(abort) => panic!("{kind}: {abort}"),
    }
}

fn same(
    version: &str,
    script: &[String],
    real: &[String],
    simulated: &[String],
) -> Result<(), TestCaseError> {
    let different = (0..script.len()).find(|line| real[*line] != simulated[*line]);
    let Some(line) = different else { return Ok(()) };
    Err(TestCaseError::fail(format!(
        "on {version} at `{}`\n  real:      {}\n  simulated: {}\nscript with real answers:\n{}",
        script[line],
        real[line],
        simulated[line],
        transcript(&script[..=line], &real[..=line])
    )))
}
