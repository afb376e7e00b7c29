//! Names of resources: DNS labels that cannot be taken for an id.

use serde_json::Value;
use uuid::Uuid;

const CHARS_MAX: usize = 63;

/// Whether a resource may be called so.
#[cfg(test)]
fn is_name(text: &str) -> bool {
    fault_of(text).is_none()
}

/// The name that `value` is, or why it is none.
pub(super) fn parse(value: Value) -> Result<String, &'static str> {
    let Value::String(name) = value else { return Err("a name is a text") };
    match fault_of(&name) {
        None => Ok(name),
        Some(fault) => Err(fault),
    }
}

fn fault_of(name: &str) -> Option<&'static str> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_label = (1..=CHARS_MAX).contains(&name.len())
        && name.bytes().all(|byte| is_plain(byte) || byte == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-');
    if !is_label {
        return Some("a name is 1 to 63 of a-z, 0-9 and -, with no - at either end");
    }
    Uuid::try_parse(name).is_ok().then_some("a name may not look like an id")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_dns_labels_and_no_ids() {
        let longest = "a".repeat(63);
        for name in ["a", "0", "s3-data", "a--b", longest.as_str()] {
            assert!(is_name(name), "{name}");
        }
        let id = "0199f1b0-0000-7000-8000-000000000001";
        let (long, plain) = ("a".repeat(64), id.replace('-', ""));
        for name in ["", "-a", "a-", "A", "a_b", "a.b", "ä", "a b", id, plain.as_str(), &long] {
            assert!(!is_name(name), "{name}");
        }
    }
}
