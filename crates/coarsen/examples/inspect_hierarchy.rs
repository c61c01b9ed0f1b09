//! Zachary's karate club coarsened twice: who ends up with whom, and what is left of the split.
//!
//! `cargo run --example inspect_hierarchy`
#![allow(clippy::print_stdout)] // an example says what it found

use std::error::Error;

use coarsen::graph::{InMemory, generate};
use coarsen::nn::{Ctx, Dims, Params};
use coarsen::pool::pool;
use coarsen::tensor::{Adjacency, Assignment, Level, collate};
use serde_json::json;
use tch::{Device, nn::VarStore};

fn main() -> Result<(), Box<dyn Error>> {
    let club = InMemory::from_samples("karate", vec![generate::karate()], 1)?;
    let mut level = collate(&club, &[0], Device::Cpu);
    let store = VarStore::new(Device::Cpu);
    let dims = Dims::new(level.features(), level.features()).with_sizes([34]);
    let graclus = pool(&json!({"kind": "graclus"}), &Params::new(&store.root(), 0), &dims)?;

    // Each cluster as the members of the club it is made of.
    let mut clusters: Vec<Vec<u32>> = (0..34).map(|member| vec![member]).collect();
    println!("level 0: {} members, {} friendships", clusters.len(), friendships(&level));
    for depth in 1..=2 {
        let pooled = graclus.pool(&level, Ctx::train(depth));
        clusters = merged(&clusters, &pooled.selection.s);
        level = pooled.level;
        println!("\nlevel {depth}: {} clusters, {} edges between them", clusters.len(), friendships(&level));
        for members in &clusters {
            let of_instructor = members.iter().filter(|&&m| generate::KARATE_CLUBS[m as usize] == 0).count();
            let side = match (of_instructor, members.len() - of_instructor) {
                (_, 0) => "instructor",
                (0, _) => "officer",
                _ => "both sides",
            };
            println!("  {side:<10}  {members:?}");
        }
    }
    Ok(())
}

/// The clusters of clusters that `s` makes.
fn merged(clusters: &[Vec<u32>], s: &Assignment) -> Vec<Vec<u32>> {
    let Assignment::Entries(s) = s else { unreachable!("Graclus makes hard clusters") };
    let mut coarser = vec![Vec::new(); s.clusters.rows()];
    for (members, &cluster) in clusters.iter().zip(s.relation.csr().col()) {
        coarser[cluster as usize].extend(members);
    }
    coarser
}

/// Undirected edges of a level without self-loops.
fn friendships(level: &Level) -> i64 {
    match &level.adj {
        Adjacency::Sparse(a) => a.pattern.edges() / 2,
        Adjacency::Dense(_) => unreachable!("Graclus keeps the sparse layout"),
    }
}
