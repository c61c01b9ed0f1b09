//! Where archives come from: a folder, or the published address. They arrive beside their place, whole or not at all.

use std::{
    fmt,
    fs::{self, File},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use coarsen_graph::registry::DatasetSpec;
use ureq::{
    Agent,
    tls::{RootCerts, TlsConfig},
};

use crate::{disk, progress::Progress};

/// Where to look for data sets.
pub(super) struct Origin {
    folder: Option<PathBuf>,
    network: Network,
}

enum Network {
    /// The user named a folder.
    NotAsked,
    Untried,
    /// It did not answer: later sets do not wait for it again.
    Down(String),
}

/// A set that has arrived in the staging folder.
pub(super) struct Fetched {
    pub(super) path: PathBuf,
    /// Where from, in words.
    pub(super) source: String,
}

/// The folder that the user named does not hold the set.
#[derive(Debug)]
pub(super) struct NotThere(String);

impl fmt::Display for NotThere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotThere {}

/// A folder beside the raw sets, gone when this value is.
pub(super) struct Staging(PathBuf);

impl Staging {
    /// Makes the folder, and removes those of runs that were killed.
    pub(super) fn new(raw: &Path) -> Result<Self> {
        const PREFIX: &str = ".arriving";
        fs::create_dir_all(raw).map_err(|error| disk::write_error(error, raw))?;
        for entry in fs::read_dir(raw)?.filter_map(Result::ok) {
            let name = entry.file_name();
            let dead =
                name.to_string_lossy().strip_prefix(PREFIX).map(|pid| !Path::new("/proc").join(pid).exists());
            if dead == Some(true) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
        let folder = raw.join(format!("{PREFIX}{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).map_err(|error| disk::write_error(error, &folder))?;
        Ok(Self(folder))
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Origin {
    /// A folder and nothing else.
    pub(super) fn only(folder: PathBuf) -> Self {
        Self { folder: Some(folder), network: Network::NotAsked }
    }

    /// A folder if there is one, then the network.
    pub(super) fn folder_then_network(folder: Option<PathBuf>) -> Self {
        Self { folder, network: Network::Untried }
    }

    /// Brings a set into the staging folder.
    ///
    /// # Errors
    /// [`NotThere`] if only a folder was asked; what the disk or the network says, and what to do.
    pub(super) fn fetch(&mut self, spec: &DatasetSpec, staging: &Staging) -> Result<Fetched> {
        let name = spec.stored_as();
        if let Some(folder) = &self.folder
            && let Some(found) = spec.find_in(folder)?
        {
            return copy(&found, spec, staging);
        }
        let url = spec.url.context("no address is registered for it")?;
        let what = if spec.files.is_empty() {
            url.to_owned()
        } else {
            format!("{} of {url}", spec.files.join(", "))
        };
        let by_hand = format!("fetch {what} by hand and run `cargo xtask data {} --from FOLDER`", spec.name);
        match &self.network {
            Network::NotAsked => {
                let folder = self.folder.as_deref().unwrap_or(Path::new("."));
                Err(NotThere(format!("{} holds no {name}.zip and no {name}/", folder.display())).into())
            }
            Network::Down(why) => bail!("the network did not answer before ({why}); {by_hand}"),
            Network::Untried => match download_all(spec, url, &staging.0) {
                Ok(path) => Ok(Fetched { path, source: url.to_owned() }),
                Err(error) => {
                    let unreachable = error.downcast_ref::<ureq::Error>().is_some_and(unreachable);
                    if unreachable {
                        self.network = Network::Down(format!("{error:#}"));
                    }
                    Err(error.context(format!("{url} could not be downloaded; {by_hand}")))
                }
            },
        }
    }
}

/// Whether asking for another file is useless too.
fn unreachable(error: &ureq::Error) -> bool {
    matches!(
        error,
        ureq::Error::HostNotFound
            | ureq::Error::ConnectionFailed
            | ureq::Error::ConnectProxyFailed(_)
            | ureq::Error::Timeout(_)
            | ureq::Error::Io(_)
    )
}

fn copy(from: &Path, spec: &DatasetSpec, staging: &Staging) -> Result<Fetched> {
    let (source, name) = (from.display().to_string(), spec.stored_as());
    let files = if from.is_dir() { spec.files_in(from)? } else { vec![from.to_path_buf()] };
    let bytes = files.iter().filter_map(|file| Some(fs::metadata(file).ok()?.len())).sum();
    disk::require(&[(&staging.0, bytes)])?;
    let folder = staging.0.join(name);
    if from.is_dir() {
        fs::create_dir_all(&folder).map_err(|error| disk::write_error(error, &folder))?;
    }
    let archive = staging.0.join(format!("{name}.zip"));
    for file in &files {
        let copied =
            if from.is_dir() { folder.join(file.file_name().unwrap_or_default()) } else { archive.clone() };
        fs::copy(file, &copied).map_err(|error| disk::write_error(error, &copied))?;
        // The source may be read-only, and what is kept here may be replaced.
        let mut rights = fs::metadata(&copied)?.permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut rights, 0o644);
        fs::set_permissions(&copied, rights)?;
    }
    Ok(Fetched { path: if from.is_dir() { folder } else { archive }, source })
}

/// Downloads an archive, or files one by one into a folder.
fn download_all(spec: &DatasetSpec, url: &str, to: &Path) -> Result<PathBuf> {
    let name = spec.stored_as();
    if spec.files.is_empty() {
        return download(url, &to.join(format!("{name}.zip")));
    }
    let folder = to.join(name);
    fs::create_dir_all(&folder).map_err(|error| disk::write_error(error, &folder))?;
    for file in spec.files {
        let own = Path::new(file).file_name().unwrap_or_default();
        download(&format!("{url}{file}"), &folder.join(own))?;
    }
    Ok(folder)
}

/// Downloads a file; follows the proxy variables and trusts the system's certificates.
fn download(url: &str, to: &Path) -> Result<PathBuf> {
    let certificates = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
    let config = Agent::config_builder()
        .tls_config(certificates)
        .timeout_resolve(Some(Duration::from_secs(20)))
        .timeout_connect(Some(Duration::from_secs(20)))
        .timeout_recv_response(Some(Duration::from_secs(60)))
        .timeout_per_read(Some(Duration::from_secs(60)))
        .user_agent(concat!("coarsen-xtask/", env!("CARGO_PKG_VERSION")))
        .build();
    let mut response = config.new_agent().get(url).call()?;
    let total = response.body().content_length();
    if let (Some(total), Some(folder)) = (total, to.parent()) {
        disk::require(&[(folder, total)])?;
    }
    let mut progress = Progress::start(format!("downloading {url}"), total);
    let mut file = File::create(to).map_err(|error| disk::write_error(error, to))?;
    progress
        .copy(&mut response.body_mut().as_reader(), &mut file)
        .map_err(|error| disk::write_error(error, to))?;
    let got = fs::metadata(to)?.len();
    if let Some(total) = total.filter(|&total| total != got) {
        bail!("the connection ended after {got} of {total} bytes");
    }
    Ok(to.to_path_buf())
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        io::{Read as _, Write as _},
        net::TcpListener,
        thread,
    };

    use super::{NotThere, Origin, Staging, download};
    use coarsen_graph::registry::find;

    use crate::data::verify::tests::{spec, write};

    #[test]
    fn a_folder_gives_an_archive_or_the_unpacked_files() {
        let (source, raw) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        assert_eq!(spec(None).find_in(source.path()).unwrap(), None);
        write(&source.path().join("TINY"), "0\n1\n");
        fs::write(source.path().join("TINY/README.txt"), "").unwrap();
        let staging = Staging::new(raw.path()).unwrap();
        let mut origin = Origin::only(source.path().to_path_buf());
        let fetched = origin.fetch(&spec(None), &staging).unwrap();
        assert_eq!(fs::read_dir(&fetched.path).unwrap().count(), 3, "what belongs to the set");

        fs::write(source.path().join("TINY.zip"), "zip").unwrap();
        let fetched = origin.fetch(&spec(None), &staging).unwrap();
        assert_eq!(fs::read(&fetched.path).unwrap(), b"zip");
    }

    #[test]
    fn a_set_that_is_not_in_the_folder_says_where_it_was_looked_for() {
        let (source, raw) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let staging = Staging::new(raw.path()).unwrap();
        let mut spec = spec(None);
        spec.url = Some("http://127.0.0.1:9/TINY.zip");
        let error = Origin::only(source.path().to_path_buf()).fetch(&spec, &staging).err().unwrap();
        assert!(error.is::<NotThere>() && error.to_string().contains("holds no TINY.zip"), "{error}");
    }

    #[test]
    fn a_network_that_does_not_answer_is_asked_once() {
        let raw = tempfile::tempdir().unwrap();
        let staging = Staging::new(raw.path()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url: &'static str =
            Box::leak(format!("http://{}/TINY.zip", listener.local_addr().unwrap()).into_boxed_str());
        drop(listener); // nobody listens there now
        let mut spec = spec(None);
        spec.url = Some(url);
        let mut origin = Origin::folder_then_network(None);
        let first = format!("{:#}", origin.fetch(&spec, &staging).err().unwrap());
        assert!(first.contains("could not be downloaded") && first.contains("--from FOLDER"), "{first}");
        let second = format!("{:#}", origin.fetch(&spec, &staging).err().unwrap());
        assert!(second.contains("did not answer before"), "{second}");
    }

    /// Answers requests with these bytes, one after the other; returns the address below which it does.
    fn serve<const N: usize>(answers: [&'static [u8]; N]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let _ = stream.read(&mut [0; 2048]);
                stream.write_all(answer).unwrap();
            }
        });
        url
    }

    #[test]
    fn files_published_one_by_one_arrive_in_a_folder() {
        const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\n";
        let raw = tempfile::tempdir().unwrap();
        let staging = Staging::new(raw.path()).unwrap();
        let bodies = ["abcd", "efgh"].map(|body| format!("{HEAD}{body}").leak().as_bytes());
        let mut spec = *find("emails").unwrap();
        spec.url = Some(serve(bodies).leak());
        spec.files = &["a/one.txt.gz", "two.txt"];
        let fetched = Origin::folder_then_network(None).fetch(&spec, &staging).unwrap();
        assert_eq!(fetched.path.file_name().unwrap(), "emails");
        assert_eq!(fs::read(fetched.path.join("one.txt.gz")).unwrap(), b"abcd");
        assert_eq!(fs::read(fetched.path.join("two.txt")).unwrap(), b"efgh");
    }

    /// A set that shares files with another is fetched under the other's name, whatever the archive is called.
    #[test]
    fn one_archive_may_hold_several_sets() {
        let (source, raw) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let staging = Staging::new(raw.path()).unwrap();
        let folder = source.path().join("clone/wiki");
        fs::create_dir_all(&folder).unwrap();
        for file in ["graph.txt", "group.txt", "tfidf.txt", "more.txt"] {
            fs::write(folder.join(file), "0 0\n").unwrap();
        }
        let spec = find("wiki-as-published").unwrap();
        let fetched = Origin::only(source.path().to_path_buf()).fetch(spec, &staging).unwrap();
        assert_eq!(fetched.path.file_name().unwrap(), "wiki");
        assert_eq!(fs::read_dir(&fetched.path).unwrap().count(), 3, "what belongs to the set");
    }

    #[test]
    fn a_download_arrives_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("TINY.zip");
        let whole = serve([b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\nabcd"]);
        assert_eq!(fs::read(download(&whole, &to).unwrap()).unwrap(), b"abcd");
        let short = serve([b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\nconnection: close\r\n\r\nabcd"]);
        assert!(download(&short, &to).is_err());
        let absent = serve([b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"]);
        assert!(format!("{:#}", download(&absent, &to).unwrap_err()).contains("404"));
    }

    #[test]
    fn staging_leaves_nothing_behind() {
        let raw = tempfile::tempdir().unwrap();
        fs::create_dir(raw.path().join(".arriving999999999")).unwrap();
        let staging = Staging::new(raw.path()).unwrap();
        assert_eq!(fs::read_dir(raw.path()).unwrap().count(), 1, "a dead run's folder is gone");
        drop(staging);
        assert_eq!(fs::read_dir(raw.path()).unwrap().count(), 0);
    }
}
