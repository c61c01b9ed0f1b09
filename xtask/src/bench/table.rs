//! The ratios for readers: `table.md`.

use std::fmt::Write as _;

use crate::bench::compare::{Pair, Row};

/// Words for what is not there.
const NONE: &str = "–";

/// The page of a record. `machine` says what it was measured on, `versions` what was compared.
pub(super) fn page(date: &str, machine: &str, versions: &str, rows: &[Row]) -> String {
    let mut page = format!("# Training epochs beside PyTorch Geometric, {date}\n\n{machine}{versions}\n");
    page += "Both programs ran in turn. The peer counts as it is fastest, of the variants that ran; the ratio is the median over \
             the pairs of runs, with the least and the greatest. `epochs/` holds what every run measured.\n\n";
    page += "| data set | network | peer, s an epoch | variant | ours, s an epoch | ratio | spread | at least | reached | clean epochs, peer and ours |\n";
    page += "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n";
    for row in rows {
        let (low, high) = row.spread();
        let reached = row.reached().map_or(NONE, |reached| if reached { "yes" } else { "no" });
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} of {} | {} | **{:.2}** | {low:.2}–{high:.2} | {} | {reached} | {}, {} |",
            row.dataset,
            row.model,
            number(row.middle(|pair| Some(pair.peer.seconds)), 3),
            row.variant,
            row.tried,
            number(row.middle(|pair| Some(pair.ours.seconds)), 3),
            row.ratio(),
            number(row.target, 1),
            clean(&row.pairs, |pair| pair.peer.clean),
            clean(&row.pairs, |pair| pair.ours.clean),
        );
    }
    page += "\n| data set | network | peer, peak MB | ours | peer, graphs a second at inference | ours | ratio |\n";
    page += "| --- | --- | --- | --- | --- | --- | --- |\n";
    for row in rows {
        let (peer, ours) = (row.middle(|pair| pair.peer.inference), row.middle(|pair| pair.ours.inference));
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} | {} | {} | {} |",
            row.dataset,
            row.model,
            number(row.middle(|pair| pair.peer.megabytes), 0),
            number(row.middle(|pair| pair.ours.megabytes), 0),
            number(peer, 0),
            number(ours, 0),
            number(peer.zip(ours).map(|(peer, ours)| ours / peer), 2),
        );
    }
    page
}

fn number(value: Option<f64>, decimals: usize) -> String {
    value.map_or(NONE.to_owned(), |value| format!("{value:.decimals$}"))
}

/// `clean/timed`, of all pairs together.
fn clean(pairs: &[Pair], of: impl Fn(&Pair) -> [u64; 2]) -> String {
    let [clean, timed] = pairs.iter().map(of).fold([0, 0], |sum, of| [sum[0] + of[0], sum[1] + of[1]]);
    format!("{clean}/{timed}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::bench::compare::tests::pair;

    #[test]
    fn a_row_says_what_was_measured_and_whether_it_suffices() {
        let variants = BTreeMap::from([("malloc".to_owned(), vec![pair(2.0, 0.5), pair(3.0, 0.5)])]);
        let row = Row::new(("NCI1", "gcn"), &variants, Some(4.0)).unwrap();
        let other = Row { target: None, dataset: "DD".to_owned(), ..row.clone() };
        let page = page("2001-02-03", "- processor: one\n", "- peer: 1.0\n", &[row, other]);
        assert!(page.starts_with(
            "# Training epochs beside PyTorch Geometric, 2001-02-03\n\n- processor: one\n- peer: 1.0\n\n"
        ));
        let lines: Vec<&str> = page.lines().filter(|line| line.contains("| gcn |")).collect();
        assert_eq!(
            lines[0],
            "| NCI1 | gcn | 2.500 | malloc of 1 | 0.500 | **5.00** | 4.00–6.00 | 4.0 | yes | 6/8, 6/8 |"
        );
        assert!(lines[1].ends_with("| – | – | 6/8, 6/8 |"), "{}", lines[1]);
        assert_eq!(lines[2], "| NCI1 | gcn | 200 | 200 | 42 | 200 | 4.80 |");
    }
}
