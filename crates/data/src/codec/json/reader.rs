//! Reads one JSON text: checks it, finds its values, unescapes its strings.

use std::borrow::Cow;
use std::ops::Range;

use super::options::JsonOptions;
use super::plain::{plain_len, plain_number};

/// How deep values may be nested (Jackson's default).
const DEPTH_LIMIT: usize = 1000;

/// What is JSON beyond the standard.
#[derive(Debug, Clone)]
pub(super) struct Syntax {
    single_quotes: bool,
    non_numeric: bool,
    leading_zeros: bool,
    unquoted_names: bool,
    any_escape: bool,
    control_chars: bool,
    comments: bool,
}

impl Syntax {
    pub(super) fn new(options: &JsonOptions) -> Self {
        Syntax {
            single_quotes: options.allow_single_quotes,
            non_numeric: options.allow_non_numeric_numbers,
            leading_zeros: options.allow_numeric_leading_zeros,
            unquoted_names: options.allow_unquoted_field_names,
            any_escape: options.allow_backslash_escaping_any_character,
            control_chars: options.allow_unquoted_control_chars,
            comments: options.allow_comments,
        }
    }
}

/// The kind of a value, as its first character tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Object,
    Array,
    String,
    /// A number without point and exponent.
    Integer,
    Real,
    /// `NaN`, `Infinity` and their like.
    NonNumeric,
    True,
    False,
    Null,
}

/// The text is no JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoJson;

type Step<T> = Result<T, NoJson>;

/// A text and how far it has been read.
#[derive(Debug, Clone)]
pub(super) struct Reader<'a> {
    pub(super) text: &'a [u8],
    pub(super) at: usize,
    /// The text and what lies behind it in memory, so that many bytes can be loaded at once at its end too.
    pub(super) window: &'a [u8],
    syntax: &'a Syntax,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a [u8], syntax: &'a Syntax) -> Self {
        Reader { text, at: 0, window: text, syntax }
    }

    /// A reader of a piece of the window, whose places are those of the window.
    pub(super) fn within(window: &'a [u8], piece: Range<usize>, syntax: &'a Syntax) -> Self {
        Reader { text: &window[..piece.end], at: piece.start, window, syntax }
    }

    /// A reader of the last `len` bytes once more; its places are those of this one.
    pub(super) fn back_at(&self, len: usize) -> Self {
        Reader { text: &self.text[..self.at], at: self.at - len, ..*self }
    }

    /// The next character that is no blank, without reading it.
    #[inline(always)]
    pub(super) fn peek(&mut self) -> Option<u8> {
        match self.text.get(self.at) {
            // No blank and no comment begins with any of these.
            Some(byte) if *byte > b'/' || matches!(byte, b'"' | b',' | b'-') => Some(*byte),
            _ => self.peek_behind_blanks(),
        }
    }

    fn peek_behind_blanks(&mut self) -> Option<u8> {
        loop {
            match self.text.get(self.at) {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                Some(b'/') if self.syntax.comments => self.skip_comment().ok()?,
                other => return other.copied(),
            }
        }
    }

    /// What has not been read.
    #[inline(always)]
    pub(super) fn rest(&self) -> &'a [u8] {
        &self.text[self.at..]
    }

    fn skip_comment(&mut self) -> Step<()> {
        let rest = &self.text[self.at..];
        let len = if rest.starts_with(b"//") {
            rest.len()
        } else if rest.starts_with(b"/*") {
            memchr::memmem::find(&rest[2..], b"*/").ok_or(NoJson)? + 4
        } else {
            return Err(NoJson);
        };
        self.at += len;
        Ok(())
    }

    /// Reads `byte` after blanks; false, and nothing read, when something else comes.
    #[inline(always)]
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    #[inline(always)]
    pub(super) fn expect(&mut self, byte: u8) -> Step<()> {
        match self.eat(byte) {
            true => Ok(()),
            false => Err(NoJson),
        }
    }

    /// Reads an object, handing each name and the reader at its value to `visit`, which reads the value.
    pub(super) fn object(&mut self, mut visit: impl FnMut(&[u8], &mut Self) -> Step<()>) -> Step<()> {
        self.expect(b'{')?;
        if self.eat(b'}') {
            return Ok(());
        }
        loop {
            let name = self.name()?;
            visit(&name, self)?;
            if !self.eat(b',') {
                return self.expect(b'}');
            }
        }
    }

    /// Reads a field's name and the colon behind it.
    pub(super) fn name(&mut self) -> Step<Cow<'a, [u8]>> {
        let name = self.escaped_name()?;
        self.expect(b':')?;
        if !name.contains(&b'\\') {
            return Ok(Cow::Borrowed(name));
        }
        let mut unescaped = Vec::with_capacity(name.len());
        unescape(name, &mut unescaped);
        Ok(Cow::Owned(unescaped))
    }

    /// Reads an array, with the reader at each element handed to `visit`, which reads it.
    pub(super) fn array(&mut self, mut visit: impl FnMut(&mut Self) -> Step<()>) -> Step<()> {
        self.expect(b'[')?;
        if self.eat(b']') {
            return Ok(());
        }
        loop {
            visit(self)?;
            if !self.eat(b',') {
                return self.expect(b']');
            }
        }
    }

    /// A field's name, its escapes as they are.
    fn escaped_name(&mut self) -> Step<&'a [u8]> {
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'\'') if self.syntax.single_quotes => self.string(),
            Some(c) if self.syntax.unquoted_names && (c.is_ascii_alphabetic() || c == b'_' || c == b'$') => {
                let rest = &self.text[self.at..];
                let is_name = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$') || *b >= 0x80;
                let len = rest.iter().take_while(|b| is_name(b)).count();
                self.at += len;
                Ok(&rest[..len])
            }
            _ => Err(NoJson),
        }
    }

    /// A string between its quotes, its escapes checked but as they are.
    fn string(&mut self) -> Step<&'a [u8]> {
        let quote = self.text[self.at];
        self.at += 1;
        let start = self.at;
        loop {
            self.at += plain_len(self.rest(), quote);
            match *self.text.get(self.at).ok_or(NoJson)? {
                byte if byte == quote => {
                    self.at += 1;
                    return Ok(&self.text[start..self.at - 1]);
                }
                b'\\' => {
                    self.check_escape()?;
                }
                0..=0x1F if !self.syntax.control_chars => return Err(NoJson),
                _ => self.at += 1,
            }
        }
    }

    fn check_escape(&mut self) -> Step<()> {
        let letter = *self.text.get(self.at + 1).ok_or(NoJson)?;
        match letter {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 2,
            b'\'' if self.syntax.single_quotes => self.at += 2,
            b'u' => {
                let digits = self.text.get(self.at + 2..self.at + 6).ok_or(NoJson)?;
                if !digits.iter().all(u8::is_ascii_hexdigit) {
                    return Err(NoJson);
                }
                self.at += 6;
            }
            _ if self.syntax.any_escape => self.at += 2,
            _ => return Err(NoJson),
        }
        Ok(())
    }

    /// Reads a value of any kind, and gives its kind and its text.
    #[inline(always)]
    pub(super) fn value(&mut self) -> Step<(Kind, &'a [u8])> {
        let first = self.peek();
        if let Some(b'-' | b'0'..=b'9') = first
            && let Some((len, kind)) = plain_number(self.rest())
        {
            let start = self.at;
            self.at += len;
            return Ok((kind, &self.text[start..self.at]));
        }
        self.value_within(0)
    }

    fn value_within(&mut self, depth: usize) -> Step<(Kind, &'a [u8])> {
        if depth > DEPTH_LIMIT {
            return Err(NoJson);
        }
        let first = self.peek().ok_or(NoJson)?;
        let start = self.at;
        let kind = match first {
            b'{' => {
                self.object(|_, reader| reader.value_within(depth + 1).map(drop))?;
                Kind::Object
            }
            b'[' => {
                self.array(|reader| reader.value_within(depth + 1).map(drop))?;
                Kind::Array
            }
            b'"' => self.string().map(|_| Kind::String)?,
            b'\'' if self.syntax.single_quotes => self.string().map(|_| Kind::String)?,
            b't' => self.word(b"true", Kind::True)?,
            b'f' => self.word(b"false", Kind::False)?,
            b'n' => self.word(b"null", Kind::Null)?,
            _ => self.number()?,
        };
        Ok((kind, &self.text[start..self.at]))
    }

    fn word(&mut self, word: &[u8], kind: Kind) -> Step<Kind> {
        if !self.text[self.at..].starts_with(word) {
            return Err(NoJson);
        }
        self.at += word.len();
        self.end_of_word(kind)
    }

    /// A word or a number ends where no letter or digit follows.
    fn end_of_word(&self, kind: Kind) -> Step<Kind> {
        match self.text.get(self.at) {
            Some(b) if b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$' | b'.' | b'+' | b'-') => Err(NoJson),
            _ => Ok(kind),
        }
    }

    fn number(&mut self) -> Step<Kind> {
        let rest = &self.text[self.at..];
        if self.syntax.non_numeric {
            let words: [&[u8]; 6] = [b"NaN", b"Infinity", b"+Infinity", b"+INF", b"-Infinity", b"-INF"];
            if let Some(word) = words.iter().find(|word| rest.starts_with(word)) {
                self.at += word.len();
                return self.end_of_word(Kind::NonNumeric);
            }
        }
        let digits = |text: &[u8]| text.iter().take_while(|b| b.is_ascii_digit()).count();
        let sign = usize::from(rest.first() == Some(&b'-'));
        let whole = digits(&rest[sign..]);
        if whole == 0 || (whole > 1 && rest[sign] == b'0' && !self.syntax.leading_zeros) {
            return Err(NoJson);
        }
        let mut len = sign + whole;
        let mut kind = Kind::Integer;
        if rest.get(len) == Some(&b'.') {
            let decimals = digits(&rest[len + 1..]);
            if decimals == 0 {
                return Err(NoJson);
            }
            len += 1 + decimals;
            kind = Kind::Real;
        }
        if matches!(rest.get(len), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(rest.get(len + 1), Some(b'+' | b'-')));
            let exponent = digits(&rest[(len + 1 + sign).min(rest.len())..]);
            if exponent == 0 {
                return Err(NoJson);
            }
            len += 1 + sign + exponent;
            kind = Kind::Real;
        }
        self.at += len;
        self.end_of_word(kind)
    }
}

/// The kind of a value that has been checked.
pub(super) fn kind_of(value: &[u8]) -> Kind {
    match value.first() {
        Some(b'{') => Kind::Object,
        Some(b'[') => Kind::Array,
        Some(b'"' | b'\'') => Kind::String,
        Some(b't') => Kind::True,
        Some(b'f') => Kind::False,
        Some(b'n') => Kind::Null,
        Some(b'N' | b'I' | b'+') => Kind::NonNumeric,
        _ if value.get(1) == Some(&b'I') => Kind::NonNumeric,
        _ if value.iter().any(|b| matches!(b, b'.' | b'e' | b'E')) => Kind::Real,
        _ => Kind::Integer,
    }
}

/// Appends what a checked string value says; `value` with or without its quotes.
pub(super) fn unescape(value: &[u8], out: &mut Vec<u8>) {
    let mut rest = value;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        let letter = rest[at + 1];
        rest = &rest[at + 2..];
        match letter {
            b'b' => out.push(0x08),
            b'f' => out.push(0x0C),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'u' => {
                let mut unit = hex(rest);
                rest = &rest[4..];
                if (0xD800..0xDC00).contains(&unit) && rest.starts_with(b"\\u") {
                    let low = hex(&rest[2..]);
                    if (0xDC00..0xE000).contains(&low) {
                        unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
                        rest = &rest[6..];
                    }
                }
                // A lone surrogate is no character; Java writes it as a question mark.
                let c = char::from_u32(unit).unwrap_or('?');
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
            other => out.push(other),
        }
    }
    out.extend_from_slice(rest);
}

fn hex(digits: &[u8]) -> u32 {
    let digit = |b: &u8| char::from(*b).to_digit(16).expect("the digits of an escape were checked");
    digits[..4].iter().fold(0, |unit, b| unit << 4 | digit(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::dice::dice;

    #[track_caller]
    fn check(text: &str, expected: Result<(Kind, &str), NoJson>) {
        let syntax = Syntax::new(&JsonOptions::default());
        let mut reader = Reader::new(text.as_bytes(), &syntax);
        let got = reader.value().map(|(kind, text)| (kind, std::str::from_utf8(text).unwrap()));
        assert_eq!(got, expected, "{text}");
        if let Ok((kind, text)) = got {
            assert_eq!(kind_of(text.as_bytes()), kind, "{text}");
        }
    }

    #[test]
    fn values_are_found_and_checked() {
        check(" 1 ,", Ok((Kind::Integer, "1")));
        check("-0", Ok((Kind::Integer, "-0")));
        check("1.5e-3]", Ok((Kind::Real, "1.5e-3")));
        check("1.", Err(NoJson));
        check(".5", Err(NoJson));
        check("01", Err(NoJson));
        check("+1", Err(NoJson));
        check("1x", Err(NoJson));
        check("1e", Err(NoJson));
        check("NaN", Ok((Kind::NonNumeric, "NaN")));
        check("-Infinity", Ok((Kind::NonNumeric, "-Infinity")));
        check("true", Ok((Kind::True, "true")));
        check("TRUE", Err(NoJson));
        check("nullx", Err(NoJson));
        check(r#""a\"bA""#, Ok((Kind::String, r#""a\"bA""#)));
        check(r#""a\q""#, Err(NoJson));
        check(r#""open"#, Err(NoJson));
        check("'it'", Ok((Kind::String, "'it'")));
        check(r#"{"a":[1,{"b":"}"}],'c':null} x"#, Ok((Kind::Object, r#"{"a":[1,{"b":"}"}],'c':null}"#)));
        check("{a:1}", Err(NoJson));
        check("[1,]", Err(NoJson));
        check("{\"a\":1,}", Err(NoJson));
        check("", Err(NoJson));
    }

    /// A random text of these pieces.
    fn text(next: &mut impl FnMut(usize) -> usize, pieces: &[&str]) -> String {
        let n = next(20);
        (0..n).map(|_| pieces[next(pieces.len())]).collect()
    }

    #[test]
    fn a_plain_number_is_what_the_slow_way_reads() {
        let pieces = ["0", "1", "9", "5", "42", "317", "0", ".", "-", "/", "e", "E+", ",", "}", " ", "x", "\""];
        let syntax = Syntax::new(&JsonOptions::default());
        let mut next = dice(1);
        let mut n_plain = 0;
        for _ in 0..200_000 {
            let text = ["", "-"][next(2)].to_owned() + &next(1000).to_string() + &text(&mut next, &pieces);
            let mut slow = Reader::new(text.as_bytes(), &syntax);
            let read = slow.number();
            if let Some(plain) = plain_number(text.as_bytes()) {
                assert_eq!(read.map(|kind| (slow.at, kind)), Ok(plain), "{text}");
                n_plain += 1;
            }
        }
        assert!(n_plain > 10_000, "{n_plain}");
    }

    #[test]
    fn the_plain_beginning_of_a_string_ends_at_what_must_be_looked_at() {
        let pieces = ["a", "é", "\u{7f}", " ", "\u{1f}", "\n", "\"", "'", "\\", "long and plain", "!", "[", "#"];
        let mut next = dice(2);
        for _ in 0..100_000 {
            let text = text(&mut next, &pieces);
            let quote = [b'"', b'\''][next(2)];
            let is_odd = |byte: &u8| *byte == quote || *byte == b'\\' || *byte < b' ';
            let first = text.bytes().position(|byte| is_odd(&byte)).unwrap_or(text.len());
            // The last bytes are left to who looks at each.
            assert_eq!(plain_len(text.as_bytes(), quote), first.min(text.len() / 8 * 8), "{text:?}");
        }
    }

    #[test]
    fn nesting_has_a_limit() {
        let deep = |n: usize| "[".repeat(n) + &"]".repeat(n);
        let syntax = Syntax::new(&JsonOptions::default());
        assert!(Reader::new(deep(900).as_bytes(), &syntax).value().is_ok());
        assert_eq!(Reader::new(deep(100_000).as_bytes(), &syntax).value(), Err(NoJson));
    }

    #[test]
    fn strings_are_unescaped() {
        let mut out = Vec::new();
        unescape(r#"a\n\"\\\/\u00e9\ud83d\ude00\ud83d!"#.as_bytes(), &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "a\n\"\\/é😀?!");
    }
}
