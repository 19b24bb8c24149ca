//! A JUnit report: a suite per run, a case per step.
//!
//! Owns: the XML, as CI systems read it.
//! Always holds: a run that did not pass has a failure in it, also when no step failed.
//! Deliberately does not know: where the report is written to.

use std::fmt::Write;

use super::markup::escape;
use crate::report::{Report, Verdict};

/// The report for these runs.
#[must_use]
pub fn report(runs: &[Report]) -> String {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for run in runs {
        suite(&mut xml, run);
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn suite(xml: &mut String, run: &Report) {
    let subject = &run.subject;
    let name = format!(
        "{} ({}, seed {}, etcd {})",
        subject.scenario, subject.world, subject.seed, subject.etcd_version
    );
    let mut cases = String::new();
    let mut failures = 0;
    for step in &run.steps {
        let failed = step.failed.as_deref();
        failures += usize::from(failed.is_some());
        case(
            &mut cases,
            &subject.scenario,
            &step.title,
            step.wall.as_secs_f64(),
            failed,
        );
    }
    // What was violated may have been noticed in a step that itself came to its end.
    let verdict = (run.verdict != Verdict::Pass).then(|| {
        let reason = run.reason.as_deref().unwrap_or("no reason is known");
        format!(
            "{}: {reason}\nreproduce: {}",
            run.verdict, subject.reproduce
        )
    });
    failures += usize::from(verdict.is_some());
    case(
        &mut cases,
        &subject.scenario,
        "verdict",
        0.0,
        verdict.as_deref(),
    );
    let tests = run.steps.len() + 1;
    let time = run.wall.as_secs_f64();
    // Writing to a String cannot fail.
    let _ = write!(
        xml,
        "  <testsuite name=\"{}\" tests=\"{tests}\" failures=\"{failures}\" time=\"{time:.3}\">\n{cases}  </testsuite>\n",
        escape(&name)
    );
}

pub(super) fn case(xml: &mut String, class: &str, name: &str, time: f64, failed: Option<&str>) {
    let (class, name) = (escape(class), escape(name));
    let head = format!("    <testcase classname=\"{class}\" name=\"{name}\" time=\"{time:.3}\"");
    let _ = match failed {
        None => writeln!(xml, "{head}/>"),
        Some(why) => {
            let first = escape(why.lines().next().unwrap_or_default());
            let all = escape(why);
            writeln!(
                xml,
                "{head}>\n      <failure message=\"{first}\">{all}</failure>\n    </testcase>"
            )
        }
    };
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::report::Subject;

    #[test]
    fn a_run_that_did_not_pass_has_a_failure_with_its_reproduce_line() {
        let run = Report {
            subject: Subject {
                scenario: "walk".to_owned(),
                world: "sim".to_owned(),
                seed: 7,
                etcd_version: "3.5.21".to_owned(),
                reproduce: "scenarios run walk --seed 7".to_owned(),
            },
            verdict: Verdict::Safety,
            reason: Some("a < b & \"c\"".to_owned()),
            steps: Vec::new(),
            traffic: None,
            violations: Vec::new(),
            took: Duration::ZERO,
            wall: Duration::ZERO,
            trace_hash: None,
            effort: None,
        };
        let xml = report(&[run]);
        assert!(xml.contains("tests=\"1\" failures=\"1\""), "{xml}");
        assert!(
            xml.contains("safety: a &lt; b &amp; &quot;c&quot;"),
            "{xml}"
        );
        assert!(
            xml.contains("reproduce: scenarios run walk --seed 7"),
            "{xml}"
        );
    }
}
