//! From text to one statement that is small enough to be walked.

use sqlparser::dialect::{Dialect, PostgreSqlDialect, SQLiteDialect};
use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, Tokenizer};

use super::Reason;
use crate::store::Backend;

/// How many operators may stand in one another's scope. The parser bounds how deep parentheses go; a chain
/// of operators makes a tree as deep as it is long, and walking it takes as much stack.
const OPERATORS_MAX: usize = 300;

const MESSAGE_CHARS_MAX: usize = 200;

/// Reads the one statement of `sql`.
pub(super) fn statement(backend: Backend, sql: &str) -> Result<sqlparser::ast::Statement, Reason> {
    let dialect: &dyn Dialect = match backend {
        Backend::Sqlite => &SQLiteDialect {},
        Backend::Postgres => &PostgreSqlDialect {},
    };
    if sql.contains('\0') {
        return Err(Reason::Parse { message: "it holds a NUL character".to_owned() });
    }
    let tokens = Tokenizer::new(dialect, sql).tokenize_with_location();
    let tokens = tokens.map_err(|error| unreadable(&error.to_string()))?;
    check_depth(tokens.iter().map(|token| &token.token))?;
    let parsed = Parser::new(dialect).with_tokens_with_locations(tokens).parse_statements();
    let mut statements = parsed.map_err(|error| unreadable(&error.to_string()))?;
    match statements.len() {
        1 => Ok(statements.remove(0)),
        n => Err(Reason::NotOne { n }),
    }
}

fn unreadable(message: &str) -> Reason {
    let message = message.trim_start_matches("sql parser error: ");
    Reason::Parse { message: message.chars().take(MESSAGE_CHARS_MAX).collect() }
}

/// Bounds the operators between two commas or parentheses, those around them included.
fn check_depth<'t>(tokens: impl Iterator<Item = &'t Token>) -> Result<(), Reason> {
    let mut scopes = vec![0usize];
    let mut n_open = 0;
    for token in tokens {
        let here = scopes.last_mut().expect("the outermost scope is never closed");
        if *token == Token::LParen || *token == Token::LBracket {
            scopes.push(0);
        } else if *token == Token::RParen || *token == Token::RBracket {
            n_open -= *here;
            *here = 0;
            if scopes.len() > 1 {
                scopes.pop();
            }
        } else if *token == Token::Comma {
            n_open -= *here;
            *here = 0;
        } else if is_operator(token) {
            *here += 1;
            n_open += 1;
        }
        if n_open > OPERATORS_MAX {
            return Err(Reason::TooDeep { max: OPERATORS_MAX });
        }
    }
    Ok(())
}

/// Whether a token can make the tree deeper. Whatever is not known to be flat can.
#[expect(clippy::wildcard_enum_match_arm, reason = "what is not known to be flat is an operator")]
fn is_operator(token: &Token) -> bool {
    match token {
        Token::Word(word) => matches!(
            word.keyword,
            Keyword::AND
                | Keyword::AT
                | Keyword::BETWEEN
                | Keyword::COLLATE
                | Keyword::ESCAPE
                | Keyword::EXCEPT
                | Keyword::GLOB
                | Keyword::ILIKE
                | Keyword::IN
                | Keyword::INTERSECT
                | Keyword::IS
                | Keyword::LIKE
                | Keyword::MATCH
                | Keyword::NOT
                | Keyword::NOTNULL
                | Keyword::OPERATOR
                | Keyword::OR
                | Keyword::OVERLAPS
                | Keyword::REGEXP
                | Keyword::RLIKE
                | Keyword::SIMILAR
                | Keyword::UNION
                | Keyword::XOR
        ),
        Token::EOF
        | Token::Whitespace(_)
        | Token::Number(..)
        | Token::SingleQuotedString(_)
        | Token::DoubleQuotedString(_)
        | Token::DollarQuotedString(_)
        | Token::EscapedStringLiteral(_)
        | Token::HexStringLiteral(_)
        | Token::Period
        | Token::SemiColon => false,
        _ => true,
    }
}

/// The first words of a statement, to call it by.
pub(super) fn first_words(sql: &str) -> String {
    let words = sql.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    words.chars().take(40).collect()
}
