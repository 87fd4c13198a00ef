//! A user without access to a process gets the same result with a maps file that a user
//! with access passed on.

use std::os::unix::net::UnixStream;

use backsight_normalize::{AbsAddr, BuildIds, Error, Module, Options, Outcome, Session};
use testkit::child::Child;
use testkit::kernel::{Ioctl, ioctl};
use testkit::naive;
use testkit::user::unprivileged;
use vma_query::{OpenOptions, ProcMaps};

/// Returns addresses in all lines of a text, between them and above them.
fn addresses(text: &[u8]) -> Vec<AbsAddr> {
    let around = |line: testkit::maps::Line| {
        let middle = line.start + (line.end - line.start) / 2;
        [line.start - 1, line.start, middle, line.end - 1, line.end]
    };
    let mut all: Vec<u64> = naive::lines(text).flat_map(around).collect();
    all.extend([0, 1, 1 << 47, u64::MAX]);
    all.into_iter().map(AbsAddr).collect()
}

/// The fields of a module that do not depend on the user.
fn identity(module: &Module) -> impl PartialEq + std::fmt::Debug + use<> {
    let path = module.path_lossy().into_owned();
    // Only users who may read the process's memory can read the image of the vDSO.
    let build_id = module.build_id.filter(|_| path != "[vdso]");
    (path, module.device, module.inode, module.deleted, build_id)
}

#[test]
fn another_user_gets_the_same_result() {
    let mut child = Child::spawn();
    let dir = tempfile::tempdir().unwrap();
    let gone = dir.path().join("gone.so");
    testkit::copy(std::env::current_exe().unwrap(), &gone).unwrap();
    child.map(&gone, "r-xp");
    std::fs::remove_file(&gone).unwrap();
    child.gaps("/proc/self/exe", 3);
    child.anon("rwxp", 0x3000);
    let addrs = addresses(&naive::text_of(child.pid()).unwrap());

    for build_ids in [BuildIds::Kernel, BuildIds::None] {
        let options = || {
            Options::default()
                .with_build_ids(build_ids)
                .with_segments(false)
        };
        let mut own = Session::open(child.pid(), options()).unwrap();
        let mut want = Vec::new();
        own.normalize(&addrs, &mut want).unwrap();
        let located = |it: &&Outcome| matches!(it, Outcome::Located { .. });
        assert!(want.iter().filter(located).count() > 10);
        let wanted: Vec<_> = own
            .modules()
            .iter()
            .map(|it| identity(&it.module))
            .collect();

        let (ours, theirs) = UnixStream::pair().unwrap();
        let maps = ProcMaps::open(child.pid()).unwrap();
        maps.send_over(&ours).unwrap();
        let (refused, got, modules) = unprivileged(|| {
            let refused = Session::open(child.pid(), options()).map(drop);
            let handed = OpenOptions::new().receive_from(&theirs).unwrap();
            let mut session = Session::new(handed, options());
            let mut got = Vec::new();
            session.normalize(&addrs, &mut got).unwrap();
            let modules: Vec<_> = session
                .modules()
                .iter()
                .map(|it| identity(&it.module))
                .collect();
            (refused, got, modules)
        });
        if testkit::is_root() {
            assert!(matches!(refused, Err(Error::Denied(_))), "{refused:?}");
        }
        assert_eq!(got, want);
        assert_eq!(modules, wanted);

        let any_id = own.modules().iter().any(|it| it.module.build_id.is_some());
        let by_kernel = build_ids == BuildIds::Kernel && ioctl() == Ioctl::Answers;
        assert_eq!(any_id, by_kernel);
    }
}

#[test]
fn a_process_that_closes_itself_half_way_is_still_located() {
    let mut child = match testkit::is_root() {
        true => Child::spawn_as(65534),
        false => Child::spawn(),
    };
    child.map("/proc/self/exe", "r-xp");
    let addrs = addresses(&naive::text_of(child.pid()).unwrap());
    let own = Session::open(child.pid(), Options::bare());
    let mut want = Vec::new();
    own.unwrap().normalize(&addrs, &mut want).unwrap();
    unprivileged(|| {
        let mut session = Session::open(child.pid(), Options::default()).unwrap();
        // Its maps are open already, but its files and memory can no longer be opened.
        child.close();
        let mut got = Vec::new();
        session.normalize(&addrs, &mut got).unwrap();
        assert_eq!(
            got, want,
            "addresses are located even if the file cannot be opened"
        );
        for module in session.modules() {
            let module = &module.module;
            assert!(module.segments.is_none(), "{}", module.path_lossy());
            assert!(module.unreadable.is_some(), "{}", module.path_lossy());
        }
        let late = Session::open(child.pid(), Options::default()).map(drop);
        assert!(matches!(late, Err(Error::Denied(_))), "{late:?}");
    });
}

#[test]
fn a_process_whose_first_thread_ended_is_located_with_its_files() {
    let mut child = Child::spawn();
    let code = child.map("/proc/self/exe", "r-xp");
    child.end_leader();
    // Start times are in hundredths of a second: a younger thread proves nothing.
    std::thread::sleep(std::time::Duration::from_millis(50));
    let addr = [AbsAddr(code.start)];
    for backend in [vma_query::Backend::Auto, vma_query::Backend::Text] {
        let options = Options::default().with_backend(backend);
        let mut session = Session::open(child.pid(), options).unwrap();
        let mut got = Vec::new();
        session.normalize(&addr, &mut got).unwrap();
        assert!(matches!(got[..], [Outcome::Located { .. }]), "{got:?}");
        let module = &session.modules()[0].module;
        assert_eq!(module.unreadable, None, "{backend:?}");
        assert!(module.segments.is_some(), "{backend:?}");
    }
}
