//! One sentence out of `abi_stable`'s report of a layout mismatch.
//!
//! The report is hundreds of lines: whole layouts, nested as the types are. What matters is its last error,
//! which is the innermost one, the type it was found in, and the field that led there. Reading a report
//! cannot fail: what is not found is left out, and a report of another shape is cut to its end.

/// How much of a report of an unknown shape is told.
const UNKNOWN_CHARS_MAX: usize = 300;

/// What differs, in which type and field.
pub(super) fn difference(report: &str) -> String {
    let Some((before, error)) = report.rsplit_once("Error:") else { return end_of(report) };
    let mut lines = error.lines();
    let what = lines.next().unwrap_or_default().trim();
    let expected = value_after("Expected:", error);
    let found = value_after("Found:", error);
    let place = before.rsplit_once("Layout of expected type:");
    let (path, layout) = place.unwrap_or(("", before));
    let mut sentence = match (last_value("field_name:", path), first_value("type:", layout)) {
        (Some(field), Some(name)) if !is_position(field) => {
            format!("`{name}` in field `{field}`: ")
        }
        (_any, Some(name)) => format!("`{name}`: "),
        (_any, None) => String::new(),
    };
    sentence.push_str(what);
    if let (Some(expected), Some(found)) = (expected, found) {
        sentence.push_str(&format!(", expected `{expected}` and found `{found}`"));
    }
    sentence
}

fn value_after<'r>(label: &str, error: &'r str) -> Option<&'r str> {
    let (_before, rest) = error.split_once(label)?;
    rest.lines().map(str::trim).find(|line| !line.is_empty())
}

fn first_value<'r>(label: &str, report: &'r str) -> Option<&'r str> {
    report.lines().find_map(|line| line.trim().strip_prefix(label))
}

fn last_value<'r>(label: &str, report: &'r str) -> Option<&'r str> {
    report.lines().rev().find_map(|line| line.trim().strip_prefix(label))
}

/// Fields of tuples and prefix references are called by their position, which tells nobody anything.
fn is_position(field: &str) -> bool {
    field.chars().all(|c| c.is_ascii_digit())
}

fn end_of(report: &str) -> String {
    let chars: Vec<_> = report.trim().chars().collect();
    chars[chars.len().saturating_sub(UNKNOWN_CHARS_MAX)..].iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "Compared <this>:\n    type:PrefixRef<'a, PluginRoot>\n\n\
        1 error(s)inside:\n    <other>\n\n    field_name:host\n    type:HostApi\n\n\
        Layout of expected type:\n    --- Type Layout ---\n    type:HostApi\n    size:16 align:8\n\n\
        Layout of found type:\n    type:HostApi\n    size:24 align:8\n\n\n\
        Error:too many fields\nExpected:\n    2\nFound:\n    3\n";

    #[test]
    fn the_innermost_error_is_told_with_its_place() {
        let sentence = "`HostApi` in field `host`: too many fields, expected `2` and found `3`";
        assert_eq!(difference(REPORT), sentence);
        let unnamed = REPORT.replace("field_name:host", "field_name:0");
        assert_eq!(difference(&unnamed), "`HostApi`: too many fields, expected `2` and found `3`");
    }

    #[test]
    fn a_report_of_another_shape_is_cut_and_not_hidden() {
        assert_eq!(difference("everything is different"), "everything is different");
        assert_eq!(difference(&"x".repeat(5_000)).len(), UNKNOWN_CHARS_MAX);
        assert_eq!(difference("Error:odd"), "odd");
    }
}
