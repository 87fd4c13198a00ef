//! Downloads Debian packages of any release and architecture with apt, separately from this
//! system's own: nothing is installed, and apt's own files are not changed.
//!
//! The mirror, proxies and other settings of apt are those of the system; the suite, the
//! architecture and all directories are set here.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::stop::Stop;

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// The time limit for apt to fetch or search its lists, in seconds.
const APT_TIMEOUT_SECONDS: &str = "300";

/// A release of Debian for an architecture, such as `trixie` and `arm64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Release {
    pub(crate) suite: &'static str,
    pub(crate) arch: &'static str,
}

impl Release {
    /// Returns the directory of its newest cloud kernel, unpacked.
    pub(crate) fn kernel(self, cache: &Path) -> Result<PathBuf, Stop> {
        let newest = format!("linux-image-cloud-{}", self.arch);
        self.unpacked(cache, "kernel", |apt| Ok(vec![apt.newest(&newest)?]))
    }

    /// Returns a directory with these packages, unpacked.
    pub(crate) fn programs(self, cache: &Path, packages: &[&str]) -> Result<PathBuf, Stop> {
        let names = packages.iter().map(|name| (*name).to_owned()).collect();
        // The name of the directory depends on the list of packages.
        let mut hash = DefaultHasher::new();
        packages.hash(&mut hash);
        let what = format!("programs-{:08x}", hash.finish() as u32);
        self.unpacked(cache, &what, |_| Ok(names))
    }

    /// Downloads and unpacks, unless it was done before; the directory appears only when it is
    /// complete.
    fn unpacked(
        self,
        cache: &Path,
        what: &str,
        packages: impl FnOnce(&Apt) -> Result<Vec<String>, Stop>,
    ) -> Result<PathBuf, Stop> {
        let Self { suite, arch } = self;
        let folder = cache.join(format!("{what}-{suite}-{arch}"));
        if folder.exists() {
            return Ok(folder);
        }
        let debs = empty(&cache.join(format!("debs-{what}-{suite}-{arch}")))?;
        let unfinished = empty(&folder.with_extension("unfinished"))?;
        for deb in self.packages(cache, &debs, packages)? {
            let mut unpack = Command::new("dpkg-deb");
            unpack.arg("-x").arg(&deb).arg(&unfinished);
            said(&mut unpack).map_err(Stop::Failed)?;
        }
        fs::rename(&unfinished, &folder).map_err(|why| why.to_string())?;
        fs::remove_dir_all(&debs).map_err(|why| why.to_string())?;
        Ok(folder)
    }

    /// Downloads packages into an empty directory, and returns their files.
    pub(crate) fn packages(
        self,
        cache: &Path,
        to: &Path,
        packages: impl FnOnce(&Apt) -> Result<Vec<String>, Stop>,
    ) -> Result<Vec<PathBuf>, Stop> {
        let apt = Apt::new(cache, self, Kind::Binary)?;
        let names = packages(&apt)?;
        apt.fetch(to, &["download"], &names)
    }

    /// Downloads the source of a package into an empty directory, and returns its files.
    pub(crate) fn source(
        self,
        cache: &Path,
        to: &Path,
        package: &str,
    ) -> Result<Vec<PathBuf>, Stop> {
        let apt = Apt::new(cache, self, Kind::Source)?;
        apt.fetch(to, &["source", "--download-only"], &[package.to_owned()])
    }
}

/// Whether a binary or a source package is wanted.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Binary,
    Source,
}

/// An apt configuration with all state in a directory of ours.
#[derive(Debug)]
pub(crate) struct Apt {
    release: Release,
    config: PathBuf,
}

impl Apt {
    /// Creates it and fetches the lists of packages.
    fn new(cache: &Path, release: Release, kind: Kind) -> Result<Self, Stop> {
        let Release { suite, arch } = release;
        let (kind, of) = match kind {
            Kind::Binary => ("deb", arch),
            Kind::Source => ("deb-src", "source"),
        };
        let dir = cache.join(format!("apt-{suite}-{of}"));
        let make = |below| fs::create_dir_all(dir.join(below)).map_err(|why| why.to_string());
        make("lists/partial")?;
        make("archives/partial")?;
        make("none")?;
        let write = |name: &str, text: &str| {
            fs::write(dir.join(name), text).map_err(|why| format!("{name}: {why}"))
        };
        let source = source(kind, &mirror()?, suite);
        write("sources.list", &source)?;
        write("status", "")?;
        write("apt.conf", &config(&dir.display().to_string(), arch))?;
        let apt = Self {
            release,
            config: dir.join("apt.conf"),
        };
        apt.ask("apt-get", &["update", "-qq", "--error-on=any"])?;
        Ok(apt)
    }

    fn ask(&self, program: &str, args: &[&str]) -> Result<String, Stop> {
        let mut command = limited(program);
        command.arg("-c").arg(&self.config).args(args);
        said(&mut command).map_err(Stop::CannotBeHad)
    }

    /// Returns the package that a kernel metapackage depends on: the newest kernel.
    pub(crate) fn newest(&self, meta: &str) -> Result<String, Stop> {
        let said = self.ask("apt-cache", &["depends", "--important", meta])?;
        let image = said
            .lines()
            .find_map(|line| line.trim().strip_prefix("Depends: "));
        let image = image.filter(|name| name.starts_with("linux-image-"));
        let none = || Stop::CannotBeHad(format!("{meta} names no kernel:\n{said}"));
        image.map(str::to_owned).ok_or_else(none)
    }

    /// Runs apt-get to download into an empty directory.
    fn fetch(&self, to: &Path, how: &[&str], names: &[String]) -> Result<Vec<PathBuf>, Stop> {
        let Release { suite, arch } = self.release;
        let what = names.join(" ");
        println!("apt: downloads {what} from {suite} {arch}");
        let mut command = Command::new("apt-get");
        command.arg("-c").arg(&self.config).current_dir(to);
        command.args(how).arg("-qq").args(names);
        said(&mut command).map_err(Stop::CannotBeHad)?;
        let files = fs::read_dir(to).map_err(|why| why.to_string())?;
        let files = files.map(|file| file.map(|file| file.path()));
        let files: Result<Vec<PathBuf>, _> = files.collect();
        Ok(files.map_err(|why| why.to_string())?)
    }
}

/// Returns this system's mirror of Debian.
fn mirror() -> Result<String, Stop> {
    let mut ask = Command::new("apt-get");
    ask.args(["indextargets", "--format", "$(REPO_URI) $(LABEL)"]);
    let all = said(ask.arg("Created-By: Packages")).map_err(Stop::CannotBeHad)?;
    // The label is known once the lists are fetched; without lists there are only addresses.
    let is_debian = |(uri, label): &(&str, &str)| {
        *label == "Debian" || uri.trim_end_matches('/').ends_with("/debian")
    };
    let mut mirrors = all.lines().filter_map(|line| line.split_once(' '));
    let none = || Stop::CannotBeHad("this system's apt knows no mirror of Debian".to_owned());
    let mirror = mirrors.find(is_debian);
    mirror.map(|(uri, _)| uri.to_owned()).ok_or_else(none)
}

fn source(kind: &str, mirror: &str, suite: &str) -> String {
    format!("{kind} [signed-by={KEYRING}] {mirror} {suite} main\n")
}

/// Returns a configuration that is read after the system's, and redirects all writes to `dir`.
fn config(dir: &str, arch: &str) -> String {
    format!(
        r##"// The system's hooks are for the system's packages.
#clear APT::Architectures;
#clear APT::Update;
#clear DPkg;
APT::Architecture "{arch}";
APT::Architectures {{ "{arch}"; }};
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Dir::Etc::SourceList "{dir}/sources.list";
Dir::Etc::SourceParts "{dir}/none";
Dir::Etc::Preferences "{dir}/none/preferences";
Dir::Etc::PreferencesParts "{dir}/none";
Dir::State "{dir}";
Dir::State::lists "{dir}/lists";
Dir::State::status "{dir}/status";
Dir::Cache "{dir}";
Dir::Cache::archives "{dir}/archives";
"##
    )
}

/// Returns an empty directory.
pub(crate) fn empty(folder: &Path) -> Result<PathBuf, String> {
    let say = |why: std::io::Error| format!("{}: {why}", folder.display());
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(say)?;
    }
    fs::create_dir_all(folder).map_err(say)?;
    Ok(folder.to_owned())
}

/// Returns a command that is killed after [`APT_TIMEOUT_SECONDS`].
fn limited(program: &str) -> Command {
    let mut command = Command::new("timeout");
    command.arg(APT_TIMEOUT_SECONDS).arg(program);
    command
}

/// Runs a command and returns its output; the error is what it printed on stderr.
pub(crate) fn said(command: &mut Command) -> Result<String, String> {
    // The first argument of `timeout` is the program.
    let mut words = std::iter::once(command.get_program()).chain(command.get_args());
    let is_name = |word: &&std::ffi::OsStr| *word != "timeout" && *word != APT_TIMEOUT_SECONDS;
    let name = words.find(is_name).unwrap_or_default();
    let name = name.to_string_lossy().into_owned();
    let done = command.env("LC_ALL", "C").output();
    let done = done.map_err(|why| format!("{name}: {why}"))?;
    if !done.status.success() {
        let why = String::from_utf8_lossy(&done.stderr);
        return Err(match done.status.code() {
            Some(124) => format!("{name}: does not end"),
            _ => format!("{name}: {why}"),
        });
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::config;

    #[test]
    fn every_directory_of_the_configuration_is_ours() {
        let config = config("/ours", "arm64");
        let folders = config.lines().filter(|line| line.starts_with("Dir::"));
        assert!(folders.clone().count() > 5);
        for line in folders {
            assert!(line.contains("\"/ours"), "{line}");
        }
        assert!(config.contains("APT::Architectures { \"arm64\"; };"));
    }
}
