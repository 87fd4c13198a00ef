//! A process hands itself to an agent that may not open it, such as one of another user, and
//! sends it addresses; the agent says where they are.
//!
//! `cargo run --example hand_over -p backsight-normalize -- agent /tmp/agent.socket`, and as
//! another user the same with `target` instead of `agent`.

use std::error::Error;
use std::fs::{File, Permissions, set_permissions};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use backsight_normalize::{AbsAddr, Options, Outcome, Session};
use vma_query::{OpenOptions, ProcMaps};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    match (args.next().as_deref(), args.next()) {
        (Some("agent"), Some(socket)) => agent(&socket),
        (Some("target"), Some(socket)) => target(&socket),
        _ => Err("hand_over agent|target SOCKET".into()),
    }
}

/// Hands itself over, with the addresses of two of its functions, and one that is nowhere.
fn target(socket: &str) -> Result<(), Box<dyn Error>> {
    let mut socket = UnixStream::connect(socket)?;
    ProcMaps::open_self()?.send_with_root(&socket, File::open("/")?)?;
    let functions = [main as *const () as u64, target as *const () as u64, 8];
    for address in functions {
        socket.write_all(&address.to_ne_bytes())?;
    }
    socket.shutdown(std::net::Shutdown::Write)?;
    // The maps file answers as long as this process runs.
    socket.read_to_end(&mut Vec::new())?;
    Ok(())
}

/// Serves one target.
fn agent(socket: &str) -> Result<(), Box<dyn Error>> {
    let listener = UnixListener::bind(socket)?;
    set_permissions(socket, Permissions::from_mode(0o666))?;
    let (mut target, _) = listener.accept()?;
    std::fs::remove_file(socket)?;
    // A target that sends nothing does not hold the agent up.
    target.set_read_timeout(Some(Duration::from_secs(10)))?;
    let (maps, root) = OpenOptions::new().receive_with_root(&target)?;
    let mut session = Session::new(maps, Options::default());
    if let Some(root) = root {
        session = session.with_root(root);
    }
    let mut bytes = Vec::new();
    (&mut target).take(1 << 20).read_to_end(&mut bytes)?;
    let addresses = bytes.as_chunks().0.iter().copied();
    let addresses: Vec<_> = addresses.map(u64::from_ne_bytes).map(AbsAddr).collect();
    let mut outcomes = Vec::new();
    session.normalize(&addresses, &mut outcomes)?;
    for (address, outcome) in addresses.iter().zip(outcomes) {
        let Outcome::Located {
            module,
            file_offset,
        } = outcome
        else {
            println!("{address} {outcome:?}");
            continue;
        };
        let module = &session.modules()[module.as_usize()].module;
        let virt = module.virt_offset_of(file_offset);
        println!(
            "{address} {} {file_offset:?} {virt:?} {:?}",
            module.path_lossy(),
            module.build_id
        );
    }
    Ok(())
}
