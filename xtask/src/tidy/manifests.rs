//! Every member inherits what belongs to the workspace, and every crate introduces itself.

use std::{fs, path::Path};

use crate::workspace::{Metadata, Package};

/// What a manifest takes from `[workspace.package]`.
const INHERITED: [&str; 4] = ["version", "edition", "rust-version", "license"];

/// Members that do not inherit, and crates without a README.
pub(super) fn check(metadata: &Metadata, root: &Path) -> Vec<String> {
    metadata.packages.iter().flat_map(|package| check_package(package, root)).collect()
}

fn check_package(package: &Package, root: &Path) -> Vec<String> {
    let path = &package.manifest_path;
    let shown = path.strip_prefix(root).unwrap_or(path).display().to_string();
    let Ok(manifest) = fs::read_to_string(path) else { return vec![format!("{shown}: cannot be read")] };
    let mut complaints: Vec<_> =
        not_inherited(&manifest).into_iter().map(|what| format!("{shown}: `{what}` is missing")).collect();
    let readme = path.with_file_name("README.md");
    let title = format!("# {}", package.name);
    let first = fs::read_to_string(readme).map(|text| text.lines().next().unwrap_or_default().to_owned());
    match first {
        Ok(first) if first == title => {}
        Ok(first) => complaints.push(format!("{shown}: README.md begins with `{first}`, not `{title}`")),
        // Benches are no crate that anyone depends on.
        Err(_) if package.name == "coarsen-benches" => {}
        Err(_) => complaints.push(format!("{shown}: no README.md beside it")),
    }
    complaints
}

/// The lines that a member's manifest lacks.
fn not_inherited(manifest: &str) -> Vec<String> {
    let lines: Vec<_> = manifest.lines().map(str::trim).collect();
    let package = INHERITED.iter().map(|key| format!("{key}.workspace = true"));
    let mut missing: Vec<_> = package.filter(|line| !lines.contains(&line.as_str())).collect();
    let lints = lines.iter().position(|line| *line == "[lints]");
    if lints.is_none_or(|at| lines.get(at + 1) != Some(&"workspace = true")) {
        missing.push("[lints] workspace = true".to_owned());
    }
    missing
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{check, not_inherited};

    const GOOD: &str = "[package]\nname = \"coarsen-x\"\nversion.workspace = true\nedition.workspace = true\n\
                        rust-version.workspace = true\nlicense.workspace = true\n\n[lints]\nworkspace = true\n";

    #[test]
    fn an_inheriting_manifest_is_in_order() {
        assert_eq!(not_inherited(GOOD), Vec::<String>::new());
    }

    #[test]
    fn what_is_written_out_is_named() {
        let bad = GOOD
            .replace("version.workspace = true\nedition", "version = \"0.3.0\"\nedition")
            .replace("[lints]\nworkspace = true\n", "");
        assert_eq!(not_inherited(&bad), ["version.workspace = true", "[lints] workspace = true"]);
    }

    #[test]
    fn a_crate_without_a_readme_is_named() {
        let root = tempfile::tempdir().unwrap();
        let manifest = root.path().join("Cargo.toml");
        fs::write(&manifest, GOOD).unwrap();
        let metadata = serde_json::from_value(serde_json::json!({"target_directory": "/t", "packages": [
            {"name": "coarsen-x", "manifest_path": manifest, "dependencies": []}]}))
        .unwrap();
        assert_eq!(check(&metadata, root.path()), ["Cargo.toml: no README.md beside it"]);
        fs::write(root.path().join("README.md"), "# coarsen-y\n").unwrap();
        assert_eq!(
            check(&metadata, root.path()),
            ["Cargo.toml: README.md begins with `# coarsen-y`, not `# coarsen-x`"]
        );
        fs::write(root.path().join("README.md"), "# coarsen-x\n\nWhat it is.\n").unwrap();
        assert_eq!(check(&metadata, root.path()), Vec::<String>::new());
    }
}
