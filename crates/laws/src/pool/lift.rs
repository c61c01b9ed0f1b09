//! Laws of lifting.

use coarsen_pool::{Pool, Pooled};
use coarsen_tensor::{Assignment, Relation};
use tch::{Kind, Tensor};

use super::pooled;
use crate::check;
use crate::compare::{close, require, zero};
use crate::error::Broken;
use crate::laws::Laws;
use crate::rounding::Tolerance;
use crate::subject::{Make, padding};
use crate::trial::Trial;

/// Columns that are lifted.
const WIDTH: i64 = 2;

/// The shape of features of the coarser level, [`WIDTH`] columns wide.
fn shape(pooled: &Pooled) -> Vec<i64> {
    let mut shape = pooled.level.x.size();
    *shape.last_mut().expect("x has at least two dimensions") = WIDTH;
    shape
}

/// Lifting any features of the coarser level gives every node of the level a row, and zeros to nodes that are in no cluster.
///
/// # Errors
///
/// [`Broken::Counterexample`] with the smallest batch found.
pub fn lift_returns_to_the_nodes(make: &Make<dyn Pool>, laws: &Laws) -> Result<(), Broken> {
    check::alone("lift_returns_to_the_nodes", returns, make, laws)
}

pub(super) fn returns(trial: &Trial<dyn Pool>) -> Result<(), String> {
    let (g, pooled) = pooled(trial);
    let mut want = g.x.size();
    *want.last_mut().expect("x has at least two dimensions") = WIDTH;
    let lifted = trial.built().module.lift(&Tensor::ones(shape(&pooled), g.options()), &pooled.selection);
    require(lifted.size() == want, || format!("shape {:?} in place of {want:?}", lifted.size()))?;
    padding(&g, &lifted).map_or(Ok(()), |t| zero("a padded row", &t))?;
    dropped(&pooled.selection.s)
        .map_or(Ok(()), |nodes| zero("a dropped node", &lifted.index_select(0, &nodes)))
}

/// The nodes in no cluster of a sparse `S`.
fn dropped(s: &Assignment) -> Option<Tensor> {
    let Assignment::Entries(e) = s else { return None };
    let row_ptr = e.relation.csr().row_ptr();
    let none = (0..row_ptr.len() - 1).filter(|&i| row_ptr[i] == row_ptr[i + 1]);
    Some(Tensor::from_slice(&none.map(|i| i as i64).collect::<Vec<_>>()))
}

/// Lifting is linear, `lift(a + 2 b) = lift(a) + 2 lift(b)`; and where no node is in two clusters, what comes to a node is that of its cluster,
/// `lift(x')_i = lift(1)_i x'_{c(i)}`, from which every cluster can be read back: `lift(1)_i ≠ 0` for a member `i`. Up to rounding.
///
/// # Errors
///
/// [`Broken::Counterexample`] with the smallest batch found.
pub fn lift_round_trips(make: &Make<dyn Pool>, laws: &Laws) -> Result<(), Broken> {
    check::alone("lift_round_trips", round_trips, make, laws)
}

pub(super) fn round_trips(trial: &Trial<dyn Pool>) -> Result<(), String> {
    let (g, pooled) = pooled(trial);
    let lift = |x: &Tensor| trial.built().module.lift(x, &pooled.selection);
    let shape = shape(&pooled);
    let place = Tensor::arange(shape.iter().product::<i64>(), g.options()).view(shape.as_slice());
    let (a, b) = ((&place * 0.7 + 0.3).sin(), (&place * 1.3 + 0.1).cos());
    let (of_a, of_b) = (lift(&a), lift(&b));
    let (got, want) = (lift(&(&a + &b * 2.0)), &of_a + of_b * 2.0);
    trial.agree(|tolerance| close("lifted a + 2 b", &got, &want, tolerance.values))?;
    match &pooled.selection.s {
        Assignment::Entries(e) => {
            let of_ones = lift(&a.ones_like());
            trial.agree(|tolerance| read_back(&e.relation, &a, &of_a, &of_ones, tolerance))
        }
        Assignment::Rows { .. } | Assignment::Padded { .. } => Ok(()),
    }
}

fn read_back(
    s: &Relation,
    x: &Tensor,
    lifted: &Tensor,
    of_ones: &Tensor,
    tolerance: Tolerance,
) -> Result<(), String> {
    let s = s.csr();
    if s.row_ptr().windows(2).any(|ends| ends[1] - ends[0] > 1) {
        return Ok(());
    }
    let members: Vec<i64> =
        (0..s.rows()).filter(|&i| s.row_ptr()[i] < s.row_ptr()[i + 1]).map(|i| i as i64).collect();
    let cluster: Vec<i64> = s.col().iter().map(|&c| i64::from(c)).collect();
    let (members, cluster) = (Tensor::from_slice(&members), Tensor::from_slice(&cluster));
    let of_ones = of_ones.index_select(0, &members);
    let want = &of_ones * x.index_select(0, &cluster);
    close("what was lifted to the members", &lifted.index_select(0, &members), &want, tolerance.values)?;
    let reaches = of_ones.select(1, 0).ne(0.0).to_kind(Kind::Double);
    let reached = Tensor::zeros([x.size()[0]], (Kind::Double, x.device())).index_add(0, &cluster, &reaches);
    let lost = reached.eq(0.0).sum(Kind::Int64).int64_value(&[]);
    require(lost == 0, || format!("{lost} clusters reach none of their members"))
}
