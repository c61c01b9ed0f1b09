//! The best rows of each segment.

use super::check;
use crate::scalar::Scalar;

/// The best rows of each segment, segment by segment, each by falling score; of equal scores the lower row first.
///
/// `count` tells how many of a segment's `n` rows are kept; more than `n` is `n`. A NaN is better than every number, so
/// that a broken score is seen and not dropped; `-0` is below `0`.
///
/// # Shapes
///
/// `score: [n]`; the rows that are kept, as many as the counts add up to.
///
/// # Complexity
///
/// O(n + kept · log kept), on the calling thread: a selection, then a sort of what is kept. One work space for all
/// segments.
///
/// # Panics
///
/// On a slice of another length.
///
/// # Examples
///
/// ```
/// use coarsen_sparse::segment::top;
///
/// let best = top(&[0, 3, 5], &[0.5, 2.0, 0.5, -1.0, f32::NAN], |n| n.div_ceil(2));
/// assert_eq!(best, [1, 0, 4]);
/// ```
pub fn top<T: Scalar>(ptr: &[u32], score: &[T], count: impl Fn(usize) -> usize) -> Vec<u32> {
    check("top", ptr, 1, &[score.len()], &[]);
    let mut kept = Vec::new();
    let mut ranks: Vec<T::Rank> = Vec::new();
    for ends in ptr.windows(2) {
        let scores = &score[ends[0] as usize..ends[1] as usize];
        let k = count(scores.len()).min(scores.len());
        if k == 0 {
            continue;
        }
        ranks.clear();
        ranks.extend((ends[0]..).zip(scores).map(|(row, score)| score.rank(row)));
        if k < ranks.len() {
            ranks.select_nth_unstable(k - 1);
            ranks.truncate(k);
        }
        ranks.sort_unstable();
        kept.extend(ranks.iter().map(|&rank| T::place(rank)));
    }
    kept
}
