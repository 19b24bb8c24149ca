//! One page with a picture of a run, for people.
//!
//! Owns: the HTML document: verdict, picture, scenario, and all that happened, in order.
//! Always holds: the page needs nothing but itself: no script, no other file; whatever is shown as
//! text is escaped.
//! Deliberately does not know: how a run is made.
//!
//! Reading order: this file, [`chronicle`] (what is gathered while a run goes), `picture` (what is
//! drawn where), `canvas` (the SVG).

mod canvas;
pub mod chronicle;
mod picture;

use std::fmt::Write;

use self::chronicle::Chronicle;
use super::{markup::escape, seconds};
use crate::{
    report::{Report, Verdict},
    scenario::Scenario,
};

/// The page of a run.
#[must_use]
pub fn page(report: &Report, scenario: &Scenario, chronicle: &Chronicle) -> String {
    let subject = &report.subject;
    let mut html = String::new();
    let class = match report.verdict {
        Verdict::Pass => "pass",
        _ => "fail",
    };
    let title = format!("{} · seed {}", subject.scenario, subject.seed);
    // Writing to a String cannot fail.
    let _ = write!(
        html,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<h1>{} <span class=\"{class}\">{}</span></h1>\n\
         <p class=\"setting\">world {}, seed {}, etcd {}, {} in the world</p>\n",
        escape(&title),
        escape(&subject.scenario),
        report.verdict.to_string().to_uppercase(),
        escape(&subject.world),
        subject.seed,
        escape(&subject.etcd_version),
        seconds(report.took),
    );
    if let Some(reason) = &report.reason {
        let _ = writeln!(html, "<p class=\"reason\">{}</p>", escape(reason));
    }
    let _ = writeln!(
        html,
        "<p>reproduce: <code>{}</code></p>",
        escape(&subject.reproduce)
    );
    html.push_str(&picture::draw(report, chronicle));
    let _ = writeln!(
        html,
        "<div class=\"columns\">\n<section>\n<h2>Scenario</h2>\n<pre>{}</pre>\n</section>",
        escape(&scenario.to_string())
    );
    html.push_str(&events(report));
    html.push_str("</div>\n</body>\n</html>\n");
    html
}

fn events(report: &Report) -> String {
    let mut html = String::from("<section>\n<h2>What happened</h2>\n<table>\n");
    for step in &report.steps {
        let _ = writeln!(html, "<tr><th></th><th>{}</th></tr>", escape(&step.title));
        for moment in &step.timeline {
            let _ = writeln!(
                html,
                "<tr class=\"{}\"><td>{}</td><td>{}</td></tr>",
                class_of(&moment.what),
                seconds(moment.at),
                escape(&moment.what)
            );
        }
        if let Some(why) = &step.failed {
            let _ = writeln!(
                html,
                "<tr class=\"violation\"><td></td><td>failed: {}</td></tr>",
                escape(why)
            );
        }
    }
    html.push_str("</table>\n</section>\n");
    html
}

/// How a line of the timeline is coloured, by its first word.
fn class_of(what: &str) -> &'static str {
    match what.split([' ', ':']).next() {
        Some("fault") => "fault",
        Some("user") => "user",
        Some("VIOLATION") => "violation",
        Some("status") => "status",
        _ => "",
    }
}

const STYLE: &str = "
body { font: 14px/1.45 system-ui, sans-serif; margin: 1.5em; color: #1c1f23; background: #fff; }
h1 { font-size: 1.4em; margin: 0 0 .2em; }
h1 span { font-size: .7em; padding: .1em .5em; border-radius: .3em; color: #fff; vertical-align: .1em; }
.pass { background: #2c7a3f; }
.fail { background: #c0262d; }
.setting { color: #667; margin: 0; }
.reason { color: #c0262d; font-weight: 600; }
.columns { display: flex; gap: 2em; align-items: flex-start; flex-wrap: wrap; }
pre, code, table { font: 12px/1.45 ui-monospace, monospace; }
pre, code { background: #f4f5f7; }
pre { padding: 1em; }
td { padding: 0 .8em 0 0; vertical-align: top; }
td:first-child { text-align: right; color: #889; white-space: nowrap; }
th { text-align: left; padding-top: .6em; }
tr.fault td:last-child { color: #b45309; }
tr.user td:last-child { color: #1d4ed8; font-weight: 600; }
tr.status td:last-child { color: #667; }
tr.violation td:last-child { color: #c0262d; font-weight: 700; }
.picture { overflow-x: auto; border: 1px solid #dde; margin: 1em 0; }
svg { display: block; font: 11px system-ui, sans-serif; }
";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        report::{Moment, StepReport, Subject},
        runner::{
            About, Event, Mark,
            glance::{Glance, Role},
        },
        scenario::parse,
    };

    fn report() -> Report {
        let moment = |at, what: &str| Moment {
            at: Duration::from_secs(at),
            what: what.to_owned(),
        };
        Report {
            subject: Subject {
                scenario: "a <b>".to_owned(),
                world: "sim".to_owned(),
                seed: 7,
                etcd_version: "3.5.21".to_owned(),
                reproduce: "scenarios run x --seed 7".to_owned(),
            },
            verdict: Verdict::Safety,
            reason: Some("one & two".to_owned()),
            steps: vec![StepReport {
                title: "create".to_owned(),
                began: Duration::ZERO,
                took: Duration::from_secs(10),
                wall: Duration::ZERO,
                calls: None,
                timeline: vec![moment(1, "fault: kill the leader (demo-0)")],
                failed: None,
            }],
            traffic: None,
            violations: Vec::new(),
            took: Duration::from_secs(10),
            wall: Duration::ZERO,
            effort: None,
            trace_hash: None,
        }
    }

    fn chronicle() -> Chronicle {
        let mut chronicle = Chronicle::default();
        for (at, role) in [(1, Role::Leader), (2, Role::Leader), (6, Role::Silent)] {
            chronicle.hear(&Event::Looked(Box::new(Glance {
                at: Duration::from_secs(at),
                pods: [("demo-0".to_owned(), role)].into(),
                margin: Some(0),
                wanted: 1,
                ready: 1,
                writes: [("MemberAdd".to_owned(), 1)].into(),
            })));
        }
        for (at, about) in [
            (1, About::User),
            (3, About::FaultBegins),
            (8, About::Violation),
        ] {
            chronicle.hear(&Event::Marked(Mark {
                at: Duration::from_secs(at),
                about,
                what: "a <thing>".to_owned(),
                whom: Some("demo-0".to_owned()),
            }));
        }
        chronicle
    }

    #[test]
    fn the_page_has_everything_in_it_and_asks_for_nothing_else() {
        let text = "cluster demo: size 1, version 3.5.21\nstep \"a\"\n create the cluster\n";
        let scenario = parse(text).unwrap_or_else(|wrong| panic!("{wrong:?}"));
        let html = page(&report(), &scenario, &chronicle());
        for part in [
            "a &lt;b&gt;",
            "SAFETY",
            "one &amp; two",
            "scenarios run x --seed 7",
            "create the cluster",
            "demo-0: leader",
            "demo-0: runs, does not answer",
            "a &lt;thing&gt;",
            "MemberAdd",
        ] {
            assert!(html.contains(part), "{part} is missing:\n{html}");
        }
        for word in ["<script", "src=", "href=", "url("] {
            assert!(!html.contains(word), "{word}");
        }
    }
}
