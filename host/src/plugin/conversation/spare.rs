//! Memory that goes round: what carried a request to the plugin carries an answer back.
//!
//! A request's parcel is made on a thread of the host's and given back on one of the plugin's; an answer goes the other
//! way. Left to the allocator both would pile up where they are not needed, and each piece would cross its locks twice.
//!
//! Guarantees: what is kept is bounded, in number and in size, and empty.

use std::ops::RangeInclusive;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// As many as come back before the answers of a batch are said.
const N_MAX: usize = 32;
/// What is smaller holds few answers; what is larger is rare, and dear to keep.
const BYTES: RangeInclusive<usize> = 256..=4096;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Spare {
    pieces: Mutex<Vec<Vec<u8>>>,
}

impl Spare {
    /// An empty piece; one without memory when there is none.
    pub(super) fn take(&self) -> Vec<u8> {
        self.lock().pop().unwrap_or_default()
    }

    /// Keeps a piece for later if it is worth it.
    pub(super) fn put(&self, mut piece: Vec<u8>) {
        if !BYTES.contains(&piece.capacity()) {
            return;
        }
        piece.clear();
        let mut pieces = self.lock();
        if pieces.len() < N_MAX {
            pieces.push(piece);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        // Pushing and popping leave the list whole.
        self.pieces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_comes_back_empty_and_those_that_are_not_worth_it_do_not() {
        let spare = Spare::default();
        assert_eq!(spare.take().capacity(), 0);
        for n_bytes in [0, 8, 5000] {
            spare.put(Vec::with_capacity(n_bytes));
            assert_eq!(spare.take().capacity(), 0, "{n_bytes} bytes");
        }
        let mut used = Vec::with_capacity(512);
        used.extend_from_slice(b"secret");
        spare.put(used);
        let again = spare.take();
        assert_eq!((again.len(), again.capacity()), (0, 512));
        (0..=N_MAX).for_each(|_idx| spare.put(vec![0; 512]));
        assert_eq!(spare.lock().len(), N_MAX);
    }
}
