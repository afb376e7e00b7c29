//! Which state of a resource a change is for.
//!
//! An etag begins with the generation: `"<generation>-<revision in hex>…"`. What a change is for is what was wanted, so its generation alone
//! counts: that a resource has moved on by itself meanwhile fails no writer. Pure. Not here: etags of answers.

use std::str::FromStr;

/// What a request says of the state that it is for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Precondition {
    /// `If-Match`, and the member `etag` of a body: each must hold.
    pub(crate) matches: Vec<IfMatch>,
    /// `If-None-Match: *`: there must be nothing yet.
    pub(crate) is_absent: bool,
}

/// One `If-Match`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum IfMatch {
    /// `*`: whatever there is.
    Any,
    /// One of these generations; none of those that were named may be ours.
    Generations(Vec<i64>),
}

/// It is neither `*` nor a list of etags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is neither * nor a list of etags in quotes")]
pub(crate) struct NoEtags;

/// Why a change may not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unmet {
    /// The resource is in another state.
    Changed,
    /// The resource is there already.
    Exists,
    /// The resource is not there.
    Absent,
    /// The resource demands that a state is named.
    Unnamed,
}

impl FromStr for IfMatch {
    type Err = NoEtags;

    fn from_str(text: &str) -> Result<Self, NoEtags> {
        let mut rest = text.trim();
        if rest == "*" {
            return Ok(Self::Any);
        }
        let mut generations = Vec::new();
        loop {
            let (is_weak, quoted) = match rest.strip_prefix("W/") {
                Some(quoted) => (true, quoted),
                None => (false, rest),
            };
            let (etag, after) =
                quoted.strip_prefix('"').and_then(|etag| etag.split_once('"')).ok_or(NoEtags)?;
            // A weak one never matches; neither does one that was never ours.
            generations.extend(generation_of(etag).filter(|_| !is_weak));
            rest = after.trim_start();
            if rest.is_empty() {
                return Ok(Self::Generations(generations));
            }
            rest = rest.strip_prefix(',').ok_or(NoEtags)?.trim_start();
        }
    }
}

impl IfMatch {
    /// The etag of a document, as it stands in it; with or without its quotes.
    pub(crate) fn of_member(text: &str) -> Result<Self, NoEtags> {
        if text.contains('"') {
            return text.parse();
        }
        Ok(Self::Generations(generation_of(text).into_iter().collect()))
    }

    fn holds(&self, generation: i64) -> bool {
        match self {
            Self::Any => true,
            Self::Generations(named) => named.contains(&generation),
        }
    }
}

impl Precondition {
    /// Whether a change may be made of a resource with this generation; `None`: of one that is not there.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn check(&self, generation: Option<i64>, demands: bool) -> Result<(), Unmet> {
        let Self { matches, is_absent } = self;
        match generation {
            None if matches.is_empty() => Ok(()),
            None => Err(Unmet::Absent),
            Some(_) if *is_absent => Err(Unmet::Exists),
            Some(_) if demands && matches.is_empty() => Err(Unmet::Unnamed),
            Some(generation) if matches.iter().all(|named| named.holds(generation)) => Ok(()),
            Some(_) => Err(Unmet::Changed),
        }
    }
}

/// The generation that an etag without its quotes names.
fn generation_of(etag: &str) -> Option<i64> {
    let (generation, rest) = etag.split_once('-')?;
    let is_ours = rest.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    if is_ours { generation.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_etags_are_read() {
        let generations = |all: &[i64]| Ok(IfMatch::Generations(all.to_vec()));
        for (text, wanted) in [
            ("*", Ok(IfMatch::Any)),
            ("\"3-9f2c\"", generations(&[3])),
            (" \"3-9f2c\" , \"4-1-abc\"", generations(&[3, 4])),
            ("W/\"3-9f2c\"", generations(&[])),
            ("\"\", \"abc\", \"5-z\", \"x-5\"", generations(&[])),
            ("3-9f2c", Err(NoEtags)),
            ("\"3-9f2c", Err(NoEtags)),
            ("\"3-1\" \"4-1\"", Err(NoEtags)),
            ("\"3-1\",", Err(NoEtags)),
            ("", Err(NoEtags)),
        ] {
            assert_eq!(text.parse::<IfMatch>(), wanted, "{text}");
        }
        assert_eq!(IfMatch::of_member("3-9f2c"), generations(&[3]));
        assert_eq!(IfMatch::of_member("\"3-9f2c\""), generations(&[3]));
    }

    #[test]
    fn what_was_wanted_counts() {
        let of =
            |text: &str| Precondition { matches: vec![text.parse().unwrap()], is_absent: false };
        let none = Precondition::default();
        let absent = Precondition { is_absent: true, ..Precondition::default() };
        for (precondition, generation, demands, wanted) in [
            (&none, Some(3), false, Ok(())),
            (&none, Some(3), true, Err(Unmet::Unnamed)),
            (&none, None, true, Ok(())),
            (&of("\"3-1\""), Some(3), true, Ok(())),
            (&of("\"2-1\""), Some(3), false, Err(Unmet::Changed)),
            (&of("*"), Some(3), true, Ok(())),
            (&of("*"), None, false, Err(Unmet::Absent)),
            (&of("\"3-1\""), None, false, Err(Unmet::Absent)),
            (&absent, None, false, Ok(())),
            (&absent, Some(3), false, Err(Unmet::Exists)),
        ] {
            assert_eq!(
                precondition.check(generation, demands),
                wanted,
                "{precondition:?} {generation:?}"
            );
        }
        let both = Precondition {
            matches: vec!["\"3-1\"".parse().unwrap(), "\"4-1\"".parse().unwrap()],
            is_absent: false,
        };
        assert_eq!(both.check(Some(3), false), Err(Unmet::Changed), "header and body must agree");
    }
}
