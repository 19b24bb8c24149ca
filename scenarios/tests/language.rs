//! The language of scenario files: what is printed parses back, what is wrong is pointed at.

use chaos::fault::{Call, Fault, OperatorFault, Situation, Strike, Target, Trigger};
use proptest::{collection::vec, option, prelude::*};
use scenarios::scenario::{
    Action, Change, Cluster, EtcdVersion, Expectation, Image, Instruction, Refused, Scenario, Span,
    Step, Traffic, Volumes, parse,
    sentence::{sentences, wording},
};

fn refused(text: &str) -> String {
    let diagnostics = parse(text).expect_err("the text has a mistake");
    Refused {
        file: "a.scenario".to_owned(),
        diagnostics,
    }
    .to_string()
}

const HEADING: &str = "cluster demo: size 1, version 3.5.21\n";

#[test]
fn a_misspelt_word_is_pointed_at_with_what_was_meant() {
    let text =
        format!("{HEADING}step \"create\"\n  create the cluster\n  expect 1 membr within 60s\n");
    let expected = "\
error: expected `members`, found `membr`
 --> a.scenario:4:12
  |
4 |   expect 1 membr within 60s
  |            ^^^^^ expected `members`
  = help: did you mean `member`?
  = allowed here: expect SIZE members within DURATION
                  expect SIZE members for DURATION

error: a.scenario is not a scenario: 1 mistake";
    assert_eq!(refused(&text), expected);
}

#[test]
fn a_bad_value_is_refused_with_examples() {
    let text = format!("{HEADING}step \"a\"\n  create the cluster\n  expect 1 member within 60\n");
    let shown = refused(&text);
    assert!(
        shown.contains("`60` is not a duration between 1ms and 24h, like 500ms"),
        "{shown}"
    );
    assert!(shown.contains("a.scenario:4:26"), "{shown}");
}

#[test]
fn every_mistake_is_reported_in_one_go() {
    let text = "clustr demo: size 1, version 3.5.21\nstep \"a\n  scale to 99\nfinaly\n";
    let places: Vec<_> = parse(text)
        .expect_err("mistakes")
        .iter()
        .map(|it| (it.line, it.column))
        .collect();
    assert_eq!(places, [(1, 1), (2, 6), (3, 12), (4, 1)]);
}

#[test]
fn a_line_that_ends_too_soon_says_what_is_missing() {
    let shown = refused(&format!("{HEADING}step \"a\"\n  expect 1 member\n"));
    assert!(
        shown.contains("expected `within` or `for`, found the end of the line"),
        "{shown}"
    );
    assert!(shown.contains("a.scenario:3:18"), "{shown}");
}

#[test]
fn an_action_after_finally_is_refused_with_what_may_stand_there() {
    let shown = refused(&format!(
        "{HEADING}step \"a\"\n  create the cluster\nfinally\n  scale to 3\n"
    ));
    assert!(
        shown.contains("expected `expect`, found `scale`"),
        "{shown}"
    );
    assert!(
        shown.contains("allowed here: expect every acknowledged write is readable"),
        "{shown}"
    );
}

#[test]
fn a_story_that_cannot_be_is_refused() {
    let cases = [
        (
            "scale to 3",
            "not created yet at this point: `create the cluster` comes first",
        ),
        ("create the cluster\ncreate the cluster", "exists already"),
        ("create the cluster\nscale to 1", "wanted at size 1 already"),
        (
            "create the cluster\nexpect 3 members within 1s",
            "wanted at size 1 at this point",
        ),
        (
            "create the cluster\nexpect nothing is left within 1s",
            "nothing was deleted",
        ),
        (
            "create the cluster\ndelete the cluster\nscale to 2",
            "was deleted before this point",
        ),
        (
            "create the cluster\ndelete the cluster\nexpect nothing is left within 1s",
            "are kept",
        ),
        (
            "create the cluster\nexpect every acknowledged write is readable",
            "no `traffic:` line",
        ),
    ];
    for (step, why) in cases {
        let shown = refused(&format!("{HEADING}step \"a\"\n{step}\n"));
        assert!(shown.contains(why), "{step}: {shown}");
    }
}

#[test]
fn missing_parts_are_named() {
    for (text, why) in [
        (
            "",
            "the file ends without a line `cluster NAME: size SIZE, version VERSION`",
        ),
        (HEADING, "the file ends without a single `step"),
        (
            "cluster demo: size 1, version 3.5.21\nstep \"a\"\n",
            "nothing is done or expected",
        ),
    ] {
        let shown = refused(text);
        assert!(shown.contains(why), "{shown}");
    }
}

#[test]
fn the_files_that_come_with_the_project_are_scenarios() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/files");
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("readable").path();
        let text = std::fs::read_to_string(&path).expect("readable");
        let scenario = parse(&text).unwrap_or_else(|diagnostics| {
            panic!(
                "{}",
                Refused {
                    file: path.display().to_string(),
                    diagnostics
                }
            )
        });
        assert!(
            !scenario.story.is_empty(),
            "{} has no story on top",
            path.display()
        );
    }
}

#[test]
fn every_sentence_of_the_table_can_be_written() {
    let filled = |form: &str| {
        let values = [
            ("<name>", "demo"),
            ("<version>", "3.5.21"),
            ("<size>", "2"),
            ("<rate>", "5"),
            ("<keys>", "7"),
            ("<duration>", "5s"),
            ("<title>", "\"a title\""),
            ("members|member", "members"),
            ("<fault>", "kill the leader"),
            ("<member>", "member 2"),
            ("<nth>", "3rd"),
            ("<call>", "MemberAdd"),
            ("<condition>", "available"),
            ("<truth>", "false"),
            ("<mebibytes>", "512"),
            ("<gibibytes>", "2"),
        ];
        values.iter().fold(form.to_owned(), |text, (slot, value)| {
            text.replace(slot, value)
        })
    };
    for sentence in sentences() {
        let line = filled(&sentence.form);
        for place in sentence.places {
            let words = scenarios::scenario::words::words(&line).expect("no quote is open");
            let read = scenarios::scenario::matching::read(&words, *place);
            assert!(read.is_ok(), "{line}: {read:?}");
        }
        assert!(
            !wording(&sentence.form).contains(['<', '>', '|']),
            "{}",
            wording(&sentence.form)
        );
    }
}

fn span() -> impl Strategy<Value = Span> {
    (1u64..=86_400_000).prop_filter_map("a span", Span::from_millis)
}

fn title() -> impl Strategy<Value = String> {
    "[a-z0-9#:,]([a-zA-Z0-9 #:,'/é-]{0,20}[a-z0-9#])?"
}

/// Some fault at some moment; about members only while there are some.
fn strike(pick: u32, span: Span, members: bool) -> Strike {
    let kinds: Vec<Fault> = Fault::kinds()
        .into_iter()
        .filter(|kind| members || kind.target().is_none())
        .collect();
    let pick = pick as usize + span.duration().as_millis() as usize;
    let targets = [
        Target::Leader,
        Target::Follower,
        Target::Learner,
        Target::Ordinal(pick as u32 % 9),
    ];
    let situations = Situation::ALL.map(|(_, situation)| Trigger::When(situation));
    let triggers = [Trigger::Now, Trigger::In(span)]
        .into_iter()
        .chain(situations);
    let triggers: Vec<Trigger> = triggers.collect();
    let mut fault = kinds[pick % kinds.len()].lasting(span);
    fault = fault.hitting(targets[pick % targets.len()]);
    if let Fault::Operator(OperatorFault::KillAt { moment, .. }) = fault {
        let (nth, call) = (1 + pick as u32 % 23, Call::ALL[pick % Call::ALL.len()].1);
        fault = Fault::Operator(OperatorFault::KillAt { moment, nth, call });
    }
    Strike {
        trigger: triggers[pick % triggers.len()],
        fault,
    }
}

fn change(pick: u32) -> Change {
    let version = EtcdVersion {
        major: 3,
        minor: 6,
        patch: 4,
    };
    match pick % 5 {
        0 => Change::Version(version),
        1 => Change::MemoryLimit(512),
        2 => Change::VolumeSize(2),
        3 => Change::Image(Image::Missing),
        _ => Change::Image(Image::Right),
    }
}

/// A story that makes sense: each wish becomes an instruction that fits where the story is.
fn instructions(size: u32, kept: bool, wishes: &[(u8, u32, Span)]) -> Vec<Instruction> {
    let mut told = vec![Instruction::Do(Action::Create)];
    let mut now = Some(size);
    for (kind, wanted, span) in wishes {
        let instruction = match (kind % 10, now) {
            (0, Some(size)) if size != *wanted => {
                now = Some(*wanted);
                Instruction::Do(Action::Scale(*wanted))
            }
            (1, Some(count)) => Instruction::Expect(Expectation::Members {
                count,
                within: *span,
            }),
            (2, Some(count)) => Instruction::Expect(Expectation::Stays {
                count,
                lasting: *span,
            }),
            (3, Some(_)) => {
                now = None;
                Instruction::Do(Action::Delete)
            }
            (3, None) => {
                now = Some(size);
                Instruction::Do(Action::Create)
            }
            (4, None) if kept => {
                Instruction::Expect(Expectation::OnlyVolumesLeft { within: *span })
            }
            (4, None) => Instruction::Expect(Expectation::NothingLeft { within: *span }),
            (5, Some(size)) if size > 0 => Instruction::Expect(Expectation::WritesReadable),
            (7, _) => Instruction::Do(Action::Strike(strike(*wanted, *span, now.is_some()))),
            (8, Some(_)) => Instruction::Expect(Expectation::StatusNames {
                text: "quorum, of \u{e9}".to_owned(),
                within: *span,
            }),
            (6, _) => Instruction::Expect(Expectation::NoViolation),
            (9, Some(_)) => Instruction::Do(Action::Change(change(*wanted))),
            _ => Instruction::Do(Action::Wait(*span)),
        };
        told.push(instruction);
    }
    told
}

prop_compose! {
    fn scenario()(
        story in vec("([a-z#\"][a-z #\"]{0,20}[a-z#\"])?", 0..4),
        name in "[a-z]([a-z0-9-]{0,20}[a-z0-9])?",
        size in 0u32..=9,
        numbers in (0u32..100, 0u32..20, 0u32..60),
        deleted in any::<bool>(),
        rates in (0u32..=10_000, 0u32..=10_000, 1u32..=10_000),
        titles in vec(title(), 1..5),
        wishes in vec((any::<u8>(), 0u32..=9, span()), 0..20),
        last in option::of(Just(Expectation::NoViolation)),
    ) -> Scenario {
        let version = EtcdVersion { major: 3, minor: numbers.1, patch: numbers.2 };
        let volumes = if deleted { Volumes::Deleted } else { Volumes::Kept };
        let mut titles = titles;
        titles.sort();
        titles.dedup();
        let told = instructions(size, !deleted, &wishes);
        let share = told.len().div_ceil(titles.len()).max(1);
        let steps = told
            .chunks(share)
            .zip(titles)
            .map(|(part, title)| Step { title, instructions: part.to_vec() })
            .collect();
        Scenario {
            story,
            cluster: Cluster { name, size, version, volumes },
            traffic: Some(Traffic { puts: rates.0, reads: rates.1, keys: rates.2 }),
            steps,
            finally: last.into_iter().collect(),
        }
    }
}

proptest! {
    #[test]
    fn what_is_printed_parses_back_to_the_same(scenario in scenario()) {
        let text = scenario.to_string();
        let parsed = parse(&text).map_err(|diagnostics| {
            Refused { file: "printed".to_owned(), diagnostics }.to_string()
        });
        prop_assert_eq!(parsed, Ok(scenario));
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "(cluster|step|expect|[ -~\t\né]){0,60}") {
        if let Err(diagnostics) = parse(&text) {
            let shown = Refused { file: "x".to_owned(), diagnostics }.to_string();
            prop_assert!(shown.contains("--> x:"));
        }
    }
}

#[test]
fn every_edit_by_hand_and_the_word_read_as_they_print() {
    let edits = [
        "set the StatefulSet to 2 replicas by hand",
        "delete the StatefulSet by hand",
        "delete the ConfigMap by hand",
        "empty the ConfigMap by hand",
        "delete the Services by hand",
        "delete the disruption budget by hand",
        "give the word that the status asks for",
    ];
    for edit in edits {
        let text = format!(
            "cluster demo: size 3, version 3.5.21\n\nstep \"one\"\n  create the cluster\n  {edit}\n"
        );
        let parsed = parse(&text).unwrap_or_else(|refused| panic!("{edit}: {refused:?}"));
        assert_eq!(parsed.to_string(), text);
    }
}
