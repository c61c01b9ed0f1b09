//! The split that every program of a comparison draws alike, without a library: `SplitMix64` and Fisher–Yates.

/// The generator of Steele, Lea and Flood (2014).
pub(super) struct SplitMix64(pub(super) u64);

impl SplitMix64 {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = self.0;
        let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `n`, as good as uniform where `n` is small beside 2⁶⁴.
    pub(super) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

/// Samples of the three sets, in the order they were drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Split {
    pub(super) train: Vec<usize>,
    pub(super) valid: Vec<usize>,
    pub(super) test: Vec<usize>,
}

/// 80/10/10 of `n` samples: a Fisher–Yates shuffle from the top, `j = next() mod (i + 1)`.
pub(super) fn split(n: usize, seed: u64) -> Split {
    let mut stream = SplitMix64(seed);
    let mut order: Vec<usize> = (0..n).collect();
    for i in (1..n).rev() {
        let j = stream.below(i + 1);
        order.swap(i, j);
    }
    let (first, second) = (n * 8 / 10, n * 9 / 10);
    let test = order.split_off(second);
    let valid = order.split_off(first);
    Split { train: order, valid, test }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Printed by the peer's program.
    #[test]
    fn numbers_are_the_peers() {
        let mut stream = SplitMix64(0);
        let first = [(); 3].map(|()| stream.next());
        assert_eq!(first, [0xE220_A839_7B1D_CDAF, 0x6E78_9E6A_A1B9_65F4, 0x06C4_5D18_8009_454F]);
        let ten = Split { train: vec![6, 3, 2, 9, 8, 1, 4, 7], valid: vec![0], test: vec![5] };
        assert_eq!(split(10, 0), ten);
        let nci1 = split(4110, 0);
        assert_eq!([nci1.train.len(), nci1.valid.len(), nci1.test.len()], [3288, 411, 411]);
        assert_eq!(nci1.train[..6], [2211, 1025, 2567, 1295, 3020, 2731]);
        assert_eq!((&nci1.valid[..3], &nci1.test[..3]), (&[10, 1968, 1010][..], &[3180, 1424, 1286][..]));
        assert_eq!(split(4110, 7).train[..6], [50, 3983, 2072, 3086, 2118, 2966]);
    }

    #[test]
    fn every_sample_is_in_one_set() {
        let Split { train, valid, test } = split(1178, 3);
        assert_eq!([train.len(), valid.len(), test.len()], [942, 118, 118]);
        let mut all = [train, valid, test].concat();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..1178));
    }
}
