//! What a request is a part of: W3C Trace Context, as the caller says it.
//!
//! Guarantees: what is handed on is a `traceparent` of version 00 that is not all zeros. What is none is ignored, as
//! the recommendation has it. Not here: traces of the daemon's own.

use ::http::{HeaderMap, HeaderName};

/// The header.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The lengths of version, trace, parent and flags, in hexadecimal digits.
const PARTS: [usize; 4] = [2, 32, 16, 2];

/// The trace that a request with these headers belongs to.
pub(crate) fn parent(headers: &HeaderMap) -> Option<&str> {
    let mut sent = headers.get_all(TRACEPARENT).iter();
    // Several are none.
    let (Some(only), None) = (sent.next(), sent.next()) else { return None };
    only.to_str().ok().filter(|text| is_valid(text))
}

fn is_valid(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').collect();
    let is_hex = |part: &str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let fits = parts.len() == PARTS.len()
        && parts.iter().zip(PARTS).all(|(part, n)| part.len() == n && is_hex(part));
    let is_nothing = |part: &str| part.bytes().all(|byte| byte == b'0');
    fits && parts[0] == "00" && !is_nothing(parts[1]) && !is_nothing(parts[2])
}

#[cfg(test)]
mod tests {
    use ::http::HeaderValue;

    use super::*;

    #[test]
    fn only_a_trace_is_one() {
        const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let headers = HeaderMap::from_iter([(TRACEPARENT, HeaderValue::from_static(TRACE))]);
        assert_eq!(parent(&headers), Some(TRACE));
        assert_eq!(parent(&HeaderMap::new()), None);
        for nonsense in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        ] {
            assert!(!is_valid(nonsense), "{nonsense}");
        }
    }
}
