//! Colours, where a terminal shows them.
//!
//! Owns: the few styles in use, and when they are off.
//! Always holds: without a terminal, or with `NO_COLOR` set, text comes out as it went in.
//! Deliberately does not know: what is painted.

use std::io::IsTerminal;

/// Paints, or not.
#[derive(Clone, Copy, Debug)]
pub struct Paint {
    on: bool,
}

impl Paint {
    /// Colours if standard output is a terminal and nobody asked for none.
    #[must_use]
    pub fn of_stdout() -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            on: std::io::stdout().is_terminal() && !unwanted,
        }
    }

    /// No colours.
    #[must_use]
    pub fn off() -> Self {
        Self { on: false }
    }

    /// A heading.
    #[must_use]
    pub fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    /// Something of little weight.
    #[must_use]
    pub fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    /// Something good.
    #[must_use]
    pub fn green(self, text: &str) -> String {
        self.with("1;32", text)
    }

    /// Something bad.
    #[must_use]
    pub fn red(self, text: &str) -> String {
        self.with("1;31", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.on {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}
