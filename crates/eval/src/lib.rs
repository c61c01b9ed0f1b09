//! What an evaluation is: protocols, metrics, records, published tables, rendering.
//!
//! | module | holds |
//! | --- | --- |
//! | [`protocol`] | [`Protocol`] → [`Split`]s: pure index arithmetic |
//! | [`metric`] | [`Metric`]: accuracy, ROC-AUC, MAE, and the majority class |
//! | [`plateau`] | [`Plateau`](plateau::Plateau): a learning rate that follows a metric |
//! | [`summary`] | [`Summary`], [`Interval`], [`paired`] differences |
//! | [`record`], [`environment`] | [`Record`]: the experiment word for word, every curve of every run, the machine |
//! | [`selection`] | [`Rule`]: which epoch is a run's number, honest or as published |
//! | [`store`] | [`RecordDir`], [`experiment_hash`]: records on disk |
//! | [`published`] | [`Paper`](published::Paper): tables from papers, typed in once, with errata |
//! | [`table`] | [`Table`](table::Table): ours beside published, learned beside control; as text and Markdown |
//! | [`figure`] | a heat-map and curves as SVG files of their own |
//! | [`report`] | [`Report`](report::Report): one self-contained HTML page |
//!
//! It must not know graphs, LibTorch, or how anything is trained.
//!
//! # Examples
//!
//! From runs to a number:
//!
//! ```
//! use coarsen_eval::{Curves, Environment, Metric, Outcome, Protocol, Record, Rule, Run};
//!
//! let labels = [0, 1].repeat(50);
//! let protocol = Protocol::default();
//! let experiment = serde_json::json!({ "id": "demo/coin", "protocol": protocol, "seed": 7 });
//! let environment = Environment::host("0.1.0", "2.11.0", "cpu", 1);
//! let mut record = Record::new(experiment, Metric::Accuracy, protocol.folds(), environment);
//! for split in protocol.splits(&labels, 7)? {
//!     let curves = Curves { train_loss: vec![0.7], valid: vec![0.5], test: vec![0.5], ..Curves::default() };
//!     let outcome = Outcome::Done { curves, epochs: 1, seconds: 0.1 };
//!     record.put(Run { index: split.index, seed: split.seed, outcome });
//! }
//! assert_eq!(record.score(Rule::Honest)?.mean, 0.5);
//! # Ok::<(), coarsen_eval::Error>(())
//! ```

mod draw;
pub mod environment;
mod error;
pub mod figure;
pub mod metric;
pub mod plateau;
pub mod protocol;
pub mod published;
pub mod record;
mod render;
pub mod report;
pub mod selection;
pub mod store;
mod stream;
pub mod summary;
mod svg;
pub mod table;

pub use environment::Environment;
pub use error::Error;
pub use metric::{Metric, Unit};
pub use protocol::{Protocol, Split, ValidFrom};
pub use record::{Curves, Outcome, Record, Run};
pub use selection::{Rule, Scored};
pub use store::{RecordDir, experiment_hash};
pub use stream::stream;
pub use summary::{Difference, Interval, Summary, paired};
