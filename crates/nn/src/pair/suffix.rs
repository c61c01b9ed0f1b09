//! From pairs to graphs.

use tch::{Kind, Tensor};

/// `[max_i t_ii ‖ max_{i≠j} t_ij]` of every channel: the "new suffix" of Maron et al. 2019.
///
/// The second half is 0 for graphs of one node, and both are 0 for graphs of none.
///
/// # Shapes
///
/// `[B, C, n, n]` → `[B, 2C]`.
///
/// # Complexity
///
/// Time O(B · C · n²).
///
/// # Paper and code
///
/// The code takes the diagonal out by subtracting a large number that depends on the data; here it is out, which gives the same
/// wherever there are two nodes.
///
/// # Examples
///
/// ```
/// use coarsen_nn::pair::diagonal_maxima;
/// use tch::Tensor;
/// let t = Tensor::from_slice(&[-1.0f32, 5.0, 2.0, -3.0]).view([1, 1, 2, 2]);
/// assert_eq!(Vec::<f32>::try_from(diagonal_maxima(&t).view(-1))?, [-1.0, 5.0]);
/// # Ok::<(), tch::TchError>(())
/// ```
pub fn diagonal_maxima(t: &Tensor) -> Tensor {
    let (size, options) = (t.size(), (t.kind(), t.device()));
    let (graphs, channels, nodes) = (size[0], size[1], size[3]);
    if nodes == 0 {
        return Tensor::zeros([graphs, 2 * channels], options);
    }
    let on = t.diagonal(0, 2, 3).amax([2i64].as_slice(), false);
    let off = if nodes == 1 {
        on.zeros_like()
    } else {
        let diagonal = Tensor::eye(nodes, (Kind::Bool, t.device()));
        t.masked_fill(&diagonal, f64::NEG_INFINITY).amax([2i64, 3].as_slice(), false)
    };
    Tensor::cat(&[on, off], 1)
}
