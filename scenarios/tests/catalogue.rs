//! The catalogue names tests and scenarios that exist.

use std::{fs, path::Path};

/// What stands between `open` and `close`, each time.
fn between<'a>(text: &'a str, open: &str, close: &str) -> Vec<&'a str> {
    text.split(open)
        .skip(1)
        .filter_map(|rest| Some(rest.split_once(close)?.0))
        .collect()
}

/// Names on the page that lead nowhere.
fn dangling(page: &str, root: &Path) -> Vec<String> {
    let code = page.split('`').skip(1).step_by(2);
    let tests = code.filter_map(|name| name.split_once("::"));
    let lost_tests = tests.filter(|(file, name)| {
        let text = fs::read_to_string(root.join(file)).unwrap_or_default();
        !text.contains(&format!("fn {name}("))
    });
    let files = between(page, "](files/", ")").into_iter();
    let lost_files = files.filter(|file| !root.join("scenarios/files").join(file).exists());
    lost_tests
        .map(|(file, name)| format!("{file}::{name}"))
        .chain(lost_files.map(str::to_owned))
        .collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the crate lies in the workspace")
}

#[test]
fn every_test_and_scenario_that_it_names_exists() {
    let page = fs::read_to_string(root().join("scenarios/CATALOGUE.md")).expect("the catalogue");
    assert_eq!(dangling(&page, root()), [""; 0]);
    assert!(between(&page, "](files/", ")").len() > 20);
}

#[test]
fn every_scenario_is_in_it() {
    let page = fs::read_to_string(root().join("scenarios/CATALOGUE.md")).expect("the catalogue");
    let files = fs::read_dir(root().join("scenarios/files")).expect("the scenarios");
    let names = files.map(|file| {
        file.expect("a file")
            .file_name()
            .into_string()
            .expect("UTF-8")
    });
    let lost: Vec<_> = names.filter(|name| !page.contains(name)).collect();
    assert_eq!(lost, [""; 0]);
}

#[test]
fn a_name_that_leads_nowhere_is_found() {
    let page = "`operator/src/lib.rs::no_such_test` and [x](files/no-such.scenario)";
    assert_eq!(dangling(page, root()).len(), 2);
}
