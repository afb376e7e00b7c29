//! As much of SQL as has to be known to refuse politely what a database would do in another way than it is meant.
//!
//! None of this is a fence: what slips through here is judged by the database like everything else.

/// What a statement of SQLite looks like from the outside.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    /// Something stands behind the semicolon that ends the first statement.
    pub(super) has_more: bool,
    /// The largest number of a parameter (`$3`), if there are any.
    pub(super) n_params: u32,
    /// A parameter that is not `$` and a number from 1 on.
    pub(super) odd_param: Option<String>,
}

/// Looks at a statement as SQLite reads it: quotes, comments, parameters, semicolons.
pub(super) fn shape(sql: &str) -> Shape {
    let mut shape = Shape::default();
    let mut is_over = false;
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let n_skipped = skip(rest);
        if n_skipped > 0 {
            let is_blank = first.is_whitespace() || starts_comment(rest);
            shape.has_more |= is_over && !is_blank;
            rest = &rest[n_skipped..];
            continue;
        }
        match first {
            ';' => is_over = true,
            _other => shape.has_more |= is_over,
        }
        let n_word = word_len(rest);
        if matches!(first, '$' | '?' | ':' | '@' | '#') {
            note_param(&mut shape, &rest[..n_word.max(1)]);
        }
        rest = &rest[n_word.max(first.len_utf8())..];
    }
    shape
}

fn note_param(shape: &mut Shape, word: &str) {
    match word.strip_prefix('$').map(str::parse::<u32>) {
        Some(Ok(number)) if number > 0 => shape.n_params = shape.n_params.max(number),
        Some(_) | None => {
            shape.odd_param.get_or_insert_with(|| word.to_owned());
        }
    }
}

/// The length of the name, number or parameter that starts here, 0 if none does.
fn word_len(rest: &str) -> usize {
    let mut chars = rest.char_indices();
    let is_sigil = |c| matches!(c, '$' | '?' | ':' | '@' | '#');
    match chars.next() {
        Some((_at, c)) if is_sigil(c) || is_name(c) => {}
        Some(_) | None => return 0,
    }
    // SQLite takes `a$1` for a name.
    chars.find(|(_at, c)| !is_name(*c) && *c != '$').map_or(rest.len(), |(at, _c)| at)
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || !c.is_ascii()
}

fn starts_comment(rest: &str) -> bool {
    rest.starts_with("--") || rest.starts_with("/*")
}

/// How many bytes of blanks, of one comment or of one quoted text stand here.
fn skip(rest: &str) -> usize {
    let n_blank = rest.len() - rest.trim_start().len();
    if n_blank > 0 {
        return n_blank;
    }
    if rest.starts_with("--") {
        return rest.find('\n').map_or(rest.len(), |at| at + 1);
    }
    if rest.starts_with("/*") {
        return rest.find("*/").map_or(rest.len(), |at| at + 2);
    }
    let Some(quote) = rest.chars().next() else { return 0 };
    let closing = match quote {
        '\'' | '"' | '`' => quote,
        '[' => ']',
        _other => return 0,
    };
    // A doubled quote is two quoted texts in a row, which comes to the same here.
    rest[1..].find(closing).map_or(rest.len(), |at| at + 2)
}

/// The first word of a statement, in lower case; comments may nest, as PostgreSQL's do.
pub(super) fn first_word(sql: &str) -> String {
    let mut rest = sql.trim_start_matches(is_lead);
    while starts_comment(rest) {
        rest = rest[comment_len(rest)..].trim_start_matches(is_lead);
    }
    rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>().to_lowercase()
}

/// What may stand before the first word.
fn is_lead(c: char) -> bool {
    c.is_whitespace() || c == '('
}

/// How many bytes of a comment stand here.
fn comment_len(rest: &str) -> usize {
    if rest.starts_with("--") {
        return rest.find(['\n', '\r']).map_or(rest.len(), |at| at + 1);
    }
    let mut depth = 0usize;
    let bytes = rest.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes.get(at..at + 2) {
            Some(b"/*") => (depth, at) = (depth + 1, at + 2),
            Some(b"*/") => (depth, at) = (depth - 1, at + 2),
            Some(_) | None => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sql: &str, has_more: bool, n_params: u32, odd_param: Option<&str>) {
        let wanted = Shape { has_more, n_params, odd_param: odd_param.map(str::to_owned) };
        assert_eq!(shape(sql), wanted, "{sql}");
    }

    #[test]
    fn one_statement_is_told_from_two() {
        for sql in [
            "SELECT 1",
            "SELECT 1;",
            "SELECT 1 ; -- done",
            "SELECT ';' /* ; */ ; /* ; */ \n",
            "SELECT \"a;b\", [c;d], `e;f`, 'it''s; here'",
            "",
        ] {
            check(sql, false, 0, None);
        }
        for sql in
            ["SELECT 1; SELECT 2", "SELECT 1;;x", "SELECT 1; 'x'", "SELECT 'a''b'; DELETE FROM x"]
        {
            check(sql, true, 0, None);
        }
    }

    #[test]
    fn parameters_are_counted() {
        check("SELECT $1, $2, $1", false, 2, None);
        check("SELECT '$9', \"$8\", a$7 -- $6", false, 0, None);
        check("SELECT $12+$3", false, 12, None);
        for odd in ["?", "?1", ":name", "@name", "$0", "$name", "$99999999999"] {
            check(&format!("SELECT {odd} "), false, 0, Some(odd));
        }
    }

    #[test]
    fn the_first_word_hides_behind_nothing() {
        for (sql, word) in [
            ("SELECT 1", "select"),
            ("  (( select 1))", "select"),
            ("-- a\n/* b */ Delete FROM x", "delete"),
            ("/* /* SELECT */ SELECT */ COMMIT", "commit"),
            ("/*/**/*/commit", "commit"),
            ("--SELECT\rCOMMIT", "commit"),
            ("/* never ends", ""),
            ("", ""),
        ] {
            assert_eq!(first_word(sql), word, "{sql}");
        }
    }
}
