//! What the laws that every contract has ask of one case; what each says stands in [`shared`](crate::shared).

use coarsen_tensor::Layout;

use crate::case::Case;
use crate::compare::close;
use crate::rounding::{self, Tolerance};
use crate::seen::Seen;
use crate::subject::{Subject, as_it_is};
use crate::trial::Trial;

type Verdict = Result<(), String>;

/// `got` is as `want`.
fn same(got: &Seen, want: &Seen, tolerance: Tolerance) -> Verdict {
    got.agrees(want, tolerance)?;
    got.losses_agree(want, tolerance.values)
}

/// Renumbering changes nothing; of the case without graphs whose nodes tie, and of none where no other graph is left.
pub(crate) fn order<M: Subject + ?Sized>(trial: &Trial<M>) -> Verdict {
    if !trial.sparse().tied {
        return renumbered(trial, trial.case, trial.sparse());
    }
    untied(trial).map_or(Ok(()), |rest| {
        let want = trial.built().observe(&rest.level(), &as_it_is, rest.ctx);
        renumbered(trial, &rest, &want)
    })
}

/// The case renumbered gives what was seen of it, renumbered.
pub(crate) fn renumbered<M: Subject + ?Sized>(trial: &Trial<M>, case: &Case, seen: &Seen) -> Verdict {
    let got = trial.built().observe(&case.renumbered(), &as_it_is, case.ctx);
    let (got, want) = (got.taken_back(&case.permutations).canonical(), seen.canonical());
    rounding::agree((trial.built(), &case.level(), case.ctx), trial.laws, |tolerance| {
        same(&got, &want, tolerance)
    })
}

/// A case whose nodes tie, without the graphs in which they do; `None` where no other graph is left.
pub(crate) fn untied<M: Subject + ?Sized>(trial: &Trial<M>) -> Option<Case> {
    let case = trial.case;
    let ordered = (0..case.graphs.len()).filter(|&b| !trial.evaluated(&case.alone(b)).tied);
    let (graphs, permutations) =
        ordered.map(|b| (case.graphs[b].clone(), case.permutations[b].clone())).unzip();
    let rest = Case { graphs, permutations, ..case.clone() };
    let asked = !rest.graphs.is_empty() && !trial.built().see(&rest.level(), rest.ctx).tied;
    asked.then_some(rest)
}

pub(crate) fn batch_independent<M: Subject + ?Sized>(trial: &Trial<M>) -> Verdict {
    let whole = trial.evaluated(trial.level());
    let mut first = 0;
    let mut alone = Vec::with_capacity(trial.case.graphs.len());
    for (b, n) in trial.case.sizes().into_iter().enumerate() {
        let own = trial.evaluated(&trial.case.alone(b));
        let end = first + i64::from(n);
        let got = whole.of_graph(b, first..end);
        trial
            .agree_in_evaluation(|tolerance| got.agrees(&own, tolerance))
            .map_err(|how| format!("graph {b}: {how}"))?;
        first = end;
        alone.push(own);
    }
    trial.agree_in_evaluation(|tolerance| whole.losses_gather(&alone, tolerance.values))
}

pub(crate) fn padding_inert<M: Subject + ?Sized>(trial: &Trial<M>) -> Verdict {
    let width = i64::from(trial.case.sizes().into_iter().max().unwrap_or(0));
    let more = 1 + (trial.case.seed % 3) as i64;
    let got = trial.observed(&|g| g.padded(width + more));
    trial.agree(|tolerance| same(&got, trial.dense(), tolerance))
}

pub(crate) fn layouts_agree<M: Subject + ?Sized>(trial: &Trial<M>) -> Verdict {
    trial.agree(|tolerance| same(trial.dense(), trial.sparse(), tolerance))
}

pub(crate) fn finite<M: Subject + ?Sized>(trial: &Trial<M>) -> Verdict {
    let finite = |seen: &Seen, layout| seen.is_finite().map_err(|how| format!("{how}, {layout:?} layout"));
    finite(trial.sparse(), Layout::Sparse)?;
    finite(trial.dense(), Layout::Dense)
}

pub(crate) fn well_formed<M: Subject + ?Sized>(trial: &Trial<M>) -> Verdict {
    trial.built().module.malformed(trial.level(), &trial.case.dims(), trial.case.ctx)
}

pub(crate) fn repeatable<M: Subject + ?Sized>(trial: &Trial<M>) -> Verdict {
    let case = trial.case;
    let level = case.level();
    let before = level.x.copy();
    trial.built().see(&level, case.ctx);
    close("the input afterwards", &level.x, &before, 0.0)?;
    let first = trial.sparse();
    let again = trial.observed(&as_it_is);
    same(&again, first, Tolerance::NONE).map_err(|how| format!("asked again: {how}"))?;
    let made = trial.made_again().observe(trial.level(), &as_it_is, case.ctx);
    same(&made, first, Tolerance::NONE).map_err(|how| format!("made again: {how}"))
}
