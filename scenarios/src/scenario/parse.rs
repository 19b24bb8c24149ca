//! From text to a scenario.
//!
//! Owns: the order of a file's parts, and the collection of every mistake in it.
//! Always holds: either a whole scenario or at least one diagnostic; each names a line of the text.
//! Deliberately does not know: files and terminals.

use super::{
    Cluster, Diagnostic, Expectation, Instruction, Scenario, Step, Traffic, matching,
    mistake::refuse,
    sentence::{Place, Statement},
    story::Story,
    words::words,
};

/// Reads a scenario.
///
/// # Errors
/// Every mistake in the text, in the order of its lines.
pub fn parse(text: &str) -> Result<Scenario, Vec<Diagnostic>> {
    let mut reader = Reader::new(story(text));
    for (index, line) in text.lines().enumerate() {
        reader.line(&Line {
            number: index + 1,
            text: line,
        });
    }
    reader.finish(text)
}

/// The comment lines on top, without their `#`.
fn story(text: &str) -> Vec<String> {
    let told = text.lines().map_while(|line| line.trim().strip_prefix('#'));
    told.map(|line| line.trim().to_owned()).collect()
}

#[derive(Clone, Copy)]
struct Line<'a> {
    number: usize,
    text: &'a str,
}

impl Line<'_> {
    fn whole(self, message: impl Into<String>) -> Diagnostic {
        let indent = self.text.chars().take_while(|c| c.is_whitespace()).count();
        let length = self.text.trim().chars().count().max(1);
        Diagnostic::new(self.number, indent + 1, length, self.text, message)
    }
}

struct Reader<'a> {
    story: Vec<String>,
    place: Place,
    cluster: Option<Cluster>,
    traffic: Option<Traffic>,
    steps: Vec<Step>,
    finally: Vec<Expectation>,
    /// Where each instruction stands, for the rules of the story.
    told: Vec<(Instruction, usize, &'a str)>,
    step_lines: Vec<(usize, &'a str)>,
    diagnostics: Vec<Diagnostic>,
}

impl<'a> Reader<'a> {
    fn new(story: Vec<String>) -> Self {
        Self {
            story,
            place: Place::Heading,
            cluster: None,
            traffic: None,
            steps: Vec::new(),
            finally: Vec::new(),
            told: Vec::new(),
            step_lines: Vec::new(),
            diagnostics: Vec::new(),
        }
    }

    fn line(&mut self, line: &Line<'a>) {
        let words = match words(line.text) {
            Ok(words) => words,
            Err(open) => {
                let text = "this quote is never closed";
                let place = (line.number, open.column, open.length);
                self.diagnostics
                    .push(Diagnostic::new(place.0, place.1, place.2, line.text, text));
                self.follow_heading(line);
                return;
            }
        };
        if words.is_empty() {
            return;
        }
        match matching::read(&words, self.place) {
            Ok(statement) => self.statement(statement, line),
            Err(mismatch) => {
                let refused = refuse(&words, &mismatch, (line.number, line.text), self.place);
                self.diagnostics.push(refused);
                self.follow_heading(line);
            }
        }
    }

    /// A heading with a mistake in it still begins its part: what follows is read as belonging there.
    fn follow_heading(&mut self, line: &Line<'_>) {
        match line.text.split_whitespace().next() {
            Some("step") if self.place != Place::End => self.place = Place::Step,
            Some("finally") => self.place = Place::End,
            _ => {}
        }
    }

    fn statement(&mut self, statement: Statement, line: &Line<'a>) {
        match statement {
            Statement::Cluster(cluster) => {
                if self.cluster.replace(cluster).is_some() {
                    self.diagnostics
                        .push(line.whole("a scenario has one `cluster` line"));
                }
            }
            Statement::Traffic(traffic) => {
                if self.traffic.replace(traffic).is_some() {
                    self.diagnostics
                        .push(line.whole("a scenario has one `traffic:` line"));
                }
            }
            Statement::Step(title) => self.step(title, line),
            Statement::Finally => self.place = Place::End,
            Statement::Do(action) => self.instruction(Instruction::Do(action), line),
            Statement::Expect(expectation) => {
                self.instruction(Instruction::Expect(expectation), line);
            }
        }
    }

    fn step(&mut self, title: String, line: &Line<'a>) {
        if self.steps.iter().any(|step| step.title == title) {
            self.diagnostics
                .push(line.whole(format!("there is a step \"{title}\" already")));
        }
        self.place = Place::Step;
        self.steps.push(Step {
            title,
            instructions: Vec::new(),
        });
        self.step_lines.push((line.number, line.text));
    }

    fn instruction(&mut self, instruction: Instruction, line: &Line<'a>) {
        self.told
            .push((instruction.clone(), line.number, line.text));
        match (self.place, instruction) {
            (Place::End, Instruction::Expect(expectation)) => self.finally.push(expectation),
            (_, instruction) => {
                if let Some(step) = self.steps.last_mut() {
                    step.instructions.push(instruction);
                }
            }
        }
    }

    fn finish(mut self, text: &str) -> Result<Scenario, Vec<Diagnostic>> {
        self.check_parts(text);
        if let Some(cluster) = &self.cluster {
            let mut story = Story::new(cluster, self.traffic.is_some());
            for (instruction, number, text) in &self.told {
                if let Err(why) = story.tell(instruction) {
                    self.diagnostics.push(
                        Line {
                            number: *number,
                            text,
                        }
                        .whole(why),
                    );
                    break; // What follows would only repeat that the story went astray here.
                }
            }
        }
        match self.cluster {
            Some(cluster) if self.diagnostics.is_empty() => Ok(Scenario {
                story: self.story,
                cluster,
                traffic: self.traffic,
                steps: self.steps,
                finally: self.finally,
            }),
            _ => {
                self.diagnostics
                    .sort_by_key(|diagnostic| (diagnostic.line, diagnostic.column));
                Err(self.diagnostics)
            }
        }
    }

    /// Parts that are missing. Silent while other lines are broken: the part may be among them.
    fn check_parts(&mut self, text: &str) {
        if !self.diagnostics.is_empty() {
            return;
        }
        for (step, (number, text)) in self.steps.iter().zip(&self.step_lines) {
            if step.instructions.is_empty() {
                let line = Line {
                    number: *number,
                    text,
                };
                self.diagnostics
                    .push(line.whole("nothing is done or expected in this step"));
            }
        }
        let last = Line {
            number: text.lines().count().max(1),
            text: text.lines().last().unwrap_or_default(),
        };
        if self.cluster.is_none() {
            let message = "the file ends without a line `cluster NAME: size SIZE, version VERSION`";
            self.diagnostics.push(last.whole(message));
        }
        if self.steps.is_empty() {
            self.diagnostics
                .push(last.whole("the file ends without a single `step \"TITLE\"`"));
        }
    }
}
