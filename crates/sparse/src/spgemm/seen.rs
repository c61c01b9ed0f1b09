//! The columns of a row of a product, each once and ascending.

use pulp::{Simd, WithSimd};

use crate::csr::Csr;
use crate::lanes::dispatch;

/// The columns met in a row, a bit for each.
pub(super) struct Seen {
    bits: Vec<u64>,
    /// Which words are not 0, in the order met.
    words: Vec<u32>,
    /// Columns on their way out, with room for a word's surplus.
    line: Vec<u32>,
}

/// Words looked at in the time a word takes to be listed and sorted.
const LOOKS: usize = 4;

/// Columns written at a time, whether there are as many or not.
const BURST: usize = 4;

impl Seen {
    pub(super) fn nothing(cols: usize) -> Self {
        let words = cols.div_ceil(64);
        Self { bits: vec![0; words], words: Vec::new(), line: vec![0; 64 * words + 64] }
    }

    /// Appends the columns of row `row` of `A B`, each once, ascending; they are met `times` times or less.
    pub(super) fn columns(&mut self, a: &Csr, b: &Csr, row: usize, times: usize, cols: &mut Vec<u32>) {
        if times * LOOKS < self.bits.len() {
            self.listed(a, b, row, cols);
        } else {
            dispatch(Dense { seen: self, a, b, row, cols });
        }
    }

    /// By a list of the words that are not 0: few columns among very many.
    fn listed(&mut self, a: &Csr, b: &Csr, row: usize, cols: &mut Vec<u32>) {
        for &middle in a.row(row) {
            for &col in b.row(middle as usize) {
                let bits = &mut self.bits[col as usize / 64];
                if *bits == 0 {
                    self.words.push(col / 64);
                }
                *bits |= 1 << (col % 64);
            }
        }
        self.words.sort_unstable();
        for word in self.words.drain(..) {
            let mut left = std::mem::take(&mut self.bits[word as usize]);
            while left != 0 {
                cols.push(word * 64 + left.trailing_zeros());
                left &= left - 1;
            }
        }
    }
}

/// By a look at all words.
struct Dense<'a> {
    seen: &'a mut Seen,
    a: &'a Csr,
    b: &'a Csr,
    row: usize,
    cols: &'a mut Vec<u32>,
}

impl WithSimd for Dense<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Seen { bits, line, .. } = self.seen;
        for &middle in self.a.row(self.row) {
            for &col in self.b.row(middle as usize) {
                bits[col as usize / 64] |= 1 << (col % 64);
            }
        }
        let mut len = 0;
        for (word, bits) in (0_u32..).zip(bits) {
            let mut left = std::mem::take(bits);
            let end = len + left.count_ones() as usize;
            // Most words have few bits: no branch to guess wrong.
            while len < end {
                for place in &mut line[len..len + BURST] {
                    *place = word * 64 + left.trailing_zeros();
                    left &= left.wrapping_sub(1);
                }
                len += BURST;
            }
            len = end;
        }
        self.cols.extend_from_slice(&line[..len]);
    }
}
