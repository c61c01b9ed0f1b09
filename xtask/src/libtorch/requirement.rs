//! The pinned wheels: requirement files with one `name==version --hash=sha256:…` a line.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use sha2::{Digest as _, Sha256};

use super::Flavour;

/// One pinned wheel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Requirement {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) sha256: String,
}

/// A requirement file: its text, which is also the stamp of an installation, and its lines.
#[derive(Debug)]
pub(super) struct Requirements {
    pub(super) text: String,
    pub(super) wheels: Vec<Requirement>,
}

impl Requirements {
    /// The pinned wheels of a flavour, built into this program.
    pub(super) fn of(flavour: Flavour) -> Result<Self> {
        let text = match flavour {
            Flavour::Cpu => include_str!("../../libtorch/cpu.txt"),
            Flavour::Cuda => include_str!("../../libtorch/cuda.txt"),
        };
        Self::parse(text).with_context(|| format!("xtask/libtorch/{flavour}.txt"))
    }

    /// Parses a requirement file; blank lines and `#` comments are passed over.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let lines =
            text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
        let wheels =
            lines.map(|(i, line)| Requirement::parse(line).with_context(|| format!("line {}", i + 1)));
        Ok(Self { text: text.to_owned(), wheels: wheels.collect::<Result<_>>()? })
    }
}

impl Requirement {
    fn parse(line: &str) -> Result<Self> {
        let parsed = line.split_whitespace().collect::<Vec<_>>();
        let [pin, hash] = parsed[..] else {
            bail!("expected `name==version --hash=sha256:…`, got `{line}`")
        };
        let (name, version) = pin.split_once("==").with_context(|| format!("no `==` in `{pin}`"))?;
        let sha256 = hash.strip_prefix("--hash=sha256:").with_context(|| format!("no sha256 in `{hash}`"))?;
        if sha256.len() != 64 || !sha256.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            bail!("`{sha256}` is not a sha256 of 64 hexadecimal digits");
        }
        Ok(Self { name: name.into(), version: version.into(), sha256: sha256.to_ascii_lowercase() })
    }

    /// The line that pip reads.
    pub(super) fn line(&self) -> String {
        format!("{}=={} --hash=sha256:{}\n", self.name, self.version, self.sha256)
    }

    /// Whether a file of this name is a wheel of this distribution and version, local versions (`+cpu`) included.
    pub(super) fn matches(&self, file_name: &str) -> bool {
        let mut parts = file_name.strip_suffix(".whl").unwrap_or_default().split('-');
        let (name, version) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let public = version.split('+').next().unwrap_or_default();
        name.eq_ignore_ascii_case(&self.name.replace('-', "_")) && public == self.version
    }

    /// A wheel of this distribution and version in `folder`, whatever its content.
    pub(super) fn find(&self, folder: &Path) -> Option<PathBuf> {
        let mut found: Vec<_> =
            fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path())).collect();
        found.sort();
        found
            .into_iter()
            .find(|path| path.file_name().is_some_and(|name| self.matches(&name.to_string_lossy())))
    }

    /// Whether `wheel` has the pinned content.
    pub(super) fn verify(&self, wheel: &Path) -> Result<bool> {
        Ok(sha256_of(wheel).with_context(|| format!("reading {}", wheel.display()))? == self.sha256)
    }
}

fn sha256_of(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            read => hasher.update(&buffer[..read]),
        }
    }
    Ok(hasher.finalize().iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Flavour, Requirement, Requirements};

    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn the_files_in_the_repository_parse() {
        assert_eq!(Requirements::of(Flavour::Cpu).unwrap().wheels.len(), 3);
        assert_eq!(Requirements::of(Flavour::Cuda).unwrap().wheels.len(), 16);
    }

    #[test]
    fn both_flavours_want_the_version_that_tch_wants() {
        for flavour in [Flavour::Cpu, Flavour::Cuda] {
            let torch =
                Requirements::of(flavour).unwrap().wheels.into_iter().find(|wheel| wheel.name == "torch");
            assert_eq!(torch.unwrap().version, super::super::VERSION);
        }
    }

    #[test]
    fn a_line_is_read_and_written_alike() {
        let line = format!("nvidia-cuda-cupti==13.0.85 --hash=sha256:{ABC}\n");
        let requirements = Requirements::parse(&format!("# a comment\n\n{line}")).unwrap();
        assert_eq!(requirements.wheels[0].line(), line);
    }

    #[test]
    fn what_is_not_pinned_is_refused_with_its_line() {
        for (line, why) in [
            ("torch", "expected `name==version"),
            (&format!("torch>=2 --hash=sha256:{ABC}"), "no `==`"),
            ("torch==2 --hash=sha256:12", "not a sha256"),
            (&format!("torch==2 --hash=md5:{ABC}"), "no sha256"),
        ] {
            let error = format!("{:#}", Requirements::parse(&format!("# one\n{line}")).unwrap_err());
            assert!(error.starts_with("line 2") && error.contains(why), "{line}: {error}");
        }
    }

    #[test]
    fn wheels_are_known_by_distribution_and_version() {
        let cupti =
            Requirement { name: "nvidia-cuda-cupti".into(), version: "13.0.85".into(), sha256: ABC.into() };
        assert!(cupti.matches("nvidia_cuda_cupti-13.0.85-py3-none-manylinux_2_25_x86_64.whl"));
        assert!(!cupti.matches("nvidia_cuda_cupti-13.0.8-py3-none-manylinux_2_25_x86_64.whl"));
        assert!(!cupti.matches("nvidia_cuda_cupti_cu13-13.0.85-py3-none-any.whl"));
        assert!(!cupti.matches("nvidia_cuda_cupti-13.0.85.tar.gz"));
        let torch = Requirement { name: "torch".into(), version: "2.11.0".into(), sha256: ABC.into() };
        assert!(torch.matches("torch-2.11.0+cpu-cp312-cp312-manylinux_2_28_x86_64.whl"));
        assert!(!torch.matches("torch-2.11.1-cp312-cp312-manylinux_2_28_x86_64.whl"));
    }

    #[test]
    fn content_is_compared_not_names() {
        let folder = tempfile::tempdir().unwrap();
        let wheel = folder.path().join("torch-2.11.0-cp311-cp311-any.whl");
        let torch = Requirement { name: "torch".into(), version: "2.11.0".into(), sha256: ABC.into() };
        fs::write(&wheel, "abc").unwrap();
        assert!(torch.verify(&torch.find(folder.path()).unwrap()).unwrap());
        fs::write(&wheel, "abd").unwrap();
        assert!(!torch.verify(&wheel).unwrap());
    }
}
