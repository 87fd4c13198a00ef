//! Makes the pictures of the page for a browser that the documentation shows.
//!
//! ```text
//! pictures PAGE.html DIR FUNCTION SEARCH
//! ```
//!
//! Into DIR: `page.png`, `page-zoomed.png` with the flame graph zoomed into a function and a search,
//! and `page-callers.png` with the callers and callees of the function.

use std::path::Path;

use testkit::browser::Browser;

fn main() -> Result<(), String> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [page, dir, function, search] = &args[..] else {
        return Err("usage: pictures PAGE.html DIR FUNCTION SEARCH".to_owned());
    };
    let page = Path::new(page).canonicalize();
    let page = page.map_err(|error| error.to_string())?;
    let browser = Browser::start()?;
    // The driver counts what is around the page, too.
    browser.resize(1100, 640)?;
    browser.open(&page)?;
    let save = |name: &str| {
        let path = Path::new(dir).join(name);
        let written = std::fs::write(&path, browser.screenshot()?);
        written.map_err(|error| format!("{}: {error}", path.display()))
    };
    save("page.png")?;
    let found = browser.run(&format!(
        "const it = main.shown.find(({{ node }}) => node.entry >= 0 && nameOf(node.entry) === \
         {function:?}); return it && [it.x + 8, it.y + 8];"
    ))?;
    let at = |nth: usize| found[nth].as_f64().map(|at| at as i64);
    let place = at(0).zip(at(1));
    let place = place.ok_or_else(|| format!("no {function} in the flame graph"))?;
    browser.click("#graph canvas", Some(place))?;
    browser.type_into("#search", search)?;
    save("page-zoomed.png")?;
    browser.run(
        "document.querySelector('#search').value = ''; document.querySelector('#search')\
         .dispatchEvent(new Event('input', { bubbles: true }));",
    )?;
    browser.click("#tab-table", None)?;
    let row = browser.run(&format!(
        "const rows = [...document.querySelectorAll('#rows tr')]; const row = rows.find((row) => \
         [...row.cells].some((cell) => cell.textContent === {function:?})); row.id = 'wanted'; \
         return rows.length"
    ))?;
    if row.as_u64() == Some(0) {
        return Err("the table has no rows".to_owned());
    }
    browser.click("#wanted", None)?;
    save("page-callers.png")
}
