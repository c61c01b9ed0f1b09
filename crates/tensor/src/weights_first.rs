//! `act(A x Wᵀ + x Vᵀ + b)` with both weights before the edges, one recorded operation.
//!
//! Both products are one, `x [W; V]ᵀ`, and so are their ways back: `x` is read once for its gradient, and once for those of the weights.

use std::ffi::CStr;
use std::sync::Arc;

use coarsen_sparse::{self as sparse, Act};
use tch::{Device, Tensor, no_grad};

use crate::adjacency::Adjacency;
use crate::autograd::{Function, record};
use crate::block_edges::Blocks;
use crate::blocked::{self, Gradients, Term};
use crate::epilogue::Gate;
use crate::executor::TorchPool;
use crate::relation::Relation;
use crate::spmm::entry_products;
use crate::view::{Dense, Real, by_kind, filled, fresh};

/// `act(A x Wᵀ + x Vᵀ + b)` on the CPU.
///
/// # Shapes
///
/// `x: […, F]`, `neighbour` (`W`) and `root` (`V`): `[out, F]`, `bias: [out]` → `[…, out]`.
///
/// # Complexity
///
/// Time `O(rows · F · out)` and that of `A` times rows of `out`.
pub(crate) fn weights_first(
    adj: &Adjacency,
    x: &Tensor,
    [neighbour, root]: [&Tensor; 2],
    bias: Option<&Tensor>,
    act: Act,
) -> Tensor {
    let edges = Edges::of(adj);
    let (y, both) = no_grad(|| {
        by_kind!(x.kind(), T => {
            let both = sent_and_own::<T>(x, neighbour, root);
            (edges.forward::<T>(&both, bias, act, x), both)
        })
    });
    let values = edges.values().map(Tensor::shallow_clone);
    let function = WeightsFirst {
        x: x.shallow_clone(),
        neighbour: neighbour.shallow_clone(),
        root: root.shallow_clone(),
        both: values.as_ref().is_some_and(Tensor::requires_grad).then_some(both),
        edges,
        gate: Gate::of(act, &y),
    };
    let inputs: Vec<&Tensor> = [x, neighbour, root].into_iter().chain(&values).chain(bias).collect();
    record(&inputs, y, function)
}

/// `[x Wᵀ ‖ x Vᵀ]`, `[rows, 2 out]`.
fn sent_and_own<T: Real>(x: &Tensor, neighbour: &Tensor, root: &Tensor) -> Tensor {
    let (outputs, inputs) = (neighbour.size()[0], neighbour.size()[1]);
    let (n, x, w) = (rows(x), Dense::new(x), stacked::<T>(neighbour, root));
    filled(&[n, 2 * outputs], |both| {
        if !both.is_empty() {
            let term = Term { x: x.slice::<T>(), w: &w, inputs: inputs as usize };
            blocked::forward(&[term], 2 * outputs as usize, None, Act::Identity, both);
        }
    })
}

/// Rows of features.
fn rows(x: &Tensor) -> i64 {
    let size = x.size();
    size[..size.len() - 1].iter().product()
}

/// `[W; V]`.
fn stacked<T: Real>(neighbour: &Tensor, root: &Tensor) -> Vec<T> {
    let [w, v] = [neighbour, root].map(Dense::new);
    [w.slice::<T>(), v.slice::<T>()].concat()
}

/// `A` of either layout.
enum Edges {
    Sparse {
        relation: Arc<Relation>,
        weight: Option<Tensor>,
    },
    /// `[B, N, N]`.
    Dense {
        a: Tensor,
    },
}

impl Edges {
    fn of(adj: &Adjacency) -> Self {
        match adj {
            Adjacency::Sparse(s) => Self::Sparse {
                relation: Arc::clone(s.pattern.relation()),
                weight: s.weight.as_ref().map(Tensor::shallow_clone),
            },
            Adjacency::Dense(p) => Self::Dense { a: p.a.shallow_clone() },
        }
    }

    /// What may have a gradient.
    fn values(&self) -> Option<&Tensor> {
        match self {
            Self::Sparse { weight, .. } => weight.as_ref(),
            Self::Dense { a } => Some(a),
        }
    }

    /// `act(A sent + own + b)` of `[sent ‖ own]`, in the shape of `x` but for its width.
    fn forward<T: Real>(&self, both: &Tensor, bias: Option<&Tensor>, act: Act, x: &Tensor) -> Tensor {
        let (both, bias) = (Dense::new(both), bias.map(Dense::new));
        let width = both.size()[1] as usize / 2;
        let mut shape = x.size();
        *shape.last_mut().expect("rows of features") = width as i64;
        let (both, bias) = (both.slice::<T>(), bias.as_ref().map(Dense::slice::<T>));
        filled(&shape, |y| match self {
            Self::Sparse { relation, weight } => {
                let weight = weight.as_ref().map(Dense::new);
                let weight = weight.as_ref().map(Dense::slice::<T>);
                sparse::spmm_halves(&TorchPool, relation.csr(), weight, both, width, bias, act, y);
            }
            Self::Dense { a } => Blocks::<T>::new(&Dense::new(a), width).forward(both, bias, act, y),
        })
    }

    /// `[Aᵀ g ‖ g]`, `[rows, 2 width]`.
    fn backward<T: Real>(&self, grad: &Tensor) -> Tensor {
        let (grad, rows, width) = (Dense::new(grad), grad.size()[0], grad.size()[1]);
        let grad = grad.slice::<T>();
        filled(&[rows, 2 * width], |dx| match self {
            Self::Sparse { relation, weight } => {
                let weight = weight.as_ref().map(Dense::new);
                let weight = weight.as_ref().map(Dense::slice::<T>);
                let pattern = relation.pattern();
                sparse::spmm_halves_backward(&TorchPool, pattern, weight, grad, width as usize, dx);
            }
            Self::Dense { a } => Blocks::<T>::new(&Dense::new(a), width as usize).backward(grad, dx),
        })
    }

    /// Of every value: the product of the gradient at its row with what its column sent.
    fn values_gradient<T: Real>(&self, grad: &Tensor, both: &Tensor) -> Tensor {
        let width = grad.size()[1];
        match self {
            Self::Sparse { relation, .. } => entry_products::<T>(relation, grad, &both.narrow(1, 0, width)),
            Self::Dense { a } => {
                let [grad, both] = [grad, both].map(Dense::new);
                filled(&a.size(), |da| {
                    Blocks::<T>::new(&Dense::new(a), width as usize).of_squares(
                        grad.slice(),
                        both.slice(),
                        da,
                    );
                })
            }
        }
    }
}

struct WeightsFirst {
    x: Tensor,
    neighbour: Tensor,
    root: Tensor,
    /// What is sent and what is there, where the edges' values want a gradient.
    both: Option<Tensor>,
    edges: Edges,
    gate: Gate,
}

impl WeightsFirst {
    /// Of `x`, `W`, `V`, and of the edges' values and the bias where they are inputs.
    fn gradients<T: Real>(&self, grad: &Tensor, needs: &[bool]) -> Vec<Option<Tensor>> {
        let (outputs, inputs) = (self.root.size()[0], self.root.size()[1]);
        let grad = grad.reshape([rows(&self.x), outputs]);
        let bias = needs.get(3 + usize::from(self.edges.values().is_some())) == Some(&true);
        let (before, of_bias) = self.gate.backward(&grad, bias);
        let both = self.edges.backward::<T>(&before);
        // Without rows nothing is written, and the sums over none are 0.
        let new = |shape: &[i64]| match grad.numel() {
            0 => Tensor::zeros(shape, (T::KIND, Device::Cpu)),
            _ => Tensor::empty(shape, (T::KIND, Device::Cpu)),
        };
        let mut dx = needs[0].then(|| new(&self.x.size()));
        let mut dw = (needs[1] || needs[2]).then(|| new(&[2, outputs, inputs]));
        if grad.numel() > 0 {
            let (x, both, w) =
                (Dense::new(&self.x), Dense::new(&both), stacked::<T>(&self.neighbour, &self.root));
            let term = Term { x: x.slice(), w: &w, inputs: inputs as usize };
            let [dx, dw] = [&mut dx, &mut dw].map(|out| out.as_mut().map(fresh::<T>));
            let out = Gradients { inputs: vec![dx], weights: vec![dw], bias: None };
            blocked::backward(&[term], 2 * outputs as usize, (Act::Identity, None), both.slice(), out);
        }
        let of_weight =
            |which: usize| dw.as_ref().filter(|_| needs[1 + which]).map(|dw| dw.get(which as i64));
        let mut result = vec![dx, of_weight(0), of_weight(1)];
        if self.edges.values().is_some() {
            let both = self.both.as_ref().filter(|_| needs[3]);
            result.push(both.map(|both| self.edges.values_gradient::<T>(&before, both)));
        }
        if needs.len() > result.len() {
            result.push(of_bias);
        }
        result
    }
}

impl Function for WeightsFirst {
    const NAME: &'static CStr = c"affine map before and beside a propagation";

    fn backward(&self, grads: &[Option<Tensor>], needs: &[bool]) -> Vec<Option<Tensor>> {
        let Some(grad) = &grads[0] else { return needs.iter().map(|_| None).collect() };
        by_kind!(grad.kind(), T => self.gradients::<T>(grad, needs))
    }
}

#[cfg(test)]
mod tests {
    use coarsen_sparse::Csr;
    use tch::Kind;

    use super::*;
    use crate::adjacency::{Padded, Sparse};
    use crate::epilogue::composed;
    use crate::pattern::Pattern;
    use crate::segments::Segments;
    use crate::testing::{assert_close, ramp};

    const DOUBLE: (Kind, Device) = (Kind::Double, Device::Cpu);

    type OfValues = dyn Fn(Option<&Tensor>) -> Adjacency;
    type Product = dyn Fn(Option<&Tensor>, &Tensor) -> Tensor;
    type Map<'a> = dyn Fn(Option<&Tensor>, &Tensor, [&Tensor; 2], Option<&Tensor>) -> Tensor + 'a;

    /// `A` by its values, over a product by LibTorch, and the gradients of everything.
    struct Case {
        /// Of `x`.
        shape: Vec<i64>,
        /// Values of the edges, if they have any.
        values: Option<Vec<i64>>,
        adjacency: Box<OfValues>,
        product: Box<Product>,
    }

    fn dense(batch: i64, nodes: i64) -> Case {
        Case {
            shape: vec![batch, nodes, 4],
            values: Some(vec![batch, nodes, nodes]),
            adjacency: Box::new(|a| Adjacency::Dense(Padded::new(a.expect("squares").shallow_clone(), None))),
            product: Box::new(|a, x| a.expect("squares").matmul(x)),
        }
    }

    /// So many nodes with a loop at the first and an edge to each of the others from the one before, one way only.
    fn sparse(nodes: i64, weighted: bool) -> Case {
        let pairs = (0..nodes as u32).map(|i| (i, i.saturating_sub(1)));
        let csr = Csr::from_edges(nodes as usize, nodes as usize, pairs).expect("edges in range");
        let pattern = Arc::new(Pattern::new(csr, Arc::new(Segments::of_sizes([nodes as u32]))));
        let place = &pattern.relation().row(Device::Cpu) * nodes + pattern.relation().col(Device::Cpu);
        Case {
            shape: vec![nodes, 4],
            values: weighted.then(|| vec![nodes]),
            adjacency: Box::new(move |w| {
                let weight = w.map(Tensor::shallow_clone);
                Adjacency::Sparse(Sparse::new(Arc::clone(&pattern), weight, DOUBLE))
            }),
            product: Box::new(move |w, x| {
                let w = w.map_or_else(|| Tensor::ones([nodes], DOUBLE), Tensor::shallow_clone);
                let a = Tensor::zeros([nodes * nodes], DOUBLE).index_copy(0, &place, &w);
                a.view([nodes, nodes]).matmul(x)
            }),
        }
    }

    impl Case {
        /// `of_edges`: whether the edges' values want a gradient.
        fn check(&self, outputs: i64, biased: bool, act: Act, of_edges: bool) {
            let run = |f: &Map<'_>| {
                let (x, w, v) = (ramp(&self.shape, 0.7), ramp(&[outputs, 4], 0.3), ramp(&[outputs, 4], 1.3));
                let bias = biased.then(|| ramp(&[outputs], 1.9));
                let values = self.values.as_ref().map(|shape| ramp(shape, 0.4).set_requires_grad(of_edges));
                let y = f(values.as_ref(), &x, [&w, &v], bias.as_ref());
                (&y * ramp(&y.size(), 1.1).detach()).sum(None).backward();
                let of_values = values.as_ref().filter(|_| of_edges);
                let inputs = [&x, &w, &v].into_iter().chain(&bias).chain(of_values);
                let gradients = inputs.map(|t| if t.numel() > 0 { t.grad() } else { t.detach() });
                [y.detach()].into_iter().chain(gradients).collect::<Vec<_>>()
            };
            let ours = run(&|a, x, w, b| weights_first(&(self.adjacency)(a), x, w, b, act));
            let theirs = run(&|a, x, [w, v], b| {
                let sent = (self.product)(a, &x.linear(w, None::<&Tensor>));
                composed(sent + x.linear(v, None::<&Tensor>), b, act)
            });
            assert_close(&ours, &theirs, 1e-11);
        }
    }

    #[test]
    fn equals_libtorch_with_its_gradients() {
        let cases =
            [dense(3, 5), dense(2, 0), dense(0, 3), sparse(6, true), sparse(6, false), sparse(0, true)];
        for case in &cases {
            for (outputs, act) in [(3, Act::Identity), (4, Act::Relu), (2, Act::Elu), (1, Act::Tanh)] {
                for biased in [false, true] {
                    for of_edges in [false, true] {
                        case.check(outputs, biased, act, of_edges);
                    }
                }
            }
        }
    }

    #[test]
    fn threads_change_no_bit() {
        for adj in [
            (dense(70, 20).adjacency)(Some(&ramp(&[70, 20, 20], 0.4))),
            (sparse(1400, false).adjacency)(None),
        ] {
            let shape: &[i64] = if matches!(adj, Adjacency::Dense(_)) { &[70, 20, 4] } else { &[1400, 4] };
            let run = || {
                let (x, w, v) = (ramp(shape, 0.37), ramp(&[3, 4], 0.3), ramp(&[3, 4], 1.3));
                let y = weights_first(&adj, &x, [&w, &v], None, Act::Relu);
                (&y * ramp(&y.size(), 1.1).detach()).sum(None).backward();
                [y.detach(), x.grad(), w.grad(), v.grad()]
            };
            tch::set_num_threads(1);
            let alone = run();
            tch::set_num_threads(2);
            assert!(alone.iter().zip(&run()).all(|(a, b)| a.equal(b)));
        }
    }
}
