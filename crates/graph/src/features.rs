//! Feature rules: how the input features of nodes are made from what a data set offers.

use crate::raw::{Labels, RawDataset, Table};
use crate::{Error, InMemory};
use ndarray::Array2;
use serde::de::{self, SeqAccess, Visitor, value::SeqAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// The largest degree that `auto` gives a slot of its own.
const AUTO_CAP: usize = 500;
/// The largest width that a part may ask for.
const MAX_WIDTH: usize = 1 << 16;
/// The largest feature matrix that is tried, in numbers (32 GiB).
const MAX_NUMBERS: usize = 1 << 33;

/// How node features are made. In JSON: `"auto"`, or a list of parts such as
/// `["label", "attributes", {"degree": {"cap": 100}}, {"constant": {"width": 10}}]`, concatenated in order.
///
/// # Examples
/// ```
/// use coarsen_graph::{FeaturePart, FeatureRule};
///
/// let rule: FeatureRule = serde_json::from_str(r#"["label", {"degree": {"cap": 64}}]"#)?;
/// assert_eq!(rule, FeatureRule::Parts(vec![FeaturePart::Label, FeaturePart::Degree { cap: 64 }]));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum FeatureRule {
    /// One-hot node labels if the set has them; else one-hot degrees with the largest degree of the set as cap, at
    /// most 500.
    #[default]
    Auto,
    /// These parts, side by side.
    Parts(Vec<FeaturePart>),
}

/// One part of a [`FeatureRule`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum FeaturePart {
    /// One-hot node labels; with several columns of labels, one after the other.
    Label,
    /// The real attributes as they are.
    Attributes,
    /// One-hot in-degrees `0..=cap`; larger degrees share the last slot. Width `cap + 1`.
    Degree {
        /// The degree of the last slot.
        cap: usize,
    },
    /// Ones.
    Constant {
        /// How many.
        width: usize,
    },
}

impl Serialize for FeatureRule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => serializer.serialize_str("auto"),
            Self::Parts(parts) => parts.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for FeatureRule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Rule;
        impl<'de> Visitor<'de> for Rule {
            type Value = FeatureRule;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(r#""auto" or a list of feature parts"#)
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<FeatureRule, E> {
                if text == "auto" {
                    return Ok(FeatureRule::Auto);
                }
                Err(E::invalid_value(de::Unexpected::Str(text), &self))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, parts: A) -> Result<FeatureRule, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(parts)).map(FeatureRule::Parts)
            }
        }
        deserializer.deserialize_any(Rule)
    }
}

impl FeatureRule {
    /// The parts that the rule stands for on a data set: what `auto` decides.
    pub(crate) fn resolve(&self, raw: &RawDataset) -> Vec<FeaturePart> {
        match self {
            Self::Parts(parts) => parts.clone(),
            Self::Auto if !raw.node_labels.is_empty() => vec![FeaturePart::Label],
            Self::Auto => {
                let largest = raw.row_ptr.windows(2).map(|row| row[1] - row[0]).max().unwrap_or(0);
                vec![FeaturePart::Degree { cap: largest.min(AUTO_CAP) }]
            }
        }
    }
}

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
        FeaturePart::Attributes if raw.node_attributes.width == 0 => {
            fail("`attributes` needs node attributes", "a set without".to_owned())
        }
        FeaturePart::Attributes => Ok(raw.node_attributes.width),
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
            "BARE: feature rule: `attributes` needs node attributes, got a set without"
        );
    }

    #[test]
    fn rules_round_trip_and_typing_errors_are_refused() {
        for json in
            [r#""auto""#, r#"["label","attributes",{"degree":{"cap":100}},{"constant":{"width":10}}]"#]
        {
            assert_eq!(serde_json::to_string(&rule(json)).unwrap(), json);
        }
        let refused = |json: &str| serde_json::from_str::<FeatureRule>(json).unwrap_err().to_string();
        assert!(refused(r#""labels""#).contains(r#"expected "auto" or a list of feature parts"#));
        assert!(
            refused(r#"["labels"]"#)
                .contains("unknown variant `labels`, expected one of `label`, `attributes`")
        );
        assert!(refused(r#"[{"degree": {"cap": 3, "max": 4}}]"#).contains("unknown field `max`"));
        assert!(refused(r#"[{"degree": {}}]"#).contains("missing field `cap`"));
        assert!(refused("3").contains("expected \"auto\" or a list"));
    }
}
