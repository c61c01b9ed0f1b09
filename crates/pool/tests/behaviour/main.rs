//! What the operators do beside agreeing with references: the two layouts, random controls, plans, small graphs.

mod batch;
mod control;
mod diffpool;
mod every;
mod graclus;
mod kron;
mod layouts;
