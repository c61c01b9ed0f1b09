//! Random numbers by name: every parameter and every mask has a stream of its own.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tch::{Device, Kind, Tensor};

/// The seed of the stream called `name` among the streams of `seed`.
///
/// `derive_seed(seed, name) = mix(mix(seed) ⊕ fnv(name))`, where `fnv` is the 64-bit FNV-1a hash of the bytes of the name and `mix` the
/// finaliser of `SplitMix64`. The value is part of the crate's contract: it never depends on the machine, on the version of a
/// dependency or on what else was drawn.
///
/// # Complexity
///
/// Time O(length of the name).
///
/// # Examples
///
/// ```
/// use coarsen_nn::derive_seed;
/// assert_eq!(derive_seed(1, "conv0.weight"), derive_seed(1, "conv0.weight"));
/// assert_ne!(derive_seed(1, "conv0.weight"), derive_seed(2, "conv0.weight"));
/// assert_ne!(derive_seed(1, "conv0.weight"), derive_seed(1, "conv1.weight"));
/// ```
pub fn derive_seed(seed: u64, name: &str) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let hash = name.bytes().fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME));
    mix(mix(seed) ^ hash)
}

/// One step of `SplitMix64`: adds the golden ratio and scrambles.
pub(crate) fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// A stream of random numbers: `ChaCha` with 8 rounds, made from a 64-bit seed.
///
/// Numbers are drawn in `f64` and rounded to the kind asked for, so that a single and a double precision model start from the
/// same values. LibTorch's global generator is never used.
///
/// # Examples
///
/// ```
/// use coarsen_nn::Stream;
/// let (mut a, mut b) = (Stream::named(7, "assign"), Stream::named(7, "assign"));
/// assert_eq!(a.unit(), b.unit());
/// ```
#[derive(Debug, Clone)]
pub struct Stream(ChaCha8Rng);

impl Stream {
    /// The stream of a seed; the 256-bit key is four steps of `SplitMix64`.
    pub fn new(seed: u64) -> Self {
        let mut key = [0; 32];
        let mut state = seed;
        for word in key.chunks_exact_mut(8) {
            state = mix(state);
            word.copy_from_slice(&state.to_le_bytes());
        }
        Self(ChaCha8Rng::from_seed(key))
    }

    /// The stream called `name` among the streams of `seed`, see [`derive_seed`].
    pub fn named(seed: u64, name: &str) -> Self {
        Self::new(derive_seed(seed, name))
    }

    /// A number of `[0, 1)`, a multiple of 2⁻⁵³.
    pub fn unit(&mut self) -> f64 {
        const SCALE: f64 = 1.0 / (1_u64 << 53) as f64;
        (self.0.next_u64() >> 11) as f64 * SCALE
    }

    /// A pair of independent standard normal numbers (Box and Muller).
    pub fn normal_pair(&mut self) -> (f64, f64) {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt(); // 1 − u is never 0
        let (sin, cos) = (std::f64::consts::TAU * self.unit()).sin_cos();
        (radius * cos, radius * sin)
    }

    /// A tensor of independent numbers, uniform in `[low, high)`.
    ///
    /// # Complexity
    ///
    /// Time and host memory O(elements); one copy to the device.
    pub fn uniform(&mut self, shape: &[i64], low: f64, high: f64, options: (Kind, Device)) -> Tensor {
        let values: Vec<f64> = (0..elements(shape)).map(|_| low + (high - low) * self.unit()).collect();
        to_tensor(&values, shape, options)
    }

    /// A tensor of independent normal numbers.
    ///
    /// # Complexity
    ///
    /// Time and host memory O(elements); one copy to the device.
    pub fn normal(&mut self, shape: &[i64], mean: f64, deviation: f64, options: (Kind, Device)) -> Tensor {
        let count = elements(shape);
        let mut values = Vec::with_capacity(count + 1);
        while values.len() < count {
            let (a, b) = self.normal_pair();
            values.extend([mean + deviation * a, mean + deviation * b]);
        }
        values.truncate(count);
        to_tensor(&values, shape, options)
    }

    /// A tensor of independent ones and zeros; an element is 1 with probability `p` (to within 2⁻³²).
    ///
    /// # Complexity
    ///
    /// Time and host memory O(elements); one copy to the device.
    pub fn bernoulli(&mut self, shape: &[i64], p: f64, options: (Kind, Device)) -> Tensor {
        let below = (p.clamp(0.0, 1.0) * (1_u64 << 32) as f64) as u64;
        // One draw of 32 bits for each, drawn together.
        let mut bytes = vec![0; 4 * elements(shape)];
        self.0.fill_bytes(&mut bytes);
        let drawn = bytes.chunks_exact(4).map(|b| u64::from(u32::from_le_bytes([b[0], b[1], b[2], b[3]])));
        let values: Vec<f32> = drawn.map(|drawn| f32::from(u8::from(drawn < below))).collect();
        Tensor::from_slice(&values).view(shape).to_kind(options.0).to_device(options.1)
    }
}

fn elements(shape: &[i64]) -> usize {
    shape.iter().product::<i64>() as usize
}

fn to_tensor(values: &[f64], shape: &[i64], (kind, device): (Kind, Device)) -> Tensor {
    Tensor::from_slice(values).view(shape).to_kind(kind).to_device(device)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CPU: (Kind, Device) = (Kind::Double, Device::Cpu);

    #[test]
    fn names_and_seeds_are_frozen() {
        // The published test vectors of SplitMix64 (state 0) and of FNV-1a ("a").
        assert_eq!(mix(0), 0xe220_a839_7b1d_cdaf);
        assert_eq!(derive_seed(0, "a"), mix(mix(0) ^ 0xaf63_dc4c_8601_ec8c));
    }

    #[test]
    fn a_unit_number_is_below_one() {
        let mut stream = Stream::new(1);
        let values: Vec<f64> = (0..4096).map(|_| stream.unit()).collect();
        assert!(values.iter().all(|v| (0.0..1.0).contains(v)));
        let mean = values.iter().sum::<f64>() / 4096.0;
        assert!((mean - 0.5).abs() < 0.02, "{mean}");
    }

    #[test]
    fn normal_numbers_have_the_moments_asked_for() {
        let values = Stream::new(2).normal(&[9999], 3.0, 0.5, CPU);
        assert_eq!(values.size(), [9999]);
        let mean = values.mean(None::<Kind>).double_value(&[]);
        let deviation = values.std(true).double_value(&[]);
        assert!((mean - 3.0).abs() < 0.02, "{mean}");
        assert!((deviation - 0.5).abs() < 0.02, "{deviation}");
    }

    #[test]
    fn single_precision_rounds_double_precision() {
        let double = Stream::new(3).uniform(&[4, 5], -1.0, 1.0, CPU);
        let single = Stream::new(3).uniform(&[4, 5], -1.0, 1.0, (Kind::Float, Device::Cpu));
        assert!(single.equal(&double.to_kind(Kind::Float)));
    }

    #[test]
    fn bernoulli_holds_at_both_ends() {
        let count = |p| Stream::new(4).bernoulli(&[100, 100], p, CPU).sum(Kind::Int64).int64_value(&[]);
        assert_eq!([count(0.0), count(1.0)], [0, 10_000]);
        assert!((count(0.3) - 3000).abs() < 200);
    }
}
