//! Builder methods for `#[non_exhaustive]` structs.

/// Declares a method that sets a field, for each: `with_x x: T`.
macro_rules! setters {
    ($($name:ident $field:ident: $type:ty),* $(,)?) => {
        $(
            #[doc = concat!("The same with other [`", stringify!($field), "`](Self::", stringify!($field), ").")]
            #[must_use]
            pub fn $name(self, $field: $type) -> Self {
                Self {
                    $field: $field.into(),
                    ..self
                }
            }
        )*
    };
}

pub(crate) use setters;
