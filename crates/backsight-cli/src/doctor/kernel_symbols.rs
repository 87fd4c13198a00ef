//! Whether `/proc/kallsyms` shows addresses, which depends on `kptr_restrict`.

use std::fs::File;
use std::io::BufReader;

use backsight_symbolize::Kallsyms;

use super::finding::Finding;
use super::inspected_proc::InspectedProc;

pub(super) fn check(host: &InspectedProc) -> Finding {
    let restrict = host.number("sys/kernel/kptr_restrict");
    let shown = restrict.map_or_else(|| "not there".to_owned(), |number| number.to_string());
    let list = File::open(host.path("kallsyms")).map(BufReader::new);
    match list.and_then(Kallsyms::shows_addresses) {
        Ok(true) => Finding::ok(format!(
            "kallsyms shows addresses (kptr_restrict is {shown}): recordings of this kernel get names"
        )),
        Ok(false) => Finding::limited(
            format!(
                "kallsyms hides addresses (kptr_restrict is {shown}): the kernel's functions in \
                 recordings get no names"
            ),
            "run with CAP_SYSLOG, and kernel.kptr_restrict at 1 or less",
        ),
        Err(error) => Finding::missing(
            format!("/proc/kallsyms: {error}: the kernel's functions get no names"),
            "use a kernel with CONFIG_KALLSYMS",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::super::inspected_proc::InspectedProc;
    use super::check;

    #[test]
    fn zeros_are_hidden_addresses() {
        let cases = [
            (
                "0000000000000000 A a\n0000000000000000 T b\n",
                State::Limited,
            ),
            ("0000000000000000 A a\nffffffff81000000 T b\n", State::Ok),
            ("", State::Limited),
        ];
        for (text, want) in cases {
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join("kallsyms"), text).unwrap();
            assert_eq!(check(&InspectedProc::new(dir.path())).state, want, "{text}");
        }
        let none = tempfile::tempdir().unwrap();
        assert_eq!(
            check(&InspectedProc::new(none.path())).state,
            State::Missing
        );
    }
}
