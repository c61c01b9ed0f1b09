//! Zachary's karate club (1977): 34 members, 78 friendships, and the club each joined after the split.

use super::builder::Builder;
use crate::{RawDataset, Sample, Target, TopologyBuf};
use ndarray::Array2;

/// Friends of each member with a larger number, members counted from 0.
#[rustfmt::skip]
const FRIENDS: [(u32, &[u32]); 27] = [
    (0, &[1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 17, 19, 21, 31]),
    (1, &[2, 3, 7, 13, 17, 19, 21, 30]), (2, &[3, 7, 8, 9, 13, 27, 28, 32]), (3, &[7, 12, 13]), (4, &[6, 10]),
    (5, &[6, 10, 16]), (6, &[16]), (8, &[30, 32, 33]), (9, &[33]), (13, &[33]), (14, &[32, 33]), (15, &[32, 33]),
    (18, &[32, 33]), (19, &[33]), (20, &[32, 33]), (22, &[32, 33]), (23, &[25, 27, 29, 32, 33]), (24, &[25, 27, 31]),
    (25, &[31]), (26, &[29, 33]), (27, &[33]), (28, &[31, 33]), (29, &[32, 33]), (30, &[32, 33]), (31, &[32, 33]),
    (32, &[33]), (33, &[]),
];

/// The club of each member after the split: 0 the instructor's ("Mr. Hi"), 1 the officer's.
#[rustfmt::skip]
pub const KARATE_CLUBS: [u32; 34] = [
    0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1, 0, 0, 1, 0, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
];

fn edges() -> Vec<(u32, u32)> {
    FRIENDS.iter().flat_map(|&(a, friends)| friends.iter().map(move |&b| (a, b))).collect()
}

/// The club as one graph: identity features, the clubs as node classes.
///
/// # Examples
/// ```
/// let club = coarsen_graph::generate::karate();
/// assert_eq!((club.view().nodes(), club.view().edges()), (34, 2 * 78));
/// ```
pub fn karate() -> Sample {
    let nodes = KARATE_CLUBS.len();
    let topology = TopologyBuf::of_undirected(nodes, &edges());
    Sample::of_parts(topology, Array2::eye(nodes), Some(KARATE_CLUBS.to_vec()), Target::Class(0))
}

/// The club as a data set of one graph, without labels, the clubs as node classes.
pub fn karate_dataset() -> RawDataset {
    let mut builder = Builder::new("KARATE");
    builder.push(KARATE_CLUBS.len(), &edges(), 0);
    let mut raw = builder.finish(vec![0]);
    raw.node_class = Some(KARATE_CLUBS.to_vec());
    raw
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_club_is_as_published() {
        let club = karate();
        let topology = club.view().topology;
        assert_eq!(topology.undirected_edges(), 78);
        assert_eq!((topology.degree(0), topology.degree(33), topology.isolated_nodes()), (16, 17, 0));
        assert_eq!(KARATE_CLUBS.iter().sum::<u32>(), 17);
        let across = topology.pairs().filter(|&(a, b)| KARATE_CLUBS[a as usize] != KARATE_CLUBS[b as usize]);
        assert_eq!(across.count(), 2 * 11);
        assert_eq!(karate_dataset().topology(0), topology);
    }
}
