//! What a comparison means: a member, an operator and a value, as they are written.
//!
//! Guarantees: a value that the member cannot have is refused where it stands, so that a typo never silently
//! selects nothing. `!=` is "is there, and is not": like every check it is false of what is absent; `NOT a = b` is
//! true of it. Text compares by its bytes, with case; `:` on text looks for it anywhere.

use super::cursor::{Cursor, Literal};
use super::error::Fault;
use super::member::{Kind, Member};
use super::predicate::{Check, Comparison, JsonCheck, JsonScalar, Pattern, Predicate, Scalar};

/// What stands between a field and a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    /// `<`, `<=`, `>`, `>=`
    Ordered(Comparison),
    Has,
}

/// The longer ones first: each is the beginning of none after it.
const OPERATORS: [(&str, Operator); 7] = [
    ("!=", Operator::NotEqual),
    ("<=", Operator::Ordered(Comparison::LessOrEqual)),
    (">=", Operator::Ordered(Comparison::GreaterOrEqual)),
    ("<", Operator::Ordered(Comparison::Less)),
    (">", Operator::Ordered(Comparison::Greater)),
    ("=", Operator::Equal),
    (":", Operator::Has),
];

impl Operator {
    /// Goes past an operator.
    pub(super) fn next(cursor: &mut Cursor<'_>) -> Result<Self, Fault> {
        let found = OPERATORS.into_iter().find(|(sign, _)| cursor.eat(sign));
        let offset = cursor.offset();
        let (_, operator) =
            found.ok_or_else(|| Fault::wanted(offset, "one of = != < <= > >= :"))?;
        Ok(operator)
    }
}

/// What `member operator value` lets through.
pub(super) fn predicate(
    member: Member,
    operator: Operator,
    value: &Literal,
) -> Result<Predicate, Fault> {
    let present = || Predicate::Check(member.clone(), Check::Present);
    match operator {
        Operator::Equal if value.is_null() => Ok(present().negate()),
        Operator::NotEqual if value.is_null() => Ok(present()),
        Operator::Ordered(_) | Operator::Has if value.is_null() => {
            Err(Fault::wanted(value.offset, "a value; null is compared by = and !="))
        }
        Operator::Equal | Operator::Has if value.is_anything() => Ok(present()),
        Operator::NotEqual => {
            let there = present();
            let equal = predicate(member, Operator::Equal, value)?;
            Ok(Predicate::All(vec![there, equal.negate()]))
        }
        Operator::Equal | Operator::Ordered(_) | Operator::Has => {
            let is_part = !member.path.is_empty();
            match member.column.kind {
                Kind::Map if is_part => text(member, operator, value),
                Kind::Map => key(member, operator, value),
                Kind::Text => text(member, operator, value),
                Kind::Json => json(member, operator, value),
                kind @ (Kind::Uuid
                | Kind::Integer
                | Kind::Number
                | Kind::Boolean
                | Kind::Timestamp) => scalar(member, kind, operator, value),
            }
        }
    }
}

fn text(member: Member, operator: Operator, value: &Literal) -> Result<Predicate, Fault> {
    let check = match operator {
        Operator::Has => Check::Like(Pattern::of(value).within()),
        Operator::Equal | Operator::NotEqual if value.is_open() => Check::Like(Pattern::of(value)),
        Operator::Equal | Operator::NotEqual => {
            Check::Compare(Comparison::Equal, Scalar::Text(value.text.clone()))
        }
        Operator::Ordered(comparison) => {
            let text = closed(value)?;
            Check::Compare(comparison, Scalar::Text(text.to_owned()))
        }
    };
    Ok(Predicate::Check(member, check))
}

/// A map as a whole has keys, and nothing else to compare.
fn key(member: Member, operator: Operator, value: &Literal) -> Result<Predicate, Fault> {
    let Operator::Has = operator else {
        let name = &member.column.name;
        let wanted = format!("null: a map is compared by its keys, {name}.KEY = … or {name}:KEY");
        return Err(Fault::wanted(value.offset, wanted));
    };
    let path = vec![closed(value)?.to_owned()];
    Ok(Predicate::Check(Member { path, ..member }, Check::Present))
}

fn scalar(
    member: Member,
    kind: Kind,
    operator: Operator,
    value: &Literal,
) -> Result<Predicate, Fault> {
    let comparison = match operator {
        // It has nothing in it but itself.
        Operator::Equal | Operator::NotEqual | Operator::Has => Comparison::Equal,
        Operator::Ordered(_) if kind == Kind::Boolean => {
            let wanted = "a field with an order; true and false are compared by = and !=";
            return Err(Fault::wanted(value.offset, wanted));
        }
        Operator::Ordered(comparison) => comparison,
    };
    let text = closed(value)?;
    let scalar = Scalar::read(kind, text).map_err(|wanted| {
        Fault::wanted(value.offset, format!("{wanted}, which {} is", member.column.name))
    })?;
    Ok(Predicate::Check(member, Check::Compare(comparison, scalar)))
}

fn json(member: Member, operator: Operator, value: &Literal) -> Result<Predicate, Fault> {
    let said = JsonScalar::of(value);
    let check = match operator {
        Operator::Equal | Operator::NotEqual => JsonCheck::Is(said),
        Operator::Has => JsonCheck::Has(said),
        Operator::Ordered(comparison) => {
            let text = closed(value)?;
            match said.number {
                Some(number) => JsonCheck::Number(comparison, number),
                None => JsonCheck::Text(comparison, text.to_owned()),
            }
        }
    };
    Ok(Predicate::Check(member, Check::Json(check)))
}

/// The value's text, which must have no star at its ends.
fn closed(value: &Literal) -> Result<&str, Fault> {
    if value.is_open() {
        return Err(Fault::wanted(
            value.offset,
            r"a value without * at its ends (a star itself is \*, in quotes)",
        ));
    }
    Ok(&value.text)
}
