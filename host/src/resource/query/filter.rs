//! The grammar of `filter`.
//!
//! ```text
//! filter     = [ any ]
//! any        = all { "OR" all }
//! all        = one { "AND" one }
//! one        = ( "NOT" | "-" ) one | "(" any ")" | comparison
//! comparison = field { "." key } operator value
//! operator   = "=" | "!=" | "<" | "<=" | ">" | ">=" | ":"
//! value      = quoted text | bare text          a star at either end: anything may be there
//! ```
//!
//! Guarantees: whatever is written becomes a [`Predicate`] or a fault that says where and what was expected; no more
//! than [`CHARS_MAX`](super::cursor::CHARS_MAX) characters and [`DEPTH_MAX`] levels are read. Not here: what a value means
//! to a member ([`super::comparison`]).

use super::comparison::{self, Operator};
use super::cursor::Cursor;
use super::error::Fault;
use super::member::{Kind, Member, Members};
use super::predicate::Predicate;

/// How deep parentheses and negations go.
pub(super) const DEPTH_MAX: usize = 10;

/// What `text` lets through; everything, if it is empty.
pub(super) fn parse(members: &Members, text: &str) -> Result<Predicate, Fault> {
    let mut parser = Parser { members, cursor: Cursor::new(text)? };
    parser.cursor.skip_space();
    if parser.cursor.peek().is_none() {
        return Ok(Predicate::All(Vec::new()));
    }
    let predicate = parser.any(0)?;
    parser.cursor.expect_end("AND, OR or the end")?;
    Ok(predicate)
}

struct Parser<'m, 't> {
    members: &'m Members,
    cursor: Cursor<'t>,
}

/// Every rule ends behind the white space that follows it.
impl Parser<'_, '_> {
    fn any(&mut self, depth: usize) -> Result<Predicate, Fault> {
        let mut parts = vec![self.all(depth)?];
        while self.keyword("OR") {
            parts.push(self.all(depth)?);
        }
        Ok(Predicate::any(parts))
    }

    fn all(&mut self, depth: usize) -> Result<Predicate, Fault> {
        let mut parts = vec![self.one(depth)?];
        while self.keyword("AND") {
            parts.push(self.one(depth)?);
        }
        Ok(Predicate::all(parts))
    }

    fn one(&mut self, depth: usize) -> Result<Predicate, Fault> {
        let offset = self.cursor.offset();
        if depth > DEPTH_MAX {
            return Err(Fault::wanted(offset, format!("at most {DEPTH_MAX} levels")));
        }
        if self.cursor.eat("-") || self.cursor.eat_keyword("NOT") {
            self.cursor.skip_space();
            return Ok(self.one(depth + 1)?.negate());
        }
        if self.cursor.eat("(") {
            self.cursor.skip_space();
            let inner = self.any(depth + 1)?;
            self.cursor.expect(")", "AND, OR or )")?;
            self.cursor.skip_space();
            return Ok(inner);
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Predicate, Fault> {
        let member = self.member()?;
        self.cursor.skip_space();
        let operator = Operator::next(&mut self.cursor)?;
        self.cursor.skip_space();
        let value = self.cursor.literal(is_bare)?;
        self.cursor.skip_space();
        comparison::predicate(member, operator, &value)
    }

    fn member(&mut self) -> Result<Member, Fault> {
        let offset = self.cursor.offset();
        let name = self.cursor.word(|c| c.is_alphanumeric() || c == '_' || c == '-');
        if name.is_empty() {
            return Err(Fault::wanted(offset, "the name of a field, NOT or ("));
        }
        let Some(column) = self.members.find(name) else {
            return Err(Fault::unknown(offset, name, self.members.names()));
        };
        let column = column.clone();
        let mut path = Vec::new();
        while self.cursor.eat(".") {
            path.push(self.key()?);
        }
        match column.kind {
            // Keys of labels have dots in them: all that follows is one key.
            Kind::Map if !path.is_empty() => path = vec![path.join(".")],
            Kind::Map | Kind::Json => {}
            _ if path.is_empty() => {}
            Kind::Uuid
            | Kind::Text
            | Kind::Integer
            | Kind::Number
            | Kind::Boolean
            | Kind::Timestamp => {
                let wanted = format!("no part of {name}, which has none");
                return Err(Fault::wanted(offset, wanted));
            }
        }
        Ok(Member { column, path })
    }

    fn key(&mut self) -> Result<String, Fault> {
        let offset = self.cursor.offset();
        if let Some(key) = self.cursor.quoted_text()? {
            return Ok(key);
        }
        let key = self.cursor.word(|c| c.is_alphanumeric() || "_-/".contains(c));
        if key.is_empty() {
            return Err(Fault::wanted(offset, "a key; one with other signs stands in quotes"));
        }
        Ok(key.to_owned())
    }

    fn keyword(&mut self, keyword: &str) -> bool {
        let is_next = self.cursor.eat_keyword(keyword);
        if is_next {
            self.cursor.skip_space();
        }
        is_next
    }
}

fn is_bare(next: char) -> bool {
    !next.is_whitespace() && !r#"()"',=<>!"#.contains(next)
}
