//! Text out of a stranger's file, made fit for a message.
//!
//! Control characters are escaped, so that a path cannot repaint a terminal or forge a log line,
//! and long text is cut. The result is for reading, not for comparing.

const CHARS_MAX: usize = 200;

/// `text` as it may be shown.
pub(crate) fn quote(text: &str) -> String {
    let mut shown: String = text.chars().take(CHARS_MAX).flat_map(char::escape_debug).collect();
    if text.chars().nth(CHARS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::quote;

    #[test]
    fn odd_text_is_escaped_and_long_text_is_cut() {
        assert_eq!(quote("docs/é.md"), "docs/é.md");
        assert_eq!(quote("a\x1b[31m\n"), "a\\u{1b}[31m\\n");
        assert_eq!(quote(&"a".repeat(201)), format!("{}…", "a".repeat(200)));
    }
}
