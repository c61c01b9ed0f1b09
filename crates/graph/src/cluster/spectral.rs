//! The largest eigenvector of a graph's Laplacian, which tells neighbours apart.

use super::kron::{Laplacian, Network};
use crate::stream::Stream;

/// Magnitudes this close, relative to the largest, are equal; entries this small are 0.
const EQUAL: f64 = 1e-6;
/// The residual at which an eigenvector is accepted, relative to its eigenvalue.
const RESIDUAL: f64 = 1e-9;
/// Lanczos steps between two restarts, and how many restarts there are at most.
const STEPS: usize = 64;
const RESTARTS: usize = 30;

/// The eigenvector of the largest eigenvalue in each connected component, its largest entry 1.
///
/// An eigenvector of a whole graph lives on one component; a division of every node needs one of each. The sign is fixed by the entry
/// of largest magnitude, which is made positive, of equal ones the first. Where the largest eigenvalue is multiple, the eigenvector
/// depends on the order of the nodes, by way of the vector it is looked for from, which is the same for all graphs of a size. A node
/// without edges gets 1.
///
/// # Complexity
/// Lanczos' method with full orthogonalisation, restarted every 64 steps until the residual is 1e-9 of the eigenvalue: O(64 E + 64² N)
/// time a restart, at most 30; O(64 N) memory.
///
/// # Examples
/// ```
/// use coarsen_graph::{TopologyBuf, cluster::{kron::{Laplacian, Network}, spectral::largest}};
///
/// let path = TopologyBuf::from_undirected(3, [(0, 1), (1, 2)])?;
/// let v = largest(&Network::new(&path.view(), None), Laplacian::Combinatorial);
/// let near = |(v, want): (&f64, f64)| (v - want).abs() < 1e-6;
/// assert!(v.iter().zip([-0.5, 1.0, -0.5]).all(near));
/// # Ok::<(), coarsen_graph::Error>(())
/// ```
pub fn largest(network: &Network, laplacian: Laplacian) -> Vec<f64> {
    let mut v = vec![0.0; network.nodes()];
    let mut place = vec![0; network.nodes()];
    for nodes in network.components() {
        for (at, &i) in nodes.iter().enumerate() {
            place[i as usize] = at;
        }
        let part = Part::new(network, &nodes, &place, laplacian);
        for (&i, entry) in nodes.iter().zip(signed(part.largest())) {
            v[i as usize] = entry;
        }
    }
    v
}

/// Scaled so that the first entry of largest magnitude is 1; what rounding left of 0 is 0.
fn signed(mut v: Vec<f64>) -> Vec<f64> {
    let largest = v.iter().fold(0.0f64, |largest, x| largest.max(x.abs()));
    let first = v.iter().find(|x| x.abs() >= largest * (1.0 - EQUAL)).copied().unwrap_or(1.0);
    for x in &mut v {
        *x = if x.abs() <= EQUAL * largest { 0.0 } else { *x / first };
    }
    v
}

/// The Laplacian of one component, as an operator.
struct Part {
    rows: Vec<Vec<(usize, f64)>>,
    diagonal: Vec<f64>,
}

impl Part {
    fn new(network: &Network, nodes: &[u32], place: &[usize], laplacian: Laplacian) -> Self {
        let degrees: Vec<f64> = nodes.iter().map(|&i| network.degree(i as usize)).collect();
        let row = |(at, &i): (usize, &u32)| {
            let weighed = network.row(i as usize).iter().map(|&(j, w)| {
                let to = place[j as usize];
                match laplacian {
                    Laplacian::Combinatorial => (to, w),
                    Laplacian::Normalized => (to, w / degrees[at].sqrt() / degrees[to].sqrt()),
                }
            });
            weighed.collect()
        };
        let rows = nodes.iter().enumerate().map(row).collect();
        let diagonal = match laplacian {
            Laplacian::Combinatorial => degrees,
            Laplacian::Normalized => degrees.iter().map(|&d| if d > 0.0 { 1.0 } else { 0.0 }).collect(),
        };
        Self { rows, diagonal }
    }

    fn apply(&self, x: &[f64]) -> Vec<f64> {
        let received = |row: &[(usize, f64)]| row.iter().map(|&(j, w)| w * x[j]).sum::<f64>();
        self.rows.iter().zip(&self.diagonal).zip(x).map(|((row, d), x)| d * x - received(row)).collect()
    }

    fn largest(&self) -> Vec<f64> {
        let mut v = start(self.rows.len());
        if v.len() == 1 {
            return v;
        }
        for _ in 0..RESTARTS {
            let (next, done) = self.lanczos(v);
            v = next;
            if done {
                break;
            }
        }
        v
    }

    /// The best approximation among `start` and its images under up to [`STEPS`] − 1 powers, and whether it is good enough.
    fn lanczos(&self, start: Vec<f64>) -> (Vec<f64>, bool) {
        let steps = STEPS.min(self.rows.len());
        let mut basis = vec![start];
        let (mut diagonal, mut beside) = (Vec::with_capacity(steps), Vec::with_capacity(steps));
        let rest = loop {
            let last = &basis[basis.len() - 1];
            let mut next = self.apply(last);
            diagonal.push(dot(last, &next));
            for q in basis.iter().chain(&basis) {
                let along = dot(q, &next);
                next.iter_mut().zip(q).for_each(|(x, q)| *x -= along * q);
            }
            let norm = dot(&next, &next).sqrt();
            let scale = self.diagonal.iter().fold(0.0f64, |most, &d| most.max(d));
            if basis.len() == steps || norm <= f64::EPSILON * 16.0 * scale {
                break norm;
            }
            divide(&mut next, norm);
            beside.push(norm);
            basis.push(next);
        };
        let (value, weights) = tridiagonal(&diagonal, &beside);
        let mut v = vec![0.0; self.rows.len()];
        for (q, w) in basis.iter().zip(&weights) {
            v.iter_mut().zip(q).for_each(|(x, q)| *x += w * q);
        }
        let norm = dot(&v, &v).sqrt();
        divide(&mut v, norm);
        (v, rest * weights[weights.len() - 1].abs() <= RESIDUAL * value)
    }
}

/// Unit length, below 0 as in the release, drawn from a fixed stream.
///
/// It must not be orthogonal to the eigenvector that is looked for, whose entries are often rational. Multiples of one irrational number
/// are no good: their fractional parts `iα − ⌊iα⌋` satisfy integer relations, and some graph's eigenvector is one of these.
fn start(n: usize) -> Vec<f64> {
    const PARTS: usize = 1 << 53;
    let mut random = Stream::new("lanczos", 0);
    let mut v: Vec<f64> = (0..n).map(|_| -0.5 - 0.5 * (random.below(PARTS) as f64 / PARTS as f64)).collect();
    let norm = dot(&v, &v).sqrt();
    divide(&mut v, norm);
    v
}

fn divide(v: &mut [f64], by: f64) {
    for x in v {
        *x /= by;
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The largest eigenvalue of a symmetric tridiagonal matrix with positive entries beside its diagonal, and the eigenvector.
fn tridiagonal(diagonal: &[f64], beside: &[f64]) -> (f64, Vec<f64>) {
    let pivots = |shift: f64| -> Option<Vec<f64>> {
        let mut pivots: Vec<f64> = Vec::with_capacity(diagonal.len());
        for (i, d) in diagonal.iter().enumerate() {
            let pivot = d - shift - if i == 0 { 0.0 } else { beside[i - 1].powi(2) / pivots[i - 1] };
            // One that is not negative: there is an eigenvalue above the shift.
            pivots.push(Some(pivot).filter(|p| *p < 0.0)?);
        }
        Some(pivots)
    };
    let radius = |i: usize| beside.get(i).unwrap_or(&0.0) + if i == 0 { 0.0 } else { beside[i - 1] };
    let mut low = diagonal.iter().fold(f64::NEG_INFINITY, |low, &d| low.max(d));
    let most = (0..diagonal.len()).fold(low, |most, i| most.max(diagonal[i] + radius(i)));
    // As far above as rounding of the pivots needs.
    let mut high = most + (1e-9 * most.abs()).max(f64::MIN_POSITIVE);
    let mut factors = pivots(high).expect("above Gershgorin's discs there is no eigenvalue");
    loop {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high || high - low <= f64::MIN_POSITIVE {
            break;
        }
        match pivots(middle) {
            Some(found) => (high, factors) = (middle, found),
            None => low = middle,
        }
    }
    // Inverse iteration by LDLᵀ; the eigenvector has no negative entry, so that ones are a start.
    let n = diagonal.len();
    let mut v = vec![1.0; n];
    for _ in 0..3 {
        for i in 1..n {
            v[i] -= beside[i - 1] / factors[i - 1] * v[i - 1];
        }
        v[n - 1] /= factors[n - 1];
        for i in (0..n - 1).rev() {
            v[i] = (v[i] - beside[i] * v[i + 1]) / factors[i];
        }
        let largest = v.iter().fold(0.0f64, |largest, x| largest.max(x.abs()));
        for x in &mut v {
            *x = x.abs() / largest;
        }
    }
    let norm = dot(&v, &v).sqrt();
    divide(&mut v, norm);
    (high, v)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TopologyBuf;
    use proptest::prelude::*;

    const BOTH: [Laplacian; 2] = [Laplacian::Combinatorial, Laplacian::Normalized];

    fn network(nodes: usize, edges: &[(u32, u32)]) -> Network {
        Network::new(&TopologyBuf::from_undirected(nodes, edges.iter().copied()).unwrap().view(), None)
    }

    fn signs(v: &[f64]) -> Vec<i8> {
        v.iter().map(|&x| if x >= 0.0 { 1 } else { -1 }).collect()
    }

    #[test]
    fn the_two_sides_of_a_tree_are_told_apart() {
        for laplacian in BOTH {
            let path = largest(&network(4, &[(0, 1), (1, 2), (2, 3)]), laplacian);
            assert_eq!(signs(&path), [-1, 1, -1, 1], "of the two inner nodes the first is positive");
            let star = largest(&network(4, &[(2, 0), (2, 1), (2, 3)]), laplacian);
            assert_eq!(signs(&star), [-1, -1, 1, -1], "the centre is the largest");
        }
        // Normalised, v is ± √d on a graph without odd circles.
        let path = largest(&network(3, &[(0, 1), (1, 2)]), Laplacian::Normalized);
        let want = [-0.5f64.sqrt(), 1.0, -0.5f64.sqrt()];
        assert!(path.iter().zip(want).all(|(v, want)| (v - want).abs() < 1e-7), "{path:?}");
    }

    #[test]
    fn every_component_is_divided_and_a_node_alone_is_positive() {
        for laplacian in BOTH {
            let v = largest(&network(6, &[(0, 3), (1, 2), (2, 5)]), laplacian);
            assert_eq!(signs(&v), [1, -1, 1, -1, 1, -1]);
        }
        assert!(largest(&network(0, &[]), Laplacian::Normalized).is_empty());
    }

    #[test]
    fn a_multiple_eigenvalue_has_an_eigenvector_too() {
        // A triangle and a complete graph: every vector of sum 0 is one.
        for n in [3, 5] {
            let complete: Vec<(u32, u32)> = (0..n).flat_map(|i| (0..i).map(move |j| (j, i))).collect();
            for laplacian in BOTH {
                let v = largest(&network(n as usize, &complete), laplacian);
                assert!(v.iter().sum::<f64>().abs() < 1e-9, "{v:?}");
                assert_eq!(v, largest(&network(n as usize, &complete), laplacian));
            }
        }
    }

    #[test]
    fn a_long_path_alternates() {
        let edges: Vec<(u32, u32)> = (1..300).map(|i| (i - 1, i)).collect();
        let v = largest(&network(300, &edges), Laplacian::Normalized);
        assert!(v.windows(2).all(|pair| (pair[0] >= 0.0) != (pair[1] >= 0.0)));
    }

    /// Its complement has the parts {0, 4, 5} and {1, 2, 3, 6}, so that 7 is an eigenvalue, and the eigenvector is constant on either: where
    /// the start has equal means on both, it is never found.
    #[test]
    fn a_rational_eigenvector_is_found() {
        let complement = [(0, 4), (4, 5), (1, 2), (1, 3), (1, 6), (2, 6)];
        let pairs = (0..7).flat_map(|j| (0..j).map(move |i| (i, j)));
        let edges: Vec<(u32, u32)> = pairs.filter(|pair| !complement.contains(pair)).collect();
        let v = largest(&network(7, &edges), Laplacian::Combinatorial);
        let want = [1.0, -0.75, -0.75, -0.75, 1.0, 1.0, -0.75];
        assert!(v.iter().zip(want).all(|(v, want)| (v - want).abs() < 1e-7), "{v:?}");
    }

    proptest! {
        /// `L v = λ v`, and no vector stretches more.
        #[test]
        fn it_is_an_eigenvector_of_the_largest_eigenvalue(
            nodes in 1..25usize,
            pairs in proptest::collection::vec((0..25u32, 0..25u32), 0..60),
            probe in proptest::collection::vec(-1.0..1.0f64, 25),
        ) {
            let inside = pairs.into_iter().map(|(i, j)| (i % nodes as u32, j % nodes as u32));
            let edges: Vec<(u32, u32)> = inside.filter(|(i, j)| i != j).collect();
            let network = network(nodes, &edges);
            for laplacian in BOTH {
                let v = largest(&network, laplacian);
                let mut place = vec![0; nodes];
                for members in network.components() {
                    members.iter().enumerate().for_each(|(at, &i)| place[i as usize] = at);
                    let part = Part::new(&network, &members, &place, laplacian);
                    let of = |x: &[f64]| -> Vec<f64> { members.iter().map(|&i| x[i as usize]).collect() };
                    let (v, probe) = (of(&v), of(&probe));
                    let image = part.apply(&v);
                    let value = dot(&v, &image) / dot(&v, &v);
                    let off = image.iter().zip(&v).fold(0.0f64, |off, (y, x)| off.max((y - value * x).abs()));
                    prop_assert!(off <= 1e-4 * value.max(1.0), "off by {off}");
                    prop_assert!(dot(&probe, &part.apply(&probe)) <= value * dot(&probe, &probe) + 1e-9);
                }
            }
        }
    }
}
