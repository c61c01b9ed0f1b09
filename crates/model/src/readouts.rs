//! Several readouts side by side: `[max ‖ mean]`.

use coarsen_nn::{ConfigError, Ctx, Dims, Params, Readout, readout};
use coarsen_tensor::Level;
use serde_json::{Value, json};
use tch::Tensor;

/// The default: `[max ‖ mean]`, as in SAGPool and in PyG's benchmark of Top-k.
pub(crate) fn max_and_mean() -> Vec<Value> {
    vec![json!({"kind": "max"}), json!({"kind": "mean"})]
}

/// Readouts of one level, concatenated.
#[derive(Debug)]
pub(crate) struct Readouts(Vec<Box<dyn Readout>>);

impl Readouts {
    /// Makes the readouts of `configs`, for features of `dims.features`; `operator` is named when there is none.
    pub(crate) fn new(
        operator: &'static str,
        configs: &[Value],
        p: &Params,
        dims: &Dims,
    ) -> Result<Self, ConfigError> {
        ConfigError::require(!configs.is_empty(), operator, "readout", "at least one readout", "[]")?;
        let of = |(i, config)| readout(config, &p.sub(i), dims);
        Ok(Self(configs.iter().enumerate().map(of).collect::<Result<_, _>>()?))
    }

    /// `[B, out_features]`.
    pub(crate) fn forward(&self, g: &Level, ctx: Ctx) -> Tensor {
        let parts = self.0.iter().enumerate().map(|(i, readout)| readout.forward(g, ctx.child(i as u64)));
        beside(parts.collect())
    }

    pub(crate) fn out_features(&self) -> i64 {
        self.0.iter().map(|readout| readout.out_features()).sum()
    }
}

/// Columns side by side, without a copy of what stands alone.
pub(crate) fn beside(mut parts: Vec<Tensor>) -> Tensor {
    match parts.len() {
        1 => parts.remove(0),
        _ => Tensor::cat(&parts, -1),
    }
}
