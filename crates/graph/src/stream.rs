//! A named stream of random integers, equal on every machine and for every release of the random-number crates:
//! `ChaCha` with 8 rounds keyed by SHA-256 of name and seed, and integer arithmetic alone after that.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

pub(crate) struct Stream(ChaCha8Rng);

impl Stream {
    pub(crate) fn new(name: &str, seed: u64) -> Self {
        let mut hash = Sha256::new();
        hash.update(seed.to_le_bytes());
        hash.update(name.as_bytes());
        Self(ChaCha8Rng::from_seed(hash.finalize().into()))
    }

    /// Uniform in `0..n`, without bias (Lemire's multiplication with rejection); `n` is not 0.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        let n = n as u64;
        let reject = n.wrapping_neg() % n;
        loop {
            let product = u128::from(self.0.next_u64()) * u128::from(n);
            if product as u64 >= reject {
                return (product >> 64) as usize;
            }
        }
    }

    /// Uniform in `low..=high`.
    pub(crate) fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high - low + 1)
    }

    /// Fisher and Yates' shuffle.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let j = self.below(i + 1);
            items.swap(i, j);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_seeds_separate_streams() {
        let draw = |name, seed| {
            let mut stream = Stream::new(name, seed);
            [stream.below(1000), stream.below(1000), stream.below(1000)]
        };
        assert_eq!(draw("a", 0), draw("a", 0));
        assert_ne!(draw("a", 0), draw("a", 1));
        assert_ne!(draw("a", 0), draw("b", 0));
    }

    #[test]
    fn draws_cover_the_range_evenly() {
        let mut stream = Stream::new("range", 3);
        let mut count = [0; 5];
        for _ in 0..5000 {
            count[stream.between(10, 14) - 10] += 1;
        }
        assert!(count.iter().all(|&c| (850..1150).contains(&c)), "{count:?}");
    }

    #[test]
    fn the_stream_is_what_it_was() {
        let mut stream = Stream::new("fixed", 42);
        let drawn: Vec<usize> = (0..4).map(|_| stream.below(1_000_000)).collect();
        assert_eq!(drawn, [315_359, 324_638, 814_820, 119_386]);
    }
}
