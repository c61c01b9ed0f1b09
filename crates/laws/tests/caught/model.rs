//! Wrong networks: a right one with one output spoilt.

use coarsen_laws::{Broken, model};
use coarsen_model::{Model, Needs, Output, Trace};
use coarsen_nn::{Ctx, Dims, Params};
use coarsen_pool::{Invariance, Loss, Over};
use coarsen_tensor::Level;
use serde_json::json;
use tch::Tensor;

use crate::{caught, laws, obeys};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    TooWide,
    NodesUntold,
    TracesUnasked,
    TracesDisturb,
    NodesByPosition,
    GraphsByBatch,
    LossIsNoMean,
    InverseOfNothing,
}

#[derive(Debug)]
struct Spoilt {
    inner: Box<dyn Model>,
    fault: Fault,
}

impl Model for Spoilt {
    fn needs(&self) -> Needs {
        self.inner.needs()
    }

    fn forward(&self, g: &Level, ctx: Ctx) -> Output {
        let mut output = self.inner.forward(g, ctx);
        match self.fault {
            Fault::TracesUnasked => {
                output.traces.push(Trace { name: "x".to_owned(), value: g.x.shallow_clone() });
            }
            Fault::TracesDisturb if ctx.trace => output.graphs = output.graphs.map(|y| y * 1.001),
            Fault::NodesByPosition => {
                let position = Tensor::arange(g.x.size()[0], g.options()).unsqueeze(-1);
                output.nodes = output.nodes.map(|y| y + position);
            }
            Fault::GraphsByBatch => output.graphs = output.graphs.map(|y| &y - y.mean(None)),
            Fault::LossIsNoMean => {
                let value = Tensor::from(g.segments().rows() as f64);
                output.losses.push(Loss::new("nodes", value, Over::Nodes, g));
            }
            Fault::InverseOfNothing => {
                output.nodes = output.nodes.map(|y| y / g.adj.degree().unsqueeze(-1));
            }
            _ => {}
        }
        output
    }

    fn out_features(&self) -> i64 {
        self.inner.out_features() + i64::from(self.fault == Fault::TooWide)
    }

    fn node_features(&self) -> Option<i64> {
        self.inner.node_features().filter(|_| self.fault != Fault::NodesUntold)
    }
}

fn check(fault: Fault) -> Result<(), Broken> {
    let make = |p: &Params, dims: &Dims| -> Box<dyn Model> {
        let config = json!({"kind": "flat", "hidden": 4, "layers": 1});
        let inner = coarsen_model::model(&config, p, dims).expect("a valid configuration");
        Box::new(Spoilt { inner, fault })
    };
    model::check(make, Invariance::Exact, &laws())
}

#[test]
fn what_is_not_spoilt_obeys() {
    obeys(check(Fault::None));
}

#[test]
fn every_fault_is_caught_by_its_law() {
    caught(check(Fault::TooWide), "well_formed");
    caught(check(Fault::NodesUntold), "well_formed");
    caught(check(Fault::InverseOfNothing), "finite");
    caught(check(Fault::TracesUnasked), "tracing_changes_nothing");
    caught(check(Fault::TracesDisturb), "tracing_changes_nothing");
    caught(check(Fault::NodesByPosition), "invariant");
    caught(check(Fault::GraphsByBatch), "batch_independent");
    caught(check(Fault::LossIsNoMean), "batch_independent");
}
