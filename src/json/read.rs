//! The reader itself: one pass over the bytes, at most [`DEPTH_MAX`] calls deep.

use super::{Code, DEPTH_MAX, Error, Number, VALUES_MAX, Value};

/// Characters of one number. A double never needs more than 25, an exact decimal never more than 40.
const NUMBER_LENGTH_MAX: usize = 64;
/// The largest power of ten a number may be scaled by: beyond it no other reader of the same text gets a finite number.
const EXPONENT_MAX: u32 = 307;

/// Reads one document.
pub(super) fn document(bytes: &[u8]) -> Result<Value, Error> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let valid = error.valid_up_to();
        let before = std::str::from_utf8(&bytes[..valid]).unwrap_or_default();
        located(before, valid, Code::InvalidUtf8, "the bytes are not UTF-8")
    })?;
    let mut reader = Reader { text, bytes: text.as_bytes(), at: 0, depth: 0, values: 0 };
    if text.starts_with('\u{feff}') {
        return Err(reader.invalid("a byte order mark is not part of JSON"));
    }
    reader.skip_space();
    let value = reader.value()?;
    reader.skip_space();
    if reader.at < reader.bytes.len() {
        return Err(reader.invalid("something follows the end of the document"));
    }
    Ok(value)
}

fn located(text: &str, offset: usize, code: Code, detail: impl Into<String>) -> Error {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Error { code, offset, line, column, detail: detail.into() }
}

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    depth: usize,
    values: usize,
}

impl Reader<'_> {
    fn error_at(&self, offset: usize, code: Code, detail: impl Into<String>) -> Error {
        located(self.text, offset, code, detail)
    }

    fn invalid(&self, detail: impl Into<String>) -> Error {
        self.error_at(self.at, Code::InvalidJson, detail)
    }

    fn expected(&self, what: &str) -> Error {
        let found = self.text.get(self.at..).and_then(|rest| rest.chars().next());
        match found {
            None => self.invalid(format!("the document ends where {what} was expected")),
            Some(found) => self.invalid(format!("expected {what}, found {found:?}")),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn take(&mut self, wanted: u8) -> bool {
        let there = self.peek() == Some(wanted);
        self.at += usize::from(there);
        there
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn value(&mut self) -> Result<Value, Error> {
        self.values += 1;
        if self.values > VALUES_MAX {
            let detail = format!("the document has more than {VALUES_MAX} values");
            return Err(self.error_at(self.at, Code::TooLarge, detail));
        }
        match self.peek() {
            Some(b'{') => self.nested(Reader::object),
            Some(b'[') => self.nested(Reader::array),
            Some(b'"') => Ok(Value::String(self.string()?)),
            Some(b'-' | b'0'..=b'9') => Ok(Value::Number(self.number()?)),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            _ => Err(self.expected("a value")),
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, Error> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return Err(self.expected("a value"));
        }
        self.at += word.len();
        Ok(value)
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Value, Error>) -> Result<Value, Error> {
        if self.depth == DEPTH_MAX {
            let detail = format!("more than {DEPTH_MAX} arrays and objects inside each other");
            return Err(self.error_at(self.at, Code::TooDeep, detail));
        }
        self.depth += 1;
        self.at += 1;
        self.skip_space();
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn array(&mut self) -> Result<Value, Error> {
        let mut items = Vec::new();
        if self.take(b']') {
            return Ok(Value::Array(items));
        }
        loop {
            items.push(self.value()?);
            self.skip_space();
            if self.take(b']') {
                return Ok(Value::Array(items));
            }
            if !self.take(b',') {
                return Err(self.expected("',' or ']'"));
            }
            self.skip_space();
        }
    }

    fn object(&mut self) -> Result<Value, Error> {
        let mut members: Vec<(String, Value)> = Vec::new();
        let mut places: Vec<usize> = Vec::new();
        if self.take(b'}') {
            return Ok(Value::Object(members));
        }
        loop {
            places.push(self.at);
            if self.peek() != Some(b'"') {
                return Err(self.expected("a key in double quotes"));
            }
            let key = self.string()?;
            self.skip_space();
            if !self.take(b':') {
                return Err(self.expected("':'"));
            }
            self.skip_space();
            let value = self.value()?;
            members.push((key, value));
            self.skip_space();
            if self.take(b'}') {
                break;
            }
            if !self.take(b',') {
                return Err(self.expected("',' or '}'"));
            }
            self.skip_space();
        }
        self.refuse_duplicates(&members, &places)?;
        Ok(Value::Object(members))
    }

    // Sorting places instead of hashing keys: no clones, and no input makes it slower than n log n.
    fn refuse_duplicates(&self, members: &[(String, Value)], places: &[usize]) -> Result<(), Error> {
        let mut order: Vec<usize> = (0..members.len()).collect();
        order.sort_by(|left, right| members[*left].0.cmp(&members[*right].0).then(left.cmp(right)));
        let again = order.windows(2).filter(|pair| members[pair[0]].0 == members[pair[1]].0).map(|pair| pair[1]).min();
        match again {
            None => Ok(()),
            Some(index) => {
                let shown: String = members[index].0.chars().take(40).collect();
                Err(self.error_at(places[index], Code::DuplicateKey, format!("the key {shown:?} appears twice")))
            }
        }
    }

    fn string(&mut self) -> Result<String, Error> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let start = self.at;
            while matches!(self.peek(), Some(byte) if byte != b'"' && byte != b'\\' && byte >= 0x20) {
                self.at += 1;
            }
            out.push_str(&self.text[start..self.at]);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => out.push(self.escape()?),
                Some(_) => return Err(self.invalid("a control character inside a string must be escaped")),
                None => return Err(self.expected("the closing '\"' of a string")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Error> {
        let start = self.at;
        self.at += 1;
        let letter = self.peek();
        self.at += 1;
        let plain = match letter {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(start),
            _ => return Err(self.error_at(start, Code::InvalidJson, "an escape JSON does not have")),
        };
        Ok(plain)
    }

    fn unicode_escape(&mut self, start: usize) -> Result<char, Error> {
        let lone = |reader: &Self| reader.error_at(start, Code::InvalidJson, "half of a surrogate pair");
        let first = self.four_digits()?;
        let code = match first {
            0xd800..=0xdbff => {
                if !(self.take(b'\\') && self.take(b'u')) {
                    return Err(lone(self));
                }
                let second = self.four_digits()?;
                if !(0xdc00..=0xdfff).contains(&second) {
                    return Err(lone(self));
                }
                0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
            }
            other => other,
        };
        char::from_u32(code).ok_or_else(|| lone(self))
    }

    fn four_digits(&mut self) -> Result<u32, Error> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            code = code * 16 + digit.ok_or_else(|| self.expected("four hexadecimal digits"))?;
            self.at += 1;
        }
        Ok(code)
    }

    fn number(&mut self) -> Result<Number, Error> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        } else if matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err(self.error_at(start, Code::InvalidJson, "a number may not start with a zero"));
        }
        if self.take(b'.') {
            self.digits()?;
        }
        let mantissa_end = self.at;
        let mut exponent = 0;
        if self.take(b'e') || self.take(b'E') {
            let _sign = self.take(b'+') || self.take(b'-');
            let digits = self.at;
            self.digits()?;
            exponent = self.text[digits..self.at].parse::<u32>().unwrap_or(u32::MAX);
        }
        // A mantissa of zeros is zero whatever the exponent, but nobody writes one: the rule stays one line.
        if exponent > EXPONENT_MAX || mantissa_end - start > NUMBER_LENGTH_MAX || self.at - start > NUMBER_LENGTH_MAX {
            return Err(self.error_at(start, Code::InvalidJson, "a number too large or too long to be kept exactly"));
        }
        Ok(Number(self.text[start..self.at].into()))
    }

    fn digits(&mut self) -> Result<(), Error> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err(self.expected("a digit"));
        }
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        Ok(())
    }
}
