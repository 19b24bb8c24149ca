//! The Helm chart and the kustomize base say the same, but for what the chart lets one set.

use std::{fs, path::PathBuf};

/// Lines of the base that the chart fills in from its values.
const FROM_VALUES: [&str; 6] = [
    "  namespace: ",
    "  replicas: ",
    "image: ",
    "imagePullPolicy: ",
    "            requests: ",
    "            limits: ",
];

fn read(path: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../kind-config");
    fs::read_to_string(folder.join(path)).unwrap()
}

fn base(kinds: &[&str]) -> Vec<String> {
    let text = read("operator/operator.yaml");
    text.split("---\n")
        .filter(|document| {
            let mut lines = document.lines();
            let kind = lines.find_map(|line| line.strip_prefix("kind: "));
            kind.is_some_and(|kind| kinds.contains(&kind))
        })
        .map(str::to_owned)
        .collect()
}

/// What does not depend on values: neither templated lines nor what stands under a condition.
fn fixed(template: &str) -> Vec<&str> {
    let mut depth = 0;
    let mut fixed = Vec::new();
    for line in template.lines() {
        let opens = line.matches("{{- if").count();
        let closes = line.matches("{{- end").count();
        depth += opens;
        if depth == 0 && !line.contains("{{") {
            fixed.push(line);
        }
        depth -= closes;
    }
    fixed
}

fn rules(document: &str) -> Vec<&str> {
    let lines = document.lines().skip_while(|line| *line != "rules:");
    lines
        .take_while(|line| *line == "rules:" || line.starts_with("  "))
        .collect()
}

#[test]
fn the_chart_grants_what_the_base_grants() {
    let template = read("chart/templates/rbac.yaml");
    let chart = template.split("---\n").map(rules);
    let chart: Vec<_> = chart.filter(|rules| !rules.is_empty()).collect();
    let base = base(&["ClusterRole", "Role"]);
    let base: Vec<_> = base.iter().map(|document| rules(document)).collect();
    assert_eq!(chart, base);
}

#[test]
fn the_chart_deploys_what_the_base_deploys() {
    let template = read("chart/templates/operator.yaml");
    let base = base(&["Deployment", "PodDisruptionBudget", "Service"]).join("---\n");
    let base: Vec<&str> = base
        .lines()
        .filter(|line| !FROM_VALUES.iter().any(|value| line.contains(value)))
        .collect();
    assert_eq!(fixed(&template), base);
}
