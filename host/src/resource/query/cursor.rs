//! A text that is read from left to right: words, signs and quoted texts.
//!
//! Guarantees: no text makes it panic; it never goes back before what it has read. Not here: any grammar.

use super::error::Fault;

/// The most characters of a text that is read.
pub(super) const CHARS_MAX: usize = 2_000;

/// Where a text is read.
#[derive(Debug)]
pub(super) struct Cursor<'t> {
    text: &'t str,
    offset: usize,
}

/// A value, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Literal {
    /// Where it begins, in bytes.
    pub(super) offset: usize,
    /// What it says, without the stars at its ends.
    pub(super) text: String,
    /// Whether it stands in quotes, and so is nothing but text.
    pub(super) is_quoted: bool,
    /// Whether it begins with a star: anything may come before.
    pub(super) open_start: bool,
    /// Whether it ends with a star: anything may follow.
    pub(super) open_end: bool,
}

impl<'t> Cursor<'t> {
    /// The beginning of `text`.
    ///
    /// # Errors
    /// It is too long, or has control characters, one of which no database keeps.
    pub(super) fn new(text: &'t str) -> Result<Self, Fault> {
        if let Some((offset, _)) = text.char_indices().nth(CHARS_MAX) {
            return Err(Fault::wanted(offset, format!("at most {CHARS_MAX} characters")));
        }
        match text.find(|c: char| c.is_control() && !c.is_whitespace()) {
            Some(offset) => Err(Fault::wanted(offset, "no control character")),
            None => Ok(Self { text, offset: 0 }),
        }
    }

    /// Where it is, in bytes.
    pub(super) fn offset(&self) -> usize {
        self.offset
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.offset..).unwrap_or_default()
    }

    /// The next character.
    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Goes past white space.
    pub(super) fn skip_space(&mut self) {
        self.word(char::is_whitespace);
    }

    /// Goes past `sign`, if it is next.
    pub(super) fn eat(&mut self, sign: &str) -> bool {
        let is_next = self.rest().starts_with(sign);
        if is_next {
            self.offset += sign.len();
        }
        is_next
    }

    /// Goes past `keyword`, if it is next and ends there.
    pub(super) fn eat_keyword(&mut self, keyword: &str) -> bool {
        let Some(behind) = self.rest().strip_prefix(keyword) else { return false };
        let ends = !behind.starts_with(|next: char| next.is_alphanumeric() || "_.-".contains(next));
        ends && self.eat(keyword)
    }

    /// Goes past all that is part of a word, and gives it.
    pub(super) fn word(&mut self, is_part: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|next| !is_part(next)).unwrap_or(rest.len());
        self.offset += end;
        rest.get(..end).unwrap_or_default()
    }

    /// Expects `sign`.
    pub(super) fn expect(&mut self, sign: &str, wanted: &str) -> Result<(), Fault> {
        if self.eat(sign) { Ok(()) } else { Err(Fault::wanted(self.offset, wanted)) }
    }

    /// Expects that nothing is left.
    pub(super) fn expect_end(&self, wanted: &str) -> Result<(), Fault> {
        match self.peek() {
            Some(_) => Err(Fault::wanted(self.offset, wanted)),
            None => Ok(()),
        }
    }

    /// Goes past a value, quoted or bare.
    pub(super) fn literal(&mut self, is_bare: impl Fn(char) -> bool) -> Result<Literal, Fault> {
        let offset = self.offset;
        let (marked, is_quoted) = match self.quoted()? {
            Some(marked) => (marked, true),
            None => (self.word(is_bare).chars().map(|c| (c, c == '*')).collect(), false),
        };
        if marked.is_empty() && !is_quoted {
            return Err(Fault::wanted(
                offset,
                "a value; text with spaces or signs stands in quotes",
            ));
        }
        Ok(Literal::of(offset, &marked, is_quoted))
    }

    /// Goes past a quoted text, if one is next: its characters, and whether each of them is a star that was not
    /// escaped.
    fn quoted(&mut self) -> Result<Option<Vec<(char, bool)>>, Fault> {
        let Some(quote @ ('"' | '\'')) = self.peek() else { return Ok(None) };
        let begin = self.offset;
        let mut chars = self.rest().char_indices().skip(1);
        let mut said = Vec::new();
        while let Some((at, next)) = chars.next() {
            if next == quote {
                self.offset = begin + at + next.len_utf8();
                return Ok(Some(said));
            }
            if next != '\\' {
                said.push((next, next == '*'));
                continue;
            }
            match chars.next() {
                Some((_, escaped @ ('"' | '\'' | '\\' | '*'))) => said.push((escaped, false)),
                Some(_) | None => {
                    let wanted = r#"one of \" \' \\ \*"#;
                    return Err(Fault::wanted(begin + at, wanted));
                }
            }
        }
        Err(Fault::wanted(self.text.len(), format!("{quote}, which ends the text in quotes")))
    }

    /// Goes past a quoted text, if one is next; a star means nothing in it.
    pub(super) fn quoted_text(&mut self) -> Result<Option<String>, Fault> {
        let said = self.quoted()?;
        Ok(said.map(|chars| chars.into_iter().map(|(character, _)| character).collect()))
    }
}

impl Literal {
    fn of(offset: usize, marked: &[(char, bool)], is_quoted: bool) -> Self {
        let is_star = |place: Option<&(char, bool)>| place.is_some_and(|(_, is_star)| *is_star);
        let (open_start, open_end) = (is_star(marked.first()), is_star(marked.last()));
        let begin = usize::from(open_start);
        let end = marked.len() - usize::from(open_end);
        let inner = marked.get(begin..end).unwrap_or_default();
        let text = inner.iter().map(|(character, _)| character).collect();
        Self { offset, text, is_quoted, open_start, open_end }
    }

    /// Whether it has a star at an end.
    pub(super) fn is_open(&self) -> bool {
        self.open_start || self.open_end
    }

    /// Whether it is nothing but stars: anything that is there.
    pub(super) fn is_anything(&self) -> bool {
        self.is_open() && self.text.is_empty()
    }

    /// Whether it says that nothing is there.
    pub(super) fn is_null(&self) -> bool {
        !self.is_quoted && !self.is_open() && self.text == "null"
    }
}
