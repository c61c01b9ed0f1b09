//! `--from PATH`: a LibTorch archive, a folder, an installed `torch`, or wheels that are already here.

use std::{
    fs::{self, File},
    io::Read as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use zip::ZipArchive;

use super::{
    Flavour, VERSION, download,
    installed::{Installed, from_python, public_part, version_of},
    requirement::Requirements,
    unpack::{Content, Packed},
};
use crate::{disk, progress::Progress};

const ACCEPTED: &str = "PATH may be a LibTorch archive (.zip), a folder with lib/ and include/ (an unpacked archive, or \
    the folder of an installed Python package `torch`), a `torch` wheel, or a folder of downloaded wheels";

/// Where LibTorch is taken from.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// Zip files: an archive or wheels.
    Zips(Vec<Packed>),
    /// A folder with `lib` and `include`, and the CUDA libraries that belong to it.
    Folder { torch: PathBuf, nvidia: Option<PathBuf> },
}

impl Source {
    /// Finds out what `path` is, and checks its version and flavour.
    ///
    /// # Errors
    /// Something else, another version, or a flavour other than the wanted one.
    pub(super) fn find(path: &Path, wanted: Option<Flavour>) -> Result<(Self, Flavour)> {
        if !path.exists() {
            bail!("{} does not exist. {ACCEPTED}", path.display());
        }
        let extension = path.extension().and_then(|extension| extension.to_str());
        match extension {
            Some("zip") if path.is_file() => archive(path, wanted),
            Some("whl") if path.is_file() => wheels(path, path.parent().unwrap_or(Path::new(".")), wanted),
            _ if path.is_dir() => folder(path, wanted),
            _ => bail!("{} is no LibTorch. {ACCEPTED}", path.display()),
        }
    }
}

fn folder(path: &Path, wanted: Option<Flavour>) -> Result<(Source, Flavour)> {
    for torch in [path.to_path_buf(), path.join("torch"), path.join("libtorch")] {
        if let Some(found) = Installed::at(&torch) {
            found.check_version()?;
            require(&torch, found.flavour, wanted)?;
            let nvidia = torch.parent().map(|parent| parent.join("nvidia")).filter(|folder| folder.is_dir());
            return Ok((Source::Folder { torch, nvidia }, found.flavour));
        }
    }
    let mut names: Vec<_> = fs::read_dir(path)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    names.sort();
    let is_torch = |path: &&PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("torch-") && name.ends_with(".whl")
    };
    // Of several, the one of the wanted version.
    let torch =
        names.iter().filter(is_torch).max_by_key(|path| wheel_version(path).as_deref() == Some(VERSION));
    match torch {
        Some(torch) => wheels(torch, path, wanted),
        None => bail!("{} holds no LibTorch. {ACCEPTED}", path.display()),
    }
}

fn archive(path: &Path, wanted: Option<Flavour>) -> Result<(Source, Flavour)> {
    let mut zip = open(path)?;
    let Some(version) = entry_text(&mut zip, "libtorch/build-version") else {
        bail!("{} is no LibTorch archive: it has no libtorch/build-version. {ACCEPTED}", path.display())
    };
    check(path, public_part(&version))?;
    let cuda = zip.index_for_name("libtorch/lib/libtorch_cuda.so").is_some();
    let flavour = if cuda { Flavour::Cuda } else { Flavour::Cpu };
    require(path, flavour, wanted)?;
    Ok((Source::Zips(vec![Packed { path: path.into(), content: Content::Archive }]), flavour))
}

/// The wheel of torch with the wheels of CUDA libraries beside it (or in the cache).
fn wheels(torch: &Path, beside: &Path, wanted: Option<Flavour>) -> Result<(Source, Flavour)> {
    let mut zip = open(torch)?;
    let python = entry_text(&mut zip, "torch/version.py").and_then(|text| from_python(&text));
    let Some(version) = python.or_else(|| wheel_version(torch)) else {
        bail!("{} is no wheel of torch. {ACCEPTED}", torch.display())
    };
    check(torch, public_part(&version))?;
    let has_cuda = zip.index_for_name("torch/lib/libtorch_cuda.so").is_some();
    let flavour = wanted.unwrap_or(Flavour::Cpu);
    if flavour == Flavour::Cuda && !has_cuda {
        bail!("{} is a CPU build; leave out --cuda, or name a wheel with CUDA", torch.display());
    }
    let mut packed = vec![Packed { path: torch.into(), content: Content::Torch(flavour) }];
    if has_cuda {
        let cache = download::cache()?;
        for wheel in Requirements::of(flavour)?.wheels.iter().filter(|wheel| wheel.name != "torch") {
            let Some(path) = wheel.find(beside).or_else(|| wheel.find(&cache)) else {
                bail!(
                    "{} needs {} {} as well: put that wheel into {}",
                    torch.display(),
                    wheel.name,
                    wheel.version,
                    beside.display()
                )
            };
            packed.push(Packed { path, content: Content::Nvidia(flavour) });
        }
    }
    Ok((Source::Zips(packed), flavour))
}

fn check(path: &Path, version: &str) -> Result<()> {
    if version == VERSION {
        return Ok(());
    }
    bail!(
        "{} is LibTorch {version}, and the pinned `tch` wants {VERSION}. Name one of that version",
        path.display()
    )
}

fn require(path: &Path, found: Flavour, wanted: Option<Flavour>) -> Result<()> {
    match wanted.filter(|&wanted| wanted != found) {
        Some(wanted) => {
            bail!("{} is the {found} flavour, not {wanted}; leave out --{wanted}", path.display())
        }
        None => Ok(()),
    }
}

fn open(path: &Path) -> Result<ZipArchive<File>> {
    let file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
    ZipArchive::new(file).with_context(|| format!("{} is not a complete zip file", path.display()))
}

fn entry_text(zip: &mut ZipArchive<File>, name: &str) -> Option<String> {
    let mut text = String::new();
    zip.by_name(name).ok()?.read_to_string(&mut text).ok()?;
    Some(text)
}

fn wheel_version(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    Some(public_part(name.split('-').nth(1)?).to_owned())
}

/// Puts `lib` and `include` of `torch`, and the libraries of `nvidia`, into `into`; links where the disk allows.
pub(super) fn copy(torch: &Path, nvidia: Option<&Path>, into: &Path, progress: &mut Progress) -> Result<()> {
    let to = into.join("torch");
    copy_files(&torch.join("lib"), &to.join("lib"), &|name| Flavour::Cuda.links(name), progress)?;
    copy_files(&torch.join("include"), &to.join("include"), &|_| true, progress)?;
    if let Some(nvidia) = nvidia {
        copy_files(nvidia, &into.join("nvidia"), &|name| name.contains(".so"), progress)?;
    }
    match version_of(torch) {
        Some(version) => Ok(fs::write(to.join("build-version"), format!("{version}\n"))?),
        None => bail!("{} states no version", torch.display()),
    }
}

fn copy_files(from: &Path, to: &Path, keep: &dyn Fn(&str) -> bool, progress: &mut Progress) -> Result<()> {
    let entries = fs::read_dir(from).with_context(|| format!("reading {}", from.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("reading {}", from.display()))?;
        let (path, name) = (entry.path(), entry.file_name());
        let target = to.join(&name);
        if path.is_dir() {
            copy_files(&path, &target, keep, progress)?;
            continue;
        }
        if !keep(&name.to_string_lossy()) {
            continue;
        }
        fs::create_dir_all(to).map_err(|error| disk::write_error(error, to))?;
        let link = fs::read_link(&path).ok().filter(|link| link.components().count() == 1);
        let outcome = if let Some(link) = link {
            std::os::unix::fs::symlink(link, &target)
        } else {
            progress.add(fs::metadata(&path).map_or(0, |file| file.len()));
            fs::hard_link(&path, &target).or_else(|_| fs::copy(&path, &target).map(|_| ()))
        };
        outcome.map_err(|error| disk::write_error(error, &target))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, File},
        io::Write as _,
        path::Path,
    };

    use zip::{ZipWriter, write::SimpleFileOptions};

    use super::{Content, Flavour, Source, copy};
    use crate::progress::Progress;

    fn zip(path: &Path, entries: &[(&str, &str)]) {
        let mut zip = ZipWriter::new(File::create(path).unwrap());
        for (name, text) in entries {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(text.as_bytes()).unwrap();
        }
        zip.finish().unwrap();
    }

    fn message(path: &Path, wanted: Option<Flavour>) -> String {
        Source::find(path, wanted).unwrap_err().to_string()
    }

    #[test]
    fn an_installed_package_is_copied_with_its_cuda_libraries() {
        let site = tempfile::tempdir().unwrap();
        let torch = site.path().join("torch");
        for folder in ["torch/lib", "torch/include/torch", "nvidia/cu13/lib"] {
            fs::create_dir_all(site.path().join(folder)).unwrap();
        }
        for file in
            ["torch/lib/libtorch_cpu.so", "torch/lib/libtorch_cuda.so", "torch/lib/libtorch_python.so"]
        {
            fs::write(site.path().join(file), "x").unwrap();
        }
        fs::write(torch.join("version.py"), "__version__ = '2.11.0+cu130'\n").unwrap();
        fs::write(torch.join("include/torch/all.h"), "//").unwrap();
        fs::write(site.path().join("nvidia/cu13/lib/libcudart.so.13"), "x").unwrap();
        for path in [site.path(), &torch] {
            let (source, flavour) = Source::find(path, None).unwrap();
            assert_eq!(flavour, Flavour::Cuda);
            let Source::Folder { torch, nvidia } = source else { panic!("not a folder") };
            let into = tempfile::tempdir().unwrap();
            let mut progress = Progress::start("copying", None);
            copy(&torch, nvidia.as_deref(), into.path(), &mut progress).unwrap();
            let there = |path: &str| into.path().join(path).exists();
            assert!(there("torch/lib/libtorch_cuda.so") && there("torch/include/torch/all.h"));
            assert!(there("nvidia/cu13/lib/libcudart.so.13") && !there("torch/lib/libtorch_python.so"));
            assert_eq!(fs::read_to_string(into.path().join("torch/build-version")).unwrap(), "2.11.0\n");
        }
        assert!(message(&torch, Some(Flavour::Cpu)).contains("is the cuda flavour, not cpu"));
        fs::write(torch.join("version.py"), "__version__ = '2.9.1'\n").unwrap();
        assert!(message(&torch, None).contains("2.9.1"));
    }

    #[test]
    fn archives_and_wheels_of_another_version_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join("libtorch.zip");
        zip(&archive, &[("libtorch/build-version", "2.10.0+cpu"), ("libtorch/lib/libtorch_cpu.so", "")]);
        assert!(message(&archive, None).contains("is LibTorch 2.10.0, and the pinned `tch` wants 2.11.0"));
        let wheel = folder.path().join("torch-2.10.0-cp311-cp311-linux_x86_64.whl");
        zip(&wheel, &[("torch/version.py", "__version__ = '2.10.0'\n")]);
        assert!(message(&wheel, None).contains("2.10.0"));
        assert!(message(folder.path(), None).contains("2.10.0"), "a folder of wheels");
    }

    #[test]
    fn a_cpu_wheel_stands_alone() {
        let folder = tempfile::tempdir().unwrap();
        let wheel = folder.path().join("torch-2.11.0+cpu-cp312-cp312-linux_x86_64.whl");
        zip(
            &wheel,
            &[("torch/version.py", "__version__ = '2.11.0+cpu'\n"), ("torch/lib/libtorch_cpu.so", "")],
        );
        let (source, flavour) = Source::find(folder.path(), None).unwrap();
        let Source::Zips(zips) = source else { panic!("not a zip") };
        assert_eq!((flavour, zips.len(), zips[0].content), (Flavour::Cpu, 1, Content::Torch(Flavour::Cpu)));
        assert!(message(&wheel, Some(Flavour::Cuda)).contains("is a CPU build"));
    }

    #[test]
    fn anything_else_is_told_what_would_do() {
        let folder = tempfile::tempdir().unwrap();
        assert!(message(folder.path(), None).contains("PATH may be"));
        assert!(message(&folder.path().join("nothing"), None).contains("does not exist"));
        let other = folder.path().join("other.zip");
        zip(&other, &[("readme", "")]);
        assert!(message(&other, None).contains("is no LibTorch archive"));
    }
}
