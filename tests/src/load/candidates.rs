//! Which of the known answers this one still can be, while it comes piece by piece.

use super::fault::Fault;

/// The known answers, by version, and which of them agree with all that came.
#[derive(Debug)]
pub(super) struct Candidates<'a> {
    answers: &'a [Vec<u8>],
    /// One bit for each answer.
    agreeing: u64,
    bytes: usize,
}

impl<'a> Candidates<'a> {
    /// All of `answers`, at most 64.
    pub(super) fn new(answers: &'a [Vec<u8>]) -> Self {
        assert!(answers.len() <= 64, "a script knows at most 64 versions");
        let agreeing = (0..answers.len()).fold(0, |agreeing, version| agreeing | 1 << version);
        Self { answers, agreeing, bytes: 0 }
    }

    /// Takes the next piece.
    pub(super) fn piece(&mut self, piece: &[u8]) -> Result<(), Fault> {
        let end = self.bytes + piece.len();
        let agrees = |answer: &Vec<u8>| answer.get(self.bytes..end) == Some(piece);
        for (version, _) in self.answers.iter().enumerate().filter(|(_, each)| !agrees(each)) {
            self.agreeing &= !(1 << version);
        }
        if self.agreeing == 0 {
            let piece = String::from_utf8_lossy(piece).into_owned();
            return Err(Fault::Body { at: self.bytes, piece });
        }
        self.bytes = end;
        Ok(())
    }

    /// Which answer it was, now that nothing more comes.
    pub(super) fn end(self) -> Result<usize, Fault> {
        let whole = |version: &usize| {
            self.agreeing & (1 << version) != 0 && self.answers[*version].len() == self.bytes
        };
        (0..self.answers.len())
            .find(whole)
            .ok_or(Fault::Body { at: self.bytes, piece: "the end".to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(pieces: &[&str]) -> Result<usize, String> {
        let answers = ["one 0.1.0 end", "one 0.2.0 end"].map(|text| text.as_bytes().to_vec());
        let mut candidates = Candidates::new(&answers);
        let taken = pieces.iter().try_for_each(|piece| candidates.piece(piece.as_bytes()));
        taken.and_then(|()| candidates.end()).map_err(|fault| fault.told())
    }

    #[test]
    fn pieces_of_one_version_are_that_version() {
        assert_eq!(answer(&["one ", "0.2.0", " end"]), Ok(1));
        assert_eq!(answer(&["one 0.1.0 end"]), Ok(0));
    }

    #[test]
    fn anything_else_is_wrong() {
        let wrong: [&[&str]; 4] = [&["one ", "0.1.0"], &["one ", "0.2.0 end", "!"], &["two"], &[]];
        for pieces in wrong {
            assert!(answer(pieces).unwrap_err().starts_with("wrong body"), "{pieces:?}");
        }
    }
}
