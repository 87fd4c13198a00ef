//! The header of the C library, made of its crate.

use std::fs;

use crate::root::root;

const CRATE: &str = "crates/backsight-capi";
const HEADER: &str = "crates/backsight-capi/include/backsight.h";

const BEGIN: &str = "\
/* libbacksight: from stack addresses to functions and lines.
 *
 * Written by `cargo xtask header`: change crates/backsight-capi/src instead.
 *
 * Calls return BACKSIGHT_OK or the number of an error, of which backsight_last_error() tells more.
 * Structures that you make begin with their size; set what you do not use to 0, which is the
 * default of each field:
 *
 *     backsight_symbol_options options = { .size = sizeof options, .flags = BACKSIGHT_NAMES_ONLY };
 *
 * Structures that the library makes may have more fields in later versions: use pointers to them
 * alone. Handles are no addresses: one that was freed, or is of another kind, is an error. In a
 * forked child all are, and new ones are to be made. Sizes and offsets are in bytes.
 */";

/// Writes the header, or says how the one that is there differs.
pub(crate) fn run(is_check: bool) -> Result<String, String> {
    let path = root().join(HEADER);
    let header = made()?;
    let known = fs::read_to_string(&path).unwrap_or_default();
    if is_check && known != header {
        let differs = known.lines().zip(header.lines()).position(|(a, b)| a != b);
        let line = differs.map_or(known.lines().count(), |at| at) + 1;
        return Err(format!(
            "{HEADER}:{line}: not what its crate says: `cargo xtask header` writes it"
        ));
    }
    if known != header {
        fs::write(&path, &header).map_err(|why| format!("{}: {why}", path.display()))?;
    }
    Ok(format!("header: {} lines", header.lines().count()))
}

fn made() -> Result<String, String> {
    // The modules that it names are read, too, in its order.
    let builder = cbindgen::Builder::new()
        .with_config(config())
        .with_src(root().join(CRATE).join("src/lib.rs"));
    let bindings = builder
        .generate()
        .map_err(|why| format!("cbindgen: {why}"))?;
    let mut out = Vec::new();
    bindings.write(&mut out);
    let text = String::from_utf8(out).map_err(|why| why.to_string())?;
    // No spaces at the ends of lines.
    Ok(text
        .lines()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect())
}

fn config() -> cbindgen::Config {
    let mut config = cbindgen::Config {
        header: Some(BEGIN.to_owned()),
        include_guard: Some("BACKSIGHT_H".to_owned()),
        language: cbindgen::Language::C,
        cpp_compat: true,
        style: cbindgen::Style::Both,
        documentation_style: cbindgen::DocumentationStyle::Doxy,
        documentation_length: cbindgen::DocumentationLength::Full,
        no_includes: true,
        sys_includes: ["stddef.h", "stdint.h"].map(str::to_owned).to_vec(),
        usize_is_size_t: true,
        line_length: 100,
        tab_width: 2,
        ..cbindgen::Config::default()
    };
    config.function.args = cbindgen::Layout::Auto;
    config.sort_by = cbindgen::SortKey::None;
    config
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_header_is_what_the_crate_says() {
        super::run(true).unwrap();
    }

    #[test]
    fn each_function_is_declared_once() {
        let header = super::made().unwrap();
        let all = header.lines().filter(|line| {
            line.contains(" backsight_") && line.contains('(') && !line.starts_with([' ', '/'])
        });
        let mut names: Vec<_> = all.filter_map(|line| line.split('(').next()).collect();
        assert!(names.len() > 50, "{names:?}");
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
