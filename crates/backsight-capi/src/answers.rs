//! AnswersObject: memory of the caller's, which calls fill and frames are borrowed from.

use std::ptr;
use std::sync::Mutex;

use crate::answer_list::{AnswerList, backsight_answer};
use crate::failure::{Result, ended, nothing, value_or};
use crate::handles::{self, Object, try_lock};
use crate::raw::OutPlace;
use crate::status::backsight_status;

/// The answers of one call at a time. Make them once and use them for many calls, which then
/// allocate little. Each thread needs its own.
#[derive(Debug)]
pub struct backsight_answers {
    _unused: [u8; 0],
}

/// The answers of a handle.
#[derive(Default)]
pub(crate) struct AnswersObject {
    pub(crate) list: Mutex<AnswerList>,
    /// What a symbolizer fills before it is shown.
    pub(crate) found: Mutex<backsight_symbolize::Answers>,
}

impl Object for AnswersObject {
    type Handle = backsight_answers;
    const NAME: &'static str = "answers";
}

impl AnswersObject {
    /// Replaces the answers. If it fails, there are none.
    pub(crate) fn fill(&self, fill: impl FnOnce(&mut AnswerList) -> Result) -> Result {
        let mut list = try_lock(&self.list)?;
        list.clear();
        let done = fill(&mut list);
        match done {
            Ok(()) => list.finish(),
            Err(_) => list.clear(),
        }
        done
    }
}

/// Makes answers, with none in it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn backsight_answers_new(
    answers: *mut *mut backsight_answers,
) -> backsight_status {
    ended(|| {
        // SAFETY: the caller may have it written.
        let place = unsafe { OutPlace::new(answers, ptr::null_mut(), "answers") }?;
        place.put(handles::add(AnswersObject::default())?);
        Ok(())
    })
}

/// Frees answers, and all that was borrowed from them.
#[unsafe(no_mangle)]
pub extern "C" fn backsight_answers_free(answers: *mut backsight_answers) -> backsight_status {
    ended(|| handles::free::<AnswersObject>(answers))
}

/// Returns the first answer, which leads to all others; null if there is none. They are in the
/// order of the addresses, one for each. All that is reached from here is there until a call
/// fills or frees these answers.
#[unsafe(no_mangle)]
pub extern "C" fn backsight_answers_first(
    answers: *const backsight_answers,
) -> *const backsight_answer {
    let first = || Ok(try_lock(&handles::get::<AnswersObject>(answers)?.list)?.first());
    value_or(first).unwrap_or_else(nothing)
}

/// Returns the answer for the address at this place of the call; null if there are fewer.
#[unsafe(no_mangle)]
pub extern "C" fn backsight_answers_at(
    answers: *const backsight_answers,
    place: usize,
) -> *const backsight_answer {
    let at = || Ok(try_lock(&handles::get::<AnswersObject>(answers)?.list)?.at(place));
    value_or(at).unwrap_or_else(nothing)
}

/// Returns the number of answers; 0 if these are none.
#[unsafe(no_mangle)]
pub extern "C" fn backsight_answers_count(answers: *const backsight_answers) -> usize {
    let count = || Ok(try_lock(&handles::get::<AnswersObject>(answers)?.list)?.len());
    value_or(count).unwrap_or(0)
}
