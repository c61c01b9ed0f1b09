//! Tasks, loaders, optimisation, and training runs from an experiment to a record.
//!
//! An [`Experiment`] is data (JSON); [`run()`] turns it into a [`Record`](coarsen_eval::Record): for every split of its
//! protocol a fresh network is trained and all curves are kept. Everything random comes from named streams of one seed
//! ([`Streams`]), so that the same experiment gives the same record, bit for bit on a CPU with the same number of
//! LibTorch threads — however many runs go side by side —, and a random control is paired with its learned twin.
//!
//! This crate must not know papers nor tables.
//!
//! | module | holds |
//! | --- | --- |
//! | [`experiment`] | [`Experiment`], [`Checked`] |
//! | [`config`] | [`TrainConfig`], [`Optimizer`], [`Schedule`] |
//! | [`task`] | [`Task`], [`Head`]: graphs by class or number ([`GraphClassification`](task::GraphClassification), [`GraphRegression`](task::GraphRegression)), nodes of one graph ([`NodeClassification`](task::NodeClassification)), pairs of them ([`LinkPrediction`](task::LinkPrediction)) |
//! | [`trainer`] | [`fit`], [`Trained`] |
//! | [`step`] | [`Stepper`]: one epoch, with the time of its parts |
//! | [`mod@run`] | [`run()`], [`Place`], [`blind`] |
//! | [`observer`] | [`Observer`], [`EpochScores`] |
//! | [`seed`] | [`Streams`] |
//!
//! # Examples
//!
//! ```
//! use coarsen_eval::{Environment, Rule};
//! use coarsen_graph::DataDir;
//! use coarsen_train::{Checked, Compute, Place, Silent, run};
//! use tch::Device;
//!
//! let experiment = Checked::parse(
//!     r#"{"dataset": "COMMUNITIES", "model": {"kind": "gin", "hidden": 8}, "train": {"epochs": 2},
//!         "protocol": {"kind": "holdout", "repeats": 1}}"#,
//! )?;
//! let data = DataDir::new("data").load("COMMUNITIES", &experiment.experiment().features)?;
//! let environment = Environment::host("0.1.0", "2.11.0", "cpu", 1);
//! let place = Place { compute: Compute { device: Device::Cpu, threads: 1 }, workers: 1, environment };
//! let record = run(&experiment, &data, &place, None, &mut |_| Ok(()), &mut Silent)?;
//! println!("test accuracy {:.3}", record.score(Rule::Honest)?.mean);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod ahead;
pub mod config;
mod early_stop;
pub mod error;
pub mod experiment;
mod groups;
mod loader;
pub mod observer;
mod replicas;
pub mod run;
mod schedule;
pub mod seed;
pub mod step;
pub mod task;
pub mod trainer;

pub use config::{Optimizer, Schedule, TrainConfig};
pub use error::RunError;
pub use experiment::{Cell, Checked, Experiment};
pub use observer::{EpochScores, Observer, Silent};
pub use run::{Place, blind, run};
pub use seed::Streams;
pub use step::{Epoch, Parts, Stepper};
pub use task::{Batch, Head, Of, Order, Score, Task, TaskConfig};
pub use trainer::{Compute, Trained, fit};
