//! Whether the kernel supports `PROCMAP_QUERY`, tried on this process.

use std::io;

use vma_query::{Error, Probe};

use super::finding::Finding;
use super::inspected_proc::InspectedProc;
use super::kernel;

pub(super) fn check(host: &InspectedProc) -> Finding {
    match vma_query::probe() {
        Ok(Probe::Answers) => {
            Finding::ok("supported: one ioctl for each VMA that contains an address")
        }
        Ok(Probe::Refused(error)) => {
            refused(&error, kernel::is_old(host), host.status().seccomp > 0)
        }
        Ok(other) => Finding::limited(format!("{other:?}"), "the text is read instead"),
        Err(error) => Finding::missing(
            match error {
                // Such an error names the file.
                Error::Io(error) | Error::Denied(error) => error.to_string(),
                error => format!("/proc/self/maps: {error}"),
            },
            "mount /proc: mount -t proc proc /proc",
        ),
    }
}

fn refused(error: &io::Error, is_old: bool, is_filtered: bool) -> Finding {
    let found = format!(
        "refused ({error}); the text of /proc/PID/maps is read instead, with the same answers"
    );
    let advice = match (is_old, is_filtered) {
        (true, _) => "it came with Linux 6.11: for speed use that or a later one",
        (false, true) => {
            "the kernel is new enough, but a seccomp filter is active: let the filter of this \
             container or sandbox allow ioctl 0xc0686611 on /proc/PID/maps"
        }
        (false, false) => {
            "the kernel's version is new enough, so an emulator (gVisor, qemu-user) may lack \
             ioctl 0xc0686611 on /proc/PID/maps: ask its developers"
        }
    };
    Finding::limited(found, advice)
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::refused;

    #[test]
    fn a_refusal_names_its_likely_cause() {
        let cases = [
            (true, true, "Linux 6.11"),
            (true, false, "Linux 6.11"),
            (false, true, "seccomp"),
            (false, false, "gVisor"),
        ];
        for (old, filtered, word) in cases {
            let error = io::Error::from_raw_os_error(25); // ENOTTY on every machine
            let finding = refused(&error, old, filtered);
            assert!(finding.found.contains("os error 25"), "{}", finding.found);
            let advice = finding.advice.unwrap();
            assert!(advice.contains(word), "{old}, {filtered}: {advice}");
        }
    }
}
