//! The known name that a mistyped one is nearest to, for error texts.
//!
//! Pure; suggests nothing when nothing is near, because a wild guess is worse than none.

/// How alike two names must be, from 0 to 1, to be worth a suggestion.
const LIKENESS_MIN: f64 = 0.75;

/// The name of `known` that is nearest to `name`, if one is near.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn suggests_what_was_meant_and_nothing_else() {
        let known = ["bucket_name", "region", "http.listen"];
        assert_eq!(nearest("bucketname", known), Some("bucket_name"));
        assert_eq!(nearest("http.listne", known), Some("http.listen"));
        assert_eq!(nearest("zzz", known), None);
    }
}
