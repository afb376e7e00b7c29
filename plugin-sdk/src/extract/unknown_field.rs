//! A member that a document has and its type does not: the one mistake whose remedy can be guessed.

use http::StatusCode;

use crate::problem::Problem;

/// How serde begins to say it.
const PREFIX: &str = "unknown field `";

/// The answer to a document that does not fit because of a member that nobody knows; `None` when `error`
/// says something else. `place` is where the error was seen: at the member.
pub(super) fn problem(error: &str, place: &str) -> Option<Problem> {
    let (field, rest) = error.strip_prefix(PREFIX)?.split_once('`')?;
    let known: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
    let member = if place.ends_with(field) { place } else { field }.to_owned();
    let problem = Problem::new(
        StatusCode::BAD_REQUEST,
        "UNKNOWN_FIELD",
        format!("there is no member `{member}`"),
    );
    let problem = problem.with("member", member);
    let nearest = known.iter().min_by_key(|name| distance(field, name));
    Some(match nearest {
        Some(nearest) if distance(field, nearest) <= 1 + field.chars().count() / 3 => {
            problem.hint(format!("did you mean `{nearest}`?"))
        }
        Some(_) => problem.hint(format!("the members are `{}`", known.join("`, `"))),
        None => problem.hint("it has no members"),
    })
}

/// How many letters must be put in, taken out or changed to make one word of the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut costs: Vec<usize> = (0..=other.len()).collect();
    for (row, letter) in one.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut costs[0], row + 1);
        for (column, wanted) in other.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *wanted);
            diagonal = costs[column + 1];
            costs[column + 1] = changed.min(diagonal + 1).min(costs[column] + 1);
        }
    }
    costs[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_counted_in_letters() {
        for (one, other, wanted) in [
            ("", "", 0),
            ("name", "name", 0),
            ("nmae", "name", 2),
            ("", "abc", 3),
            ("naïve", "naive", 1),
        ] {
            assert_eq!(distance(one, other), wanted, "{one} {other}");
        }
    }
}
