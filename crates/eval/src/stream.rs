//! One seed, many named streams.

use sha2::{Digest, Sha256};

/// The seed of a named random stream: `sha256(seed ‖ len(name) ‖ name ‖ index)`, its first eight bytes.
///
/// Numbers are unsigned 64-bit little-endian words, the name is UTF-8. Streams of different names or indices have nothing in
/// common, so that adding a consumer of randomness shifts no other. The derivation never changes: splits, initial parameters
/// and the pairing of a learned operator with its random control rest on it.
///
/// # Examples
///
/// ```
/// use coarsen_eval::stream;
/// assert_eq!(stream(0, "split", 3), stream(0, "split", 3));
/// assert_ne!(stream(0, "split", 3), stream(0, "init", 3));
/// ```
pub fn stream(seed: u64, name: &str, index: u64) -> u64 {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    hash.update((name.len() as u64).to_le_bytes());
    hash.update(name.as_bytes());
    hash.update(index.to_le_bytes());
    let digest: [u8; 32] = hash.finalize().into();
    let (first, _) = digest.split_first_chunk::<8>().expect("a digest has 32 bytes");
    u64::from_le_bytes(*first)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed once with another implementation of SHA-256: these values are a promise.
    #[test]
    fn the_derivation_is_frozen() {
        assert_eq!(stream(0, "split", 0), FROZEN[0]);
        assert_eq!(stream(1, "init", 7), FROZEN[1]);
        assert_eq!(stream(u64::MAX, "", u64::MAX), FROZEN[2]);
    }

    const FROZEN: [u64; 3] = [0x530d_ec7c_79e1_3327, 0x9793_7e88_093a_b693, 0x9bb0_7991_a1a2_0276];

    #[test]
    fn names_and_indices_do_not_run_into_each_other() {
        let all = [
            stream(0, "a", 0),
            stream(0, "a\0", 0),
            stream(0, "", 0x61),
            stream(1, "a", 0),
            stream(0, "a", 1),
        ];
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }
}
