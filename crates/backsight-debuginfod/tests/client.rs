//! Tests a client with correct and faulty servers.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use backsight_debuginfod::{Client, FetchFault, FileKind, Options, Server, TransferOutcome};
use backsight_types::BuildId;
use common::{Watched, elf, file, id, options, sound};
use tempfile::TempDir;
use testkit::http::{Reply, Request, Stub};

/// Requests the file, and returns the outcome.
fn ask(client: &Watched) -> TransferOutcome {
    ask_for(client, &id(0x11))
}

fn ask_for(watched: &Watched, id: &BuildId) -> TransferOutcome {
    let before = watched.attempts().len();
    let got = watched.client.get(id, FileKind::DebugInfo);
    let transfers = watched.attempts();
    assert_eq!(transfers.len(), before + 1, "each request is recorded");
    let outcome = transfers[before].outcome.clone();
    match (&outcome, got) {
        (TransferOutcome::Fetched(_) | TransferOutcome::Cached, Ok(Some((_, path)))) => {
            assert!(std::fs::read(path).expect("it is kept") == file());
        }
        (TransferOutcome::Failed(_, said), Err(fault)) => assert_eq!(fault, *said),
        (
            TransferOutcome::Absent
            | TransferOutcome::KnownAbsent
            | TransferOutcome::Offline
            | TransferOutcome::LeftOut,
            Ok(None),
        ) => {}
        other => panic!("{other:?}"),
    }
    outcome
}

/// Returns why the file could not be fetched, and asserts that no part of it is used
/// later.
fn fault(cache: &TempDir, options: Options) -> FetchFault {
    let client = Watched::new(options.clone());
    let outcome = ask(&client);
    let offline = Watched::new(options.with_offline(true));
    assert_eq!(
        ask(&offline),
        TransferOutcome::Offline,
        "nothing is in the cache"
    );
    let kept = walk(cache);
    assert!(
        kept.iter().all(|name| !name.ends_with("debuginfo")),
        "{kept:?}"
    );
    match outcome {
        TransferOutcome::Failed(_, fault) => fault,
        other => panic!("{other:?}"),
    }
}

fn walk(cache: &TempDir) -> Vec<String> {
    let folders = std::fs::read_dir(cache.path().join("cache"))
        .into_iter()
        .flatten();
    let files = folders.flat_map(|folder| std::fs::read_dir(folder.expect("an entry").path()));
    let files = files.flatten();
    files
        .map(|file| {
            file.expect("an entry")
                .file_name()
                .into_string()
                .expect("ASCII")
        })
        .collect()
}

#[test]
fn cold_warm_and_offline() {
    let (cache, stub) = (TempDir::new().expect("room"), Stub::new(sound));
    let server: Server = stub.url().parse().expect("an address");
    let client = Watched::new(options(&cache, &[&stub]));
    assert_eq!(ask(&client), TransferOutcome::Fetched(server));
    assert_eq!(ask(&client), TransferOutcome::Cached);
    let [cold, warm] = &client.attempts()[..] else {
        panic!("two transfers");
    };
    let bytes = u64::try_from(file().len()).expect("64 bits");
    assert_eq!((cold.requests, cold.received_bytes), (1, bytes));
    assert_eq!((warm.requests, warm.received_bytes), (0, 0));
    // A file is counted once, however often it is requested.
    let transfers = client.client.transfers();
    let counted = transfers.iter().map(|of| (&of.outcome, of.requests));
    assert_eq!(counted.collect::<Vec<_>>(), [(&cold.outcome, 1)]);
    drop(stub);
    // Without the server, another process gets the file from the cache.
    let offline = Watched::new(options(&cache, &[]).with_offline(true));
    assert_eq!(ask(&offline), TransferOutcome::Cached);
    assert_eq!(ask_for(&offline, &id(0x22)), TransferOutcome::Offline);
}

#[test]
fn misses_are_not_requested_again_at_once() {
    let (cache, stub) = (TempDir::new().expect("room"), Stub::new(sound));
    let mut options = options(&cache, &[&stub, &stub]);
    let client = Watched::new(options.clone());
    // Many requests at once: each file is requested once from each server.
    for _ in 0..3 {
        for byte in 0x20..0x60 {
            ask_for(&client, &id(byte));
        }
    }
    assert_eq!(stub.requests().len(), 2 * 0x40);
    let outcomes: Vec<TransferOutcome> =
        client.attempts().into_iter().map(|of| of.outcome).collect();
    assert!(
        outcomes[..0x40]
            .iter()
            .all(|outcome| *outcome == TransferOutcome::Absent)
    );
    assert!(
        outcomes[0x40..]
            .iter()
            .all(|outcome| *outcome == TransferOutcome::KnownAbsent)
    );
    // Later it is requested again.
    options.absent_for = Duration::ZERO;
    let client = Watched::new(options);
    assert_eq!(ask_for(&client, &id(0x20)), TransferOutcome::Absent);
    assert_eq!(stub.requests().len(), 2 * 0x40 + 2);
}

#[test]
fn a_file_of_another_build_id_is_refused_and_the_next_server_asked() {
    let cache = TempDir::new().expect("room");
    for wrong in [
        elf(&[0x12; 8], 0),
        b"<html>not found</html>".to_vec(),
        Vec::new(),
    ] {
        let liar = Stub::new(move |_| Reply::Content(wrong.clone()));
        assert_eq!(
            fault(&cache, options(&cache, &[&liar])),
            FetchFault::WrongBuildId
        );
        let honest = Stub::new(sound);
        let other = TempDir::new().expect("room");
        let client = Watched::new(options(&other, &[&liar, &honest]));
        let server = honest.url().parse().expect("an address");
        assert_eq!(ask(&client), TransferOutcome::Fetched(server));
    }
}

#[test]
fn slow_silent_late_and_endless_servers_are_left() {
    let cache = TempDir::new().expect("room");
    let slow = Stub::new(|_| Reply::Slow(file(), Duration::from_millis(20)));
    let mut within = options(&cache, &[&slow]);
    within.stall_time = Duration::from_secs(2);
    let got = fault(&cache, within);
    assert!(matches!(got, FetchFault::Stalled { .. }), "{got:?}");

    let silent = Stub::new(|_| Reply::Silence);
    let mut within = options(&cache, &[&silent]);
    within.stall_time = Duration::from_millis(400);
    let got = fault(&cache, within);
    assert_eq!(got, FetchFault::TimedOut(Duration::from_millis(400)));

    let mut within = options(&cache, &[&slow]);
    within.stall_bytes = 0;
    within.file_time = Duration::from_millis(700);
    let got = fault(&cache, within);
    assert_eq!(got, FetchFault::TimedOut(Duration::from_millis(700)));

    let endless = Stub::new(|_| Reply::Endless);
    let mut bounded = options(&cache, &[&endless]);
    bounded.file_bytes = 1 << 20;
    assert_eq!(
        fault(&cache, bounded.clone()),
        FetchFault::TooLarge { limit: 1 << 20 }
    );
    bounded.total_bytes = 1 << 19;
    assert_eq!(
        fault(&cache, bounded),
        FetchFault::TooLarge { limit: 1 << 19 }
    );

    let announced = Stub::new(sound);
    let mut bounded = options(&cache, &[&announced]);
    bounded.file_bytes = 1000;
    assert_eq!(fault(&cache, bounded), FetchFault::TooLarge { limit: 1000 });
}

#[test]
fn other_answers_are_said() {
    let cache = TempDir::new().expect("room");
    for status in [400, 403, 500, 503] {
        let stub = Stub::new(move |_| Reply::Status(status));
        assert_eq!(
            fault(&cache, options(&cache, &[&stub])),
            FetchFault::Status(status)
        );
    }
    let garbage = Stub::new(|_| Reply::Garbage);
    let got = fault(&cache, options(&cache, &[&garbage]));
    assert!(matches!(got, FetchFault::Protocol(_)), "{got:?}");
    // No server listens at this address.
    let gone = Stub::new(sound).url();
    let mut nobody = options(&cache, &[]);
    nobody.servers = vec![gone.parse().expect("an address")];
    let got = fault(&cache, nobody);
    assert!(matches!(got, FetchFault::Connection(_)), "{got:?}");
}

#[test]
fn redirects_are_followed_but_not_for_ever() {
    let cache = TempDir::new().expect("room");
    let target = Stub::new(sound);
    let to = format!("{}/buildid/{}/debuginfo", target.url(), id(0x11));
    let once = Stub::new(move |_| Reply::Redirect(to.clone()));
    let client = Watched::new(options(&cache, &[&once]));
    assert!(matches!(ask(&client), TransferOutcome::Fetched(_)));
    // Each of them is a request.
    let asked = once.requests().len() + target.requests().len();
    assert_eq!((asked, client.attempts()[0].requests), (2, 2));

    let other = TempDir::new().expect("room");
    let circle = Stub::new(|request| Reply::Redirect(request.path.clone()));
    let client = Watched::new(options(&other, &[&circle]));
    let got = ask(&client);
    assert!(
        matches!(got, TransferOutcome::Failed(_, FetchFault::Redirects)),
        "{got:?}"
    );
    let asked = u32::try_from(circle.requests().len()).expect("few");
    assert!(asked <= 6);
    assert_eq!(client.attempts()[0].requests, asked);
}

#[test]
fn a_transfer_that_broke_off_goes_on_where_it_ended() {
    let cache = TempDir::new().expect("room");
    let breaks = |request: &Request| match request.from {
        None => Reply::CutOff(file(), 100_000),
        Some(from) => Reply::Rest(file(), from),
    };
    let stub = Stub::new(breaks);
    let client = Watched::new(options(&cache, &[&stub]));
    let announced = u64::try_from(file().len()).expect("64 bits");
    let got = ask(&client);
    let want = FetchFault::CutOff {
        got: 100_000,
        announced,
    };
    assert!(
        matches!(&got, TransferOutcome::Failed(_, fault) if *fault == want),
        "{got:?}"
    );
    assert!(matches!(ask(&client), TransferOutcome::Fetched(_)));
    let received: Vec<u64> = client
        .attempts()
        .iter()
        .map(|of| of.received_bytes)
        .collect();
    assert_eq!(received, [100_000, announced - 100_000]);

    // A server without range requests sends the whole file; one with a shorter file
    // refuses the range.
    for ignores in [true, false] {
        let cache = TempDir::new().expect("room");
        let count = AtomicUsize::new(0);
        let stub =
            Stub::new(
                move |request| match (count.fetch_add(1, Ordering::Relaxed), ignores) {
                    (0, _) => Reply::CutOff(file(), 100_000),
                    (1, false) => Reply::Status(416),
                    _ => {
                        assert!(request.from.is_none() || ignores);
                        Reply::Content(file())
                    }
                },
            );
        let client = Watched::new(options(&cache, &[&stub]));
        assert!(matches!(ask(&client), TransferOutcome::Failed(..)));
        assert!(matches!(ask(&client), TransferOutcome::Fetched(_)));
    }
}

#[test]
fn one_request_per_file_and_a_few_files_at_once() {
    let cache = TempDir::new().expect("room");
    let stub = Stub::new(|request| match sound(request) {
        Reply::Content(bytes) => Reply::Late(bytes, Duration::from_millis(100)),
        other => other,
    });
    let mut options = options(&cache, &[&stub]);
    options.transfers_at_once = 2;
    // Two clients behave like two processes.
    let clients = [(); 2].map(|()| Client::new(options.clone()).expect("a cache"));
    std::thread::scope(|scope| {
        for client in clients.iter().cycle().take(8) {
            scope.spawn(|| {
                client
                    .get(&id(0x11), FileKind::DebugInfo)
                    .expect("a file")
                    .expect("it")
            });
        }
    });
    assert_eq!(stub.requests().len(), 1);

    let busy = Stub::new(|_| Reply::Late(Vec::new(), Duration::from_millis(50)));
    let servers = vec![busy.url().parse().expect("an address")];
    let client = Arc::new(Client::new(options.with_servers(servers)).expect("a cache"));
    std::thread::scope(|scope| {
        for byte in 0x20..0x30 {
            let client = Arc::clone(&client);
            scope.spawn(move || {
                client
                    .get(&id(byte), FileKind::Executable)
                    .expect_err("empty")
            });
        }
    });
    assert_eq!((busy.requests().len(), busy.most_at_once()), (16, 2));
}

#[test]
fn a_server_that_fails_again_and_again_is_given_up() {
    let cache = TempDir::new().expect("room");
    let stub = Stub::new(|_| Reply::Silence);
    let mut options = options(&cache, &[&stub]);
    options.stall_time = Duration::from_millis(100);
    let client = Watched::new(options);
    let outcomes: Vec<TransferOutcome> = (0x20..0x28)
        .map(|byte| ask_for(&client, &id(byte)))
        .collect();
    assert_eq!(stub.requests().len(), 3);
    let last = outcomes.last().expect("eight");
    assert!(
        matches!(last, TransferOutcome::Failed(_, FetchFault::GivenUp(3))),
        "{last:?}"
    );
}

#[test]
fn files_of_few_samples_are_left_out() {
    let (cache, stub) = (TempDir::new().expect("room"), Stub::new(sound));
    let client = Arc::new(Client::new(options(&cache, &[&stub])).expect("a cache"));
    client.ask_only_for([id(0x22)]);
    let symbols = || {
        let options = backsight_symbolize::Options::default();
        options
            .with_debug_dirs(Vec::new())
            .with_fetchers(vec![client.clone()])
    };
    let find = || backsight_symbolize::open_module(None, id(0x11), &symbols());
    assert!(find().is_err());
    assert_eq!(stub.requests(), []);
    assert_eq!(client.transfers()[0].outcome, TransferOutcome::LeftOut);
    client.ask_only_for([id(0x11)]);
    assert!(find().is_err());
    assert_eq!(
        stub.requests().len(),
        1,
        "the executable is asked for, and not had"
    );
}

/// Another part of a program that needs the same file does not ask again.
#[test]
fn what_a_server_refused_is_not_requested_again_in_one_run() {
    let cache = TempDir::new().expect("room");
    let failing = Stub::new(|_| Reply::Status(500));
    let liar = Stub::new(|_| Reply::Content(elf(&[0x12; 8], 0)));
    let options = options(&cache, &[&failing, &liar]);
    let client = Watched::new(options.clone());
    let outcomes = [ask(&client), ask(&client)];
    for outcome in &outcomes {
        assert!(
            matches!(
                outcome,
                TransferOutcome::Failed(_, FetchFault::WrongBuildId)
            ),
            "{outcome:?}"
        );
    }
    let counts = || [&failing, &liar].map(|stub| stub.requests().len());
    assert_eq!(counts(), [1, 1]);
    // The next run asks.
    ask(&Watched::new(options));
    assert_eq!(counts(), [2, 2]);
}
