//! The input features of nodes, made from what a data set offers by a [`FeatureRule`].

mod rule;

use crate::raw::{Labels, RawDataset, Table};
use crate::{Error, InMemory};
use ndarray::Array2;

pub use rule::{FeaturePart, FeatureRule};

/// The largest width that a part may ask for.
const MAX_WIDTH: usize = 1 << 16;
/// The largest feature matrix that is tried, in numbers (32 GiB).
const MAX_NUMBERS: usize = 1 << 33;

/// The width of a part on a data set.
fn width(part: FeaturePart, raw: &RawDataset) -> Result<usize, Error> {
    let fail = |rule: &str, got: String| {
        Err(Error::Features { dataset: raw.name.clone(), rule: rule.to_owned(), got })
    };
    match part {
        FeaturePart::Label if raw.node_labels.is_empty() => fail(
            "`label` needs node labels; `auto`, `degree` and `constant` do not",
            "a set without".to_owned(),
        ),
        FeaturePart::Label => Ok(one_hot_width(&raw.node_labels)),
        FeaturePart::Attributes | FeaturePart::RowNormalised if raw.node_attributes.width == 0 => {
            fail("`attributes` and `row_normalised` need node attributes", "a set without".to_owned())
        }
        FeaturePart::Attributes | FeaturePart::RowNormalised => Ok(raw.node_attributes.width),
        FeaturePart::Identity => {
            let largest = raw.node_ptr.windows(2).map(|ends| ends[1] - ends[0]).max().unwrap_or(0);
            match largest {
                0..=MAX_WIDTH => Ok(largest),
                _ => fail(
                    &format!("`identity` needs graphs of at most {MAX_WIDTH} nodes"),
                    largest.to_string(),
                ),
            }
        }
        FeaturePart::Degree { cap } if cap >= MAX_WIDTH => {
            fail(&format!("`cap` of `degree` must be below {MAX_WIDTH}"), cap.to_string())
        }
        FeaturePart::Degree { cap } => Ok(cap + 1),
        FeaturePart::Constant { width } if !(1..=MAX_WIDTH).contains(&width) => {
            fail(&format!("`width` of `constant` must be in 1..={MAX_WIDTH}"), width.to_string())
        }
        FeaturePart::Constant { width } => Ok(width),
    }
}

fn one_hot_width(columns: &[Labels]) -> usize {
    columns.iter().map(|column| column.values.len()).sum()
}

/// Node features, `[nodes, features]`.
pub(crate) fn nodes(raw: &RawDataset, parts: &[FeaturePart]) -> Result<Array2<f32>, Error> {
    if parts.is_empty() {
        let rule = "must have at least one part".to_owned();
        return Err(Error::Features { dataset: raw.name.clone(), rule, got: "an empty list".to_owned() });
    }
    let widths = parts.iter().map(|&part| width(part, raw)).collect::<Result<Vec<_>, _>>()?;
    let mut x = zeros(raw, raw.row_ptr.len() - 1, widths.iter().sum())?;
    let mut at = 0;
    for (&part, width) in parts.iter().zip(widths) {
        match part {
            FeaturePart::Label => one_hot(&mut x, at, &raw.node_labels),
            FeaturePart::Attributes => copy(&mut x, at, &raw.node_attributes),
            FeaturePart::RowNormalised => row_normalised(&mut x, at, &raw.node_attributes),
            FeaturePart::Identity => {
                for ends in raw.node_ptr.windows(2) {
                    (ends[0]..ends[1]).for_each(|node| x[(node, at + node - ends[0])] = 1.0);
                }
            }
            FeaturePart::Degree { cap } => {
                for (mut row, ends) in x.rows_mut().into_iter().zip(raw.row_ptr.windows(2)) {
                    row[at + (ends[1] - ends[0]).min(cap)] = 1.0;
                }
            }
            FeaturePart::Constant { width } => x.slice_mut(ndarray::s![.., at..at + width]).fill(1.0),
        }
        at += width;
    }
    Ok(x)
}

/// Edge features, `[edges, edge_features]`: one-hot labels, then attributes; none if the set has neither.
pub(crate) fn edges(raw: &RawDataset) -> Result<Option<Array2<f32>>, Error> {
    let labels = one_hot_width(&raw.edge_labels);
    let width = labels + raw.edge_attributes.width;
    if width == 0 {
        return Ok(None);
    }
    let mut attr = zeros(raw, raw.col.len(), width)?;
    one_hot(&mut attr, 0, &raw.edge_labels);
    copy(&mut attr, labels, &raw.edge_attributes);
    Ok(Some(attr))
}

fn one_hot(x: &mut Array2<f32>, mut at: usize, columns: &[Labels]) {
    for column in columns {
        for (mut row, &code) in x.rows_mut().into_iter().zip(&column.code) {
            row[at + code as usize] = 1.0;
        }
        at += column.values.len();
    }
}

fn copy(x: &mut Array2<f32>, at: usize, table: &Table) {
    if table.width == 0 {
        return;
    }
    for (mut row, values) in x.rows_mut().into_iter().zip(table.values.chunks_exact(table.width)) {
        for (slot, &value) in row.iter_mut().skip(at).zip(values) {
            *slot = value as f32;
        }
    }
}

fn row_normalised(x: &mut Array2<f32>, at: usize, table: &Table) {
    for (mut row, values) in x.rows_mut().into_iter().zip(table.values.chunks_exact(table.width)) {
        let sum: f64 = values.iter().map(|value| value.abs()).sum();
        let by = if sum == 0.0 { 1.0 } else { sum };
        for (slot, &value) in row.iter_mut().skip(at).zip(values) {
            *slot = (value / by) as f32;
        }
    }
}

fn zeros(raw: &RawDataset, rows: usize, width: usize) -> Result<Array2<f32>, Error> {
    match rows.checked_mul(width) {
        Some(numbers) if numbers <= MAX_NUMBERS => Ok(Array2::zeros((rows, width))),
        _ => Err(Error::Features {
            dataset: raw.name.clone(),
            rule: format!("a feature matrix may hold at most {MAX_NUMBERS} numbers"),
            got: format!("{rows} rows of {width}"),
        }),
    }
}

/// Where there are several columns of labels, the number of each node's combination among those that occur, ascending.
pub(crate) fn combined_labels(raw: &RawDataset) -> Option<Vec<u32>> {
    let columns = Some(raw.node_labels.as_slice()).filter(|columns| columns.len() > 1)?;
    let nodes = raw.row_ptr.len() - 1;
    let tuple = |node: usize| columns.iter().map(|column| column.code[node]).collect::<Vec<u32>>();
    let distinct: std::collections::BTreeSet<Vec<u32>> = (0..nodes).map(tuple).collect();
    let rank: std::collections::BTreeMap<Vec<u32>, u32> = distinct.into_iter().zip(0..).collect();
    Some((0..nodes).map(|node| rank[&tuple(node)]).collect())
}

impl InMemory {
    /// The same graphs with features made by another rule.
    ///
    /// # Errors
    /// [`Error::Features`] when the rule asks for what the set has not.
    pub fn with_features(&self, rule: &FeatureRule) -> Result<Self, Error> {
        Self::from_raw(std::sync::Arc::clone(self.raw_arc()), rule)
    }
}

#[cfg(test)]
mod tests {
    use super::rule::AUTO_CAP;
    use super::*;
    use crate::{Sample, Target, TopologyBuf};

    /// A star of four nodes with attributes 0 to 3, with or without labels.
    fn star(labels: Option<Vec<u32>>) -> InMemory {
        let edges = TopologyBuf::from_undirected(4, [(0, 1), (0, 2), (0, 3)]).unwrap();
        let x = Array2::from_shape_fn((4, 1), |(node, _)| node as f32);
        let sample = Sample::new(edges, x, Target::Class(0)).unwrap();
        let sample = match labels {
            Some(labels) => sample.with_node_label(labels).unwrap(),
            None => sample,
        };
        InMemory::from_samples("STAR", vec![sample], 1).unwrap()
    }

    fn rule(json: &str) -> FeatureRule {
        serde_json::from_str(json).unwrap()
    }

    fn rows(set: &InMemory, json: &str) -> Vec<Vec<f32>> {
        let set = set.with_features(&rule(json)).unwrap();
        crate::Dataset::sample(&set, 0).x.rows().into_iter().map(|row| row.to_vec()).collect()
    }

    #[test]
    fn parts_stand_side_by_side() {
        let set = star(Some(vec![7, 7, 9, 7]));
        let json = r#"["label", "attributes", {"degree": {"cap": 2}}, {"constant": {"width": 2}}]"#;
        let got = rows(&set, json);
        assert_eq!(got[0], [1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
        assert_eq!(got[2], [0.0, 1.0, 2.0, 0.0, 1.0, 0.0, 1.0, 1.0]);
    }

    #[test]
    fn auto_takes_labels_and_else_degrees() {
        assert_eq!(rows(&star(Some(vec![7, 7, 9, 7])), r#""auto""#)[2], [0.0, 1.0]);
        let degrees = star(None).with_features(&FeatureRule::Auto).unwrap();
        let decided = FeatureRule::Parts(vec![FeaturePart::Degree { cap: 3 }]);
        assert_eq!(crate::Dataset::info(&degrees).feature_rule, decided);
        assert_eq!(rows(&star(None), r#""auto""#)[0], [0.0, 0.0, 0.0, 1.0]);
    }

    /// Two graphs whose nodes have classes, with these attributes.
    fn classed(x: &Array2<f32>) -> InMemory {
        let pair = TopologyBuf::from_undirected(2, [(0, 1)]).unwrap();
        let one = TopologyBuf::edgeless(1);
        let sample = |topology, x, class: &[u32]| {
            Sample::new(topology, x, Target::Class(0)).unwrap().with_node_class(class.to_vec()).unwrap()
        };
        let rows = |from: usize, to: usize| x.slice(ndarray::s![from..to, ..]).to_owned();
        let samples = vec![sample(pair, rows(0, 2), &[0, 1]), sample(one, rows(2, 3), &[1])];
        InMemory::from_samples("CLASSED", samples, 1).unwrap()
    }

    #[test]
    fn rows_are_normalised_and_zeros_stay() {
        let set = classed(&ndarray::array![[1.0, -3.0], [0.0, 0.0], [2.0, 2.0]]);
        assert_eq!(rows(&set, r#"["row_normalised"]"#), [[0.25, -0.75], [0.0, 0.0]]);
        let auto = set.with_features(&FeatureRule::Auto).unwrap();
        let decided = FeatureRule::Parts(vec![FeaturePart::RowNormalised]);
        assert_eq!(crate::Dataset::info(&auto).feature_rule, decided);
        assert_eq!(crate::Dataset::sample(&auto, 1).x, ndarray::array![[0.5, 0.5]]);
    }

    #[test]
    fn the_identity_counts_inside_each_graph() {
        let set = classed(&Array2::ones((3, 1)));
        assert_eq!(rows(&set, r#"["attributes", "identity"]"#), [[1.0, 1.0, 0.0], [1.0, 0.0, 1.0]]);
        let set = set.with_features(&rule(r#"["identity"]"#)).unwrap();
        assert_eq!(crate::Dataset::sample(&set, 1).x, ndarray::array![[1.0, 0.0]]);
        let karate = crate::generate::karate_dataset().into_dataset(&FeatureRule::Auto).unwrap();
        assert_eq!(crate::Dataset::sample(&karate, 0).x, Array2::<f32>::eye(34));
    }

    #[test]
    fn auto_caps_the_degree() {
        let leaves = AUTO_CAP as u32 + 20;
        let edges =
            TopologyBuf::from_undirected(leaves as usize + 1, (1..=leaves).map(|leaf| (0, leaf))).unwrap();
        let x = Array2::zeros((leaves as usize + 1, 1));
        let sample = Sample::new(edges, x, Target::Class(0)).unwrap();
        let set = InMemory::from_samples("HUB", vec![sample], 1).unwrap();
        let row = rows(&set, r#""auto""#).swap_remove(0);
        assert_eq!((row.len(), row[AUTO_CAP]), (AUTO_CAP + 1, 1.0));
    }

    #[test]
    fn what_cannot_be_done_is_said() {
        let set = star(None);
        let refused = |json: &str| set.with_features(&rule(json)).unwrap_err().to_string();
        let start = "STAR: feature rule: ";
        assert_eq!(
            refused(r#"["label"]"#),
            format!(
                "{start}`label` needs node labels; `auto`, `degree` and `constant` do not, got a set without"
            )
        );
        assert_eq!(refused("[]"), format!("{start}must have at least one part, got an empty list"));
        assert_eq!(
            refused(r#"[{"constant": {"width": 0}}]"#),
            format!("{start}`width` of `constant` must be in 1..=65536, got 0")
        );
        assert_eq!(
            refused(r#"[{"degree": {"cap": 18446744073709551615}}]"#),
            format!("{start}`cap` of `degree` must be below 65536, got 18446744073709551615")
        );
        let bare = RawDataset::empty("BARE").into_dataset(&rule(r#"["attributes"]"#)).unwrap_err();
        assert_eq!(
            bare.to_string(),
            "BARE: feature rule: `attributes` and `row_normalised` need node attributes, got a set without"
        );
    }
}
