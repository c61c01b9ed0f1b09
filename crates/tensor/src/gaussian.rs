//! How far Gaussians are from the standard one, graph by graph and differentiable: the loss of variational autoencoders.

use std::ffi::CStr;
use std::sync::Arc;

use coarsen_sparse as sparse;
use tch::{Tensor, no_grad};

use crate::autograd::{Function, record};
use crate::executor::{cut, side_by_side};
use crate::segment;
use crate::segments::Segments;
use crate::view::{Dense, Real, by_kind, filled_beside, on_host};

/// `Σ_b share_b Σ_v Σ_c −½ (1 + s_vc − m_vc² − exp(s_vc))` over the nodes `v` of each graph `b`: the divergence of Gaussians of mean `m` and
/// logarithmic variance `s` from the standard one.
///
/// # Shapes
///
/// `mean` and `log_variance: [N, F]`, a share for each graph; gives a scalar.
///
/// # Complexity
///
/// Time O(N F), and memory on the way back alone.
///
/// # Panics
///
/// Without a share for each graph.
pub fn gaussian(mean: &Tensor, log_variance: &Tensor, graphs: &Arc<Segments>, share: &[f64]) -> Tensor {
    assert_eq!(share.len(), graphs.len(), "a share for each graph");
    if !on_host(mean) {
        return composed(mean, log_variance, graphs, share);
    }
    let saved = Gaussian {
        mean: mean.detach(),
        log_variance: log_variance.detach(),
        graphs: Arc::clone(graphs),
        share: share.to_vec(),
    };
    let value = no_grad(|| by_kind!(mean.kind(), T => saved.value::<T>()));
    let value = Tensor::from(value).to_kind(mean.kind());
    record(&[mean, log_variance], value, saved)
}

/// The same of LibTorch's own operations.
fn composed(mean: &Tensor, log_variance: &Tensor, graphs: &Arc<Segments>, share: &[f64]) -> Tensor {
    let terms: Tensor = (log_variance + 1.0 - mean.square() - log_variance.exp()) * -0.5;
    let of_nodes = terms.sum_dim_intlist([1i64].as_slice(), true, mean.kind());
    let share = Tensor::from_slice(share).to_kind(mean.kind()).to_device(mean.device());
    (segment::sum(&of_nodes, graphs).squeeze_dim(1) * share).sum(None)
}

struct Gaussian {
    mean: Tensor,
    log_variance: Tensor,
    graphs: Arc<Segments>,
    share: Vec<f64>,
}

impl Gaussian {
    /// How many numbers each graph has.
    fn lengths(&self) -> impl Iterator<Item = usize> + '_ {
        let width = self.mean.size()[1] as usize;
        self.graphs.sizes().map(move |nodes| nodes as usize * width)
    }

    fn value<T: Real>(&self) -> f64 {
        let (mean, log_variance) = (Dense::new(&self.mean), Dense::new(&self.log_variance));
        let (mut mean, mut log_variance) = (mean.slice::<T>(), log_variance.slice::<T>());
        let mut of_graphs = vec![0.0; self.share.len()];
        let graphs = self.lengths().zip(&mut of_graphs).map(|(length, value)| {
            let (m, s);
            (m, mean) = mean.split_at(length);
            (s, log_variance) = log_variance.split_at(length);
            (m, s, value)
        });
        side_by_side(graphs, GRAPHS, |_, (m, s, value)| *value = sparse::gaussian(m, s).to_f64());
        of_graphs.iter().zip(&self.share).map(|(value, share)| value * share).sum()
    }

    fn gradients<T: Real>(&self, grad: f64) -> [Tensor; 2] {
        let (mean, log_variance) = (Dense::new(&self.mean), Dense::new(&self.log_variance));
        let (mean, log_variance) = (mean.slice::<T>(), log_variance.slice::<T>());
        let (size, lengths) = (self.mean.size(), self.lengths().collect::<Vec<_>>());
        filled_beside(&size, &size, |d_mean: &mut [T], d_log_variance: &mut [T]| {
            let outs = cut(d_mean, lengths.clone()).into_iter().zip(cut(d_log_variance, lengths.clone()));
            let ends = lengths.iter().scan(0, |end, length| {
                *end += length;
                Some(*end - length..*end)
            });
            side_by_side(
                outs.zip(ends).zip(&self.share),
                GRAPHS,
                |_, (((d_mean, d_log_variance), at), share)| {
                    let of = (&mean[at.clone()], &log_variance[at]);
                    sparse::gaussian_backward(of, T::real(grad * share), d_mean, d_log_variance);
                },
            );
        })
        .into()
    }
}

/// Graphs in a task, or more.
const GRAPHS: usize = 32;

impl Function for Gaussian {
    const NAME: &'static CStr = c"divergence from the standard Gaussian";

    fn backward(&self, grads: &[Option<Tensor>], _: &[bool]) -> Vec<Option<Tensor>> {
        let Some(grad) = &grads[0] else { return vec![None, None] };
        by_kind!(self.mean.kind(), T => self.gradients::<T>(grad.double_value(&[]))).map(Some).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, ramp};

    #[test]
    fn equals_libtorch_with_its_gradients() {
        let graphs = Arc::new(Segments::of_sizes([2, 0, 3]));
        let run = |f: &dyn Fn(&Tensor, &Tensor) -> Tensor| {
            let (mean, log_variance) = (ramp(&[5, 3], 0.7), ramp(&[5, 3], 1.3));
            let value = f(&mean, &log_variance);
            (&value * 1.7).backward();
            [value.detach(), mean.grad(), log_variance.grad()]
        };
        let share = [0.5, 3.0, 0.1];
        let ours = run(&|mean, log_variance| gaussian(mean, log_variance, &graphs, &share));
        let theirs = run(&|mean, log_variance| composed(mean, log_variance, &graphs, &share));
        assert_close(&ours, &theirs, 1e-12);
    }
}
