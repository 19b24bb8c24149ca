//! Text for people: what happens while it happens, then the table and the verdict.
//!
//! Owns: the layout.
//! Always holds: the last line of a run reproduces it.
//! Deliberately does not know: other outputs.

use super::{Show, paint::Paint, progress::Progress, seconds, short, table::table};
use crate::{
    report::{Report, StepReport, Subject, Verdict},
    runner::Event,
    scenario::Scenario,
};

/// Shows runs as text.
pub struct Human {
    paint: Paint,
    progress: Progress,
    /// One line per run: for many seeds.
    brief: bool,
}

impl Human {
    /// Text on standard output; `brief` shows one line per run that passes.
    #[must_use]
    pub fn new(brief: bool) -> Self {
        Self {
            paint: Paint::of_stdout(),
            progress: Progress::on_stderr(),
            brief,
        }
    }

    fn say(&mut self, line: &str) {
        self.progress.clear();
        println!("{line}");
    }
}

impl Show for Human {
    fn begin(&mut self, subject: &Subject, scenario: &Scenario) {
        if self.brief {
            return;
        }
        let Subject {
            scenario: name,
            world,
            seed,
            etcd_version,
            ..
        } = subject;
        let story = scenario.story.first().map_or("", |line| line.as_str());
        self.say(&format!("{}  {story}", self.paint.bold(name)));
        let traffic = scenario
            .traffic
            .map_or("no traffic".to_owned(), |it| it.to_string());
        let setting = format!("world {world}, seed {seed}, etcd {etcd_version}, {traffic}");
        self.say(&self.paint.dim(&setting));
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Waiting { at, missing } => {
                self.progress.show(&format!("{}  {missing}", seconds(*at)));
            }
            _ if self.brief => {}
            Event::Looked(_) | Event::Marked(_) | Event::Turned(_) => {}
            Event::Began { title, .. } => {
                let heading = self.paint.bold(title);
                self.say(&format!("\n{heading}"));
            }
            Event::Happened(moment) => {
                let at = self.paint.dim(&format!("{:>10}", seconds(moment.at)));
                self.say(&format!("{at}  {}", moment.what));
            }
            Event::Ended(step) => {
                for line in failure(step) {
                    self.say(&self.paint.red(&line));
                }
            }
        }
    }

    fn end(&mut self, report: &Report) {
        if self.brief && report.verdict == Verdict::Pass {
            self.say(&format!(
                "seed {:<6}  {}",
                report.subject.seed,
                self.verdict(report)
            ));
            return;
        }
        if self.brief {
            self.say(&format!("\nseed {}", report.subject.seed));
            for step in &report.steps {
                self.say(&format!("  {}", step.title));
                for moment in &step.timeline {
                    self.say(&format!("{:>10}  {}", seconds(moment.at), moment.what));
                }
            }
        }
        self.say("");
        for line in table(&report.subject.world, &report.steps) {
            self.say(&line);
        }
        self.say("");
        if let Some(clients) = clients(report) {
            self.say(&clients);
        }
        for violation in &report.violations {
            self.say(&self.paint.red(&format!("violated: {violation}")));
        }
        if let Some(reason) = &report.reason {
            self.say(&format!("why: {reason}"));
        }
        self.say(&self.verdict(report));
        self.say(&format!("reproduce: {}", report.subject.reproduce));
    }
}

impl Human {
    fn verdict(&self, report: &Report) -> String {
        let verdict = report.verdict.to_string().to_uppercase();
        let painted = match report.verdict {
            Verdict::Pass => self.paint.green(&verdict),
            _ => self.paint.red(&verdict),
        };
        let trace = report
            .trace_hash
            .as_ref()
            .map(|hash| format!(", trace {hash}"));
        format!(
            "{painted}  {} in {}, {} on the wall{}",
            report.subject.scenario,
            seconds(report.took),
            short(report.wall),
            trace.unwrap_or_default(),
        )
    }
}

fn failure(step: &StepReport) -> Vec<String> {
    step.failed
        .iter()
        .map(|reason| format!("    FAILED  {reason}"))
        .collect()
}

fn clients(report: &Report) -> Option<String> {
    let traffic = report.traffic?;
    Some(format!(
        "clients: {} writes acknowledged, {} unknown; {} reads, {} without an answer; \
         longest time without an acknowledged write: {}",
        traffic.acknowledged,
        traffic.unknown,
        traffic.reads,
        traffic.failed_reads,
        short(std::time::Duration::from_millis(traffic.longest_stall_ms)),
    ))
}
