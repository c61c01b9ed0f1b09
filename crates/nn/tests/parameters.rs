//! The names and shapes in `docs/PARAMETERS.md` are those of the layers, and no layer is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use coarsen_nn::{CONVS, Dims, Params, READOUTS, conv, readout};
use serde_json::Value;
use tch::{Device, nn::VarStore};

const IN: i64 = 5;
const OUT: i64 = 6;

/// Names and shapes of parameters.
type Shapes = BTreeMap<String, Vec<i64>>;

/// A heading: the configurations it names, and the parameters its table gives each of them.
struct Section {
    configs: Vec<Value>,
    parameters: Shapes,
}

/// What stands between backticks.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// `2*out` or `out/2` as a number.
fn extent(text: &str) -> i64 {
    let number = |text: &str| match text.trim() {
        "in" => IN,
        "out" => OUT,
        other => other.parse().unwrap_or_else(|_| panic!("`{other}` is neither `in`, `out` nor a number")),
    };
    if let Some((a, b)) = text.split_once('*') {
        number(a) * number(b)
    } else if let Some((a, b)) = text.split_once('/') {
        number(a) / number(b)
    } else {
        number(text)
    }
}

fn shape(text: &str) -> Vec<i64> {
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    inner.unwrap_or_else(|| panic!("`{text}` is no shape")).split(',').map(extent).collect()
}

fn documented() -> Vec<Section> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/PARAMETERS.md");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut sections: Vec<Section> = Vec::new();
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("### ") {
            let parse = |text| serde_json::from_str(text).unwrap_or_else(|e| panic!("{heading}: {e}"));
            let configs = code(heading).filter(|text| text.starts_with('{')).map(parse).collect();
            sections.push(Section { configs, parameters: Shapes::new() });
        } else if line.starts_with("| `") {
            let [name, extents] = code(line).take(2).collect::<Vec<_>>()[..] else { panic!("{line}") };
            let section = sections.last_mut().unwrap_or_else(|| panic!("before any heading: {line}"));
            let twice = section.parameters.insert(name.to_owned(), shape(extents));
            assert!(twice.is_none(), "`{name}` stands twice in one table");
        }
    }
    sections
}

fn made(config: &Value) -> Shapes {
    let store = VarStore::new(Device::Cpu);
    let (params, dims) = (Params::new(&store.root(), 0), Dims::new(IN, OUT));
    if CONVS.iter().any(|spec| config["kind"] == spec.name) {
        conv(config, &params, &dims).map(drop)
    } else {
        readout(config, &params, &dims).map(drop)
    }
    .unwrap_or_else(|error| panic!("{config}: {error}"));
    store.variables().into_iter().map(|(name, values)| (name, values.size())).collect()
}

#[test]
fn tables_have_the_names_and_shapes_of_the_layers() {
    for Section { configs, parameters } in documented() {
        assert!(!configs.is_empty(), "a heading without a configuration, with {parameters:?}");
        for config in configs {
            assert_eq!(parameters, made(&config), "documented, and made by {config}");
        }
    }
}

#[test]
fn every_row_of_the_registries_is_documented() {
    let sections = documented();
    let kinds = sections.iter().flat_map(|section| &section.configs);
    let kinds: BTreeSet<&str> = kinds.filter_map(|config| config["kind"].as_str()).collect();
    let rows = CONVS.iter().map(|spec| spec.name).chain(READOUTS.iter().map(|spec| spec.name));
    let missing: Vec<&str> = rows.filter(|name| !kinds.contains(name)).collect();
    assert!(missing.is_empty(), "no heading in docs/PARAMETERS.md names {missing:?}");
}
