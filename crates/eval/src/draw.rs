//! Drawing samples: shuffles and proportional shares.

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Draws samples, either blindly or so that every draw keeps the proportions of the classes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Draw<'a> {
    /// Labels are not looked at.
    Plain,
    /// The label of every sample of the data set.
    Stratified(&'a [u32]),
}

impl Draw<'_> {
    /// The samples in random order; when stratified, class after class.
    pub(crate) fn shuffle(self, mut samples: Vec<usize>, seed: u64) -> Vec<usize> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for last in (1..samples.len()).rev() {
            samples.swap(last, below(&mut rng, last as u64 + 1) as usize);
        }
        if let Self::Stratified(labels) = self {
            samples.sort_by_key(|&sample| labels[sample]);
        }
        samples
    }

    /// Takes `count` samples out of shuffled ones: the first, or the first of every class in proportion.
    pub(crate) fn take(self, samples: &mut Vec<usize>, count: usize) -> Vec<usize> {
        let Self::Stratified(labels) = self else {
            return samples.drain(..count).collect();
        };
        let mut sizes = BTreeMap::<u32, usize>::new();
        for &sample in samples.iter() {
            *sizes.entry(labels[sample]).or_default() += 1;
        }
        let shares = apportion(count, &sizes.values().copied().collect::<Vec<_>>());
        let mut open: BTreeMap<u32, usize> = sizes.keys().copied().zip(shares).collect();
        let (taken, left) = samples.iter().partition(|&&sample| {
            let open = open.get_mut(&labels[sample]).expect("every class was counted");
            let take = *open > 0;
            *open -= usize::from(take);
            take
        });
        *samples = left;
        taken
    }
}

/// A number below `bound`, without bias: draws from the incomplete last multiple of `bound` are thrown away.
fn below(rng: &mut ChaCha8Rng, bound: u64) -> u64 {
    let limit = u64::MAX - u64::MAX % bound;
    loop {
        let word = rng.next_u64();
        if word < limit {
            return word % bound;
        }
    }
}

/// Shares of `count` in proportion to `sizes`, by largest remainder; of equal remainders the first wins.
/// Every share is its exact quota rounded down or up. `count` is at most the sum of the sizes.
fn apportion(count: usize, sizes: &[usize]) -> Vec<usize> {
    let total = sizes.iter().sum::<usize>().max(1);
    let mut shares: Vec<usize> = sizes.iter().map(|size| count * size / total).collect();
    let mut by_remainder: Vec<usize> = (0..sizes.len()).collect();
    by_remainder.sort_by_key(|&class| std::cmp::Reverse(count * sizes[class] % total));
    let open = count - shares.iter().sum::<usize>();
    for &class in &by_remainder[..open] {
        shares[class] += 1;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_follow_the_largest_remainder() {
        assert_eq!(apportion(10, &[50, 30, 20]), [5, 3, 2]);
        assert_eq!(apportion(10, &[1, 1, 1]), [4, 3, 3]);
        assert_eq!(apportion(3, &[7, 2, 1]), [2, 1, 0]);
        assert_eq!(apportion(3, &[1, 1, 1]), [1, 1, 1]);
        assert_eq!(apportion(0, &[3, 4]), [0, 0]);
        assert_eq!(apportion(0, &[]), [0_usize; 0]);
    }

    #[test]
    fn a_shuffle_reaches_every_order() {
        let orders: std::collections::BTreeSet<_> =
            (0..200).map(|seed| Draw::Plain.shuffle(vec![0, 1, 2], seed)).collect();
        assert_eq!(orders.len(), 6);
    }

    #[test]
    fn numbers_below_a_bound_are_uniform() {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let mut counts = [0_u32; 7];
        for _ in 0..70_000 {
            counts[below(&mut rng, 7) as usize] += 1;
        }
        assert!(counts.iter().all(|count| count.abs_diff(10_000) < 400), "{counts:?}");
    }
}
