//! Text inside XML and HTML.
//!
//! Owns: the escapes.
//! Always holds: what is escaped is text to every parser of either, whatever it was before.
//! Deliberately does not know: what the text is about.

/// Text as it may stand between tags and in attributes; control characters, which may not, become `?`.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c if c.is_control() && c != '\n' && c != '\t' => escaped.push('?'),
            c => escaped.push(c),
        }
    }
    escaped
}
