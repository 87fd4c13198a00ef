//! Converts events that open and close frames to samples of the open stack.

use backsight_profile::{LocationIdx, Profile, StackIdx};

use super::text::FrameEvent;
use crate::flaws::Flaws;

/// An interval during which a stack was open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Interval {
    pub(super) stack: StackIdx,
    pub(super) start: i64,
    pub(super) length: i64,
}

/// The frames that are open, outermost first: each with its stack.
type Open = Vec<(u32, Option<StackIdx>)>;

/// Calls `each` with every interval in which a frame is open. `time` converts the time of an event.
///
/// A frame that closes while others are open that it called closes these, too; each such event is
/// counted, as are closings of frames that are not open, and frames that no event closes: these are
/// open until `end`.
pub(super) fn intervals<E>(
    events: &[FrameEvent],
    end: Option<i64>,
    mut time: impl FnMut(&FrameEvent) -> i64,
    profile: &mut Profile,
    flaws: &mut Flaws,
    mut each: impl FnMut(&mut Profile, Interval) -> Result<(), E>,
) -> Result<(), E> {
    let mut open = Open::new();
    // How often each frame is open, so that a closing without an opening is found at once.
    let mut depths: Vec<u32> = vec![0; profile.locations.len()];
    let mut now = None;
    for event in events {
        let at = time(event);
        let since = now.unwrap_or(at);
        if at < since {
            flaws.count("events that are earlier than the one before them");
        }
        let at = at.max(since);
        interval(&open, since, at, profile, &mut each)?;
        now = Some(at);
        let depth = usize::try_from(event.frame)
            .ok()
            .and_then(|frame| depths.get_mut(frame));
        let (Some(opens), Some(depth)) = (event.opens, depth) else {
            flaws.count(match event.opens {
                Some(_) => "frames that the list of frames does not have",
                None => "events that neither open nor close a frame",
            });
            continue;
        };
        if opens {
            *depth = depth.saturating_add(1);
            let caller = open.last().and_then(|(_, stack)| *stack);
            let stack = profile.stacks.call(caller, LocationIdx(event.frame));
            open.push((event.frame, Some(stack)));
        } else if *depth == 0 {
            flaws.count("events that close a frame which is not open");
        } else {
            if open.last().is_some_and(|(frame, _)| *frame != event.frame) {
                flaws.count("events that close a frame before those that it called");
            }
            while let Some((frame, _)) = open.pop() {
                let depth = usize::try_from(frame)
                    .ok()
                    .and_then(|frame| depths.get_mut(frame));
                if let Some(depth) = depth {
                    *depth = depth.saturating_sub(1);
                }
                if frame == event.frame {
                    break;
                }
            }
        }
    }
    let still = u64::try_from(open.len()).unwrap_or(u64::MAX);
    flaws.count_many("frames that no event closes", still);
    match (now, end) {
        (Some(now), Some(end)) => interval(&open, now, end, profile, &mut each),
        _ => Ok(()),
    }
}

fn interval<E>(
    open: &Open,
    start: i64,
    end: i64,
    profile: &mut Profile,
    each: &mut impl FnMut(&mut Profile, Interval) -> Result<(), E>,
) -> Result<(), E> {
    let length = end.saturating_sub(start);
    match open.last() {
        Some((_, Some(stack))) if length > 0 => each(
            profile,
            Interval {
                stack: *stack,
                start,
                length,
            },
        ),
        _ => Ok(()),
    }
}
