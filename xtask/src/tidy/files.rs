//! Rust files begin with module docs and stay short; no file names a private machine or a package registry.

use std::{
    fs,
    path::{Path, PathBuf},
};

const MOST_LINES: usize = 500;
const LINES_WITHOUT_REASON: usize = 350;
/// The word after which a long file's module docs give the reason.
const REASON: &str = "Length:";

/// Put together here, so that this file does not hold what it looks for.
const FOLDERS: [&str; 4] =
    [concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/wo", "rk/"), concat!("/Us", "ers/")];
const HOSTS: [&str; 4] = [
    concat!("crates", ".io"),
    concat!("pypi", ".org"),
    concat!("python", "hosted.org"),
    concat!("download.", "pytorch.org"),
];

/// Cargo writes this one, and names its registry in it.
const WRITTEN_BY_CARGO: &str = "Cargo.lock";

/// What is wrong in the files at these paths, relative to the root.
pub(super) fn check(root: &Path, tracked: &[PathBuf]) -> Vec<String> {
    let mut complaints = Vec::new();
    for path in tracked {
        // Tensors, archives and pictures are not text.
        let Ok(text) = fs::read_to_string(root.join(path)) else { continue };
        let shown = path.display().to_string();
        let ours = ["crates", "xtask", "benches"].iter().any(|folder| path.starts_with(folder));
        if ours && path.extension().is_some_and(|extension| extension == "rs") {
            complaints.extend(source(&shown, &text));
        }
        if shown != WRITTEN_BY_CARGO {
            complaints.extend(words(&shown, &text));
        }
    }
    complaints
}

fn source(shown: &str, text: &str) -> Option<String> {
    let docs: Vec<_> = text.lines().take_while(|line| line.starts_with("//!")).collect();
    let lines = text.lines().count();
    if docs.is_empty() {
        Some(format!("{shown}: does not begin with module docs (`//! …`)"))
    } else if lines > MOST_LINES {
        Some(format!("{shown}: {lines} lines, and {MOST_LINES} is the most"))
    } else if lines > LINES_WITHOUT_REASON && !docs.iter().any(|line| line.contains(REASON)) {
        let rule =
            format!("past {LINES_WITHOUT_REASON} the module docs give a reason after the word `{REASON}`");
        Some(format!("{shown}: {lines} lines; {rule}"))
    } else {
        None
    }
}

fn words(shown: &str, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for (i, line) in text.lines().enumerate() {
        if let Some(folder) = FOLDERS.iter().find(|folder| names_folder(line, folder)) {
            complaints.push(format!("{shown}:{}: a path of a private machine (`{folder}…`)", i + 1));
        }
        if let Some(host) = HOSTS.iter().find(|host| line.contains(*host)) {
            complaints.push(format!("{shown}:{}: a package registry is named (`{host}`)", i + 1));
        }
    }
    complaints
}

/// Whether an absolute path in `folder` stands in the line: `a/home/b` is not one.
fn names_folder(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|before| !before.is_alphanumeric() && !"._-/~}*)".contains(before))
    })
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use super::{FOLDERS, HOSTS, check, source, words};

    #[test]
    fn a_short_file_with_docs_is_in_order() {
        assert_eq!(source("a.rs", "//! What it is.\n\nfn f() {}\n"), None);
    }

    #[test]
    fn a_file_without_docs_is_named() {
        assert!(
            source("a.rs", "use std::fs;\n//! late\n").unwrap().contains("does not begin with module docs")
        );
        assert!(source("a.rs", "").is_some());
    }

    #[test]
    fn length_needs_a_reason_and_has_an_end() {
        let file = |docs: &str, lines: usize| format!("{docs}\n{}", "x\n".repeat(lines - 1));
        assert_eq!(source("a.rs", &file("//! Docs.", 350)), None);
        assert!(source("a.rs", &file("//! Docs.", 351)).unwrap().contains("351 lines"));
        assert_eq!(source("a.rs", &file("//! Docs. Length: one table.", 500)), None);
        assert!(
            source("a.rs", &file("//! Docs. Length: one table.", 501)).unwrap().contains("500 is the most")
        );
    }

    #[test]
    fn private_paths_and_registries_are_named_with_their_line() {
        for folder in FOLDERS {
            assert_eq!(words("a.md", &format!("one\nsee {folder}x")).len(), 1, "{folder}");
            assert!(words("a.md", &format!("`{folder}x`"))[0].starts_with("a.md:1: a path"), "{folder}");
            assert_eq!(words("a.md", &format!("data{folder}x")), Vec::<String>::new(), "a relative path");
        }
        for host in HOSTS {
            assert!(
                words("a.md", &format!("a\nb https://{host}/x"))[0].starts_with("a.md:2: a package registry"),
                "{host}"
            );
        }
    }

    #[test]
    fn only_our_sources_are_asked_for_docs_and_binary_files_are_passed_over() {
        let root = tempfile::tempdir().unwrap();
        for folder in ["crates/a/src", "docs"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        let files = ["crates/a/src/lib.rs", "docs/example.rs", "docs/tensor.bin", "Cargo.lock"];
        fs::write(root.path().join(files[0]), "fn f() {}").unwrap();
        fs::write(root.path().join(files[1]), "fn f() {}").unwrap();
        fs::write(root.path().join(files[2]), [0xff, 0xfe, 0x00]).unwrap();
        fs::write(root.path().join(files[3]), HOSTS[0]).unwrap();
        let complaints = check(root.path(), &files.map(PathBuf::from));
        assert_eq!(complaints, ["crates/a/src/lib.rs: does not begin with module docs (`//! …`)"]);
    }
}
