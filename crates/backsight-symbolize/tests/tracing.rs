//! What is told to `tracing`, in the order in which it happens.

mod common;

use std::fmt;
use std::sync::{Arc, Mutex};

use backsight_symbolize::{ModuleInput, Options, Symbolizer, Tier};
use common::Fixture;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    fn push(&self, line: String) {
        self.0.lock().expect("no panic before").push(line);
    }
}

struct Text<'t>(&'t mut String);

impl Visit for Text<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let known = matches!(
            field.name(),
            "message" | "debug_file" | "index" | "succeeded"
        );
        if known {
            self.0.push_str(&format!(" {}={value:?}", field.name()));
        }
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "backsight_symbolize"
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.push(format!("span {}", span.metadata().name()));
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = "event".to_owned();
        event.record(&mut Text(&mut line));
        self.push(line);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[test]
fn opening_indexing_and_evicting_are_told() {
    let fixture = Fixture::new();
    fixture.write("a.c", "int main(void) { return 1; }");
    if let Err(words) = fixture.run("gcc", &["-g", "-Wl,--build-id", "-o", "a", "a.c"]) {
        return testkit::skip(&words);
    }
    let mut options = Options::default().with_tier(Tier::Flat);
    options.index_dir = Some(backsight_symbolize::IndexDir::new(
        fixture.path("indexes"),
        u64::MAX,
    ));
    options.budget.kept_bytes = 0;
    let lines = Lines::default();
    tracing::subscriber::with_default(lines.clone(), || {
        for _ in 0..2 {
            let symbolizer = Symbolizer::new(options.clone());
            let input = ModuleInput::open(&fixture.path("a")).expect("a regular file");
            let module = symbolizer.add(input, None, None);
            let _ = common::find(&symbolizer, module, 0x1000);
        }
    });
    let told = lines.0.lock().expect("no panic before").clone();
    let want = [
        "event message=opened debug_file=false index=false",
        "span index",
        "event message=index written succeeded=true",
        "event message=evicted",
        "event message=opened debug_file=false index=true",
        "event message=evicted",
    ];
    assert_eq!(told, want);
}
