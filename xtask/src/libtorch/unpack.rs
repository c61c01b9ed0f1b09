//! What is taken out of a wheel or an archive, and the unpacking.

use std::{
    fs::{self, File},
    io::{BufWriter, Write as _},
    path::{Component, Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use zip::ZipArchive;

use super::Flavour;
use crate::{disk, progress::Progress};

/// What a zip file holds, and so which of its entries are wanted and where they go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// The wheel of `torch`.
    Torch(Flavour),
    /// A wheel of a CUDA library.
    Nvidia(Flavour),
    /// LibTorch as its makers pack it: everything under `libtorch/`.
    Archive,
}

/// A zip file to unpack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Packed {
    pub(super) path: PathBuf,
    pub(super) content: Content,
}

impl Content {
    /// Where an entry goes, from the folder that holds `torch` and `nvidia`; `None` if it is not needed.
    pub(super) fn place(self, entry: &str) -> Option<PathBuf> {
        if !Path::new(entry).components().all(|part| matches!(part, Component::Normal(_))) {
            return None;
        }
        let file = entry.rsplit('/').next().unwrap_or_default();
        match self {
            Self::Torch(flavour) => {
                if entry.starts_with("torch/include/") {
                    return Some(entry.into());
                }
                (entry == format!("torch/lib/{file}") && flavour.links(file)).then(|| entry.into())
            }
            // libtorch_cpu.so itself needs these two.
            Self::Nvidia(Flavour::Cpu) => {
                let needed = file.starts_with("libcudart.so.") || file.starts_with("libcupti.so.");
                needed.then(|| Path::new("torch/lib").join(file))
            }
            Self::Nvidia(Flavour::Cuda) => {
                let library = entry.starts_with("nvidia/") && entry.contains("/lib/") && file.contains(".so");
                library.then(|| entry.into())
            }
            Self::Archive => {
                let rest = entry.strip_prefix("libtorch/")?;
                let wanted = rest.starts_with("include/")
                    || rest == "build-version"
                    || (rest == format!("lib/{file}") && Flavour::Cuda.links(file));
                wanted.then(|| Path::new("torch").join(rest))
            }
        }
    }
}

impl Flavour {
    /// Whether programs of this flavour need a file of `torch/lib`.
    pub(super) fn links(self, file: &str) -> bool {
        match self {
            Self::Cpu => matches!(file, "libc10.so" | "libtorch_cpu.so" | "libgomp.so.1"),
            Self::Cuda => file.contains(".so") && !matches!(file, "libtorch_python.so" | "libshm.so"),
        }
    }
}

/// The bytes that `packed` will fill when unpacked.
pub(super) fn size(packed: &[Packed]) -> Result<u64> {
    let mut total = 0;
    for packed in packed {
        let mut zip = packed.open()?;
        for i in 0..zip.len() {
            let entry = zip.by_index_raw(i).with_context(|| packed.path.display().to_string())?;
            if packed.content.place(&entry.name()?).is_some() {
                total += entry.size();
            }
        }
    }
    Ok(total)
}

/// Unpacks what is wanted of each into `into`.
pub(super) fn unpack(packed: &[Packed], into: &Path, progress: &mut Progress) -> Result<()> {
    packed.iter().try_for_each(|packed| {
        packed.unpack(into, progress).with_context(|| format!("unpacking {}", packed.path.display()))
    })
}

impl Packed {
    fn open(&self) -> Result<ZipArchive<File>> {
        let file = File::open(&self.path).with_context(|| format!("opening {}", self.path.display()))?;
        ZipArchive::new(file).with_context(|| format!("{} is not a complete zip file", self.path.display()))
    }

    fn unpack(&self, into: &Path, progress: &mut Progress) -> Result<()> {
        let mut zip = self.open()?;
        let mut found = false;
        for i in 0..zip.len() {
            let mut entry = zip.by_index(i)?;
            let Some(place) = self.content.place(&entry.name()?).filter(|_| entry.is_file()) else {
                continue;
            };
            let to = into.join(place);
            if let Some(folder) = to.parent() {
                fs::create_dir_all(folder).map_err(|error| disk::write_error(error, folder))?;
            }
            let file = File::create(&to).map_err(|error| disk::write_error(error, &to))?;
            let mut file = BufWriter::with_capacity(1 << 18, file);
            progress.copy(&mut entry, &mut file).map_err(|error| disk::write_error(error, &to))?;
            file.flush().map_err(|error| disk::write_error(error, &to))?;
            found = true;
        }
        if found { Ok(()) } else { bail!("nothing in it is a part of LibTorch") }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::File, io::Write as _, path::Path};

    use zip::{ZipWriter, write::SimpleFileOptions};

    use super::{Content, Flavour, Packed, size, unpack};
    use crate::progress::Progress;

    fn place(content: Content, entry: &str) -> Option<String> {
        content.place(entry).map(|path| path.display().to_string())
    }

    #[test]
    fn the_cpu_flavour_takes_three_libraries_and_the_headers() {
        let torch = Content::Torch(Flavour::Cpu);
        for kept in [
            "torch/lib/libtorch_cpu.so",
            "torch/lib/libc10.so",
            "torch/lib/libgomp.so.1",
            "torch/include/ATen/ATen.h",
        ] {
            assert_eq!(place(torch, kept).as_deref(), Some(kept));
        }
        for left in [
            "torch/lib/libtorch_cuda.so",
            "torch/lib/libtorch.so",
            "torch/lib/sub/libc10.so",
            "torch/version.py",
        ] {
            assert_eq!(place(torch, left), None, "{left}");
        }
    }

    #[test]
    fn the_cuda_flavour_leaves_python_out() {
        let torch = Content::Torch(Flavour::Cuda);
        assert!(torch.place("torch/lib/libtorch_cuda_linalg.so").is_some());
        assert!(torch.place("torch/lib/libtorch_python.so").is_none());
        assert!(torch.place("torch/lib/libshm.so").is_none());
        assert!(torch.place("torch/bin/torch_shm_manager").is_none());
    }

    #[test]
    fn cuda_libraries_keep_their_folders_or_join_torch() {
        let entry = "nvidia/cu13/lib/libcudart.so.13";
        assert_eq!(place(Content::Nvidia(Flavour::Cuda), entry).as_deref(), Some(entry));
        assert_eq!(place(Content::Nvidia(Flavour::Cpu), entry).as_deref(), Some("torch/lib/libcudart.so.13"));
        assert_eq!(place(Content::Nvidia(Flavour::Cpu), "nvidia/cu13/lib/libnvperf_host.so"), None);
        assert_eq!(place(Content::Nvidia(Flavour::Cuda), "nvidia/cu13/include/cuda.h"), None);
    }

    #[test]
    fn entries_cannot_leave_the_folder() {
        for entry in ["../torch/lib/libc10.so", "torch/include/../../../x", "/torch/include/x"] {
            assert_eq!(place(Content::Torch(Flavour::Cuda), entry), None, "{entry}");
        }
        assert_eq!(place(Content::Archive, "libtorch/include/../../x"), None);
    }

    #[test]
    fn an_archive_is_unpacked_into_the_layout() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("libtorch.zip");
        let mut zip = ZipWriter::new(File::create(&path).unwrap());
        for (name, text) in [
            ("libtorch/build-version", "2.11.0+cpu\n"),
            ("libtorch/lib/libtorch_cpu.so", "cpu"),
            ("libtorch/lib/libtorch_python.so", "python"),
            ("libtorch/include/torch/all.h", "//"),
            ("libtorch/share/cmake/x.cmake", "#"),
        ] {
            zip.start_file(name, SimpleFileOptions::default()).unwrap();
            zip.write_all(text.as_bytes()).unwrap();
        }
        zip.finish().unwrap();
        let packed = [Packed { path, content: Content::Archive }];
        assert_eq!(size(&packed).unwrap(), 16);
        let into = folder.path().join("out");
        unpack(&packed, &into, &mut Progress::start("unpacking", Some(16))).unwrap();
        let there = |path: &str| into.join(path).exists();
        assert!(
            there("torch/lib/libtorch_cpu.so")
                && there("torch/include/torch/all.h")
                && there("torch/build-version")
        );
        assert!(!there("torch/lib/libtorch_python.so") && !there("torch/share"));
    }

    #[test]
    fn a_zip_without_libtorch_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("other.zip");
        let mut zip = ZipWriter::new(File::create(&path).unwrap());
        zip.start_file("readme", SimpleFileOptions::default()).unwrap();
        zip.finish().unwrap();
        let packed = [Packed { path, content: Content::Archive }];
        let error =
            unpack(&packed, Path::new("unused"), &mut Progress::start("unpacking", None)).unwrap_err();
        assert!(format!("{error:#}").contains("nothing in it is a part of LibTorch"), "{error:#}");
    }
}
