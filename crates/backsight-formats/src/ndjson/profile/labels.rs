//! Labels of samples, modules and locations.

use backsight_profile::{Label, LabelValue, Strings};

use super::lines::JsonLabel;

/// Converts the label of a line, and adds its texts to the strings of the profile.
pub(super) fn label_of(line: &JsonLabel, strings: &mut Strings) -> Result<Label, String> {
    let value = match (&line.text, line.number) {
        (Some(text), _) => LabelValue::Text(strings.intern(text)),
        (None, Some(number)) => {
            let unit = line.unit.as_ref();
            LabelValue::Number(number, unit.map(|unit| strings.intern(unit)))
        }
        (None, None) => return Err(format!("label {:?} has no value", line.key)),
    };
    Ok(Label {
        key: strings.intern(&line.key),
        value,
    })
}
