//! Wrong readouts.

use coarsen_laws::{Broken, EmptyGraphs, Laws, readout};
use coarsen_nn::{Ctx, Readout};
use coarsen_pool::Invariance;
use coarsen_tensor::{Adjacency, Layout, Level, segment};
use tch::{Kind, Tensor};

use crate::{caught, laws, obeys};

#[derive(Debug, Clone, Copy)]
enum Fault {
    None,
    ReadsTheBatch,
    WeighsByPosition,
    AddsTheBatch,
    MeanOfSlots,
    MeanOfNone,
    DoublesDense,
}

/// The sum, and a fault.
#[derive(Debug)]
struct Total {
    features: i64,
    fault: Fault,
}

impl Readout for Total {
    fn forward(&self, g: &Level, _: Ctx) -> Tensor {
        let over = |x: &Tensor| match &g.adj {
            Adjacency::Sparse(a) => segment::sum(x, a.pattern.graphs()),
            Adjacency::Dense(_) => x.sum_dim_intlist([1i64].as_slice(), false, None),
        };
        let dense = g.layout() == Layout::Dense;
        let slots = g.x.size()[g.x.dim() - 2];
        let sum = over(&g.x);
        match self.fault {
            Fault::ReadsTheBatch => sum.sum_dim_intlist([0i64].as_slice(), true, None),
            Fault::WeighsByPosition => over(&(&g.x * Tensor::arange(slots, g.options()).unsqueeze(-1))),
            Fault::AddsTheBatch => &sum + sum.sum(Kind::Double),
            Fault::MeanOfSlots if dense => sum / slots.max(1) as f64,
            Fault::MeanOfNone => {
                let sizes: Vec<f64> = g.segments().sizes().map(f64::from).collect();
                sum / Tensor::from_slice(&sizes).unsqueeze(-1)
            }
            Fault::DoublesDense if dense => sum * 2.0,
            _ => sum,
        }
    }

    fn out_features(&self) -> i64 {
        self.features
    }
}

fn check(fault: Fault, laws: &Laws) -> Result<(), Broken> {
    readout::check(|_, dims| Box::new(Total { features: dims.features, fault }), Invariance::Exact, laws)
}

#[test]
fn the_sum_obeys() {
    obeys(check(Fault::None, &laws()));
}

#[test]
fn every_fault_is_caught_by_its_law() {
    caught(check(Fault::ReadsTheBatch, &laws()), "well_formed");
    caught(check(Fault::WeighsByPosition, &laws()), "invariant");
    caught(check(Fault::AddsTheBatch, &laws()), "batch_independent");
    caught(check(Fault::MeanOfSlots, &laws()), "padding_inert");
    caught(check(Fault::MeanOfNone, &laws()), "finite");
    caught(check(Fault::DoublesDense, &laws()), "layouts_agree");
}

#[test]
fn what_is_not_promised_of_graphs_without_nodes_is_not_asked() {
    let laws = Laws { empty_graphs: EmptyGraphs::Never, ..laws() };
    obeys(check(Fault::MeanOfNone, &laws));
}
