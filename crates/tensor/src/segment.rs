//! Sums, means, maxima, softmax and a query's attention over the nodes of each graph, differentiable.
//!
//! On the CPU these are the kernels of `coarsen-sparse`, each with its own backward pass; elsewhere operations of LibTorch.

use std::ffi::CStr;
use std::sync::Arc;

use coarsen_sparse::segment as kernel;
use tch::{Tensor, no_grad};

use crate::autograd::{Function, record};
use crate::executor::TorchPool;
use crate::segments::Segments;
use crate::view::{Dense, by_kind, filled, filled_beside, on_host};

/// Sum over the rows of each graph; 0 for a graph without rows.
///
/// # Shapes
///
/// `x: [N, F]` → `[B, F]`.
pub fn sum(x: &Tensor, graphs: &Arc<Segments>) -> Tensor {
    if !on_host(x) {
        let zeros = Tensor::zeros([graphs.len() as i64, width(x)], (x.kind(), x.device()));
        return zeros.index_add(0, &graphs.index(x.device()), x);
    }
    let y = no_grad(|| {
        by_kind!(x.kind(), T => {
            let input = Dense::new(x);
            filled(&[graphs.len() as i64, width(x)], |y| {
                kernel::sum(&TorchPool, graphs.ptr(), input.slice::<T>(), width(x) as usize, y);
            })
        })
    });
    record(&[x], y, Sum { graphs: Arc::clone(graphs) })
}

/// Mean over the rows of each graph; 0 for a graph without rows.
///
/// # Shapes
///
/// `x: [N, F]` → `[B, F]`.
pub fn mean(x: &Tensor, graphs: &Arc<Segments>) -> Tensor {
    if !on_host(x) {
        let sizes = graphs.sizes_tensor((x.kind(), x.device())).clamp_min(1.0);
        return sum(x, graphs) / sizes.unsqueeze(1);
    }
    let y = no_grad(|| {
        by_kind!(x.kind(), T => {
            let input = Dense::new(x);
            filled(&[graphs.len() as i64, width(x)], |y| {
                kernel::mean(&TorchPool, graphs.ptr(), input.slice::<T>(), width(x) as usize, y);
            })
        })
    });
    record(&[x], y, Mean { graphs: Arc::clone(graphs) })
}

/// Largest value of each column over the rows of each graph; 0 for a graph without rows.
///
/// The gradient goes to the first row that holds the maximum.
///
/// # Shapes
///
/// `x: [N, F]` → `[B, F]`.
pub fn max(x: &Tensor, graphs: &Arc<Segments>) -> Tensor {
    let shape = [graphs.len() as i64, width(x)];
    if !on_host(x) {
        let zeros = Tensor::zeros(shape, (x.kind(), x.device()));
        return zeros.index_reduce(0, &graphs.index(x.device()), x, "amax", false);
    }
    let mut from = vec![0u32; graphs.len() * width(x) as usize];
    let y = no_grad(|| {
        by_kind!(x.kind(), T => {
            let input = Dense::new(x);
            filled(&shape, |y| {
                kernel::max(&TorchPool, graphs.ptr(), input.slice::<T>(), width(x) as usize, y, &mut from);
            })
        })
    });
    record(&[x], y, Max { graphs: Arc::clone(graphs), from })
}

/// Softmax of each column over the rows of each graph.
///
/// # Shapes
///
/// `x: [N, F]` → `[N, F]`; `[N]` → `[N]`.
pub fn softmax(x: &Tensor, graphs: &Arc<Segments>) -> Tensor {
    if x.dim() == 1 {
        return softmax(&x.unsqueeze(1), graphs).squeeze_dim(1);
    }
    if !on_host(x) {
        let index = graphs.index(x.device());
        let highest = no_grad(|| max(x, graphs)).index_select(0, &index);
        let e = (x - highest).exp();
        return &e / sum(&e, graphs).index_select(0, &index);
    }
    let y = no_grad(|| {
        by_kind!(x.kind(), T => {
            let input = Dense::new(x);
            filled(&x.size(), |y| {
                kernel::softmax(&TorchPool, graphs.ptr(), input.slice::<T>(), width(x) as usize, y);
            })
        })
    });
    let saved = Softmax { graphs: Arc::clone(graphs), y: y.shallow_clone() };
    record(&[x], y, saved)
}

/// `y_b = Σ_i a_i x_i` over the rows of graph `b`, with `a` the softmax of `⟨x_i, q_b⟩` over them; 0 for a graph without rows.
///
/// # Shapes
///
/// `q: [B, F]`, `x: [N, F]` → `[B, F]`.
///
/// # Complexity
///
/// Time O(N · F); on the CPU one number a row is kept for the backward pass.
pub fn attend(q: &Tensor, x: &Tensor, graphs: &Arc<Segments>) -> Tensor {
    if !on_host(x) {
        let asked = q.index_select(0, &graphs.index(x.device()));
        let a = softmax(&(x * asked).sum_dim_intlist([1i64].as_slice(), true, None), graphs);
        return sum(&(x * a), graphs);
    }
    let (q_shared, x_shared, features) = (Dense::new(q), Dense::new(x), width(x) as usize);
    let (a, y) = no_grad(|| {
        by_kind!(x.kind(), T => filled_beside(&[graphs.rows() as i64], &q.size(), |a, y| {
            let (q, x) = (q_shared.slice::<T>(), x_shared.slice());
            let queries = kernel::Queries { ptr: graphs.ptr(), q, x, width: features };
            kernel::attend(&TorchPool, &queries, a, y);
        }))
    });
    record(
        &[q, x],
        y,
        Attend {
            graphs: Arc::clone(graphs),
            q: q_shared.into_tensor().detach(),
            x: x_shared.into_tensor().detach(),
            a,
        },
    )
}

fn width(x: &Tensor) -> i64 {
    x.size()[1]
}

struct Sum {
    graphs: Arc<Segments>,
}

impl Function for Sum {
    const NAME: &'static CStr = c"segment sum";

    fn backward(&self, grads: &[Option<Tensor>], _: &[bool]) -> Vec<Option<Tensor>> {
        vec![grads[0].as_ref().map(|g| {
            by_kind!(g.kind(), T => {
                let grad = Dense::new(g);
                filled(&[self.graphs.rows() as i64, width(g)], |dx| {
                    kernel::sum_backward(&TorchPool, self.graphs.ptr(), grad.slice::<T>(), width(g) as usize, dx);
                })
            })
        })]
    }
}

struct Mean {
    graphs: Arc<Segments>,
}

impl Function for Mean {
    const NAME: &'static CStr = c"segment mean";

    fn backward(&self, grads: &[Option<Tensor>], _: &[bool]) -> Vec<Option<Tensor>> {
        vec![grads[0].as_ref().map(|g| {
            by_kind!(g.kind(), T => {
                let grad = Dense::new(g);
                filled(&[self.graphs.rows() as i64, width(g)], |dx| {
                    kernel::mean_backward(&TorchPool, self.graphs.ptr(), grad.slice::<T>(), width(g) as usize, dx);
                })
            })
        })]
    }
}

struct Max {
    graphs: Arc<Segments>,
    /// The row each maximum came from.
    from: Vec<u32>,
}

impl Function for Max {
    const NAME: &'static CStr = c"segment maximum";

    fn backward(&self, grads: &[Option<Tensor>], _: &[bool]) -> Vec<Option<Tensor>> {
        vec![grads[0].as_ref().map(|g| {
            by_kind!(g.kind(), T => {
                let grad = Dense::new(g);
                filled(&[self.graphs.rows() as i64, width(g)], |dx| {
                    kernel::max_backward(&TorchPool, self.graphs.ptr(), grad.slice::<T>(), &self.from, width(g) as usize, dx);
                })
            })
        })]
    }
}

struct Softmax {
    graphs: Arc<Segments>,
    y: Tensor,
}

impl Function for Softmax {
    const NAME: &'static CStr = c"segment softmax";

    fn backward(&self, grads: &[Option<Tensor>], _: &[bool]) -> Vec<Option<Tensor>> {
        vec![grads[0].as_ref().map(|g| {
            by_kind!(g.kind(), T => {
                let (y, grad) = (Dense::new(&self.y), Dense::new(g));
                filled(&g.size(), |dx| {
                    let width = width(g) as usize;
                    kernel::softmax_backward(&TorchPool, self.graphs.ptr(), y.slice::<T>(), grad.slice::<T>(), width, dx);
                })
            })
        })]
    }
}

struct Attend {
    graphs: Arc<Segments>,
    q: Tensor,
    x: Tensor,
    a: Tensor,
}

impl Function for Attend {
    const NAME: &'static CStr = c"attention over segments";

    fn backward(&self, grads: &[Option<Tensor>], _: &[bool]) -> Vec<Option<Tensor>> {
        let Some(g) = &grads[0] else { return vec![None, None] };
        let (q, x, a, g) = (Dense::new(&self.q), Dense::new(&self.x), Dense::new(&self.a), Dense::new(g));
        let (dq, dx) = by_kind!(self.x.kind(), T => filled_beside(&q.size(), &x.size(), |dq, dx| {
            let (ptr, width) = (self.graphs.ptr(), width(&self.x) as usize);
            let queries = kernel::Queries { ptr, q: q.slice::<T>(), x: x.slice(), width };
            kernel::attend_backward(&TorchPool, &queries, a.slice(), g.slice(), dq, dx);
        }));
        vec![Some(dq), Some(dx)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::by_libtorch;
    use crate::testing::assert_both_close;
    use tch::{Device, Kind};

    fn graphs() -> Arc<Segments> {
        Arc::new(Segments::new(vec![0, 3, 3, 5]))
    }

    fn x() -> Tensor {
        Tensor::from_slice(&[1f64, -5., 3., -2., 2., -9., 0.5, 4., 0.25, 8.]).view([5, 2])
    }

    fn values(t: &Tensor) -> Vec<f64> {
        Vec::try_from(t.view(-1)).unwrap()
    }

    #[test]
    fn an_empty_graph_gives_zeros() {
        let check = || {
            assert_eq!(values(&sum(&x(), &graphs())), [6., -16., 0., 0., 0.75, 12.]);
            assert_eq!(values(&mean(&x(), &graphs())), [2., -16. / 3., 0., 0., 0.375, 6.]);
            assert_eq!(values(&max(&x(), &graphs())), [3., -2., 0., 0., 0.5, 8.]);
        };
        check();
        by_libtorch(check);
    }

    #[test]
    fn softmax_sums_to_one_in_each_graph() {
        let ones = Tensor::from_slice(&[1f64, 1., 0., 0., 1., 1.]).view([3, 2]);
        assert_both_close(|| [sum(&softmax(&x(), &graphs()), &graphs())], &[ones], 1e-12);
    }

    type F<'a> = &'a dyn Fn(&Tensor) -> Tensor;

    /// Each backward pass against the one LibTorch derives for the same function of one graph.
    #[test]
    fn gradients_are_those_of_libtorch() {
        let one = Arc::new(Segments::new(vec![0, 5]));
        let pairs: [(F, F); 4] = [
            (&|x| sum(x, &one), &|x| x.sum_dim_intlist([0i64].as_slice(), true, Kind::Double)),
            (&|x| mean(x, &one), &|x| x.mean_dim([0i64].as_slice(), true, Kind::Double)),
            (&|x| max(x, &one), &|x| x.amax([0i64].as_slice(), true)),
            (&|x| softmax(x, &one), &|x| x.softmax(0, Kind::Double)),
        ];
        for (ours, theirs) in pairs {
            let run = |f: F| {
                let x = x().set_requires_grad(true);
                let y = f(&x);
                let probe = Tensor::arange(y.numel() as i64, (Kind::Double, Device::Cpu)).cos().view_as(&y);
                (&y * probe).sum(Kind::Double).backward();
                [y.detach(), x.grad()]
            };
            assert_both_close(|| run(ours), &run(theirs), 1e-12);
        }
    }

    #[test]
    fn attention_is_the_composition_of_its_parts() {
        let run = |f: &dyn Fn(&Tensor, &Tensor) -> Tensor| {
            let q =
                Tensor::from_slice(&[0.3f64, -0.2, 7., 7., 0.5, 0.1]).view([3, 2]).set_requires_grad(true);
            let x = x().set_requires_grad(true);
            let y = f(&q, &x);
            let probe = Tensor::arange(6, (Kind::Double, Device::Cpu)).cos().view([3, 2]);
            (&y * probe).sum(Kind::Double).backward();
            [y.detach(), q.grad(), x.grad()]
        };
        let parts = run(&|q, x| {
            let e = (x * q.index_select(0, &graphs().index(Device::Cpu))).sum_dim_intlist(
                [1i64].as_slice(),
                true,
                None,
            );
            sum(&(x * softmax(&e, &graphs())), &graphs())
        });
        assert_both_close(|| run(&|q, x| attend(q, x, &graphs())), &parts, 1e-12);
    }
}
