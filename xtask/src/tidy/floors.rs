//! Each crate may import only crates on floors below its own (docs/ARCHITECTURE.md, "Floors").

use crate::workspace::{Metadata, Package};

/// The floor of every package, from the ground up.
const FLOORS: &[(&str, u8)] = &[
    ("coarsen-eval", 0),
    ("coarsen-fixture", 0),
    ("coarsen-graph", 0),
    ("coarsen-sparse", 0),
    ("coarsen-kernel", 1),
    ("xtask", 1),
    ("coarsen-tensor", 2),
    ("coarsen-nn", 3),
    ("coarsen-pool", 4),
    ("coarsen-model", 5),
    ("coarsen-laws", 6),
    ("coarsen-train", 7),
    ("coarsen", 8),
    ("coarsen-repro", 8),
    ("coarsen-benches", 9),
];

/// The first floor that links LibTorch.
const LIBTORCH: u8 = 2;

/// The binding of LibTorch.
const BINDING: [&str; 2] = ["tch", "torch-sys"];

/// Reads recorded tensors, for tests alone.
const FOR_TESTS: &str = "coarsen-fixture";

fn floor(package: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == package).map(|(_, floor)| *floor)
}

/// The members that build and test where LibTorch is not.
pub(crate) fn without_libtorch(metadata: &Metadata) -> Vec<&str> {
    let names = metadata.packages.iter().map(|package| package.name.as_str());
    names.filter(|name| floor(name).is_some_and(|floor| floor < LIBTORCH)).collect()
}

/// What imports upwards, sideways, or LibTorch from below.
pub(super) fn check(metadata: &Metadata) -> Vec<String> {
    metadata.packages.iter().flat_map(check_package).collect()
}

fn check_package(package: &Package) -> Vec<String> {
    let Some(own) = floor(&package.name) else {
        return vec![format!("`{}` has no floor: give it one in xtask/src/tidy/floors.rs", package.name)];
    };
    let mut complaints = Vec::new();
    for dependency in package.dependencies.iter().filter(|dependency| dependency.name != package.name) {
        let kind =
            dependency.kind.as_deref().map_or(String::new(), |kind| format!(" as a {kind}-dependency"));
        if own < LIBTORCH && BINDING.contains(&dependency.name.as_str()) {
            complaints.push(format!(
                "`{}` (floor {own}) imports `{}`{kind}: floors below {LIBTORCH} do not link LibTorch",
                package.name, dependency.name
            ));
        }
        if dependency.name == FOR_TESTS {
            if dependency.kind.as_deref() != Some("dev") {
                complaints
                    .push(format!("`{}` imports `{FOR_TESTS}`{kind}: it is for tests alone", package.name));
            }
            continue;
        }
        let Some(theirs) = floor(&dependency.name).filter(|&theirs| theirs >= own) else { continue };
        complaints.push(format!(
            "`{}` (floor {own}) imports `{}` (floor {theirs}){kind}",
            package.name, dependency.name
        ));
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::{Metadata, check, without_libtorch};

    /// A name, and the names and kinds of its dependencies.
    type Entry<'a> = (&'a str, &'a [(&'a str, Option<&'a str>)]);

    fn metadata(packages: &[Entry<'_>]) -> Metadata {
        let packages: Vec<_> = packages
            .iter()
            .map(|(name, dependencies)| {
                let dependencies: Vec<_> =
                    dependencies.iter().map(|(name, kind)| serde_json::json!({"name": name, "kind": kind})).collect();
                serde_json::json!({"name": name, "manifest_path": "/x/Cargo.toml", "dependencies": dependencies})
            })
            .collect();
        serde_json::from_value(serde_json::json!({"target_directory": "/t", "packages": packages})).unwrap()
    }

    #[test]
    fn imports_downwards_are_in_order() {
        let house = metadata(&[
            (
                "coarsen-pool",
                &[("coarsen-nn", None), ("tch", None), ("serde", None), ("coarsen-fixture", Some("dev"))],
            ),
            ("coarsen-graph", &[("coarsen-graph", Some("dev")), ("petgraph", None)]),
            ("coarsen-benches", &[("coarsen-pool", None)]),
        ]);
        assert_eq!(check(&house), Vec::<String>::new());
    }

    #[test]
    fn imports_upwards_are_named_with_both_floors() {
        let house = metadata(&[("coarsen-pool", &[("coarsen-train", None)])]);
        assert_eq!(check(&house), ["`coarsen-pool` (floor 4) imports `coarsen-train` (floor 7)"]);
    }

    #[test]
    fn dev_and_build_dependencies_obey_too() {
        let house =
            metadata(&[("coarsen-nn", &[("coarsen-laws", Some("dev")), ("coarsen-model", Some("build"))])]);
        assert_eq!(
            check(&house),
            [
                "`coarsen-nn` (floor 3) imports `coarsen-laws` (floor 6) as a dev-dependency",
                "`coarsen-nn` (floor 3) imports `coarsen-model` (floor 5) as a build-dependency"
            ]
        );
    }

    #[test]
    fn neighbours_on_one_floor_do_not_import_each_other() {
        let house = metadata(&[("coarsen-graph", &[("coarsen-sparse", None)])]);
        assert_eq!(check(&house), ["`coarsen-graph` (floor 0) imports `coarsen-sparse` (floor 0)"]);
    }

    #[test]
    fn libtorch_and_fixtures_stay_where_they_belong() {
        let house = metadata(&[
            ("coarsen-eval", &[("tch", None)]),
            ("coarsen-nn", &[("coarsen-fixture", None)]),
            ("coarsen-new", &[]),
        ]);
        assert_eq!(
            check(&house),
            [
                "`coarsen-eval` (floor 0) imports `tch`: floors below 2 do not link LibTorch",
                "`coarsen-nn` imports `coarsen-fixture`: it is for tests alone",
                "`coarsen-new` has no floor: give it one in xtask/src/tidy/floors.rs"
            ]
        );
    }

    #[test]
    fn the_lower_half_is_known() {
        let house =
            metadata(&[("coarsen-graph", &[]), ("coarsen-tensor", &[]), ("xtask", &[]), ("coarsen", &[])]);
        assert_eq!(without_libtorch(&house), ["coarsen-graph", "xtask"]);
    }
}
