//! The table of steps.
//!
//! Owns: its columns, and which calls count as changing something.
//! Always holds: columns line up whatever is in them.
//! Deliberately does not know: colours.

use std::{collections::BTreeMap, time::Duration};

use super::{seconds, short};
use crate::{report::StepReport, world::Calls};

/// Verbs and methods that only look.
const READS: [&str; 13] = [
    "get",
    "list",
    "watch",
    "head",
    "options",
    "status",
    "memberlist",
    "range",
    "alarm",
    "hashkv",
    "hash",
    "version",
    "health",
];

fn changes(calls: &BTreeMap<String, u64>) -> u64 {
    let reads = |kind: &str| {
        let kind = kind.to_ascii_lowercase();
        let verb = kind.split(' ').next().unwrap_or_default();
        READS.contains(&verb)
    };
    calls
        .iter()
        .filter(|(kind, _)| !reads(kind))
        .map(|(_, count)| count)
        .sum()
}

fn counted(calls: Option<&BTreeMap<String, u64>>) -> String {
    calls.map_or("not counted".to_owned(), |calls| {
        format!("{} ({})", calls.values().sum::<u64>(), changes(calls))
    })
}

/// The table, one line each, with a line of sums.
#[must_use]
pub fn table(world: &str, steps: &[StepReport]) -> Vec<String> {
    let time = if world == "sim" { "simulated" } else { "time" };
    let heading = [
        "step",
        time,
        "wall",
        "API calls (writes)",
        "etcd calls (changes)",
    ];
    let mut rows = vec![heading.map(str::to_owned)];
    rows.extend(
        steps
            .iter()
            .map(|step| row(&step.title, step.took, step.wall, step.calls.as_ref())),
    );
    let sum = |time: fn(&StepReport) -> Duration| steps.iter().map(time).sum();
    let counted = steps.iter().filter_map(|step| step.calls.as_ref());
    let calls = counted.fold(None, |sum, calls| Some(add(sum.unwrap_or_default(), calls)));
    rows.push(row(
        "all",
        sum(|step| step.took),
        sum(|step| step.wall),
        calls.as_ref(),
    ));
    let mut widths = [0; 5];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    rows.iter().map(|row| line(row, &widths)).collect()
}

fn row(title: &str, took: Duration, wall: Duration, calls: Option<&Calls>) -> [String; 5] {
    let kubernetes = counted(calls.map(|calls| &calls.kubernetes));
    let etcd = counted(calls.map(|calls| &calls.etcd));
    [
        title.to_owned(),
        seconds(took),
        short(wall),
        kubernetes,
        etcd,
    ]
}

fn add(mut sum: Calls, more: &Calls) -> Calls {
    for (all, part) in [
        (&mut sum.kubernetes, &more.kubernetes),
        (&mut sum.etcd, &more.etcd),
    ] {
        for (kind, count) in part {
            *all.entry(kind.clone()).or_default() += count;
        }
    }
    sum
}

fn line(row: &[String; 5], widths: &[usize; 5]) -> String {
    let mut line = format!("  {:<width$}", row[0], width = widths[0]);
    for (cell, width) in row.iter().zip(widths).skip(1) {
        line.push_str(&format!("   {cell:>width$}"));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(title: &str, millis: u64, gets: u64, adds: u64) -> StepReport {
        let calls = Calls {
            kubernetes: BTreeMap::from([("GET".to_owned(), gets), ("PATCH".to_owned(), 2)]),
            etcd: BTreeMap::from([("Status".to_owned(), 3), ("MemberAdd".to_owned(), adds)]),
        };
        StepReport {
            title: title.to_owned(),
            began: Duration::ZERO,
            took: Duration::from_millis(millis),
            wall: Duration::from_millis(12),
            calls: Some(calls),
            timeline: Vec::new(),
            failed: None,
        }
    }

    #[test]
    fn columns_line_up_and_changes_are_counted_apart() {
        let shown = table(
            "sim",
            &[step("create", 2400, 10, 0), step("grow to 3", 9870, 7, 2)],
        );
        let expected = [
            "  step        simulated    wall   API calls (writes)   etcd calls (changes)",
            "  create         2.40 s   12 ms               12 (2)                  3 (0)",
            "  grow to 3      9.87 s   12 ms                9 (2)                  5 (2)",
            "  all           12.27 s   24 ms               21 (4)                  8 (2)",
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn what_nobody_counted_is_not_shown_as_none() {
        let mut step = step("create", 2400, 10, 0);
        step.calls = None;
        let shown = table("kube", &[step]);
        assert!(
            shown[1].ends_with("not counted            not counted"),
            "{shown:?}"
        );
        assert!(shown[2].contains("not counted"), "{shown:?}");
    }
}
