//! How long to leave alone what failed: twice as long each time, and never two at the same moment.

use std::time::Duration;

/// The first wait.
const FIRST: Duration = Duration::from_millis(500);

/// The wait before attempt `n_failed + 1`, at most `longest`; `chance`, from 0 to 255, makes it up to a quarter shorter,
/// so that many that failed together do not come back together.
pub(super) fn after(n_failed: u32, longest: Duration, chance: u8) -> Duration {
    let doubled = FIRST.saturating_mul(1 << n_failed.saturating_sub(1).min(20));
    let whole = doubled.min(longest);
    whole - whole * u32::from(chance) / 1_024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_the_longest() {
        let longest = Duration::from_secs(60);
        let waits: Vec<_> = (1..=9).map(|n| after(n, longest, 0).as_millis()).collect();
        assert_eq!(waits, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
        assert_eq!(after(u32::MAX, longest, 0), longest);
    }

    #[test]
    fn chance_makes_it_shorter_by_a_quarter_at_most() {
        let longest = Duration::from_secs(60);
        for chance in 0..=u8::MAX {
            let wait = after(3, longest, chance);
            assert!((1_500..=2_000).contains(&wait.as_millis()), "{wait:?}");
        }
    }
}
