//! From a scenario to text.
//!
//! Owns: the canonical wording and layout.
//! Always holds: parsing the text gives the same scenario back.
//! Deliberately does not know: comments other than the story on top; they are for the file's reader.

use std::fmt;

use super::{Action, Cluster, Expectation, Instruction, Scenario, Step, Traffic, Volumes};

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.story {
            writeln!(f, "{}", format!("# {line}").trim_end())?;
        }
        if !self.story.is_empty() {
            writeln!(f)?;
        }
        writeln!(f, "{}", self.cluster)?;
        if let Some(traffic) = &self.traffic {
            writeln!(f, "{traffic}")?;
        }
        for step in &self.steps {
            write!(f, "\n{step}")?;
        }
        if !self.finally.is_empty() {
            writeln!(f, "\nfinally")?;
        }
        for expectation in &self.finally {
            writeln!(f, "  {expectation}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            size,
            version,
            volumes,
        } = self;
        write!(f, "cluster {name}: size {size}, version {version}")?;
        match volumes {
            Volumes::Kept => Ok(()),
            Volumes::Deleted => f.write_str(", volumes deleted with it"),
        }
    }
}

impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { puts, reads, keys } = self;
        write!(
            f,
            "traffic: {puts} puts and {reads} reads per second over {keys} keys"
        )
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "step \"{}\"", self.title)?;
        for instruction in &self.instructions {
            writeln!(f, "  {instruction}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Instruction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Do(action) => action.fmt(f),
            Self::Expect(expectation) => expectation.fmt(f),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create => f.write_str("create the cluster"),
            Self::Scale(size) => write!(f, "scale to {size}"),
            Self::Change(change) => change.fmt(f),
            Self::Delete => f.write_str("delete the cluster"),
            Self::Wait(span) => write!(f, "wait {span}"),
            Self::Strike(strike) => strike.fmt(f),
            Self::Heal => f.write_str("heal everything"),
            Self::Recover => f.write_str("give the word that the status asks for"),
            Self::Edit(edit) => edit.fmt(f),
        }
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let members = |count: &u32| if *count == 1 { "member" } else { "members" };
        match self {
            Self::Members { count, within } => {
                write!(f, "expect {count} {} within {within}", members(count))
            }
            Self::Stays { count, lasting } => {
                write!(f, "expect {count} {} for {lasting}", members(count))
            }
            Self::NothingLeft { within } => write!(f, "expect nothing is left within {within}"),
            Self::OnlyVolumesLeft { within } => {
                write!(f, "expect only volumes are left within {within}")
            }
            Self::Condition {
                kind,
                holds,
                within,
            } => write!(f, "expect {kind} is {holds} within {within}"),
            Self::StatusNames { text, within } => {
                write!(f, "expect the status names \"{text}\" within {within}")
            }
            Self::NoStall { longest } => {
                write!(f, "expect no write stalled longer than {longest}")
            }
            Self::WritesReadable => f.write_str("expect every acknowledged write is readable"),
            Self::NoViolation => f.write_str("expect no invariant was violated"),
        }
    }
}
