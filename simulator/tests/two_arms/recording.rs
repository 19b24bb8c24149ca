//! Cases and recordings as files.
//!
//! Always holds: a recording is the script with each line's answer below it, so that the two can
//! be compared line by line. `# differs: REASON` above a line of a case keeps a difference there;
//! several `# either: ANSWER` are answers that are equally good.
//! Deliberately does not know: what a script is about. Who uses it says in `FOLDER` where it is.

use std::{env, fs, path::PathBuf};

/// A script with its name.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    /// Lines to do, without comments.
    pub(crate) script: Vec<String>,
    /// Why the simulation answers differently, by line of the script.
    pub(crate) differs: Vec<Option<String>>,
    /// Answers that are equally good, because real etcd gives now one and now the other.
    pub(crate) either: Vec<Vec<String>>,
}

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join(crate::FOLDER)
        .join(name)
}

/// All cases, by name.
pub(crate) fn cases() -> Vec<Case> {
    let only = env::var("CASE").unwrap_or_default();
    let mut cases: Vec<Case> = fs::read_dir(folder("cases"))
        .expect("the folder of the cases")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|end| end == "case"))
        .map(|path| {
            let name = path.file_stem().expect("a name").to_string_lossy();
            read(&name, &fs::read_to_string(&path).expect("a text"))
        })
        .filter(|case| case.name.contains(&only))
        .collect();
    cases.sort_by(|one, other| one.name.cmp(&other.name));
    cases
}

fn read(name: &str, text: &str) -> Case {
    let (mut script, mut differs, mut reason) = (Vec::new(), Vec::new(), None);
    let (mut either, mut good) = (Vec::new(), Vec::new());
    for line in text.lines().map(str::trim) {
        if let Some(why) = line.strip_prefix("# differs:") {
            reason = Some(why.trim().to_owned());
        } else if let Some(answer) = line.strip_prefix("# either:") {
            good.push(answer.trim().to_owned());
        } else if !line.is_empty() && !line.starts_with('#') {
            script.push(line.to_owned());
            differs.push(reason.take());
            either.push(std::mem::take(&mut good));
        }
    }
    Case {
        name: name.to_owned(),
        script,
        differs,
        either,
    }
}

/// Every difference that is kept, with its reason.
pub(crate) fn kept_differences() -> Vec<(String, String)> {
    let of = |case: Case| {
        let name = case.name;
        let reasons = case.differs.into_iter().flatten();
        reasons.map(move |reason| (name.clone(), reason))
    };
    cases().into_iter().flat_map(of).collect()
}

pub(crate) fn recorded_versions() -> Vec<String> {
    let entries = fs::read_dir(folder("recorded")).expect("the folder of the recordings");
    let mut versions: Vec<String> = entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    versions.sort();
    versions
}

/// The recorded answers, if they are to this very script.
pub(crate) fn recorded(version: &str, case: &Case) -> Option<Vec<String>> {
    let path = folder("recorded")
        .join(version)
        .join(format!("{}.txt", case.name));
    let text = fs::read_to_string(path).ok()?;
    let (mut script, mut answers): (Vec<&str>, Vec<String>) = (Vec::new(), Vec::new());
    for line in text.lines() {
        match line.strip_prefix("  ") {
            None => {
                script.push(line);
                answers.push(String::new());
            }
            Some(answer) => {
                let last = answers.last_mut().expect("an answer comes after a line");
                if !last.is_empty() {
                    last.push('\n');
                }
                last.push_str(answer);
            }
        }
    }
    (script == case.script).then_some(answers)
}

fn record(version: &str, case: &Case, answers: &[String]) {
    let folder = folder("recorded").join(version);
    fs::create_dir_all(&folder).expect("a folder");
    let text = transcript(&case.script, answers);
    fs::write(folder.join(format!("{}.txt", case.name)), text).expect("written");
}

/// Records what the real arm answered where that is asked for; else tells how it differs from what
/// was recorded.
pub(crate) fn hold_real(version: &str, case: &Case, answers: &[String]) -> Option<String> {
    if env::var_os("RECORD").is_some() {
        record(version, case, answers);
        return None;
    }
    match recorded(version, case) {
        None => Some(format!("{} {version} was never recorded", case.name)),
        Some(expected) => held(version, case, &expected, answers, "real"),
    }
}

/// How an arm's answers differ from the recorded ones, under the name of the case.
pub(crate) fn held(
    version: &str,
    case: &Case,
    expected: &[String],
    answers: &[String],
    arm: &str,
) -> Option<String> {
    let text = difference(case, expected, answers, arm)?;
    Some(format!("{} {version}\n{text}", case.name))
}

/// Says which differences are kept, and fails with those that are not.
pub(crate) fn settle(failures: &[String]) {
    for (case, reason) in kept_differences() {
        println!("kept difference in {case}: {reason}");
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

pub(crate) fn transcript(script: &[String], answers: &[String]) -> String {
    let mut text = String::new();
    for (line, answer) in script.iter().zip(answers) {
        text.push_str(line);
        text.push('\n');
        for part in answer.lines() {
            text.push_str("  ");
            text.push_str(part);
            text.push('\n');
        }
    }
    text
}

/// What is different, in words.
pub(crate) fn difference(
    case: &Case,
    expected: &[String],
    answers: &[String],
    arm: &str,
) -> Option<String> {
    let mut text = String::new();
    for (index, line) in case.script.iter().enumerate() {
        let (expected, found) = (&expected[index], &answers[index]);
        let good = &case.either[index];
        let alike = expected == found || (good.contains(expected) && good.contains(found));
        if arm == "simulated" && case.differs[index].is_some() {
            continue;
        }
        if !alike {
            text.push_str(&format!(
                "  {line}\n    recorded:  {expected}\n    {arm}: {found}\n"
            ));
        }
    }
    (!text.is_empty()).then_some(text)
}
