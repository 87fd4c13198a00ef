//! The messages of OTLP: the names, numbers and types of their fields.
//!
//! Source: `profiles.proto`, `common.proto` and `resource.proto` of
//! github.com/open-telemetry/opentelemetry-proto, v1.10.0.

use FieldKind::{Bytes, Double, Fixed64, Message, Text, Varint};

/// The type of a field.
#[derive(Clone, Copy, Debug)]
pub(super) enum FieldKind {
    Message(Type),
    Text,
    /// Integers and booleans.
    Varint,
    Fixed64,
    Double,
    /// Hexadecimal digits if the length is that of an ID, or else base64.
    Bytes,
}

/// A field: its name, number and type, and whether it is repeated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field(
    pub(super) &'static str,
    pub(super) u8,
    pub(super) FieldKind,
    pub(super) bool,
);

const fn one(name: &'static str, number: u8, kind: FieldKind) -> Field {
    Field(name, number, kind, false)
}

const fn many(name: &'static str, number: u8, kind: FieldKind) -> Field {
    Field(name, number, kind, true)
}

/// A message type.
#[derive(Clone, Copy, Debug)]
pub(super) enum Type {
    ProfilesData,
    Dictionary,
    ResourceProfiles,
    Resource,
    ScopeProfiles,
    Scope,
    Profile,
    Counted,
    Sample,
    Mapping,
    Location,
    Line,
    Function,
    Link,
    Stack,
    Attribute,
    KeyValue,
    AnyValue,
    Array,
    KeyValues,
}

impl Type {
    pub(super) fn fields(self) -> &'static [Field] {
        match self {
            Self::ProfilesData => PROFILES_DATA,
            Self::Dictionary => DICTIONARY,
            Self::ResourceProfiles => RESOURCE_PROFILES,
            Self::Resource => RESOURCE,
            Self::ScopeProfiles => SCOPE_PROFILES,
            Self::Scope => SCOPE,
            Self::Profile => PROFILE,
            Self::Counted => VALUE_TYPE,
            Self::Sample => SAMPLE,
            Self::Mapping => MAPPING,
            Self::Location => LOCATION,
            Self::Line => LINE,
            Self::Function => FUNCTION,
            Self::Link => LINK,
            Self::Stack => STACK,
            Self::Attribute => ATTRIBUTE,
            Self::KeyValue => KEY_VALUE,
            Self::AnyValue => ANY_VALUE,
            Self::Array => ARRAY,
            Self::KeyValues => KEY_VALUES,
        }
    }
}

static PROFILES_DATA: &[Field] = &[
    many("resourceProfiles", 1, Message(Type::ResourceProfiles)),
    one("dictionary", 2, Message(Type::Dictionary)),
];
static DICTIONARY: &[Field] = &[
    many("mappingTable", 1, Message(Type::Mapping)),
    many("locationTable", 2, Message(Type::Location)),
    many("functionTable", 3, Message(Type::Function)),
    many("linkTable", 4, Message(Type::Link)),
    many("stringTable", 5, Text),
    many("attributeTable", 6, Message(Type::Attribute)),
    many("stackTable", 7, Message(Type::Stack)),
];
static RESOURCE_PROFILES: &[Field] = &[
    one("resource", 1, Message(Type::Resource)),
    many("scopeProfiles", 2, Message(Type::ScopeProfiles)),
];
static RESOURCE: &[Field] = &[many("attributes", 1, Message(Type::KeyValue))];
static SCOPE_PROFILES: &[Field] = &[
    one("scope", 1, Message(Type::Scope)),
    many("profiles", 2, Message(Type::Profile)),
];
static SCOPE: &[Field] = &[
    one("name", 1, Text),
    one("version", 2, Text),
    many("attributes", 3, Message(Type::KeyValue)),
];
static PROFILE: &[Field] = &[
    one("sampleType", 1, Message(Type::Counted)),
    many("samples", 2, Message(Type::Sample)),
    // The name in OTLP 1.8.
    many("sample", 2, Message(Type::Sample)),
    one("timeUnixNano", 3, Fixed64),
    one("durationNano", 4, Varint),
    one("periodType", 5, Message(Type::Counted)),
    one("period", 6, Varint),
    many("attributeIndices", 11, Varint),
];
static VALUE_TYPE: &[Field] = &[
    one("typeStrindex", 1, Varint),
    one("unitStrindex", 2, Varint),
];
static SAMPLE: &[Field] = &[
    one("stackIndex", 1, Varint),
    many("attributeIndices", 2, Varint),
    one("linkIndex", 3, Varint),
    many("values", 4, Varint),
    many("timestampsUnixNano", 5, Fixed64),
];
static MAPPING: &[Field] = &[
    one("memoryStart", 1, Varint),
    one("memoryLimit", 2, Varint),
    one("fileOffset", 3, Varint),
    one("filenameStrindex", 4, Varint),
    many("attributeIndices", 5, Varint),
];
static LOCATION: &[Field] = &[
    one("mappingIndex", 1, Varint),
    one("address", 2, Varint),
    many("lines", 3, Message(Type::Line)),
    many("line", 3, Message(Type::Line)),
    many("attributeIndices", 4, Varint),
];
static LINE: &[Field] = &[
    one("functionIndex", 1, Varint),
    one("line", 2, Varint),
    one("column", 3, Varint),
];
static FUNCTION: &[Field] = &[
    one("nameStrindex", 1, Varint),
    one("systemNameStrindex", 2, Varint),
    one("filenameStrindex", 3, Varint),
    one("startLine", 4, Varint),
];
static LINK: &[Field] = &[one("traceId", 1, Bytes), one("spanId", 2, Bytes)];
static STACK: &[Field] = &[many("locationIndices", 1, Varint)];
static ATTRIBUTE: &[Field] = &[
    one("keyStrindex", 1, Varint),
    one("value", 2, Message(Type::AnyValue)),
    one("unitStrindex", 3, Varint),
];
static KEY_VALUE: &[Field] = &[
    one("key", 1, Text),
    one("value", 2, Message(Type::AnyValue)),
    one("keyStrindex", 3, Varint),
];
static ANY_VALUE: &[Field] = &[
    one("stringValue", 1, Text),
    one("boolValue", 2, Varint),
    one("intValue", 3, Varint),
    one("doubleValue", 4, Double),
    one("arrayValue", 5, Message(Type::Array)),
    one("kvlistValue", 6, Message(Type::KeyValues)),
    one("bytesValue", 7, Bytes),
    one("stringValueStrindex", 8, Varint),
];
static ARRAY: &[Field] = &[many("values", 1, Message(Type::AnyValue))];
static KEY_VALUES: &[Field] = &[many("values", 1, Message(Type::KeyValue))];
