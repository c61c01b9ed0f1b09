//! Where runs happen: the device, workers and threads, and what a record says of them.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::ValueEnum;
use coarsen_eval::Environment;
use coarsen_train::{Compute, Place};
use tch::{Cuda, Device};

/// The flags of every command that trains.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Running")]
#[group(id = "machine")]
pub(crate) struct Flags {
    /// Where to compute
    #[arg(long, value_enum, default_value_t = On::Cpu, value_name = "DEVICE")]
    device: On,
    /// Runs trained side by side [default: all cores of a CPU, 1 on cuda]; the numbers do not depend on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    workers: Option<u32>,
    /// Threads of a run; two or more share each batch. Numbers repeat bit for bit where this is equal
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: u32,
}

/// Where to compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum On {
    /// The processor
    Cpu,
    /// The first GPU
    Cuda,
}

/// A device that is there, with the threads set.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    device: Device,
    workers: u32,
    threads: u32,
    libtorch: String,
}

impl Machine {
    /// Takes the device and sets the threads.
    pub(crate) fn set_up(flags: &Flags) -> Result<Self> {
        let alone = Self::alone(flags.device, flags.threads)?;
        let cores = || std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32);
        let workers = || if alone.device.is_cuda() { 1 } else { (cores() / flags.threads).max(1) };
        Ok(Self { workers: flags.workers.unwrap_or_else(workers), ..alone })
    }

    /// Takes a device for one run at a time, with so many threads inside an operation.
    pub(crate) fn alone(on: On, threads: u32) -> Result<Self> {
        let device = match on {
            On::Cpu => Device::Cpu,
            On::Cuda => cuda()?,
        };
        tch::set_num_threads(threads as i32);
        Ok(Self { device, workers: 1, threads, libtorch: libtorch_version() })
    }

    /// Holds the tensors.
    pub(crate) fn device(&self) -> Device {
        self.device
    }

    /// What a run computes with.
    pub(crate) fn compute(&self) -> Compute {
        Compute { device: self.device, threads: self.threads as usize }
    }

    /// Where an experiment runs that starts now.
    pub(crate) fn place(&self) -> Place {
        Place { compute: self.compute(), workers: self.workers as usize, environment: self.environment() }
    }

    /// How many of so many runs are trained at a time, on average.
    pub(crate) fn abreast(&self, runs: u32) -> f64 {
        f64::from(runs.max(1)) / f64::from(runs.max(1).div_ceil(self.workers))
    }

    /// What a record that starts now says of this machine.
    pub(crate) fn environment(&self) -> Environment {
        let device = match self.device {
            Device::Cuda(index) => format!("cuda:{index}"),
            _ => "cpu".to_owned(),
        };
        let known = |text: &'static str| Some(text).filter(|text| *text != "unknown");
        Environment {
            commit: known(env!("COARSEN_COMMIT")).map(str::to_owned),
            dirty: known(env!("COARSEN_DIRTY")).map(|dirty| dirty == "true"),
            ..Environment::host(env!("CARGO_PKG_VERSION"), &self.libtorch, &device, self.threads)
        }
    }
}

fn cuda() -> Result<Device> {
    if Cuda::is_available() {
        return Ok(Device::Cuda(0));
    }
    if !tch::utils::has_cudart() {
        bail!(
            "--device cuda: this binary is linked with a LibTorch without CUDA. `cargo xtask libtorch --cuda` installs the \
             one with it; build the binary again afterwards (`cargo build --release -p coarsen-repro`)"
        );
    }
    bail!(
        "--device cuda: LibTorch has CUDA, but sees no device. Is there a GPU, does `nvidia-smi` list it, and is its driver \
         recent enough? `cargo xtask doctor` says more; CUDA_VISIBLE_DEVICES may hide devices"
    )
}

/// The version of the LibTorch that is loaded: it lies in a file beside its libraries.
fn libtorch_version() -> String {
    let version = loaded("libtorch_cpu.so").and_then(|library| {
        let text = std::fs::read_to_string(library.parent()?.parent()?.join("build-version")).ok()?;
        Some(text.trim().to_owned())
    });
    version.unwrap_or_else(|| "unknown".to_owned())
}

/// The file of a library that this process has loaded, where the system tells.
fn loaded(library: &str) -> Option<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let mut files = maps.lines().filter_map(|line| line.find('/').map(|start| Path::new(&line[start..])));
    files.find(|file| file.file_name().is_some_and(|name| name == library)).map(Path::to_path_buf)
}
