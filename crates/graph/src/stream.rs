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

    /// Uniform in `0..n`, without bias; `n` is not 0.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        below(n, || self.0.next_u64())
    }

    /// Uniform in `low..=high`.
    pub(crate) fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high - low + 1)
    }

    /// Fisher and Yates' shuffle.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        shuffle(items, || self.0.next_u64());
    }
}

/// A stream that can be drawn from again and again from its beginning: its integers are made once and kept.
pub(crate) struct Replay {
    seed: u64,
    stream: Stream,
    drawn: Vec<u64>,
    at: usize,
}

impl Replay {
    pub(crate) fn new(name: &str, seed: u64) -> Self {
        Self { seed, stream: Stream::new(name, seed), drawn: Vec::with_capacity(128), at: 0 }
    }

    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// Goes back to the beginning.
    pub(crate) fn rewind(&mut self) {
        self.at = 0;
    }

    /// As [`Stream::shuffle`] on the same stream.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        shuffle(items, || self.next());
    }

    fn next(&mut self) -> u64 {
        if self.at == self.drawn.len() {
            self.drawn.push(self.stream.0.next_u64());
        }
        self.at += 1;
        self.drawn[self.at - 1]
    }
}

/// Lemire's multiplication with rejection. Fewer than `n` of the low halves are rejected, so that the division which says
/// how many is nearly never made.
fn below(n: usize, mut next: impl FnMut() -> u64) -> usize {
    let n = n as u64;
    loop {
        let product = u128::from(next()) * u128::from(n);
        let low = product as u64;
        if low >= n || low >= n.wrapping_neg() % n {
            return (product >> 64) as usize;
        }
    }
}

fn shuffle<T>(items: &mut [T], mut next: impl FnMut() -> u64) {
    for i in (1..items.len()).rev() {
        let j = below(i + 1, &mut next);
        items.swap(i, j);
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

    /// The rule without the short cut: a low half below `2⁶⁴ mod n` is rejected.
    #[test]
    fn low_halves_below_the_remainder_are_rejected() {
        for n in [1u64, 2, 3, 10, (1 << 63) + 1, u64::MAX] {
            let reject = ((1u128 << 64) % u128::from(n)) as u64;
            for first in
                [0, 1, 2, n - 1, n / 2, u64::MAX / n, (u64::MAX / n).wrapping_add(1), 1 << 63, u64::MAX]
            {
                let product = u128::from(first) * u128::from(n);
                let want = if product as u64 >= reject { (product >> 64) as usize } else { (n - 1) as usize };
                let mut words = [first, u64::MAX].into_iter();
                assert_eq!(below(n as usize, || words.next().unwrap()), want, "{n} {first}");
            }
        }
    }

    #[test]
    fn a_replay_is_its_stream() {
        let mut replay = Replay::new("again", 5);
        for len in [7, 300, 40] {
            let (mut want, mut got): (Vec<usize>, Vec<usize>) = ((0..len).collect(), (0..len).collect());
            let mut stream = Stream::new("again", replay.seed());
            replay.rewind();
            for _ in 0..2 {
                stream.shuffle(&mut want);
                replay.shuffle(&mut got);
                assert_eq!(got, want);
            }
        }
    }

    #[test]
    fn the_stream_is_what_it_was() {
        let mut stream = Stream::new("fixed", 42);
        let drawn: Vec<usize> = (0..4).map(|_| stream.below(1_000_000)).collect();
        assert_eq!(drawn, [315_359, 324_638, 814_820, 119_386]);
    }
}
