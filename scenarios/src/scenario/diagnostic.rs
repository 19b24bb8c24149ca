//! A mistake in a scenario file, shown as rustc shows one.
//!
//! Owns: the place of a mistake, its message, and their layout.
//! Always holds: what is shown names file, line and column, and what could stand there instead.
//! Deliberately does not know: how the mistake was found.

use std::fmt;

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Line, from 1.
    pub line: usize,
    /// Column of the first character, from 1.
    pub column: usize,
    /// Characters that are wrong.
    pub length: usize,
    /// The line as it stands in the file.
    pub text: String,
    /// What is wrong.
    pub message: String,
    /// What stands beside the carets.
    pub label: String,
    /// What was probably meant.
    pub help: Option<String>,
    /// Sentences that may stand here.
    pub allowed: Vec<String>,
}

impl Diagnostic {
    /// A mistake without further advice.
    #[must_use]
    pub fn new(
        line: usize,
        column: usize,
        length: usize,
        text: &str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            line,
            column,
            length,
            text: text.to_owned(),
            message: message.into(),
            label: String::new(),
            help: None,
            allowed: Vec::new(),
        }
    }

    fn show(&self, file: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, .. } = self;
        let gutter = " ".repeat(line.to_string().len());
        // Tabs stay tabs in the padding, so that the caret stands under its word.
        let before = self.text.chars().take(column - 1);
        let padding: String = before.map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        writeln!(f, "error: {}", self.message)?;
        writeln!(f, "{gutter}--> {file}:{line}:{column}")?;
        writeln!(f, "{gutter} |")?;
        writeln!(f, "{line} | {}", self.text.trim_end())?;
        let marked = format!("{padding}{} {}", "^".repeat(self.length), self.label);
        writeln!(f, "{gutter} | {}", marked.trim_end())?;
        if let Some(help) = &self.help {
            writeln!(f, "{gutter} = help: {help}")?;
        }
        for (index, sentence) in self.allowed.iter().enumerate() {
            let lead = if index == 0 {
                "= allowed here:"
            } else {
                "               "
            };
            writeln!(f, "{gutter} {lead} {sentence}")?;
        }
        Ok(())
    }
}

/// A file that is no scenario, with everything that is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Refused {
    /// The file.
    pub file: String,
    /// The mistakes, in the order of their lines.
    pub diagnostics: Vec<Diagnostic>,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for diagnostic in &self.diagnostics {
            diagnostic.show(&self.file, f)?;
            writeln!(f)?;
        }
        let count = self.diagnostics.len();
        let mistakes = if count == 1 {
            "1 mistake".to_owned()
        } else {
            format!("{count} mistakes")
        };
        write!(f, "error: {} is not a scenario: {mistakes}", self.file)
    }
}
