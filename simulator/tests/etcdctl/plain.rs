//! What etcdctl prints, without what differs from run to run.
//!
//! Always holds: addresses and member IDs become names, and members are named by what they are:
//! `leader`, `follower`, `follower2`, `m3`. Times, sizes, terms, log indexes and hashes become
//! letters; equal hashes stay equal. What lists members is sorted by their names, and the same line
//! several times over is one line: how often a client tries again is a matter of time.

use std::{collections::BTreeMap, path::Path};

use regex::{Captures, Regex};

/// Who is who, for one command.
pub(crate) struct Names {
    /// Texts that stand for a member: an address, an ID in hex, an ID in decimal.
    pub(crate) members: BTreeMap<String, String>,
    pub(crate) folder: String,
}

impl Names {
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            members: BTreeMap::new(),
            folder: folder.display().to_string(),
        }
    }
}

/// Log lines of the client: what they say, not when and where.
fn log_line(line: &str) -> Option<String> {
    let parsed: serde_json::Value = serde_json::from_str(line).ok()?;
    let field = |name: &str| parsed[name].as_str().unwrap_or_default().to_owned();
    parsed.get("level")?;
    Some(
        format!("{}: {} {}", field("level"), field("msg"), field("error"))
            .trim()
            .to_owned(),
    )
}

/// Substitutions that hold for every command.
const VOLATILE: &[(&str, &str)] = &[
    (r"took( =)? [0-9.]+(µs|ms|s)", "took T"),
    (r"in [0-9.]+(µs|ms|s)\b", "in T"),
    (r"\(took about [^)]*\)", "(took T)"),
    (r"\d+(\.\d+)? ([kMG]i?)?B\b", "SIZE"),
    (r"\b\d+%", "P%"),
    (r"remaining\(\d+s\)", "remaining(Ns)"),
    (r#""(cluster_id|raft_term)":\d+"#, r#""$1":N"#),
    (r#""member_id":[^,]*"#, r#""member_id":N"#),
    (r#""(ClusterID|MemberID|RaftTerm)" : .*"#, r#""$1" : N"#),
    (r"cluster +[0-9a-f]{12,16}\b", "cluster ID"),
    (r"\blease [0-9a-f]{15,16}\b", "lease ID"),
    (r"^[0-9a-f]{15,16}$", "ID"),
    (r"-{2,}", "-"),
    (r" {2,}", " "),
];

/// The text of one answer.
pub(crate) fn plain(names: &Names, command: &str, text: &str) -> String {
    let mut lines: Vec<String> = text
        .lines()
        .map(|line| of_line(names, command, line))
        .collect();
    let many = ["member list", "endpoint ", "defrag", "alarm"];
    if many.iter().any(|it| command.contains(it)) {
        lines.sort();
    }
    lines.dedup();
    let mut text = hashes(command, &lines.join("\n"));
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

fn of_line(names: &Names, command: &str, line: &str) -> String {
    let mut text = log_line(line).unwrap_or_else(|| line.to_owned());
    text = text.replace(&names.folder, "FOLDER");
    for (known, name) in names.members.iter().rev() {
        let known = Regex::new(&format!(r"\b{}\b", regex::escape(known))).expect("a valid pattern");
        text = known.replace_all(&text, name.as_str()).into_owned();
    }
    for (pattern, with) in VOLATILE {
        let pattern = Regex::new(pattern).expect("a valid pattern");
        text = pattern.replace_all(&text, *with).into_owned();
    }
    if command.contains("endpoint status") {
        let numbers = Regex::new(r"(^|[ ,|]) ?\d+( ?[,|]|$)").expect("a valid pattern");
        // Twice, because neighbours share the separator between them.
        for _ in 0..2 {
            text = numbers.replace_all(&text, "${1} N$2").into_owned();
        }
    }
    sorted(text.trim_end())
}

/// The line with its members in the order of their names.
fn sorted(line: &str) -> String {
    if let Some(listed) = line.strip_prefix("ETCD_INITIAL_CLUSTER=") {
        let mut members: Vec<&str> = listed.trim_matches('"').split(',').collect();
        members.sort_unstable();
        return format!("ETCD_INITIAL_CLUSTER=\"{}\"", members.join(","));
    }
    if let Some((head, rest)) = line.split_once("[http")
        && let Some((listed, tail)) = rest.split_once(']')
    {
        let listed = format!("http{listed}");
        let mut urls: Vec<&str> = listed.split(' ').collect();
        urls.sort_unstable();
        return format!("{head}[{}]{tail}", urls.join(" "));
    }
    let Some((head, members)) = line.split_once("\"members\":[{") else {
        return line.to_owned();
    };
    let mut members: Vec<&str> = members.trim_end_matches("}]}").split("},{").collect();
    members.sort_unstable();
    format!("{head}\"members\":[{{{}}}]}}", members.join("},{"))
}

/// Hashes by the order in which they come.
fn hashes(command: &str, text: &str) -> String {
    if !command.contains("hashkv") {
        return text.to_owned();
    }
    let mut seen: Vec<String> = Vec::new();
    let pattern = Regex::new(r"\b\d{5,10}\b").expect("a valid pattern");
    let named = pattern.replace_all(text, |found: &Captures| {
        let at = seen
            .iter()
            .position(|it| *it == found[0])
            .unwrap_or_else(|| {
                seen.push(found[0].to_owned());
                seen.len() - 1
            });
        format!("HASH{at}")
    });
    named.into_owned()
}

#[test]
fn what_is_volatile_becomes_letters_and_the_rest_stays() {
    let mut names = Names::new(Path::new("/tmp/x"));
    names
        .members
        .insert("127.0.0.1".to_owned(), "leader".to_owned());
    let shown = plain(
        &names,
        "endpoint health",
        "127.0.0.1:2379 is healthy: successfully committed proposal: took = 2.3ms\n",
    );
    assert_eq!(
        shown,
        "leader:2379 is healthy: successfully committed proposal: took T\n"
    );
    let shown = plain(
        &names,
        "put",
        r#"{"level":"warn","ts":"1","msg":"retrying","error":"rpc error"}"#,
    );
    assert_eq!(shown, "warn: retrying rpc error\n");
    let shown = plain(
        &names,
        "endpoint hashkv",
        "a, 12345678\nb, 12345678\nc, 87654321\n",
    );
    assert_eq!(shown, "a, HASH0\nb, HASH0\nc, HASH1\n");
}
