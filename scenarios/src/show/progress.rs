//! One line that is overwritten while something is waited for.
//!
//! Owns: the last line of the terminal.
//! Always holds: it is gone before anything else is printed; without a terminal it never appears.
//! Deliberately does not know: what is waited for.

use std::io::{IsTerminal, Write};

const TURNS: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/// The line.
#[derive(Debug)]
pub struct Progress {
    terminal: bool,
    turn: usize,
    shown: bool,
}

/// Characters of the line at most, so that it never wraps on a usual terminal.
const WIDTH: usize = 78;

impl Progress {
    /// Shown if standard error is a terminal.
    #[must_use]
    pub fn on_stderr() -> Self {
        Self {
            terminal: std::io::stderr().is_terminal(),
            turn: 0,
            shown: false,
        }
    }

    /// Whether there is a terminal to show it on.
    #[must_use]
    pub fn is_seen(&self) -> bool {
        self.terminal
    }

    /// Shows what is waited for.
    pub fn show(&mut self, text: &str) {
        if !self.terminal {
            return;
        }
        self.turn = (self.turn + 1) % TURNS.len();
        let text: String = text.chars().take(WIDTH).collect();
        let mut stderr = std::io::stderr();
        // A terminal that went away is no reason to stop a run.
        let _ = write!(stderr, "\r\x1b[K{} {text}", TURNS[self.turn]).and_then(|()| stderr.flush());
        self.shown = true;
    }

    /// Takes the line away.
    pub fn clear(&mut self) {
        if std::mem::take(&mut self.shown) {
            let mut stderr = std::io::stderr();
            let _ = write!(stderr, "\r\x1b[K").and_then(|()| stderr.flush());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}
