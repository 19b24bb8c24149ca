//! The scenario files that come with this program, and finding one by name or path.
//!
//! Owns: the list of files built in, and what an argument on the command line refers to.
//! Always holds: what is found has been read as a scenario; what is not found is answered with what
//! there is.
//! Deliberately does not know: how a scenario runs.

use std::{fs, path::Path};

use crate::scenario::{Refused, Scenario, nearest::nearest, parse};

/// A scenario and how it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name, or the path it was given by. Running it again by this gives the same scenario.
    pub name: String,
    /// The scenario.
    pub scenario: Scenario,
}

/// The files of these names, each with its text.
macro_rules! built_in {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../files/", $name, ".scenario")))),*]
    };
}

/// Files built into the program, in order of names.
static BUILT_IN: &[(&str, &str)] = built_in![
    "api-server-frozen-while-growing",
    "api-server-restarts",
    "bad-image-taken-back",
    "change-of-mind",
    "cut-off-while-growing",
    "data-lost-with-its-pod",
    "edited-by-hand",
    "every-fault",
    "five-members-start-together",
    "grown-with-one-down",
    "learner-never-starts",
    "node-off",
    "operator-killed-mid-change",
    "pods-come-and-go",
    "quorum-lost-for-good",
    "recreated-at-once",
    "recreated-in-the-past",
    "resources-edited-while-scaling",
    "shrunk-and-grown-at-once",
    "three-grow-to-five",
    "three-members-start-together",
    "three-shrink-to-one",
    "time-travel-to-a-stop",
    "time-travel",
    "two-operators",
    "upgrade-minor",
    "upgrade-patch",
    "upgraded-after-shrinking",
    "volumes-grow",
    "walk-1-3-5-3-1",
    "watches-silent-while-shrinking",
];

/// Why there is no such scenario.
#[derive(Debug, thiserror::Error)]
pub enum NotFound {
    /// The text is no scenario.
    #[error("{0}")]
    Refused(Refused),
    /// The file cannot be read.
    #[error("error: failed to read {path}: {source}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// There is no scenario of this name, and no such file.
    #[error(
        "error: there is no scenario `{name}`, and no file of that name{}\n  \
         known scenarios: {known}\n  \
         or give the path of a file that ends in .scenario",
        .near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default()
    )]
    Unknown {
        /// What was asked for.
        name: String,
        /// What was probably meant.
        near: Option<&'static str>,
        /// What there is.
        known: String,
    },
}

/// Every scenario that comes with the program, in order of names.
///
/// # Errors
/// When one of them is no scenario; a test keeps that from happening.
pub fn all() -> Result<Vec<Entry>, NotFound> {
    BUILT_IN
        .iter()
        .map(|(name, text)| read(name, &format!("{name}.scenario"), text))
        .collect()
}

/// Finds a scenario by its name or by the path of a file.
///
/// # Errors
/// When there is none, or its text is refused.
pub fn find(argument: &str) -> Result<Entry, NotFound> {
    if let Some((name, text)) = BUILT_IN.iter().find(|(name, _)| *name == argument) {
        return read(name, &format!("{name}.scenario"), text);
    }
    let looks_like_path = argument.contains('/') || argument.ends_with(".scenario");
    if looks_like_path || Path::new(argument).is_file() {
        let text = fs::read_to_string(argument).map_err(|source| NotFound::Unreadable {
            path: argument.to_owned(),
            source,
        })?;
        return read(argument, argument, &text);
    }
    let names: Vec<&'static str> = BUILT_IN.iter().map(|(name, _)| *name).collect();
    let begins = |name: &&&'static str| !argument.is_empty() && name.starts_with(argument);
    let near = nearest(argument, &names).or_else(|| names.iter().find(begins).copied());
    Err(NotFound::Unknown {
        name: argument.to_owned(),
        near,
        known: names.join(", "),
    })
}

fn read(name: &str, file: &str, text: &str) -> Result<Entry, NotFound> {
    match parse(text) {
        Ok(scenario) => Ok(Entry {
            name: name.to_owned(),
            scenario,
        }),
        Err(diagnostics) => Err(NotFound::Refused(Refused {
            file: file.to_owned(),
            diagnostics,
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_in_the_folder_is_built_in() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/files");
        let mut names: Vec<String> = fs::read_dir(folder)
            .expect("the folder is there")
            .map(|entry| {
                entry
                    .expect("readable")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        names.sort();
        let built_in: Vec<String> = BUILT_IN
            .iter()
            .map(|(name, _)| format!("{name}.scenario"))
            .collect();
        assert_eq!(names, built_in);
        assert_eq!(all().expect("scenarios").len(), built_in.len());
    }

    #[test]
    fn an_unknown_name_is_answered_with_what_was_meant() {
        let answer = find("walk-1-3-5-31").expect_err("unknown").to_string();
        assert!(
            answer.contains("did you mean `walk-1-3-5-3-1`?"),
            "{answer}"
        );
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let answer = find("no/such.scenario").expect_err("missing").to_string();
        assert!(
            answer.contains("failed to read no/such.scenario"),
            "{answer}"
        );
    }
}
