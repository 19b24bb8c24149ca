//! `scenarios list`.
//!
//! Owns: the overview.
//! Always holds: every file named is read; one that is no scenario is refused.
//! Deliberately does not know: worlds.

use serde_json::json;

use super::CommandFailed;
use crate::{
    cli::List,
    library::{self, Entry},
    show::paint::Paint,
};

pub(super) fn list(options: &List) -> Result<(), CommandFailed> {
    let found = if options.scenarios.is_empty() {
        library::all()
    } else {
        options
            .scenarios
            .iter()
            .map(|argument| library::find(argument))
            .collect()
    };
    let entries = found.map_err(|error| CommandFailed::BadInput(error.to_string()))?;
    if options.json {
        let documents: Vec<_> = entries.iter().map(document).collect();
        println!("{:#}", json!({ "scenarios": documents }));
        return Ok(());
    }
    let paint = Paint::of_stdout();
    for Entry { name, scenario } in &entries {
        println!("{}", paint.bold(name));
        for line in &scenario.story {
            println!("    {line}");
        }
        let steps: Vec<&str> = scenario
            .steps
            .iter()
            .map(|step| step.title.as_str())
            .collect();
        println!("    {}", paint.dim(&scenario.cluster.to_string()));
        println!(
            "    {}\n",
            paint.dim(&format!("steps: {}", steps.join(", ")))
        );
    }
    println!(
        "run one: scenarios run {}",
        entries.first().map_or("NAME", |entry| &entry.name)
    );
    Ok(())
}

fn document(entry: &Entry) -> serde_json::Value {
    let scenario = &entry.scenario;
    let steps: Vec<&str> = scenario
        .steps
        .iter()
        .map(|step| step.title.as_str())
        .collect();
    json!({
        "name": entry.name,
        "story": scenario.story.join("\n"),
        "cluster": scenario.cluster.to_string(),
        "steps": steps,
    })
}
