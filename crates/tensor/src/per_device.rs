//! Tensors made once per device and kept.

use std::sync::{Mutex, PoisonError};

use tch::{Device, Tensor};

/// One tensor per device, made when first asked for. (A tensor is `Send` but not `Sync`: hence the mutex.)
#[derive(Debug, Default)]
pub(crate) struct PerDevice(Mutex<Vec<(Device, Tensor)>>);

impl PerDevice {
    pub(crate) fn get(&self, device: Device, make: impl FnOnce() -> Tensor) -> Tensor {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, tensor)) = made.iter().find(|(d, _)| *d == device) {
            return tensor.shallow_clone();
        }
        let tensor = make().to_device(device);
        made.push((device, tensor.shallow_clone()));
        tensor
    }
}
