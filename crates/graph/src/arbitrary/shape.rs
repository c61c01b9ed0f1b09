//! Which edges a drawn graph has.

use crate::stream::Stream;

/// A way to draw the edges of a graph with `n` nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The graph without nodes, however many were asked for.
    Empty,
    /// No edge.
    Edgeless,
    /// `0 – 1 – … – n−1`.
    Path,
    /// A path closed to a circle; of two nodes the one edge.
    Cycle,
    /// Node 0 joined to all others.
    Star,
    /// Every pair.
    Complete,
    /// Nodes `i` and `j` are joined where their parities differ: twins on both sides.
    Bipartite,
    /// A random recursive tree: node `i` hangs on one of `0..i`, uniformly.
    Tree,
    /// Every node has the same degree, 2 or 3 as drawn: random pairs of stubs, drawn anew until no pair is a loop or a repetition.
    /// Where no such graph is found, and below five nodes, a circle.
    Regular,
    /// Node `i` is joined to `i ± d` modulo `n`, each distance `d` of `1..=n/2` taken with probability 1/2, one at least:
    /// vertex-transitive, so that nothing but features tells nodes apart.
    Circulant,
    /// Erdős and Rényi's: each pair with a probability that is drawn uniformly of `0.1, 0.2, …, 0.9` for the graph.
    ErdosRenyi,
    /// The same on the first `⌈n/2⌉` nodes; the others have no edge.
    HalfIsolated,
    /// The same on two parts, cut at a uniform place, with no edge between them.
    TwoParts,
    /// As Erdős and Rényi's, for every ordered pair of distinct nodes: a directed graph.
    Directed,
}

/// An edge at `(source, target)`.
type Pairs = Vec<(u32, u32)>;

impl Shape {
    /// All that are undirected and have nodes, random ones more often: the usual choice.
    pub const UNDIRECTED: [(u32, Self); 12] = [
        (6, Self::ErdosRenyi),
        (2, Self::Tree),
        (2, Self::HalfIsolated),
        (2, Self::TwoParts),
        (1, Self::Edgeless),
        (1, Self::Path),
        (1, Self::Cycle),
        (1, Self::Star),
        (1, Self::Complete),
        (1, Self::Bipartite),
        (1, Self::Regular),
        (1, Self::Circulant),
    ];

    /// Shapes whose nodes, with equal features, are all alike.
    pub const TRANSITIVE: [(u32, Self); 4] =
        [(1, Self::Edgeless), (1, Self::Cycle), (1, Self::Complete), (2, Self::Circulant)];

    /// The edges, both directions of undirected ones.
    pub(super) fn edges(self, n: u32, random: &mut Stream) -> Pairs {
        let undirected = match self {
            Self::Directed => return directed(n, random),
            Self::Empty | Self::Edgeless => Vec::new(),
            Self::Path => (1..n).map(|i| (i - 1, i)).collect(),
            Self::Cycle => cycle(n),
            Self::Star => (1..n).map(|leaf| (0, leaf)).collect(),
            Self::Complete => pairs(0, n).collect(),
            Self::Bipartite => pairs(0, n).filter(|(i, j)| i % 2 != j % 2).collect(),
            Self::Tree => (1..n).map(|i| (random.below(i as usize) as u32, i)).collect(),
            Self::Regular => regular(n, random),
            Self::Circulant => circulant(n, random),
            Self::ErdosRenyi => some(pairs(0, n), random),
            Self::HalfIsolated => some(pairs(0, n.div_ceil(2)), random),
            Self::TwoParts => {
                let cut = random.below(n as usize + 1) as u32;
                some(pairs(0, cut).chain(pairs(cut, n)), random)
            }
        };
        undirected.into_iter().flat_map(|(i, j)| [(i, j), (j, i)]).collect()
    }
}

fn pairs(first: u32, end: u32) -> impl Iterator<Item = (u32, u32)> {
    (first..end).flat_map(move |j| (first..j).map(move |i| (i, j)))
}

/// Each with the same probability, a tenth to nine tenths.
fn some(pairs: impl Iterator<Item = (u32, u32)>, random: &mut Stream) -> Pairs {
    let tenths = random.between(1, 9);
    pairs.filter(|_| random.below(10) < tenths).collect()
}

fn directed(n: u32, random: &mut Stream) -> Pairs {
    let ordered = (0..n).flat_map(|i| (0..n).map(move |j| (i, j))).filter(|(i, j)| i != j);
    some(ordered, random)
}

fn cycle(n: u32) -> Pairs {
    (0..n).map(|i| (i, (i + 1) % n)).filter(|(i, j)| i != j).collect()
}

fn circulant(n: u32, random: &mut Stream) -> Pairs {
    let half = n as usize / 2;
    if half == 0 {
        return Vec::new();
    }
    let always = random.between(1, half);
    let distances = (1..=half).filter(|&d| d == always || random.below(2) == 0).collect::<Vec<_>>();
    distances.into_iter().flat_map(|d| (0..n).map(move |i| (i, (i + d as u32) % n))).collect()
}

/// The pairing model: simple with a probability that does not depend on `n` (about 0.3 for degree 2, 0.1 for 3).
fn regular(n: u32, random: &mut Stream) -> Pairs {
    const ATTEMPTS: usize = 50;
    let degree = if n.is_multiple_of(2) { random.between(2, 3) } else { 2 };
    let mut stubs: Vec<u32> = (0..n).flat_map(|i| (0..degree).map(move |_| i)).collect();
    for _ in 0..ATTEMPTS * usize::from(n >= 5) {
        random.shuffle(&mut stubs);
        let mut drawn: Pairs =
            stubs.chunks_exact(2).map(|ends| (ends[0].min(ends[1]), ends[0].max(ends[1]))).collect();
        drawn.sort_unstable();
        let simple = drawn.iter().all(|(i, j)| i != j) && drawn.windows(2).all(|pair| pair[0] != pair[1]);
        if simple {
            return drawn;
        }
    }
    cycle(n)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TopologyBuf;

    fn drawn(shape: Shape, n: u32, seed: u64) -> TopologyBuf {
        TopologyBuf::of_edges(n as usize, &shape.edges(n, &mut Stream::new("shape", seed)))
    }

    fn degrees(t: &TopologyBuf) -> Vec<usize> {
        (0..t.view().nodes()).map(|i| t.view().degree(i)).collect()
    }

    #[test]
    fn named_shapes_are_what_they_are_called() {
        assert_eq!(degrees(&drawn(Shape::Path, 4, 0)), [1, 2, 2, 1]);
        assert_eq!(degrees(&drawn(Shape::Cycle, 4, 0)), [2; 4]);
        assert_eq!(degrees(&drawn(Shape::Cycle, 2, 0)), [1; 2]);
        assert_eq!(degrees(&drawn(Shape::Star, 4, 0)), [3, 1, 1, 1]);
        assert_eq!(degrees(&drawn(Shape::Complete, 4, 0)), [3; 4]);
        assert_eq!(degrees(&drawn(Shape::Bipartite, 5, 0)), [2, 3, 2, 3, 2]);
        assert_eq!(degrees(&drawn(Shape::Edgeless, 3, 0)), [0; 3]);
    }

    #[test]
    fn every_shape_is_simple_and_undirected_but_one() {
        for (_, shape) in Shape::UNDIRECTED.into_iter().chain([(1, Shape::Directed)]) {
            for (n, seed) in (1..10).flat_map(|n| (0..20).map(move |seed| (n, seed))) {
                let t = drawn(shape, n, seed);
                assert_eq!(t.view().self_loops(), 0, "{shape:?} of {n} nodes");
                assert!(shape == Shape::Directed || t.view().is_symmetric(), "{shape:?} of {n} nodes");
            }
        }
        assert!((0..20).any(|seed| !drawn(Shape::Directed, 5, seed).view().is_symmetric()));
    }

    #[test]
    fn random_shapes_keep_their_rule_and_differ() {
        for n in 5..10 {
            let of = |shape| (0..40).map(move |seed| drawn(shape, n, seed)).collect::<Vec<_>>();
            for t in of(Shape::Tree) {
                assert_eq!(t.view().undirected_edges(), n as usize - 1);
                assert_eq!(t.view().isolated_nodes(), 0);
            }
            for t in of(Shape::Regular).iter().chain(&of(Shape::Circulant)) {
                assert!(degrees(t).windows(2).all(|pair| pair[0] == pair[1]) && degrees(t)[0] > 0);
            }
            for t in of(Shape::HalfIsolated) {
                assert!(t.view().isolated_nodes() >= n as usize / 2);
            }
            for shape in [Shape::Tree, Shape::Regular, Shape::ErdosRenyi, Shape::TwoParts] {
                let drawn = of(shape);
                assert!(drawn.iter().any(|t| *t != drawn[0]), "{shape:?}");
            }
        }
        let cubic = (0..40).filter(|&seed| degrees(&drawn(Shape::Regular, 8, seed))[0] == 3).count();
        assert!((10..=30).contains(&cubic), "{cubic} of 40");
    }
}
