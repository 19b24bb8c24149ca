//! What Go says of a text that is no JSON.
//!
//! Owns: a reader that finds the first byte that does not fit, and Go's words for it.
//! Always holds: it accepts what JSON allows and nothing else.
//! Deliberately does not know: values; what can be read is read elsewhere.

type Read = Result<(), String>;

/// Go's complaint about a text, or nothing when it is JSON.
pub(super) fn complaint(text: &[u8]) -> Option<String> {
    let mut reader = Reader { text, at: 0 };
    reader.whole().err()
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn whole(&mut self) -> Read {
        self.value()?;
        self.skip_space();
        match self.peek() {
            None => Ok(()),
            Some(byte) => wrong(byte, "after top-level value"),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(|byte| b" \t\r\n".contains(&byte)) {
            self.at += 1;
        }
    }

    /// The next byte that is no space.
    fn next(&mut self) -> Result<u8, String> {
        self.skip_space();
        let byte = self.byte()?;
        Ok(byte)
    }

    fn byte(&mut self) -> Result<u8, String> {
        let end = || "unexpected end of JSON input".to_owned();
        let byte = self.peek().ok_or_else(end)?;
        self.at += 1;
        Ok(byte)
    }

    fn value(&mut self) -> Read {
        match self.next()? {
            b'{' => self.object(),
            b'[' => self.array(),
            b'"' => self.string(),
            b't' => self.literal("true"),
            b'f' => self.literal("false"),
            b'n' => self.literal("null"),
            b'-' => {
                let digit = self.byte()?;
                self.number(digit)
            }
            digit @ b'0'..=b'9' => self.number(digit),
            byte => wrong(byte, "looking for beginning of value"),
        }
    }

    fn object(&mut self) -> Read {
        let mut byte = self.next()?;
        if byte == b'}' {
            return Ok(());
        }
        loop {
            if byte != b'"' {
                return wrong(byte, "looking for beginning of object key string");
            }
            self.string()?;
            match self.next()? {
                b':' => self.value()?,
                byte => return wrong(byte, "after object key"),
            }
            match self.next()? {
                b',' => byte = self.next()?,
                b'}' => return Ok(()),
                byte => return wrong(byte, "after object key:value pair"),
            }
        }
    }

    fn array(&mut self) -> Read {
        self.skip_space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.value()?;
            match self.next()? {
                b',' => {}
                b']' => return Ok(()),
                byte => return wrong(byte, "after array element"),
            }
        }
    }

    fn string(&mut self) -> Read {
        loop {
            match self.byte()? {
                b'"' => return Ok(()),
                b'\\' => match self.byte()? {
                    b'b' | b'f' | b'n' | b'r' | b't' | b'\\' | b'/' | b'"' => {}
                    b'u' => {
                        for _ in 0..4 {
                            let digit = self.byte()?;
                            if !digit.is_ascii_hexdigit() {
                                return wrong(digit, "in \\u hexadecimal character escape");
                            }
                        }
                    }
                    byte => return wrong(byte, "in string escape code"),
                },
                byte @ ..0x20 => return wrong(byte, "in string literal"),
                _ => {}
            }
        }
    }

    fn literal(&mut self, word: &str) -> Read {
        for expected in word.bytes().skip(1) {
            let byte = self.byte()?;
            if byte != expected {
                let expected = char::from(expected);
                return wrong(byte, &format!("in literal {word} (expecting '{expected}')"));
            }
        }
        Ok(())
    }

    fn number(&mut self, first: u8) -> Read {
        if !first.is_ascii_digit() {
            return wrong(first, "in numeric literal");
        }
        if first != b'0' {
            self.digits();
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.one_digit("after decimal point in numeric literal")?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.one_digit("in exponent of numeric literal")?;
        }
        Ok(())
    }

    fn one_digit(&mut self, context: &str) -> Read {
        let byte = self.byte()?;
        if !byte.is_ascii_digit() {
            return wrong(byte, context);
        }
        self.digits();
        Ok(())
    }

    fn digits(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
    }
}

fn wrong(byte: u8, context: &str) -> Read {
    let shown = match byte {
        b'\'' => r"'\''".to_owned(),
        b'"' => "'\"'".to_owned(),
        b'\n' => r"'\n'".to_owned(),
        b'\t' => r"'\t'".to_owned(),
        b'\r' => r"'\r'".to_owned(),
        0x20..0x7f => format!("'{}'", char::from(byte)),
        _ => format!(r"'\x{byte:02x}'"),
    };
    Err(format!("invalid character {shown} {context}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_says_what_it_stumbled_over() {
        let said = |text: &str| complaint(text.as_bytes()).unwrap_or_default();
        for (text, words) in [
            (r#"{"a":[1,-2.5e+3,true,null,"\u00e4"],"b":{}}"#, ""),
            (
                "{bad",
                "invalid character 'b' looking for beginning of object key string",
            ),
            (
                "hello",
                "invalid character 'h' looking for beginning of value",
            ),
            (r#"{"a" 1}"#, "invalid character '1' after object key"),
            (
                r#"{"a":1 "b"}"#,
                "invalid character '\"' after object key:value pair",
            ),
            ("[1 2]", "invalid character '2' after array element"),
            ("1 x", "invalid character 'x' after top-level value"),
            (
                "nil",
                "invalid character 'i' in literal null (expecting 'u')",
            ),
            ("-x", "invalid character 'x' in numeric literal"),
            (
                "1.x",
                "invalid character 'x' after decimal point in numeric literal",
            ),
            ("\"\n\"", r"invalid character '\n' in string literal"),
            (r#"{"a"#, "unexpected end of JSON input"),
            ("", "unexpected end of JSON input"),
        ] {
            assert_eq!(said(text), words, "{text}");
        }
    }
}
