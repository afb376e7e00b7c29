//! The parameters of a request's query.
//!
//! Guarantees: decoded once; a parameter that the place does not know is refused with the nearest that it knows,
//! so a typo never silently means "no filter". Not here: what the values mean.

use ::http::Uri;

use super::problem::{Code, Problem};
use crate::nearest::nearest;

/// Names and values, in the order in which they were sent.
#[derive(Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// The query of `uri`.
    pub(crate) fn of(uri: &Uri) -> Self {
        let query = uri.query().unwrap_or_default();
        // Any text is a list of pairs: what is not UTF-8 is replaced, as in any other form.
        Self(serde_urlencoded::from_str(query).unwrap_or_default())
    }

    /// The first value of `name`.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(sent, _)| sent == name).map(|(_, value)| value.as_str())
    }

    /// Whether `name` is asked for: `?name`, `?name=true`.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, Problem> {
        match self.get(name) {
            None | Some("false") => Ok(false),
            Some("true" | "") => Ok(true),
            Some(other) => Err(Self::refused(name, other, "true or false")),
        }
    }

    /// Refuses parameters that are not among `known`.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), Problem> {
        let unknown = self.0.iter().find(|(name, _)| !known.contains(&name.as_str()));
        let Some((name, _)) = unknown else { return Ok(()) };
        let hint = match nearest(name, known.iter().copied()) {
            Some(near) => format!("Did you mean {near}?"),
            None => format!("The parameters are {}.", known.join(", ")),
        };
        let detail = format!("This path has no parameter {name}.");
        Err(Problem::new(Code::BadRequest, detail).hint(hint).with("parameter", name.as_str()))
    }

    /// A parameter whose value is not what it must be.
    pub(crate) fn refused(name: &str, value: &str, wanted: &str) -> Problem {
        let detail = format!("Parameter {name} is {value:?}: it must be {wanted}.");
        Problem::new(Code::BadRequest, detail).with("parameter", name).with("value", value)
    }

    /// All but those in `dropped`, in an order that does not depend on how they were sent.
    pub(crate) fn sorted_without(&self, dropped: &[&str]) -> Vec<(&str, &str)> {
        let pairs = self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let mut kept: Vec<_> = pairs.filter(|(name, _)| !dropped.contains(name)).collect();
        kept.sort_unstable();
        kept
    }

    /// It as text again, with `name` set to `value` and without those in `dropped`.
    pub(crate) fn with(&self, name: &str, value: &str, dropped: &[&str]) -> String {
        let kept =
            self.0.iter().filter(|(sent, _)| sent != name && !dropped.contains(&sent.as_str()));
        let pairs: Vec<_> = kept
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .chain([(name, value)])
            .collect();
        serde_urlencoded::to_string(pairs).expect("pairs of strings are a query")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Query {
        Query::of(&format!("/x?{text}").parse().unwrap())
    }

    #[test]
    fn values_are_decoded_and_the_first_counts() {
        let query = query("a=x%20y+z&b&a=2");
        assert_eq!(query.get("a"), Some("x y z"));
        assert_eq!(query.get("b"), Some(""));
        assert_eq!(query.get("c"), None);
    }

    #[test]
    fn an_unknown_parameter_is_told_with_the_nearest() {
        assert!(query("state=RUNNING").only(&["state", "target"]).is_ok());
        let problem = query("stat=RUNNING").only(&["state", "target"]).unwrap_err();
        let document = problem.document("/x", None);
        let text = String::from_utf8_lossy(&document);
        assert!(text.contains("This path has no parameter stat."), "{text}");
        assert!(text.contains("Did you mean state?"), "{text}");
    }

    #[test]
    fn a_parameter_is_replaced_and_others_stay() {
        let query = query("target=element%2Fa+b&page_token=old&page_size=2");
        assert_eq!(
            query.with("page_token", "n=w", &["page_size"]),
            "target=element%2Fa+b&page_token=n%3Dw"
        );
    }
}
