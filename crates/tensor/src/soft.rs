//! The squares of a soft assignment: `Sᵀ A S`, `Sᵀ S` and `tr(Sᵀ D S)`, which share their way back to `S`.

use std::ffi::CStr;
use std::ops::Range;
use std::sync::Arc;

use coarsen_sparse::sums::dot;
use tch::{Kind, Tensor, no_grad};

use crate::adjacency::{Adjacency, Padded, Sparse};
use crate::assignment::Assignment;
use crate::autograd::{Function, attach};
use crate::batched;
use crate::executor::{cut, side_by_side};
use crate::grouped::contract;
use crate::pattern::Pattern;
use crate::products::{Flip, Output, multiply};
use crate::segment;
use crate::view::{Dense, Real, by_kind, filled, on_host};

/// What pooling by a soft assignment and its losses need of it, graph by graph.
#[derive(Debug)]
pub struct Squares {
    /// `Sᵀ A S`, `[B, K, K]`.
    pub between: Tensor,
    /// `Sᵀ S`, `[B, K, K]`.
    pub gram: Tensor,
    /// `tr(Sᵀ D S)` with `D` the row sums of `A`, `[B]`.
    pub degrees: Tensor,
}

impl Squares {
    /// `Sᵀ A S` as a level's edges.
    pub fn coarse(&self) -> Adjacency {
        Adjacency::Dense(Padded::new(self.between.shallow_clone(), None))
    }
}

impl Adjacency {
    /// The squares of a soft assignment.
    ///
    /// Over unit edges in both directions the gradient of `S` takes two products of `N K²` in place of four, and no pass over the
    /// edges: `dS = S (G + Gᵀ) + A S (H + Hᵀ) + 2 t D S`, with `G`, `H` and `t` those of the three squares.
    ///
    /// # Shapes
    ///
    /// As for [`coarsen`](Self::coarsen) with rows or padded rows.
    ///
    /// # Complexity
    ///
    /// Rows: time `O(E K + N K²)`, memory `O(N K + B K²)`. Padded: time `O(B N² K + B N K²)`.
    ///
    /// # Panics
    ///
    /// When the assignment has entries or was made for a level of the other layout.
    pub fn squares(&self, s: &Assignment) -> Squares {
        let spread =
            |s: &Tensor| s.square().sum_dim_intlist([-1i64].as_slice(), false, None::<Kind>) * self.degree();
        match (self, s) {
            (Self::Sparse(a), Assignment::Rows { s, .. }) if of_unit_edges(a) && on_host(s) => shared(a, s),
            (Self::Sparse(_), Assignment::Rows { s, graphs }) => Squares {
                between: contract(s, &self.matmul(s), graphs),
                gram: contract(s, s, graphs),
                degrees: segment::sum(&spread(s).unsqueeze(1), graphs).squeeze_dim(1),
            },
            (Self::Dense(_), Assignment::Padded { s }) => Squares {
                between: batched::transposed_matmul(s, &self.matmul(s)),
                gram: batched::transposed_matmul(s, s),
                degrees: spread(s).sum_dim_intlist([-1i64].as_slice(), false, None::<Kind>),
            },
            _ => panic!("a soft assignment has the layout of its level"),
        }
    }
}

/// `A = Aᵀ`, and the row sums are the lengths of the rows.
fn of_unit_edges(a: &Sparse) -> bool {
    a.weight.is_none() && a.pattern.relation().pattern().is_symmetric()
}

fn shared(a: &Sparse, s: &Tensor) -> Squares {
    let graphs = a.pattern.graphs();
    let (outputs, received) = no_grad(|| {
        let received = Adjacency::Sparse(Sparse::new(Arc::clone(&a.pattern), None, a.options)).matmul(s);
        let degrees = by_kind!(s.kind(), T => traces::<T>(&a.pattern, s));
        ([contract(s, &received, graphs), contract(s, s, graphs), degrees], received)
    });
    let function = Shared { pattern: Arc::clone(&a.pattern), s: s.shallow_clone(), received };
    let attached = attach(&[s], &outputs, function).unwrap_or_else(|error| panic!("{error}"));
    let [between, gram, degrees] = <[Tensor; 3]>::try_from(attached).expect("as many as there were");
    Squares { between, gram, degrees }
}

/// `Σ_i d_i ‖s_i‖²` of every graph, with `d` the lengths of the rows.
fn traces<T: Real>(pattern: &Pattern, s: &Tensor) -> Tensor {
    let (width, s) = (s.size()[1] as usize, Dense::new(s));
    let (s, ptr) = (s.slice::<T>(), pattern.csr().row_ptr());
    filled(&[pattern.graphs().len() as i64], |out: &mut [T]| {
        for (b, out) in out.iter_mut().enumerate() {
            let (first, n) = pattern.graphs().span(b);
            let mut sum = 0.0;
            for i in first as usize..(first + n) as usize {
                let row = &s[i * width..][..width];
                sum += f64::from(ptr[i + 1] - ptr[i]) * dot(row, row).to_f64();
            }
            *out = T::real(sum);
        }
    })
}

struct Shared {
    pattern: Arc<Pattern>,
    s: Tensor,
    /// `A S`.
    received: Tensor,
}

impl Shared {
    fn gradient<T: Real>(&self, [between, gram, degrees]: [Option<&Tensor>; 3]) -> Tensor {
        let (s, received) = (Dense::new(&self.s), Dense::new(&self.received));
        let (s, received) = (s.slice::<T>(), received.slice::<T>());
        let held = [between, gram, degrees].map(|grad| grad.map(Dense::new));
        let [between, gram, degrees] = held.each_ref().map(|grad| grad.as_ref().map(Dense::slice::<T>));
        let (graphs, ptr) = (self.pattern.graphs(), self.pattern.csr().row_ptr());
        let k = self.s.size()[1] as usize;
        filled(&self.s.size(), |ds: &mut [T]| {
            let pieces = cut(ds, graphs.sizes().map(|n| n as usize * k));
            side_by_side(pieces, 1, |b, ds| {
                let (from, n) = graphs.span(b);
                let (from, n) = (from as usize, n as usize);
                let rows = from * k..(from + n) * k;
                let mut output = Output::Overwritten;
                for (factor, grad) in [(s, gram), (received, between)] {
                    let Some(grad) = grad else { continue };
                    let both = with_its_transpose(&grad[b * k * k..][..k * k], k);
                    multiply(Flip::Neither, [n, k, k], &factor[rows.clone()], &both, output, ds);
                    output = Output::AddedTo;
                }
                if output == Output::Overwritten {
                    ds.fill(T::real(0.0));
                }
                let Some(grad) = degrees else { return };
                let twice = grad[b] + grad[b];
                for (i, ds) in ds.chunks_exact_mut(k.max(1)).enumerate() {
                    let node = from + i;
                    let share = twice * T::real(f64::from(ptr[node + 1] - ptr[node]));
                    for (ds, &s) in ds.iter_mut().zip(&s[node * k..][..k]) {
                        *ds += share * s;
                    }
                }
            });
        })
    }
}

/// Side of the squares in which a matrix is turned: two of them fit into the first level of cache.
const TILE: usize = 32;

/// `X + Xᵀ` of a `k × k` matrix.
fn with_its_transpose<T: Real>(x: &[T], k: usize) -> Vec<T> {
    let mut sum = x.to_vec();
    for (rows, columns) in tiles(k) {
        for i in rows {
            let out = &mut sum[i * k..][columns.clone()];
            for (out, j) in out.iter_mut().zip(columns.clone()) {
                *out += x[j * k + i];
            }
        }
    }
    sum
}

/// The rows and the columns of squares that cover a `k × k` matrix.
fn tiles(k: usize) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
    let strips = move || (0..k).step_by(TILE).map(move |from| from..k.min(from + TILE));
    strips().flat_map(move |rows| strips().map(move |columns| (rows.clone(), columns)))
}

impl Function for Shared {
    const NAME: &'static CStr = c"squares of a soft assignment";

    fn backward(&self, grads: &[Option<Tensor>], _: &[bool]) -> Vec<Option<Tensor>> {
        let of = [0, 1, 2].map(|output| grads[output].as_ref());
        vec![Some(by_kind!(self.s.kind(), T => self.gradient::<T>(of)))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segments::Segments;
    use crate::testing::{assert_close, ramp};
    use coarsen_sparse::Csr;
    use tch::Device;

    /// A triangle with a loop, a graph without nodes, and an edge.
    fn edges() -> Sparse {
        let pairs = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1), (3, 4), (4, 3)];
        let csr = Csr::from_edges(5, 5, pairs).expect("edges in range");
        let pattern = Pattern::new(csr, Arc::new(Segments::new(vec![0, 3, 3, 5])));
        Sparse::new(Arc::new(pattern), None, (Kind::Double, Device::Cpu))
    }

    fn run(a: &Sparse, wanted: [bool; 3]) -> [Tensor; 4] {
        let s = ramp(&[5, 2], 0.7);
        let rows = Assignment::Rows { s: s.shallow_clone(), graphs: Arc::clone(a.pattern.graphs()) };
        let weight = a.weight.as_ref().map(Tensor::shallow_clone);
        let adj = Adjacency::Sparse(Sparse::new(Arc::clone(&a.pattern), weight, a.options));
        let Squares { between, gram, degrees } = adj.squares(&rows);
        let outputs = [between, gram, degrees];
        let loss = |(y, wanted): (&Tensor, bool)| {
            wanted.then(|| (y * ramp(&y.size(), 1.1).detach()).sum(Kind::Double))
        };
        let total = outputs.iter().zip(wanted).filter_map(loss).reduce(|sum, y| sum + y);
        total.expect("something is wanted").backward();
        let [between, gram, degrees] = outputs.map(|y| y.detach());
        [between, gram, degrees, s.grad()]
    }

    /// With weights of 1 written out the general way is taken.
    #[test]
    fn unit_edges_give_what_any_edges_give() {
        let unit = edges();
        let ones = Tensor::ones([unit.pattern.edges()], unit.options);
        let weighted = Sparse::new(Arc::clone(&unit.pattern), Some(ones), unit.options);
        for wanted in [[true; 3], [true, false, false], [false, true, false], [false, false, true]] {
            assert_close(&run(&unit, wanted), &run(&weighted, wanted), 1e-12);
        }
    }

    #[test]
    fn a_matrix_larger_than_a_tile_and_its_transpose() {
        let k = TILE + 3;
        let x: Vec<f64> = (0..k * k).map(|at| (at * at % 101) as f64).collect();
        let want: Vec<f64> = (0..k * k).map(|at| x[at] + x[at % k * k + at / k]).collect();
        assert_eq!(with_its_transpose(&x, k), want);
    }

    #[test]
    fn edges_in_one_direction_are_told_apart() {
        let csr = Csr::from_edges(5, 5, [(0, 1), (3, 4)]).expect("edges in range");
        let pattern = Arc::new(Pattern::new(csr, Arc::new(Segments::new(vec![0, 3, 3, 5]))));
        let directed = Sparse::new(pattern, None, (Kind::Double, Device::Cpu));
        assert!(of_unit_edges(&edges()) && !of_unit_edges(&directed));
    }
}
