//! scratch
#![allow(clippy::all, clippy::pedantic, clippy::print_stdout, clippy::print_stderr)]
use coarsen_eval::{Environment, Rule};
use coarsen_train::{Checked, EpochScores, Observer, Place, run};
struct See;
impl Observer for See {
    fn epoch(&mut self, r: u32, e: u32, s: &EpochScores) {
        if e % 10 == 1 {
            eprintln!(
                "run {r} epoch {e} loss {:.4} train {:.3} valid {:.3} test {:.3} {:.2}s",
                s.loss, s.train, s.valid, s.test, s.seconds
            )
        }
    }
}
fn main() {
    tch::set_num_threads(1);
    let text = std::env::args().nth(1).unwrap();
    let x = Checked::parse(&text).unwrap();
    let t = std::time::Instant::now();
    let path = std::env::args().nth(2).unwrap();
    let raw = coarsen_graph::read::tu::read(std::path::Path::new(&path), None).unwrap();
    let data = raw.into_dataset(&x.experiment().features).unwrap();
    eprintln!("read {:?}", t.elapsed());
    let r = run(
        &x,
        &data,
        &Place { device: tch::Device::Cpu, workers: 2, environment: Environment::host("0", "2", "cpu", 2) },
        None,
        &mut |_| Ok(()),
        &mut See,
    )
    .unwrap();
    for rule in [Rule::Honest, Rule::MaxOfMeanCurve, Rule::MaxTest, Rule::LastEpoch] {
        let s = r.score(rule).unwrap();
        println!("{rule}: {:.4} ± {:.4} n {}", s.mean, s.std.unwrap_or(0.0), s.n);
    }
    println!("{:?}", t.elapsed());
}
