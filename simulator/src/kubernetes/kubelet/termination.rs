//! What a kubelet keeps of a container's last words.
//!
//! Owns: the termination message of a container that has ended.
//! Always holds: never more than the last 2048 bytes of the last 80 lines, and nothing at all
//! unless the container failed and its pod asks for its log (Kubernetes documentation, "Customizing
//! the termination message").
//! Deliberately does not know: files; the simulated programs write no `/dev/termination-log`.

use serde_json::Value;

/// The most bytes that are taken from a log.
const MOST_BYTES: usize = 2048;
/// The most lines that are taken from a log.
const MOST_LINES: usize = 80;

/// The message of a container with this specification, or nothing.
pub(super) fn message(container: &Value, code: i32, log: impl FnOnce() -> Vec<String>) -> String {
    let wanted = container["terminationMessagePolicy"] == "FallbackToLogsOnError";
    if !wanted || code == 0 {
        return String::new();
    }
    let lines = log();
    let mut text = String::new();
    for line in &lines[lines.len().saturating_sub(MOST_LINES)..] {
        text.push_str(line);
        text.push('\n');
    }
    let mut from = text.len().saturating_sub(MOST_BYTES);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    text.split_off(from)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(policy: &str, code: i32, log: &[&str]) -> String {
        let log = log.iter().map(|line| (*line).to_owned()).collect();
        message(&json!({"terminationMessagePolicy": policy}), code, || log)
    }

    #[test]
    fn only_a_failed_container_whose_pod_asks_for_its_log_leaves_a_message() {
        assert_eq!(of("File", 1, &["why"]), "");
        assert_eq!(of("FallbackToLogsOnError", 0, &["why"]), "");
        assert_eq!(of("FallbackToLogsOnError", 1, &["so", "why"]), "so\nwhy\n");
    }

    #[test]
    fn a_message_is_the_end_of_the_log() {
        let long = "x".repeat(3000);
        let kept = of("FallbackToLogsOnError", 2, &[&long, "last"]);
        assert_eq!(kept.len(), 2048);
        assert!(kept.ends_with("x\nlast\n"));
        let many: Vec<String> = (0..100).map(|line| line.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(of("FallbackToLogsOnError", 2, &many).starts_with("20\n"));
    }
}
