//! Ragged products, graph by graph: what a soft assignment over a sparse level is multiplied with.
//!
//! With `s: [N, K]` over the nodes of all graphs, `contract` is `S_bᵀ Y_b` and `expand` is `S_b Z_b` for every graph `b`,
//! without padding any graph to the size of the largest. On the CPU all products are one call (`products`), elsewhere one
//! matrix product of LibTorch each.

use std::ffi::CStr;
use std::sync::Arc;

use tch::{Tensor, no_grad};

use crate::autograd::{Function, record};
use crate::products::{Flip, Product, products};
use crate::segments::Segments;
use crate::view::{by_kind, on_host};

/// `S_bᵀ Y_b` for every graph. A graph without nodes gives zeros.
///
/// # Shapes
///
/// `s: [N, K]`, `y: [N, F]` → `[B, K, F]`.
///
/// # Complexity
///
/// Time `O(N K F)`, memory `O(B K F)`.
pub fn contract(s: &Tensor, y: &Tensor, graphs: &Arc<Segments>) -> Tensor {
    let out = no_grad(|| contracted(s, y, graphs));
    let function = Contract { s: s.shallow_clone(), y: y.shallow_clone(), graphs: Arc::clone(graphs) };
    record(&[s, y], out, function)
}

/// `S_b Z_b` for every graph.
///
/// # Shapes
///
/// `s: [N, K]`, `z: [B, K, F]` → `[N, F]`.
///
/// # Complexity
///
/// Time `O(N K F)`, memory `O(N F)`.
pub fn expand(s: &Tensor, z: &Tensor, graphs: &Arc<Segments>) -> Tensor {
    let out = no_grad(|| expanded(s, z, graphs, Flip::Neither));
    let function = Expand { s: s.shallow_clone(), z: z.shallow_clone(), graphs: Arc::clone(graphs) };
    record(&[s, z], out, function)
}

fn contracted(s: &Tensor, y: &Tensor, graphs: &Segments) -> Tensor {
    let (k, f) = (s.size()[1], y.size()[1]);
    let shape = [graphs.len() as i64, k, f];
    if on_host(s) {
        let of_graph = |b| {
            let (from, n) = graphs.span(b);
            Product { m: k, n: f, k: n, a: from * k, b: from * f }
        };
        return by_kind!(s.kind(), T => products::<T>(s, y, &shape, Flip::Left, (0..graphs.len()).map(of_graph)));
    }
    let out = Tensor::zeros(shape, (y.kind(), y.device()));
    for (b, from, n) in nodes(graphs) {
        let _ = s.narrow(0, from, n).tr().matmul_out(&out.get(b), &y.narrow(0, from, n));
    }
    out
}

/// `S_b Z_b`, or `S_b Z_bᵀ` with the right factor flipped.
fn expanded(s: &Tensor, z: &Tensor, graphs: &Segments, flip: Flip) -> Tensor {
    let (k, rows, cols) = (s.size()[1], z.size()[1], z.size()[2]);
    let f = if flip == Flip::Right { rows } else { cols };
    let shape = [s.size()[0], f];
    if on_host(s) {
        let of_graph = |b| {
            let (from, n) = graphs.span(b);
            Product { m: n, n: f, k, a: from * k, b: b as i64 * rows * cols }
        };
        return by_kind!(s.kind(), T => products::<T>(s, z, &shape, flip, (0..graphs.len()).map(of_graph)));
    }
    let z = if flip == Flip::Right { z.transpose(1, 2) } else { z.shallow_clone() };
    let out = Tensor::empty(shape, (s.kind(), s.device()));
    for (b, from, n) in nodes(graphs) {
        let _ = s.narrow(0, from, n).matmul_out(&out.narrow(0, from, n), &z.get(b));
    }
    out
}

/// Index, first node and number of nodes of every graph that has nodes.
fn nodes(graphs: &Segments) -> impl Iterator<Item = (i64, i64, i64)> + '_ {
    let all = (0..graphs.len()).map(|b| (b as i64, graphs.span(b)));
    all.filter(|(_, (_, n))| *n > 0).map(|(b, (from, n))| (b, from, n))
}

struct Contract {
    s: Tensor,
    y: Tensor,
    graphs: Arc<Segments>,
}

impl Function for Contract {
    const NAME: &'static CStr = c"ragged contraction";

    fn backward(&self, grads: &[Option<Tensor>], needs: &[bool]) -> Vec<Option<Tensor>> {
        let Some(grad) = &grads[0] else { return vec![None, None] };
        vec![
            needs[0].then(|| expanded(&self.y, grad, &self.graphs, Flip::Right)), // dS_b = Y_b G_bᵀ
            needs[1].then(|| expanded(&self.s, grad, &self.graphs, Flip::Neither)), // dY_b = S_b G_b
        ]
    }
}

struct Expand {
    s: Tensor,
    z: Tensor,
    graphs: Arc<Segments>,
}

impl Function for Expand {
    const NAME: &'static CStr = c"ragged expansion";

    fn backward(&self, grads: &[Option<Tensor>], needs: &[bool]) -> Vec<Option<Tensor>> {
        let Some(grad) = &grads[0] else { return vec![None, None] };
        vec![
            needs[0].then(|| expanded(grad, &self.z, &self.graphs, Flip::Right)), // dS_b = G_b Z_bᵀ
            needs[1].then(|| contracted(&self.s, grad, &self.graphs)),            // dZ_b = S_bᵀ G_b
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_both_close, ramp};
    use tch::Kind;

    /// Compares with block-diagonal arithmetic of LibTorch, gradients included. The middle graph is empty.
    #[test]
    fn equals_masked_dense_products() {
        let graphs = Arc::new(Segments::new(vec![0, 2, 2, 5]));
        let member =
            Tensor::from_slice2(&[[1f64, 1., 0., 0., 0.], [0.; 5], [0., 0., 1., 1., 1.]]).unsqueeze(2);
        let check = |ours: &dyn Fn(&Tensor, &Tensor) -> Tensor,
                     dense: &dyn Fn(&Tensor, &Tensor) -> Tensor,
                     other: &[i64]| {
            let run = |f: &dyn Fn(&Tensor, &Tensor) -> Tensor| {
                let (s, y) = (ramp(&[5, 3], 0.7), ramp(other, 0.3));
                let out = f(&s, &y);
                let probe = ramp(&out.size(), 1.1).detach();
                (&out * probe).sum(Kind::Double).backward();
                [out.detach(), s.grad(), y.grad()]
            };
            assert_both_close(|| run(ours), &run(dense), 1e-12);
        };
        check(
            &|s, y| contract(s, y, &graphs),
            &|s, y| (&member * s.unsqueeze(0)).transpose(1, 2).matmul(&(&member * y.unsqueeze(0))),
            &[5, 4],
        );
        check(
            &|s, z| expand(s, z, &graphs),
            &|s, z| {
                (&member * s.unsqueeze(0)).matmul(z).sum_dim_intlist([0i64].as_slice(), false, Kind::Double)
            },
            &[3, 3, 4],
        );
    }
}
