//! What a training step costs beside the product of the same graph, and how much memory an edge takes, as graphs grow.

use std::fs;

use anyhow::{Context as _, Result};
use coarsen_nn::{Ctx, Dims, Linear, Params};
use coarsen_sparse::Csr;
use coarsen_tensor::{Adjacency, Level, Sparse};
use serde_json::json;
use tch::nn::{self, OptimizerConfig as _};
use tch::{Device, Kind, Tensor};

use crate::bench::measure;
use crate::bench::models;
use crate::bench::ops::products::{WIDTH, pattern, uniform};
use crate::bench::ops::runner::{Runner, Work};
use crate::output::say;

const GROUP: &str = "growth";
const REAL: (Kind, Device) = (Kind::Float, Device::Cpu);
const DEGREE: usize = 10;
/// Nodes of the graph that warms up.
const FIRST: usize = 1000;

/// The gcn network of the comparison and its optimiser.
struct Training {
    model: Box<dyn coarsen_model::Model>,
    head: Linear,
    optimizer: nn::Optimizer,
}

impl Training {
    fn new(vars: &nn::VarStore) -> Result<Self> {
        let p = Params::new(&vars.root(), 0);
        let config = models::preset("gcn", "", WIDTH as u32)?.model;
        let model = coarsen_model::model(&config, &p.sub("model"), &Dims::new(WIDTH, 2))?;
        let head = Linear::new(&p.sub("head"), model.out_features(), 2);
        Ok(Self { model, head, optimizer: nn::Adam::default().build(vars, 1e-3)? })
    }

    /// A step from the host's edges: pattern, forward, backward, Adam.
    fn step(&mut self, csr: &Csr, x: &Tensor, target: &Tensor) {
        self.optimizer.zero_grad();
        let g = Level::new(x.shallow_clone(), adjacency(csr));
        let graphs = self.model.forward(&g, Ctx::train(0)).graphs.expect("gcn gives a row per graph");
        let loss = self.head.forward(&graphs).cross_entropy_for_logits(target);
        loss.backward();
        self.optimizer.step();
        let _ = loss.double_value(&[]);
    }
}

fn features(n: usize) -> Tensor {
    Tensor::arange(n as i64 * WIDTH, REAL).sin().view([n as i64, WIDTH])
}

fn adjacency(csr: &Csr) -> Adjacency {
    Adjacency::Sparse(Sparse::new(pattern(csr.clone()), None, REAL))
}

/// For each size the product forward and backward, a training step, their ratio, and of the first the memory of an edge: those behind it use
/// what it freed.
pub(super) fn growth(runner: &mut Runner, sizes: &[usize]) -> Result<()> {
    let target = Tensor::zeros([1], (Kind::Int64, Device::Cpu));
    // What LibTorch takes once, whatever the size.
    Training::new(&nn::VarStore::new(Device::Cpu))?.step(&uniform(FIRST, DEGREE)?, &features(FIRST), &target);
    for (place, &n) in sizes.iter().enumerate() {
        forget_peak();
        let before = measure::rss_mb().context("/proc does not tell how much memory is used")?;
        let csr = uniform(n, DEGREE)?;
        let (edges, x) = (csr.nnz(), features(n));
        let vars = nn::VarStore::new(Device::Cpu);
        let mut training = Training::new(&vars)?;
        let name = |what: &str| format!("n={n} E={edges} {what}");
        let step =
            runner.time(GROUP, &name("gcn step"), Work::default(), || training.step(&csr, &x, &target))?;
        let peak = measure::peak_rss_mb().context("/proc does not tell the peak of memory")?;
        let adj = adjacency(&csr);
        let flops = (4 * edges as i64 * WIDTH) as f64;
        let spmm = runner
            .time_both(GROUP, &name("spmm fb"), Work { flops, ..Work::default() }, &x, |x| adj.matmul(x))?;
        let bytes = (place == 0).then(|| (peak - before) * 1024.0 * 1024.0 / edges as f64);
        let told = bytes.map_or_else(String::new, |bytes| format!("  {bytes:.0} bytes an edge"));
        for ((threads, step), spmm) in runner.threads().to_vec().into_iter().zip(step).zip(spmm) {
            say(format!("{GROUP:10} {:50}  t{threads} step/spmm {:.2}{told}", name(""), step / spmm))?;
            let ratios = json!({"step_over_spmm": step / spmm, "bytes_per_edge": bytes});
            runner.keep(GROUP, &format!("{} t{threads}", name("ratio")), ratios);
        }
    }
    Ok(())
}

/// The peak of this process begins again at what it has now, where the system allows it.
fn forget_peak() {
    let _ = fs::write("/proc/self/clear_refs", "5");
}
