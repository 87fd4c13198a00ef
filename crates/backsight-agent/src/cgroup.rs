//! The control group of a process, and the container that it is.
//!
//! ```text
//!   0::/system.slice/docker-<64 digits>.scope              version 2
//!   4:memory:/kubepods/burstable/pod<UID>/<64 digits>      version 1
//! ```
//!
//! Source: cgroups(7); the attribute `container.id` of OpenTelemetry's semantic conventions.

use std::sync::Arc;

use backsight::{ProcessLabel, ProcessLabelValue};

/// Where a process belongs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cgroup {
    /// Its path; `None` for the root, where all are that nobody has put elsewhere.
    path: Option<Arc<str>>,
    container: Option<Arc<str>>,
}

/// The hexadecimal digits of the ID of a container of Docker, containerd, CRI-O and Podman.
const ID_DIGITS: usize = 64;

impl Cgroup {
    /// Reads the text of `/proc/PID/cgroup`: the line of version 2, or the first of version 1,
    /// whose path is not the root.
    pub(crate) fn parse(text: &str) -> Self {
        let paths = || {
            text.lines().filter_map(|line| {
                let (hierarchy, rest) = line.split_once(':')?;
                let (_, path) = rest.split_once(':')?;
                Some((hierarchy == "0", path)).filter(|(_, path)| !path.is_empty() && *path != "/")
            })
        };
        let unified = paths().find(|(is_unified, _)| *is_unified);
        let path = unified.or_else(|| paths().next()).map(|(_, path)| path);
        Self {
            path: path.map(Arc::from),
            container: path.and_then(container_in).map(Arc::from),
        }
    }

    /// Returns the labels of its processes.
    pub(crate) fn labels(&self) -> impl Iterator<Item = ProcessLabel> {
        let label = |key: &str, value: &Option<Arc<str>>| {
            let value = ProcessLabelValue::Text(Arc::clone(value.as_ref()?));
            let key = Arc::from(key);
            Some(ProcessLabel { key, value })
        };
        let path = label("cgroup", &self.path);
        path.into_iter()
            .chain(label("container.id", &self.container))
    }
}

/// Returns the ID of the innermost container in a path.
fn container_in(path: &str) -> Option<&str> {
    let words = path.rsplit(|byte: char| !byte.is_ascii_hexdigit());
    let mut ids = words.filter(|word| word.len() == ID_DIGITS);
    ids.next()
}

#[cfg(test)]
mod tests {
    use super::Cgroup;

    #[test]
    fn a_path_names_the_innermost_container() {
        let id = "0123456789abcdef".repeat(4);
        let other = "f".repeat(64);
        for (text, path, container) in [
            ("0::/\n", None, None),
            ("", None, None),
            ("no line", None, None),
            (
                "0::/user.slice/a:b.scope\n",
                Some("/user.slice/a:b.scope"),
                None,
            ),
            (
                &format!("0::/system.slice/docker-{id}.scope\n"),
                Some(&*format!("/system.slice/docker-{id}.scope")),
                Some(&*id),
            ),
            (
                &format!("0::/\n5:cpu:/\n4:memory:/kubepods/pod1/{id}\n"),
                Some(&format!("/kubepods/pod1/{id}")),
                Some(&id),
            ),
            (
                &format!("0::/docker/{other}/docker/{id}/init\n"),
                Some(&format!("/docker/{other}/docker/{id}/init")),
                Some(&id),
            ),
            (&format!("0::/a/{id}0\n"), Some(&format!("/a/{id}0")), None),
        ] {
            let found = Cgroup::parse(text);
            assert_eq!(found.path.as_deref(), path, "{text}");
            assert_eq!(found.container.as_deref(), container, "{text}");
            let labels = usize::from(path.is_some()) + usize::from(container.is_some());
            assert_eq!(found.labels().count(), labels, "{text}");
        }
    }
}
