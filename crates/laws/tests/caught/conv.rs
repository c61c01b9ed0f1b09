//! Wrong convolutions.

use std::cell::Cell;

use coarsen_laws::case::{Case, Edges};
use coarsen_laws::counterexample::graph;
use coarsen_laws::{Broken, Laws, batch_independent, conv};
use coarsen_nn::{Conv, Ctx, Dims, Params};
use coarsen_tensor::{Layout, Level, segment};
use tch::{Device, Kind, Tensor};

use crate::{caught, laws, obeys};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    TooWide,
    SinglePrecision,
    Panics,
    DividesByDegree,
    GradientOfRootAtZero,
    Counts,
    AddsIndex,
    AddsMeanOfGraph,
    AddsMeanOfBatch,
    FillsPadding,
    DividesBySlots,
    DoublesDense,
    IdleParameter,
}

/// `(A + I) X W`, and a fault.
#[derive(Debug)]
struct Plain {
    weight: Tensor,
    fault: Fault,
    calls: Cell<f64>,
}

impl Conv for Plain {
    fn forward(&self, g: &Level, _: Ctx) -> Tensor {
        let y = (g.adj.matmul(&g.x) + &g.x).matmul(&self.weight);
        let dense = g.layout() == Layout::Dense;
        let slots = y.size()[y.dim() - 2];
        match self.fault {
            Fault::SinglePrecision => y.to_kind(Kind::Float),
            Fault::Panics => panic!("the fault of {slots} rows"),
            Fault::DividesByDegree => y / g.adj.degree().unsqueeze(-1),
            Fault::GradientOfRootAtZero => {
                y + (&g.x - g.x.detach()).square().sum_dim_intlist([-1i64].as_slice(), true, None).sqrt()
            }
            Fault::Counts => {
                self.calls.set(self.calls.get() + 1.0);
                y * self.calls.get()
            }
            Fault::AddsIndex => g.mask_rows(y + Tensor::arange(slots, g.options()).unsqueeze(-1)),
            Fault::AddsMeanOfGraph if dense => &y + y.mean_dim([1i64].as_slice(), true, Kind::Double),
            Fault::AddsMeanOfGraph => {
                let graphs = g.segments();
                &y + segment::mean(&y, &graphs).index_select(0, &graphs.index(Device::Cpu))
            }
            Fault::AddsMeanOfBatch => {
                let count = g.segments().rows().max(1) as f64;
                g.mask_rows(&y + y.sum(None) / count)
            }
            Fault::FillsPadding => y + 1.0,
            Fault::DividesBySlots if dense => y / slots.max(1) as f64,
            Fault::DoublesDense if dense => y * 2.0,
            _ => y,
        }
    }

    fn out_features(&self) -> i64 {
        self.weight.size()[1] + i64::from(self.fault == Fault::TooWide)
    }
}

fn check(fault: Fault) -> Result<(), Broken> {
    check_under(fault, &laws())
}

fn make(fault: Fault) -> impl Fn(&Params, &Dims) -> Box<dyn Conv> {
    move |p, dims| {
        if fault == Fault::IdleParameter {
            let _ = p.constant("idle", &[1], 1.0);
        }
        let weight = p.glorot("weight", &[dims.features, dims.outputs]);
        Box::new(Plain { weight, fault, calls: Cell::new(0.0) })
    }
}

fn check_under(fault: Fault, laws: &Laws) -> Result<(), Broken> {
    conv::check(make(fault), laws)
}

#[test]
fn the_plain_layer_obeys() {
    obeys(check(Fault::None));
}

#[test]
fn every_fault_is_caught_by_its_law() {
    caught(check(Fault::TooWide), "well_formed");
    caught(check(Fault::SinglePrecision), "well_formed");
    caught(check(Fault::DividesByDegree), "finite");
    caught(check(Fault::GradientOfRootAtZero), "finite");
    caught(check(Fault::Counts), "repeatable");
    caught(check(Fault::AddsIndex), "equivariant");
    caught(check(Fault::AddsMeanOfGraph), "parts_do_not_leak");
    caught(check(Fault::AddsMeanOfBatch), "parts_do_not_leak");
    caught(batch_independent(&make(Fault::AddsMeanOfBatch), &laws()), "batch_independent");
    caught(check(Fault::FillsPadding), "padding_inert");
    caught(check(Fault::DividesBySlots), "padding_inert");
    caught(check(Fault::DoublesDense), "layouts_agree");
    caught(check(Fault::IdleParameter), "every_parameter_learns");
}

#[test]
fn a_panic_is_a_counterexample() {
    let message = check(Fault::Panics).expect_err("it panics").to_string();
    assert!(message.contains("the fault of"), "{message}");
}

/// The counterexample is as small as can be: two nodes without an edge, in evaluation, renumbered in the one way there is.
#[test]
fn a_counterexample_is_made_small_and_shown() {
    let Err(Broken::Counterexample(found)) = check_under(Fault::AddsIndex, &laws()) else {
        panic!("it passed")
    };
    assert_eq!((found.graphs.len(), found.nodes(), found.graphs[0].view().edges()), (1, 2, 0), "{found}");
    assert!(found.setting.starts_with("evaluation, with edges of weight 1"), "{found}");
    assert!(found.setting.ends_with("renumbered [[1, 0]]"), "{found}");
    assert!(found.how.starts_with("x differs first at [0, 0]: "), "{found}");
    let shown = found.to_string();
    for part in
        ["equivariant does not hold: ", "graph 0: 2 nodes, 0 edges", "0   1", "graph {", "Case::new(", "cc "]
    {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

/// What is printed to be pasted compiles, and is the case.
#[test]
fn a_pasted_case_is_the_case() {
    let pasted: Laws = include!("laws.in");
    let Err(Broken::Counterexample(found)) = check_under(Fault::AddsIndex, &pasted) else {
        panic!("it passed")
    };
    assert_eq!(found.literal, include_str!("laws.in").trim_end());
    assert_eq!((found.graphs.len(), &found.seed), (2, &None), "neither shrunk nor drawn");
    let right: Laws = include!("laws.in");
    obeys(check_under(Fault::None, &right.without("every_parameter_learns")));
}
