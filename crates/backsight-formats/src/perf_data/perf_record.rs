//! Reads the records that perf writes into a pipe about the recording.
//!
//! Source: `tools/perf/util/header.c` and `tools/lib/perf/include/perf/event.h`.

use backsight_types::trace::Facts;

use super::attr::Attr;
use super::event_attrs::{EventDescription, Events, numbers};
use super::facts;
use super::kinds::kind;
use super::raw::RawRecord;
use crate::bytes::Bytes;
use crate::flaws::Flaws;

/// Reads a record of perf; `None` if it is damaged.
pub(super) fn take(
    record: &RawRecord<'_>,
    events: &mut Events,
    facts: &mut Facts,
    flaws: &mut Flaws,
) -> Option<()> {
    const UPDATE_NAME: u64 = 2;
    let big = record.big;
    let mut at = Bytes::new(record.body, big);
    match record.kind {
        kind::HEADER_ATTR => {
            let (attr, size) = Attr::parse(record.body, big)?;
            events.add(EventDescription {
                attr,
                name: None,
                ids: numbers(record.body.get(size..)?, big),
            });
            facts.events = events.types();
        }
        kind::EVENT_UPDATE => {
            let (what, id) = (at.u64()?, at.u64()?);
            if what == UPDATE_NAME {
                events.name(id, String::from_utf8_lossy(at.text()).into_owned());
                facts.events = events.types();
            }
        }
        kind::HEADER_FEATURE => {
            let feature = at.u64()?;
            facts::take_feature(facts, feature, at.rest(), big, flaws);
            if feature == facts::feature::EVENT_DESC {
                events.take_names(at.rest(), big);
                facts.events = events.types();
            }
        }
        kind::HEADER_BUILD_ID => facts::take_build_id(facts, record.misc, record.body, big)?,
        _ => {}
    }
    Some(())
}
