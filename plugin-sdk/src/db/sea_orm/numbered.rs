//! Parameters as the host wants them: `$1`, where sea-orm writes `?` for SQLite.

use std::borrow::Cow;

/// The statement with each `?` numbered, but for those in quotes and comments.
pub(super) fn numbered(sql: &str) -> Cow<'_, str> {
    if !sql.contains('?') {
        return sql.into();
    }
    let (mut written, mut n_params, mut rest) = (String::with_capacity(sql.len() + 16), 0, sql);
    while let Some(first) = rest.chars().next() {
        let n_bytes = match first {
            '?' => {
                n_params += 1;
                written.push_str(&format!("${n_params}"));
                rest = &rest[1..];
                continue;
            }
            '\'' | '"' | '`' => quoted(rest, first),
            '-' if rest.starts_with("--") => end_of(rest, "\n"),
            '/' if rest.starts_with("/*") => end_of(rest, "*/"),
            letter => letter.len_utf8(),
        };
        let (part, left) = rest.split_at(n_bytes);
        written.push_str(part);
        rest = left;
    }
    written.into()
}

/// How long a quoted part is. A doubled quote ends one and begins the next, which comes to the same.
fn quoted(rest: &str, quote: char) -> usize {
    rest[1..].find(quote).map_or(rest.len(), |idx| idx + 2)
}

fn end_of(rest: &str, end: &str) -> usize {
    rest.find(end).map_or(rest.len(), |idx| idx + end.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_numbered_and_nothing_else_is_touched() {
        for (sql, wanted) in [
            ("SELECT 1", "SELECT 1"),
            ("SELECT ?, ? + ?", "SELECT $1, $2 + $3"),
            (r#"SELECT "a?", 'it''s ?', `b?`, ?"#, r#"SELECT "a?", 'it''s ?', `b?`, $1"#),
            ("SELECT ? -- why?\n, ? /* or ? */, ?", "SELECT $1 -- why?\n, $2 /* or ? */, $3"),
            ("SELECT 'é?', ?", "SELECT 'é?', $1"),
            ("SELECT '?", "SELECT '?"),
        ] {
            assert_eq!(numbered(sql), wanted);
        }
    }
}
