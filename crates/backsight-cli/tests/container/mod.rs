//! A process in a mount and pid namespace of its own, whose root is an overlay: its libraries
//! are in the lower layer, in the upper layer, on a bind mount and in subvolumes of btrfs.
//!
//! The host has another library at each of these paths. A name of one of those is wrong.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use testkit::child::KillOnDrop;
use testkit::tools::{compile, readelf_build_id, tool};
use testkit::user::is_root;

/// Builds the namespaces; `$1` is the directory, `$2` is `btrfs` or not. The new root has no
/// programs but ours, so everything else comes before `pivot_root`.
const SCRIPT: &str = r#"
set -e
# The addresses are all that is written to standard output.
exec 3>&1 1>&2
cd "$1"
mount -t tmpfs none space
mkdir space/upper space/work
mount -t overlay -o lowerdir=image,upperdir=space/upper,workdir=space/work none merged
app="merged$1/app"
cp libs/libupper.so "$app/"
mount --bind bound "$app/bound"
if [ "$2" = btrfs ]; then
    truncate -s 128M space/image
    mkfs.btrfs -q space/image
    mount -o loop space/image "$app/disk"
    for name in first second; do
        btrfs -q subvolume create "$app/disk/$name"
        cp "libs/lib$name.so" "$app/disk/$name/"
    done
fi
cd merged
pivot_root . old
shift 2
exec "$@" 1>&3 3>&-
"#;

/// A library of the process.
#[derive(Debug)]
pub(crate) struct Library {
    /// Its function, and the address of that function in the process.
    pub(crate) function: String,
    pub(crate) addr: u64,
    /// Its path in the process.
    pub(crate) path: PathBuf,
    /// A build of it whose function has another name, at the same offset.
    wrong: PathBuf,
}

/// The namespaces and their process.
#[derive(Debug)]
pub(crate) struct Container {
    pub(crate) dir: tempfile::TempDir,
    /// Ends the process with it.
    _outer: KillOnDrop,
    pub(crate) pid: u32,
    pub(crate) libraries: Vec<Library>,
}

impl Container {
    /// Starts it; the error says what is missing here. `say` is told what is left out.
    pub(crate) fn start(say: impl FnOnce(&str)) -> Result<Self, String> {
        if !is_root() {
            return Err("this is not root".to_owned());
        }
        for program in ["cc", "unshare", "mount", "pivot_root", "ldd", "objcopy"] {
            tool(program).ok_or_else(|| format!("there is no {program}"))?;
        }
        let has_btrfs = tool("mkfs.btrfs").is_some() && tool("btrfs").is_some();
        if !has_btrfs {
            say("subvolumes of btrfs: there is no btrfs-progs");
        }
        let program = compile("container", include_str!("program.c"), &["-ldl"])?;
        let dir = tempfile::tempdir().expect("a folder");
        let mut libraries = Vec::new();
        let app = dir.path().join("app");
        let mut places = vec![("lower", app.clone()), ("upper", app.clone())];
        places.push(("bound", app.join("bound")));
        if has_btrfs {
            let disk = app.join("disk");
            places.extend(["first", "second"].map(|name| (name, disk.join(name))));
        }
        for (name, place) in places {
            let path = place.join(format!("lib{name}.so"));
            let wrong = library(&format!("wrong_{name}"))?;
            fs::create_dir_all(&place).expect("ours");
            testkit::copy(&wrong, &path).expect("ours");
            libraries.push(Library {
                function: format!("work_{name}"),
                addr: 0,
                path,
                wrong,
            });
        }
        lay_out(dir.path(), &program, &libraries)?;
        let (outer, addrs) = launch(dir.path(), has_btrfs, &libraries)?;
        for (library, addr) in libraries.iter_mut().zip(addrs) {
            library.addr = addr;
        }
        let children = format!("/proc/{0}/task/{0}/children", outer.pid());
        let pid = fs::read_to_string(children).expect("it runs");
        let pid = pid.trim().parse().expect("it has one child");
        Ok(Self {
            dir,
            _outer: outer,
            pid,
            libraries,
        })
    }

    /// The root of the process, from outside.
    pub(crate) fn root(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root", self.pid))
    }

    fn path_from_outside(&self, library: &Library) -> PathBuf {
        let path = library.path.strip_prefix("/").expect("it is absolute");
        self.root().join(path)
    }

    /// Renames a file of other functions over each library.
    pub(crate) fn replace_libraries(&self) {
        for library in &self.libraries {
            let path = self.path_from_outside(library);
            let new = path.with_extension("new");
            testkit::copy(&library.wrong, &new).expect("root may");
            fs::rename(&new, &path).expect("root may");
        }
    }

    /// Deletes whatever is at the path of each library.
    pub(crate) fn delete_libraries(&self) {
        for library in &self.libraries {
            fs::remove_file(self.path_from_outside(library)).expect("root may");
        }
    }
}

/// Compiles a library with a function of this name.
fn library(function: &str) -> Result<PathBuf, String> {
    let define = format!("-DWORK={function}");
    let args = [
        "-shared",
        "-fPIC",
        "-fno-omit-frame-pointer",
        "-Wl,--build-id",
        &define,
    ];
    compile(function, include_str!("library.c"), &args)
}

/// Makes the lower layer, with the C library of the host, and the files of the other places.
fn lay_out(dir: &Path, program: &Path, libraries: &[Library]) -> Result<(), String> {
    let image = dir.join("image");
    let app = image.join(dir.join("app").strip_prefix("/").expect("it is absolute"));
    let folders = [&app.join("bound"), &app.join("disk"), &image.join("old")];
    let others = ["libs", "bound", "space", "merged", "store"].map(|name| dir.join(name));
    for folder in folders.into_iter().chain(&others) {
        fs::create_dir_all(folder).expect("ours");
    }
    testkit::copy(program, app.join("program")).expect("ours");
    let needed = Command::new("ldd")
        .arg(program)
        .output()
        .expect("it is there");
    let needed = String::from_utf8_lossy(&needed.stdout).into_owned();
    for path in needed
        .split_whitespace()
        .filter(|word| word.starts_with('/'))
    {
        let to = image.join(path.trim_start_matches('/'));
        fs::create_dir_all(to.parent().expect("a folder")).expect("ours");
        testkit::copy(path, to).expect("it can be read");
    }
    for it in libraries {
        let built = library(&it.function)?;
        let name = it.path.file_name().expect("it is a file");
        let place = match it.function.as_str() {
            "work_lower" => app.join(name),
            "work_bound" => dir.join("bound").join(name),
            _ => dir.join("libs").join(name),
        };
        testkit::copy(&built, place).expect("ours");
        keep_debug_file(dir, &built)?;
    }
    Ok(())
}

/// Puts the debug file of a library into the directory of debug files.
fn keep_debug_file(dir: &Path, built: &Path) -> Result<(), String> {
    let id = readelf_build_id(built).ok_or("there is no readelf")?;
    let id = id.expect("it was linked with one");
    let (folder, name) = id.split_at(2);
    let folder = dir.join("store/.build-id").join(folder);
    fs::create_dir_all(&folder).expect("ours");
    let done = Command::new("objcopy")
        .arg("--only-keep-debug")
        .arg(built)
        .arg(folder.join(format!("{name}.debug")))
        .status();
    assert!(done.expect("it is there").success());
    Ok(())
}

/// Runs the script, and waits for the addresses of the functions.
fn launch(
    dir: &Path,
    has_btrfs: bool,
    libraries: &[Library],
) -> Result<(KillOnDrop, Vec<u64>), String> {
    let mut unshare = Command::new("unshare");
    unshare.args(["--pid", "--fork", "--kill-child", "--mount", "--"]);
    unshare.args(["sh", "-c", SCRIPT, "sh"]).arg(dir);
    unshare.arg(if has_btrfs { "btrfs" } else { "none" });
    unshare.arg(dir.join("app/program"));
    for library in libraries {
        unshare.arg(&library.path).arg(&library.function);
    }
    unshare.stdout(Stdio::piped()).stderr(Stdio::piped());
    // Signals to the group of this test do not reach it.
    let outer = unshare.process_group(0).spawn();
    let mut outer = KillOnDrop(outer.map_err(|error| error.to_string())?);
    let mut line = String::new();
    let stdout = outer.0.stdout.take().expect("a pipe");
    drop(BufReader::new(stdout).read_line(&mut line));
    let addrs: Result<Vec<u64>, _> = line
        .split_whitespace()
        .map(|addr| u64::from_str_radix(addr, 16))
        .collect();
    match addrs {
        Ok(addrs) if addrs.len() == libraries.len() => Ok((outer, addrs)),
        _ => {
            drop(outer.0.kill());
            let mut said = String::new();
            let mut stderr = BufReader::new(outer.0.stderr.take().expect("a pipe"));
            drop(stderr.read_to_string(&mut said));
            Err(format!("no namespaces can be made here: {}", said.trim()))
        }
    }
}
