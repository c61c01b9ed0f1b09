//! Shared factories of the benches: batches as large as those of published data sets, drawn from a fixed seed.
//!
//! Every benchmark is named by a path with its sizes, `pool/diffpool/fwd-bwd/B20-N284-F64`: a batch of 20 graphs with 284 nodes on
//! average and 64 features. Mean nodes and edges are those published of NCI1, PROTEINS and DD. Data is built outside of the
//! timed closure, and the device is waited for inside of it.
//!
//! | bench | measures |
//! | --- | --- |
//! | `kernels` | every kernel of `coarsen-sparse`, one thread |
//! | `ops` | sparse products, coarsening, segment softmax, padding, collation |
//! | `convs` | every row of `CONVS` |
//! | `pools` | every row of `POOLS` |
//! | `readouts` | every row of `READOUTS` |
//!
//! `cargo bench -p coarsen-benches -- --quick` looks at each for a moment, `-- --test` runs each once; `COARSEN_BENCH_DEVICE=cuda` measures on the first GPU.
//!
//! # Examples
//!
//! ```
//! let workload = coarsen_benches::workloads().remove(2);
//! assert_eq!(workload.sizes(), "B20-N284-F64");
//! ```

mod row;
mod step;
mod workload;

use std::env;
use std::time::Duration;

use criterion::Criterion;
use tch::{Cuda, Device};

pub use row::bench;
pub use step::{Stepped, forward, forward_backward, learned_weights};
pub use workload::{FEATURES, GRAPHS, Workload, workloads};

/// How long each benchmark is measured: long enough for a mean within a few percent on a quiet machine.
pub fn criterion() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args()
}

/// Where tensors are: the CPU, or what `COARSEN_BENCH_DEVICE` names.
///
/// # Panics
///
/// When the variable is neither `cpu` nor `cuda`, or there is no GPU.
pub fn device() -> Device {
    match env::var("COARSEN_BENCH_DEVICE").as_deref() {
        Err(_) | Ok("cpu") => Device::Cpu,
        Ok("cuda") if Cuda::is_available() => Device::Cuda(0),
        Ok("cuda") => panic!("COARSEN_BENCH_DEVICE is cuda, and LibTorch sees no GPU"),
        Ok(other) => panic!("COARSEN_BENCH_DEVICE must be cpu or cuda, got {other}"),
    }
}

/// Waits until everything asked of the device is done.
pub fn synchronize() {
    if let Device::Cuda(index) = device() {
        Cuda::synchronize(index as i64);
    }
}
