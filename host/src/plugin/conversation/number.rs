//! How requests and streams are numbered: by their place in a table, and by how many came before.
//!
//! A number that was used before never finds what has its place now. 0 is nobody's number.

/// The number of what was given the place `key` as the `count`-th.
pub(super) fn number(count: u32, key: usize) -> u64 {
    u64::from(count) << 32 | (key as u64 + 1)
}

/// The place in a number; a number that no host made has none.
pub(super) fn place_of(number: u64) -> usize {
    usize::try_from(number & 0xffff_ffff).unwrap_or(0).wrapping_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_leads_to_its_place_and_nonsense_to_none() {
        for (count, key) in [(1, 0), (u32::MAX, 7), (0, 1023)] {
            assert_eq!(place_of(number(count, key)), key);
        }
        assert_ne!(number(1, 0), number(2, 0));
        assert_eq!(place_of(0), usize::MAX);
    }
}
