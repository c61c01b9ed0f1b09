//! Feature rules: how the input features of nodes are to be made.

use crate::raw::RawDataset;
use serde::de::{self, SeqAccess, Visitor, value::SeqAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// The largest degree that `auto` gives a slot of its own.
pub(super) const AUTO_CAP: usize = 500;

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
    /// One-hot node labels if the set has them. Else, where nodes have classes: their attributes row-normalised, or the
    /// identity if they have none. Else one-hot degrees with the largest degree of the set as cap, at most 500.
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
    /// The real attributes, each row divided by the sum of its absolute values; a row of zeros stays one.
    RowNormalised,
    /// One-hot numbers of the nodes inside their graph; as wide as the largest graph has nodes.
    Identity,
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
            Self::Auto if raw.node_class.is_some() && raw.node_attributes.width > 0 => {
                vec![FeaturePart::RowNormalised]
            }
            Self::Auto if raw.node_class.is_some() => vec![FeaturePart::Identity],
            Self::Auto => {
                let largest = raw.row_ptr.windows(2).map(|row| row[1] - row[0]).max().unwrap_or(0);
                vec![FeaturePart::Degree { cap: largest.min(AUTO_CAP) }]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(json: &str) -> FeatureRule {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn rules_round_trip_and_typing_errors_are_refused() {
        for json in [
            r#""auto""#,
            r#"["label","attributes","row_normalised","identity",{"degree":{"cap":100}},{"constant":{"width":10}}]"#,
        ] {
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
