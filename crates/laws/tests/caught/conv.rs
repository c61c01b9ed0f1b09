//! Wrong convolutions.

use std::cell::Cell;

use coarsen_laws::{Broken, Laws, conv};
use coarsen_nn::{Conv, Ctx, Dims, Params};
use coarsen_tensor::{Layout, Level};
use tch::{Kind, Tensor};

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

fn check_under(fault: Fault, laws: &Laws) -> Result<(), Broken> {
    let make = |p: &Params, dims: &Dims| -> Box<dyn Conv> {
        if fault == Fault::IdleParameter {
            let _ = p.constant("idle", &[1], 1.0);
        }
        let weight = p.glorot("weight", &[dims.features, dims.outputs]);
        Box::new(Plain { weight, fault, calls: Cell::new(0.0) })
    };
    conv::check(make, laws)
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
    caught(check(Fault::AddsMeanOfBatch), "batch_independent");
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

/// Shrinking is greedy and its steps are counted: a counterexample is made smaller, not always the smallest.
#[test]
fn a_counterexample_is_made_smaller_and_shown() {
    let message = |laws: &Laws| check_under(Fault::AddsIndex, laws).expect_err("caught").to_string();
    let total = |laws: &Laws| (0..8).map(|_| message(laws).len()).sum::<usize>();
    let (drawn, shrunk) = (total(&Laws { shrink_steps: 0, ..laws() }), total(&laws()));
    assert!(shrunk < drawn, "{shrunk} characters for eight counterexamples, {drawn} as they were drawn");
    let shown = message(&laws());
    assert!(shown.contains("equivariant does not hold") && shown.contains("nodes, edges ["), "{shown}");
}
