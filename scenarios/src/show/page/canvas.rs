//! The little SVG that is needed.
//!
//! Owns: shapes as text, and the scale from time to pixels.
//! Always holds: every text is escaped; a shape with a hint shows it when pointed at.
//! Deliberately does not know: what the shapes mean.

use std::{fmt::Write, time::Duration};

use super::escape;

/// Room for names on the left, and for the last label on the right.
const LEFT: f64 = 200.0;
const RIGHT: f64 = 24.0;

/// A drawing that grows downwards.
pub(super) struct Canvas {
    shapes: String,
    /// Pixels of a second.
    scale: f64,
    /// Where time begins.
    left: f64,
    /// The whole width.
    width: f64,
}

impl Canvas {
    /// An empty one for so much time, with room for names on the left.
    pub(super) fn new(time: Duration) -> Self {
        let seconds = time.as_secs_f64().max(1.0);
        // Short runs fill a screen; long ones may be scrolled, up to a few screens.
        let drawn = (seconds * 9.0).clamp(1100.0, 6000.0);
        Self {
            shapes: String::new(),
            scale: drawn / seconds,
            left: LEFT,
            width: LEFT + drawn + RIGHT,
        }
    }

    pub(super) fn x(&self, at: Duration) -> f64 {
        self.left + at.as_secs_f64() * self.scale
    }

    /// The right end of time.
    pub(super) fn right(&self) -> f64 {
        self.width - RIGHT
    }

    pub(super) fn left(&self) -> f64 {
        self.left
    }

    pub(super) fn scale(&self) -> f64 {
        self.scale
    }

    /// A filled box.
    pub(super) fn area(
        &mut self,
        (x, y): (f64, f64),
        (width, height): (f64, f64),
        fill: &str,
        hint: &str,
    ) {
        let _ = writeln!(
            self.shapes,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{height:.1}\" fill=\"{fill}\">{}</rect>",
            width.max(1.0),
            tip(hint)
        );
    }

    pub(super) fn line(&mut self, (x, y): (f64, f64), (to_x, to_y): (f64, f64), style: &str) {
        let _ = writeln!(
            self.shapes,
            "<line x1=\"{x:.1}\" y1=\"{y:.1}\" x2=\"{to_x:.1}\" y2=\"{to_y:.1}\" {style}/>"
        );
    }

    /// A line that goes from value to value in steps.
    pub(super) fn steps(&mut self, points: &[(f64, f64)], style: &str) {
        let mut path = String::new();
        for (index, (x, y)) in points.iter().enumerate() {
            let _ = match index {
                0 => write!(path, "M{x:.1} {y:.1}"),
                _ => write!(path, " H{x:.1} V{y:.1}"),
            };
        }
        let _ = writeln!(self.shapes, "<path d=\"{path}\" fill=\"none\" {style}/>");
    }

    pub(super) fn dot(&mut self, (x, y): (f64, f64), radius: f64, fill: &str, hint: &str) {
        let _ = writeln!(
            self.shapes,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius:.1}\" fill=\"{fill}\">{}</circle>",
            tip(hint)
        );
    }

    /// Text; `style` sets what is not black and to the right of the place.
    pub(super) fn text(&mut self, (x, y): (f64, f64), text: &str, style: &str) {
        let _ = writeln!(
            self.shapes,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" {style}>{}</text>",
            escape(text)
        );
    }

    /// The name of a lane, on the left.
    pub(super) fn name(&mut self, y: f64, text: &str) {
        let at = (self.left - 8.0, y);
        self.text(at, text, "text-anchor=\"end\" fill=\"#445\"");
    }

    /// The whole drawing, so many pixels high.
    pub(super) fn finish(self, height: f64) -> String {
        format!(
            "<div class=\"picture\"><svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{:.0}\" \
             height=\"{height:.0}\" viewBox=\"0 0 {:.0} {height:.0}\">\n{}</svg></div>\n",
            self.width, self.width, self.shapes
        )
    }
}

fn tip(hint: &str) -> String {
    if hint.is_empty() {
        return String::new();
    }
    format!("<title>{}</title>", escape(hint))
}
