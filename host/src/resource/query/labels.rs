//! The grammar of `label_selector`, which is that of Kubernetes.
//!
//! ```text
//! selector    = [ requirement { "," requirement } ]
//! requirement = "!" key | key [ ( "=" | "==" | "!=" ) value | ( "in" | "notin" ) "(" value { "," value } ")" ]
//! ```
//!
//! As there, `!=` and `notin` let through what has no such label; a filter's `labels.KEY != …` does not.

use super::cursor::Cursor;
use super::error::Fault;
use super::member::Member;
use super::predicate::{Check, Predicate};

/// What `text` lets through; everything, if it is empty.
pub(super) fn parse(labels: &Member, text: &str) -> Result<Predicate, Fault> {
    let mut parser = Parser { labels, cursor: Cursor::new(text)? };
    let mut all = Vec::new();
    parser.cursor.skip_space();
    if parser.cursor.peek().is_none() {
        return Ok(Predicate::All(all));
    }
    loop {
        all.push(parser.requirement()?);
        parser.cursor.skip_space();
        if !parser.cursor.eat(",") {
            break;
        }
        parser.cursor.skip_space();
    }
    parser.cursor.expect_end("a comma or the end")?;
    Ok(Predicate::all(all))
}

struct Parser<'l, 't> {
    labels: &'l Member,
    cursor: Cursor<'t>,
}

impl Parser<'_, '_> {
    fn requirement(&mut self) -> Result<Predicate, Fault> {
        if self.cursor.eat("!") {
            self.cursor.skip_space();
            return Ok(self.key()?.present().negate());
        }
        let label = self.key()?;
        self.cursor.skip_space();
        // The longer sign first.
        if self.cursor.eat("==") || self.cursor.eat("=") {
            return Ok(label.equal(&self.value()?));
        }
        if self.cursor.eat("!=") {
            return Ok(label.equal(&self.value()?).negate());
        }
        if self.cursor.eat_keyword("in") {
            return Ok(label.one_of(&self.values()?));
        }
        if self.cursor.eat_keyword("notin") {
            return Ok(label.one_of(&self.values()?).negate());
        }
        Ok(label.present())
    }

    fn key(&mut self) -> Result<Label, Fault> {
        let offset = self.cursor.offset();
        let key = self.cursor.word(is_of_label);
        if key.is_empty() {
            return Err(Fault::wanted(offset, "the key of a label"));
        }
        Ok(Label(Member { path: vec![key.to_owned()], ..self.labels.clone() }))
    }

    /// A value, which may be empty.
    fn value(&mut self) -> Result<String, Fault> {
        self.cursor.skip_space();
        match self.cursor.quoted_text()? {
            Some(value) => Ok(value),
            None => Ok(self.cursor.word(is_of_label).to_owned()),
        }
    }

    fn values(&mut self) -> Result<Vec<String>, Fault> {
        self.cursor.skip_space();
        self.cursor.expect("(", "(")?;
        let mut values = vec![self.value()?];
        self.cursor.skip_space();
        while self.cursor.eat(",") {
            values.push(self.value()?);
            self.cursor.skip_space();
        }
        self.cursor.expect(")", "a comma or )")?;
        Ok(values)
    }
}

/// One label of a resource.
struct Label(Member);

impl Label {
    fn present(self) -> Predicate {
        Predicate::Check(self.0, Check::Present)
    }

    fn equal(self, value: &str) -> Predicate {
        Predicate::is_text(self.0, value)
    }

    fn one_of(self, values: &[String]) -> Predicate {
        let values = values.iter().map(|value| Predicate::is_text(self.0.clone(), value));
        Predicate::any(values.collect())
    }
}

fn is_of_label(next: char) -> bool {
    next.is_alphanumeric() || "_.-/".contains(next)
}
