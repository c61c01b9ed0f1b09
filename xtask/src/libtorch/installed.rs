//! A LibTorch on this machine: where it is, which version, which flavour, whether its libraries resolve.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, bail};

use super::{Flavour, VERSION};
use crate::workspace;

/// A folder with `lib` and `include`, as the `LIBTORCH` variable names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Installed {
    pub(crate) folder: PathBuf,
    /// Without its local part: `2.11.0`, not `2.11.0+cu130`.
    pub(crate) version: String,
    pub(crate) flavour: Flavour,
}

/// Where builds will look for LibTorch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// `target/libtorch/torch`, which this program fills.
    Managed(PathBuf),
    /// The user's own `LIBTORCH`.
    Own(PathBuf),
}

impl Place {
    /// Reads `LIBTORCH`; Cargo sets it to the managed folder unless the user has set it.
    pub(crate) fn current() -> Self {
        let managed = managed();
        match env::var_os("LIBTORCH").map(PathBuf::from) {
            Some(own) if !own.as_os_str().is_empty() && own != managed => Self::Own(own),
            _ => Self::Managed(managed),
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        match self {
            Self::Managed(folder) | Self::Own(folder) => folder,
        }
    }
}

fn managed() -> PathBuf {
    workspace::root().join("target").join("libtorch").join("torch")
}

impl Installed {
    /// The LibTorch in `folder`, if there is one whose version can be told.
    pub(crate) fn at(folder: &Path) -> Option<Self> {
        let lib = folder.join("lib");
        if !lib.join("libtorch_cpu.so").is_file() {
            return None;
        }
        let flavour = if lib.join("libtorch_cuda.so").is_file() { Flavour::Cuda } else { Flavour::Cpu };
        Some(Self { folder: folder.to_path_buf(), version: version_of(folder)?, flavour })
    }

    /// # Errors
    /// Unless this is the version that `tch` wants.
    pub(crate) fn check_version(&self) -> Result<()> {
        if self.version == VERSION {
            return Ok(());
        }
        bail!(
            "{} holds LibTorch {}, and the pinned `tch` wants {VERSION}. `cargo xtask libtorch` without --from \
             downloads that version",
            self.folder.display(),
            self.version
        )
    }
}

/// The version that a LibTorch, an unpacked archive or an installed `torch` package states.
pub(super) fn version_of(folder: &Path) -> Option<String> {
    let read = |path: &str| fs::read_to_string(folder.join(path)).ok();
    let header = "include/torch/headeronly/version.h";
    let stated = read("build-version")
        .and_then(|text| text.lines().next().map(str::to_owned))
        .or_else(|| read("version.py").and_then(|text| from_python(&text)))
        .or_else(|| read(header).and_then(|text| from_header(&text)))
        .or_else(|| {
            read("include/torch/csrc/api/include/torch/version.h").and_then(|text| from_header(&text))
        })?;
    Some(public_part(&stated).to_owned())
}

/// `2.11.0` of `2.11.0+cu130`.
pub(super) fn public_part(version: &str) -> &str {
    version.trim().split('+').next().unwrap_or_default()
}

/// The version in a `torch/version.py`: `__version__ = '2.11.0+cu130'`.
pub(super) fn from_python(text: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with("__version__"))?;
    line.split(['\'', '"']).nth(1).map(str::to_owned)
}

fn from_header(text: &str) -> Option<String> {
    let part = |name: &str| {
        let rest =
            text.lines().find_map(|line| line.strip_prefix("#define TORCH_VERSION_")?.strip_prefix(name))?;
        Some(rest.trim().to_owned())
    };
    Some(format!("{}.{}.{}", part("MAJOR")?, part("MINOR")?, part("PATCH")?))
}

/// The libraries that the loader does not find for `libtorch_cpu.so` and, where it is, `libtorch_cuda.so`.
///
/// Empty if `ldd` is not there to ask. `libcuda.so.1` belongs to the driver of a machine with a device: not counted.
pub(crate) fn unresolved(folder: &Path) -> Vec<String> {
    let mut missing = Vec::new();
    for library in ["libtorch_cpu.so", "libtorch_cuda.so"].map(|name| folder.join("lib").join(name)) {
        if !library.is_file() {
            continue;
        }
        let Ok(output) = Command::new("ldd").arg(&library).env_remove("LD_LIBRARY_PATH").output() else {
            continue;
        };
        missing.extend(not_found(&String::from_utf8_lossy(&output.stdout)));
    }
    missing.sort();
    missing.dedup();
    missing
}

fn not_found(ldd: &str) -> Vec<String> {
    let missing = ldd.lines().filter(|line| line.ends_with("not found"));
    let names = missing.filter_map(|line| line.split_whitespace().next());
    names.filter(|&name| name != "libcuda.so.1").map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Flavour, Installed, from_header, from_python, not_found, public_part};

    #[test]
    fn versions_are_read_from_each_place() {
        assert_eq!(public_part("2.11.0+cu130\n"), "2.11.0");
        let python =
            "from typing import Optional\n\n__all__ = ['__version__']\n__version__ = '2.11.0+cu130'\n";
        assert_eq!(from_python(python).as_deref(), Some("2.11.0+cu130"));
        let header =
            "#define TORCH_VERSION_MAJOR 2\n#define TORCH_VERSION_MINOR 11\n#define TORCH_VERSION_PATCH 0\n";
        assert_eq!(from_header(header).as_deref(), Some("2.11.0"));
        assert_eq!(from_header("#define TORCH_VERSION_MAJOR 2\n"), None);
    }

    #[test]
    fn a_folder_is_a_libtorch_only_with_its_library() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("lib")).unwrap();
        fs::write(folder.path().join("build-version"), "2.10.0+cpu\n").unwrap();
        assert_eq!(Installed::at(folder.path()), None);
        fs::write(folder.path().join("lib/libtorch_cpu.so"), "").unwrap();
        let cpu = Installed::at(folder.path()).unwrap();
        assert_eq!((cpu.flavour, cpu.version.as_str()), (Flavour::Cpu, "2.10.0"));
        let message = cpu.check_version().unwrap_err().to_string();
        assert!(message.contains("2.10.0") && message.contains("wants 2.11.0"), "{message}");
        fs::write(folder.path().join("lib/libtorch_cuda.so"), "").unwrap();
        assert_eq!(Installed::at(folder.path()).unwrap().flavour, Flavour::Cuda);
    }

    #[test]
    fn missing_libraries_are_named_and_the_driver_is_not_one() {
        let ldd = "\tlibc10.so => /x/libc10.so (0x1)\n\tlibcudart.so.13 => not found\n\tlibcuda.so.1 => not found\n";
        assert_eq!(not_found(ldd), ["libcudart.so.13"]);
    }
}
