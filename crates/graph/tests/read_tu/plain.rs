//! The TU reader against the straightforward reading of the same bytes with the standard library.

use super::sets::{Files, write_folder};
use coarsen_graph::read::tu::read;
use coarsen_graph::{Dataset, Error, FeaturePart, FeatureRule, Target};
use proptest::prelude::*;
use proptest::sample::Index;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::str::FromStr;

/// What the files of a set say.
#[derive(Clone, Debug)]
struct Plain {
    classes: Vec<i64>,
    graph_of: Vec<usize>,
    edges: Vec<(usize, usize)>,
    edge_labels: Vec<i64>,
    node_labels: Vec<i64>,
    attributes: Vec<[f64; 2]>,
}

fn plain() -> impl Strategy<Value = Plain> {
    let sizes = proptest::collection::vec(0usize..6, 1..6);
    (sizes, proptest::collection::vec((any::<Index>(), any::<Index>(), -3i64..100), 0..40), any::<bool>())
        .prop_flat_map(|(sizes, edges, grouped)| {
            let (graphs, nodes) = (sizes.len(), sizes.iter().sum::<usize>());
            let label = prop_oneof![-2i64..5, any::<i64>()];
            let real = prop_oneof![any::<f32>().prop_map(f64::from), (-1e6..1e6), Just(-0.0)]
                .prop_filter("finite", |x| x.is_finite());
            (
                proptest::collection::vec(prop_oneof![-1i64..3, any::<i64>()], graphs),
                proptest::collection::vec(label, nodes),
                proptest::collection::vec([real.clone(), real], nodes),
                Just((sizes, edges, grouped)),
            )
        })
        .prop_map(|(classes, node_labels, attributes, (sizes, edges, grouped))| {
            let graph_of: Vec<usize> =
                sizes.iter().enumerate().flat_map(|(graph, &size)| vec![graph; size]).collect();
            let inside = |(a, b, label): (Index, Index, i64)| {
                let source = a.index(graph_of.len());
                let mates: Vec<usize> =
                    (0..graph_of.len()).filter(|&node| graph_of[node] == graph_of[source]).collect();
                ((source, mates[b.index(mates.len())]), label)
            };
            let mut edges: Vec<_> = edges.into_iter().filter(|_| !graph_of.is_empty()).map(inside).collect();
            if grouped {
                edges.sort_by_key(|&((source, _), _)| graph_of[source]);
            }
            let (edges, edge_labels) = edges.into_iter().unzip();
            Plain { classes, graph_of, edges, edge_labels, node_labels, attributes }
        })
}

/// Ways to write the same, taken by turns.
struct Style<'s>(std::iter::Cycle<std::slice::Iter<'s, u8>>);

impl Style<'_> {
    fn of<'a>(&mut self, ways: &[&'a str]) -> &'a str {
        ways[usize::from(*self.0.next().unwrap()) % ways.len()]
    }

    fn integer(&mut self, value: i64) -> String {
        if value < 0 { value.to_string() } else { format!("{}{value}", self.of(&["", "", "+", "00"])) }
    }

    fn real(&mut self, value: f64) -> String {
        match self.of(&["plain", "exponent", "digits"]) {
            "plain" => value.to_string(),
            "exponent" => format!("{value:e}"),
            _ => format!("{value:.6}"),
        }
    }

    fn file(&mut self, lines: impl IntoIterator<Item = Vec<String>>) -> Vec<u8> {
        let end = self.of(&["\n", "\n", "\r\n"]);
        let mut text = String::new();
        for fields in lines {
            text += self.of(&["", "", "", " ", "\t"]);
            text += &fields.join(self.of(&[",", ", ", ", ", " , ", ",   "]));
            text += self.of(&["", "", "", " "]);
            text += end;
        }
        match self.of(&["whole", "cut", "blank"]) {
            "cut" => text.truncate(text.trim_end().len()),
            "blank" => text += " \n\n",
            _ => {}
        }
        text.into_bytes()
    }
}

fn write(set: &Plain, styles: &[u8]) -> Files {
    let mut style = Style(styles.iter().cycle());
    let mut files = Files::new();
    let mut file = |part: &str, style: &mut Style, lines: Vec<Vec<String>>| {
        files.insert(format!("X_{part}.txt"), style.file(lines));
    };
    let column = |style: &mut Style, values: &[i64]| values.iter().map(|&v| vec![style.integer(v)]).collect();
    let id = |style: &mut Style, id: usize| style.integer(id as i64 + 1);
    let lines = column(&mut style, &set.classes);
    file("graph_labels", &mut style, lines);
    let lines = set.graph_of.iter().map(|&graph| vec![id(&mut style, graph)]).collect();
    file("graph_indicator", &mut style, lines);
    let lines = set.edges.iter().map(|&(s, t)| vec![id(&mut style, s), id(&mut style, t)]).collect();
    file("A", &mut style, lines);
    let lines = column(&mut style, &set.node_labels);
    file("node_labels", &mut style, lines);
    let lines = column(&mut style, &set.edge_labels);
    file("edge_labels", &mut style, lines);
    let lines = set.attributes.iter().map(|row| row.map(|value| style.real(value)).to_vec()).collect();
    file("node_attributes", &mut style, lines);
    files
}

/// A file by the standard library.
fn table<T: FromStr<Err: std::fmt::Debug>>(files: &Files, part: &str) -> Vec<Vec<T>> {
    let text = std::str::from_utf8(&files[&format!("X_{part}.txt")]).unwrap();
    let line = |line: &str| line.split(',').map(|field| field.trim().parse().unwrap()).collect();
    text.trim_end().lines().map(line).collect()
}

fn check(files: &Files) -> Result<(), TestCaseError> {
    let folder = tempfile::tempdir().unwrap();
    write_folder(folder.path(), files);
    let raw = read(folder.path(), None).unwrap();
    let parts = FeatureRule::Parts(vec![FeaturePart::Attributes]);
    let nodes = table::<usize>(files, "graph_indicator").concat();
    let (labels, attributes) = (table::<i64>(files, "node_labels"), table::<f64>(files, "node_attributes"));
    let label_values: Vec<Vec<i64>> = raw.node_label_values().map(<[i64]>::to_vec).collect();
    let class_values = raw.class_values().to_vec();
    let set = if nodes.is_empty() { None } else { Some(raw.clone().into_dataset(&parts).unwrap()) };

    // Of repeated edges the first line counts, and no self-loop does.
    let mut first = BTreeMap::new();
    let edge_labels = table::<i64>(files, "edge_labels").concat();
    for (edge, &label) in table::<usize>(files, "A").iter().zip(&edge_labels) {
        first.entry((edge[1] - 1, edge[0] - 1)).or_insert(label);
    }
    let loops = first.keys().filter(|(target, source)| target == source).count();
    prop_assert_eq!(raw.stats().self_loops, loops);
    first.retain(|(target, source), _| target != source);
    let distinct: BTreeSet<i64> = first.values().copied().collect();

    let classes = table::<i64>(files, "graph_labels").concat();
    prop_assert_eq!(raw.len(), classes.len());
    let mut begin = 0;
    for (graph, &class) in classes.iter().enumerate() {
        let end = begin + nodes.iter().filter(|&&g| g == graph + 1).count();
        let own: Vec<_> = first.range((begin, 0)..(end, 0)).collect();
        let want: Vec<_> = own.iter().map(|((t, s), _)| ((s - begin) as u32, (t - begin) as u32)).collect();
        prop_assert_eq!(raw.topology(graph).pairs().collect::<Vec<_>>(), want);
        prop_assert_eq!(raw.topology(graph).nodes(), end - begin);
        let Target::Class(code) = raw.target(graph) else { panic!("no class") };
        prop_assert_eq!(class_values[code as usize], class);
        if let Some(set) = &set {
            let sample = set.sample(graph);
            for node in begin..end {
                let want: Vec<u32> = attributes[node].iter().map(|&x| (x as f32).to_bits()).collect();
                let got: Vec<u32> = sample.x.row(node - begin).iter().map(|x| x.to_bits()).collect();
                prop_assert_eq!(got, want);
                let code = sample.node_label.unwrap()[node - begin] as usize;
                prop_assert_eq!(label_values[0][code], labels[node][0]);
            }
            for (entry, (_, label)) in own.iter().enumerate() {
                let want =
                    distinct.iter().map(|value| f32::from(u8::from(value == *label))).collect::<Vec<_>>();
                prop_assert_eq!(sample.edge_attr.unwrap().row(entry).to_vec(), want);
            }
        }
        begin = end;
    }
    Ok(())
}

/// The error of a set whose files are these.
fn refused(files: &Files) -> Error {
    let folder = tempfile::tempdir().unwrap();
    write_folder(folder.path(), files);
    read(folder.path(), None).unwrap_err()
}

/// One value per line.
fn column<T: Display>(values: impl IntoIterator<Item = T>) -> String {
    values.into_iter().map(|value| value.to_string() + "\n").collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn however_it_is_written(set in plain(), styles in proptest::collection::vec(any::<u8>(), 1..20)) {
        check(&write(&set, &styles))?;
    }

    /// One line is replaced by what no rule allows: it is that line which the error names, whatever follows.
    #[test]
    fn errors_stand_where_they_are(
        set in plain(),
        styles in proptest::collection::vec(any::<u8>(), 1..20),
        part in prop::sample::select(vec!["A", "graph_indicator", "graph_labels", "node_labels", "node_attributes", "edge_labels"]),
        garbage in prop::sample::select(vec!["x", "1;2", "--1", "1 2", "1,,2", "0x1", "1,", "99999999999999999999, 1e400", "é"]),
        at in any::<Index>(),
    ) {
        let mut files = write(&set, &styles);
        let file = files.get_mut(&format!("X_{part}.txt")).unwrap();
        let text = String::from_utf8(file.clone()).unwrap();
        let mut lines: Vec<&str> = text.trim_end().lines().collect();
        let at = at.index(lines.len() + 1);
        lines.insert(at, garbage);
        *file = lines.join("\n").into_bytes();
        match refused(&files) {
            Error::Line { file, line, got, .. } => {
                prop_assert!(file.ends_with(&format!("X_{part}.txt")), "{file}");
                prop_assert_eq!((line as usize, got.as_str()), (at + 1, garbage));
            }
            other => prop_assert!(false, "{other}"),
        }
    }
}

/// A set whose files are several blocks long: a path per graph, edges by graph or from last to first.
#[test]
fn long_files() {
    let (graphs, size) = (3000, 40);
    let mut files = Files::new();
    let mut file = |part: &str, text: String| files.insert(format!("X_{part}.txt"), text.into_bytes());
    file("graph_labels", column((0..graphs).map(|graph| graph % 3)));
    file("graph_indicator", column((0..graphs * size).map(|node| node / size + 1)));
    file("node_labels", column((0..graphs * size).map(|node| node % 7)));
    file("node_attributes", column((0..graphs * size).map(|node| format!("{}.5, -{node}e-3", node % 100))));
    let nodes = (1..=graphs * size).filter(|node| node % size != 0);
    let mut edges: Vec<String> = nodes.map(|node| format!("{node}, {}", node + 1)).collect();
    file("edge_labels", column((0..edges.len()).map(|edge| edge % 5)));
    file("A", column(&edges));
    check(&files).unwrap();
    edges.reverse();
    files.insert("X_A.txt".to_owned(), column(&edges).into_bytes());
    check(&files).unwrap();

    edges[100_000] = "1, 41".to_owned();
    files.insert("X_A.txt".to_owned(), column(&edges).into_bytes());
    let message = refused(&files).to_string();
    let want =
        "X_A.txt, line 100001: an edge must stay inside a graph (these nodes are in 1 and 2), got `1, 41`";
    assert!(message.ends_with(want), "{message}");
}
