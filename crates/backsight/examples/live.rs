//! Prints the function, file and line at which each thread of a live process is stopped.
//!
//! ```sh
//! cargo run -p backsight --example live -- PID
//! ```

use std::error::Error;

use backsight::Live;

fn main() -> Result<(), Box<dyn Error>> {
    let pid = std::env::args().nth(1).ok_or("give a PID")?.parse()?;
    let mut live = Live::open(pid)?;
    for pc in live.threads()?.iter().filter_map(|thread| thread.pc) {
        live.stack(&[pc], |answer, _| println!("{pc} {:?}", answer.frames))?;
    }
    Ok(())
}
