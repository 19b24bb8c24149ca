//! Processes that run seeds.
//!
//! Owns: a number of processes of this program, handing each the next seed when it is done with one.
//! Always holds: every seed that was handed out comes back as an outcome, also when its process hung
//! or died; no process outlives the crew.
//! Deliberately does not know: what a run does, and what becomes of outcomes.

use std::{
    io::{self, BufRead, BufReader, Write},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use simulator::determinism::wall_time;

use super::{Attempt, Symptom};
use crate::report::Verdict;

/// What a crew is made of.
#[derive(Clone, Debug)]
pub struct Crew {
    /// Processes at the same time.
    pub jobs: u32,
    /// Arguments that make this program read seeds from its standard input and answer each with a
    /// line of JSON.
    pub arguments: Vec<String>,
    /// Time on the wall after which a run is held to hang.
    pub limit: Duration,
}

/// How often a process that is waited for is thought about again.
const GLANCE: Duration = Duration::from_millis(200);

impl Crew {
    /// Runs the seeds; `hear` is told of each outcome as it comes, and says whether to go on.
    ///
    /// # Errors
    /// When no process can be started.
    pub fn run(
        &self,
        seeds: impl Iterator<Item = u64> + Send,
        mut hear: impl FnMut(Attempt) -> bool,
    ) -> io::Result<()> {
        let (seeds, over) = (Mutex::new(seeds), AtomicBool::new(false));
        let (told, heard) = mpsc::channel();
        thread::scope(|scope| {
            let workers: Vec<_> = (0..self.jobs)
                .map(|_| {
                    let told = told.clone();
                    scope.spawn(|| self.work(&seeds, &over, told))
                })
                .collect();
            drop(told);
            for attempt in heard {
                if !hear(attempt) {
                    over.store(true, Ordering::Relaxed);
                    break;
                }
            }
            // Those that are still at work are waited for by the scope.
            workers.into_iter().try_for_each(|worker| {
                let end = worker.join();
                end.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
        })
    }

    fn work(
        &self,
        seeds: &Mutex<impl Iterator<Item = u64>>,
        over: &AtomicBool,
        told: mpsc::Sender<Attempt>,
    ) -> io::Result<()> {
        let mut worker = None;
        while !over.load(Ordering::Relaxed) {
            let next = seeds.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(seed) = next else { break };
            let mut hired = match worker.take() {
                Some(worker) => worker,
                None => Worker::hire(&self.arguments)?,
            };
            let answer = hired.ask(seed, self.limit, over);
            if answer.is_ok() {
                worker = Some(hired);
            }
            let attempt = match answer {
                Ok(attempt) => attempt,
                Err(NoAnswer::Unwanted) => break,
                Err(why) => without_answer(seed, &why.to_string()),
            };
            if told.send(attempt).is_err() {
                break;
            }
        }
        Ok(())
    }
}

/// Why a run has no outcome of its own.
#[derive(Debug, thiserror::Error)]
enum NoAnswer {
    #[error("the run did not end within {0} s on the wall")]
    Late(u64),
    #[error("the process that ran it died")]
    Dead,
    #[error("nobody wants to know any more")]
    Unwanted,
}

fn without_answer(seed: u64, why: &str) -> Attempt {
    Attempt {
        seed,
        symptom: Symptom {
            verdict: Verdict::Crash.to_string(),
            what: why.to_owned(),
        },
        reason: Some(why.to_owned()),
        situations: Default::default(),
        writes: 0,
        world_ms: 0,
        lives: Default::default(),
        lost: true,
    }
}

/// One process.
struct Worker {
    child: Child,
    seeds: ChildStdin,
    lines: mpsc::Receiver<String>,
}

impl Worker {
    fn hire(arguments: &[String]) -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let (Some(seeds), Some(answers)) = (stdin, stdout) else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let (told, lines) = mpsc::channel();
        thread::spawn(move || {
            let lines = BufReader::new(answers).lines().map_while(Result::ok);
            lines.map(|line| told.send(line)).all(|sent| sent.is_ok())
        });
        Ok(Self {
            child,
            seeds,
            lines,
        })
    }

    fn ask(&mut self, seed: u64, limit: Duration, over: &AtomicBool) -> Result<Attempt, NoAnswer> {
        writeln!(self.seeds, "{seed}").map_err(|_| NoAnswer::Dead)?;
        let began = wall_time();
        loop {
            match self.lines.recv_timeout(GLANCE) {
                Ok(line) => return serde_json::from_str(&line).map_err(|_| NoAnswer::Dead),
                Err(RecvTimeoutError::Disconnected) => return Err(NoAnswer::Dead),
                Err(RecvTimeoutError::Timeout) if over.load(Ordering::Relaxed) => {
                    return Err(NoAnswer::Unwanted);
                }
                Err(RecvTimeoutError::Timeout) if wall_time() - began > limit => {
                    return Err(NoAnswer::Late(limit.as_secs()));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
