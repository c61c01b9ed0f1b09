//! The autograd bridge: errors, release of state, threads, second derivatives.

use std::ffi::CStr;
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};

use coarsen_sparse::Executor;
use coarsen_tensor::{Function, TorchPool, attach};
use tch::{Device, Kind, Tensor, no_grad};

/// `x²` of the first input; the second is ignored.
struct Square {
    x: Tensor,
    panics: bool,
    thread: Arc<Mutex<Option<ThreadId>>>,
    drops: Arc<AtomicUsize>,
}

impl Function for Square {
    const NAME: &'static CStr = c"Square";

    fn backward(&self, grads: &[Option<Tensor>], needs: &[bool]) -> Vec<Option<Tensor>> {
        *self.thread.lock().unwrap() = Some(thread::current().id());
        assert!(!self.panics, "shape {} is wrong", 7);
        assert!(needs[0]);
        vec![grads[0].as_ref().map(|g| g * &self.x * 2.0), None]
    }
}

impl Drop for Square {
    fn drop(&mut self) {
        self.drops.fetch_add(1, SeqCst);
    }
}

struct Probe {
    thread: Arc<Mutex<Option<ThreadId>>>,
    drops: Arc<AtomicUsize>,
}

fn leaf() -> Tensor {
    Tensor::from_slice(&[1f32, 2., 3.]).set_requires_grad(true)
}

fn square(x: &Tensor, panics: bool) -> (Tensor, Probe) {
    let probe = Probe { thread: Arc::default(), drops: Arc::default() };
    let function =
        Square { x: x.detach(), panics, thread: Arc::clone(&probe.thread), drops: Arc::clone(&probe.drops) };
    let unused = Tensor::ones([3], (Kind::Float, Device::Cpu));
    let y = attach(&[x, &unused], &[no_grad(|| x.square())], function).unwrap().remove(0);
    (y, probe)
}

fn values(t: &Tensor) -> Vec<f32> {
    Vec::try_from(t).unwrap()
}

#[test]
fn the_gradient_arrives_and_the_state_is_free_after_it() {
    let x = leaf();
    let (y, probe) = square(&x, false);
    let sum = y.sum(Kind::Float);
    sum.backward();
    assert_eq!(values(&x.grad()), [2., 4., 6.]);
    assert_eq!(*probe.thread.lock().unwrap(), Some(thread::current().id()));
    assert_eq!(probe.drops.load(SeqCst), 1);
    let second = y.sum(Kind::Float).f_backward().unwrap_err().to_string();
    assert!(second.contains("Square: the graph was freed"), "{second}");
}

#[test]
fn a_panic_is_an_error_and_the_engine_goes_on() {
    let x = leaf();
    let (y, probe) = square(&x, true);
    let error = y.sum(Kind::Float).f_backward().unwrap_err().to_string();
    assert!(error.contains("Square: shape 7 is wrong"), "{error}");
    drop(y);
    assert_eq!(probe.drops.load(SeqCst), 1);
    let x = leaf();
    (&x * 3.0).sum(Kind::Float).backward();
    assert_eq!(values(&x.grad()), [3.; 3]);
}

#[test]
fn the_backward_pass_runs_on_the_thread_that_asks_for_it() {
    let x = leaf();
    let (y, probe) = square(&x, false);
    let asked = thread::spawn(move || {
        y.sum(Kind::Float).backward();
        thread::current().id()
    });
    let asked = asked.join().unwrap();
    assert_eq!(*probe.thread.lock().unwrap(), Some(asked));
}

#[test]
fn without_recording_the_state_is_dropped_at_once() {
    let x = leaf();
    let (y, probe) = no_grad(|| square(&x, false));
    assert!(!y.requires_grad());
    assert_eq!(probe.drops.load(SeqCst), 1);
}

#[test]
fn a_second_derivative_is_refused() {
    let x = leaf();
    let (y, _) = square(&x, false);
    let gradient = Tensor::f_run_backward(&[y.square().sum(Kind::Float)], &[&x], true, true).unwrap();
    // d(x⁴)/dx = 4x³
    assert_eq!(values(&gradient[0].detach()), [4., 32., 108.]);
    let error = Tensor::f_run_backward(&[gradient[0].sum(Kind::Float)], &[&x], true, false).unwrap_err();
    assert!(error.to_string().contains("Square has no second derivative"), "{error}");
}

#[test]
fn an_integer_output_is_refused_and_nothing_leaks() {
    let x = leaf();
    let probe = Probe { thread: Arc::default(), drops: Arc::default() };
    let function =
        Square { x: x.detach(), panics: false, thread: probe.thread, drops: Arc::clone(&probe.drops) };
    let output = Tensor::ones([3], (Kind::Int64, Device::Cpu));
    let error = attach(&[&x, &x], &[output], function).unwrap_err().to_string();
    assert!(error.starts_with("Square: cannot be recorded"), "{error}");
    assert_eq!(probe.drops.load(SeqCst), 1);
}

#[test]
fn the_pool_covers_every_index_once_and_passes_panics_on() {
    let seen: Vec<AtomicUsize> = (0..1000).map(|_| AtomicUsize::new(0)).collect();
    TorchPool.run(seen.len(), 10, &|range| {
        for i in range {
            seen[i].fetch_add(1, SeqCst);
        }
    });
    assert!(seen.iter().all(|n| n.load(SeqCst) == 1));
    let panic = catch_unwind(|| TorchPool.run(1000, 10, &|range| assert!(!range.contains(&500), "inside")));
    assert!(panic.is_err());
}
