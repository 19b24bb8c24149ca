//! A line as words with their places.
//!
//! Owns: what separates words, quoting, comments.
//! Always holds: each word knows the column where it stands, so that a mistake can be pointed at.
//! Deliberately does not know: what the words mean.

/// One word of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The text, without quotes.
    pub text: String,
    /// Whether it stood in quotes.
    pub quoted: bool,
    /// Column of its first character, from 1.
    pub column: usize,
    /// Characters that it takes on the line, quotes included.
    pub length: usize,
}

/// A quote that is never closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unclosed {
    /// Column of the opening quote.
    pub column: usize,
    /// Characters from there to the end of the line.
    pub length: usize,
}

/// Splits a line into words. Blanks separate; `:` and `,` are words of their own; `#` begins a
/// comment; text in double quotes is one word.
///
/// # Errors
/// When a quote is not closed.
pub fn words(line: &str) -> Result<Vec<Word>, Unclosed> {
    let chars: Vec<char> = line.chars().collect();
    let mut words = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let end = match chars[at] {
            '#' => break,
            c if c.is_whitespace() => {
                at += 1;
                continue;
            }
            '"' => closing_quote(&chars, at)? + 1,
            ':' | ',' => at + 1,
            _ => plain_end(&chars, at),
        };
        words.push(word(&chars, at, end));
        at = end;
    }
    Ok(words)
}

fn closing_quote(chars: &[char], open: usize) -> Result<usize, Unclosed> {
    let unclosed = Unclosed {
        column: open + 1,
        length: chars.len() - open,
    };
    let after = open + 1;
    chars[after..]
        .iter()
        .position(|c| *c == '"')
        .map(|found| after + found)
        .ok_or(unclosed)
}

fn plain_end(chars: &[char], start: usize) -> usize {
    let ends = |c: &char| c.is_whitespace() || matches!(c, ':' | ',' | '"' | '#');
    chars[start..]
        .iter()
        .position(ends)
        .map_or(chars.len(), |found| start + found)
}

fn word(chars: &[char], start: usize, end: usize) -> Word {
    let quoted = chars[start] == '"';
    let inside = if quoted {
        start + 1..end - 1
    } else {
        start..end
    };
    Word {
        text: chars[inside].iter().collect(),
        quoted,
        column: start + 1,
        length: end - start,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_know_where_they_stand() {
        let found = words("  step \"grow to 3\" # why").expect("closed");
        let places: Vec<_> = found
            .iter()
            .map(|w| (w.text.as_str(), w.column, w.length))
            .collect();
        assert_eq!(places, [("step", 3, 4), ("grow to 3", 8, 11)]);
    }

    #[test]
    fn colon_and_comma_are_words_of_their_own() {
        let found = words("cluster demo: size 1, version 3").expect("closed");
        let texts: Vec<_> = found.iter().map(|w| w.text.as_str()).collect();
        assert_eq!(
            texts,
            ["cluster", "demo", ":", "size", "1", ",", "version", "3"]
        );
    }

    #[test]
    fn an_open_quote_is_pointed_at() {
        assert_eq!(
            words("step \"grow"),
            Err(Unclosed {
                column: 6,
                length: 5
            })
        );
    }
}
