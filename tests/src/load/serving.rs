//! Which versions may answer at this moment, told by whoever swaps and read by every connection.

use std::sync::atomic::{AtomicU64, Ordering};

const MASK_BITS: u32 = 8;
const MASK: u64 = (1 << MASK_BITS) - 1;

/// Which versions may answer, as positions in the scripts' lists of versions.
///
/// Upper bits: how often it changed. Lower bits: one for each version.
#[derive(Debug)]
pub struct Serving(AtomicU64);

/// What was true when a request left.
#[derive(Debug, Clone, Copy)]
pub struct Moment(u64);

impl Serving {
    /// Only these versions, of at most eight.
    #[must_use]
    pub fn new(versions: &[usize]) -> Self {
        Self(AtomicU64::new(mask(versions)))
    }

    /// From now on these versions and no other. To be called by one thread at a time.
    pub fn set(&self, versions: &[usize]) {
        let changes = (self.0.load(Ordering::Relaxed) >> MASK_BITS) + 1;
        self.0.store(changes << MASK_BITS | mask(versions), Ordering::SeqCst);
    }

    /// Now.
    #[must_use]
    pub fn moment(&self) -> Moment {
        Moment(self.0.load(Ordering::SeqCst))
    }

    /// Whether `version` could rightly answer a request that left at `sent` and is answered now.
    #[must_use]
    pub fn admits(&self, sent: Moment, version: usize) -> bool {
        let (sent, now) = (sent.0, self.moment().0);
        let admitted = match (now >> MASK_BITS) - (sent >> MASK_BITS) {
            0 | 1 => (sent | now) & MASK,
            // More than one change: whatever was admitted in between is not known here.
            2.. => MASK,
        };
        admitted & mask(&[version]) != 0
    }
}

fn mask(versions: &[usize]) -> u64 {
    versions.iter().fold(0, |mask, &version| {
        assert!(version < MASK_BITS as usize, "at most {MASK_BITS} versions");
        mask | 1 << version
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_must_have_served_between_sending_and_receiving() {
        let serving = Serving::new(&[0]);
        let before = serving.moment();
        assert!(serving.admits(before, 0) && !serving.admits(before, 1));
        serving.set(&[0, 1]);
        assert!(serving.admits(before, 0) && serving.admits(before, 1));
        let during = serving.moment();
        serving.set(&[1]);
        assert!(serving.admits(during, 0), "it was sent while both served");
        let after = serving.moment();
        assert!(serving.admits(after, 1) && !serving.admits(after, 0));
    }
}
