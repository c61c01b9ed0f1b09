//! Every row of every registry obeys the laws it declares.
//!
//! One program, so that the tests of all contracts share the machine's cores to the end.

mod conv;
mod model;
mod pool;
mod readout;
