"""Reads a file of OTLP profiles with OpenTelemetry's own messages for Python, checks every
rule of the dictionary and those of the profiling group's `profcheck` (profcheck/check.go of
github.com/open-telemetry/sig-profiling; but not that two mappings differ in name, start and
end each, which no program and its library could hold), and prints each sample as a line of JSON with nothing left to look
up. A broken rule is an assertion with its words."""

import json
import sys

from opentelemetry.proto.profiles.v1development import profiles_pb2

with open(sys.argv[1], "rb") as file:
    data = profiles_pb2.ProfilesData.FromString(file.read())
d = data.dictionary

tables = {
    "mapping": d.mapping_table,
    "location": d.location_table,
    "function": d.function_table,
    "link": d.link_table,
    "attribute": d.attribute_table,
    "stack": d.stack_table,
}
for name, table in tables.items():
    assert len(table) > 0, f"{name}: no zero element"
    assert table[0] == type(table[0])(), f"{name}: the first element is not zero"
    rows = [row.SerializeToString(deterministic=True) for row in table]
    assert len(set(rows)) == len(rows), f"{name}: an element stands twice"
strings = list(d.string_table)
assert strings[0] == "", "the first string is not empty"
assert len(set(strings)) == len(strings), "a string stands twice"

for link in d.link_table[1:]:
    assert len(link.trace_id) == 16 and len(link.span_id) == 8, "an ID of another size"
for mapping in d.mapping_table[1:]:
    start, limit = mapping.memory_start, mapping.memory_limit
    assert start == limit == 0 or start < limit, "a mapping that ends before it begins"
for function in d.function_table:
    assert function.start_line >= 0, "a line below zero"

used = {name: {0} for name in [*tables, "string"]}


def use(name, place):
    size = len(strings) if name == "string" else len(tables[name])
    assert 0 <= place < size, f"{name}: {place} of {size}"
    used[name].add(place)
    return strings[place] if name == "string" else tables[name][place]


def value_of(value):
    kind = value.WhichOneof("value")
    assert kind is not None, "an attribute without a value"
    if kind == "array_value":
        return [value_of(part) for part in value.array_value.values]
    return getattr(value, kind)


def attributes(places):
    all = {}
    for place in places:
        assert place != 0, "a reference to no attribute"
        row = use("attribute", place)
        key = use("string", row.key_strindex)
        use("string", row.unit_strindex)
        assert key != "", "an attribute without a name"
        assert key not in all, f"two attributes named {key!r}"
        all[key] = value_of(row.value)
    return all


def kind_of(value_type):
    use("string", value_type.unit_strindex)
    return use("string", value_type.type_strindex)


def frames_of(location):
    for line in location.lines:
        function = use("function", line.function_index)
        assert line.line >= 0 and line.column >= 0, "a line below zero"
        yield [
            use("string", function.name_strindex),
            use("string", function.system_name_strindex),
            use("string", function.filename_strindex),
            line.line,
        ]


def location_of(place):
    assert place != 0, "a stack with a location that is none"
    location = use("location", place)
    mapping = use("mapping", location.mapping_index)
    told = attributes(mapping.attribute_indices)
    attributes(location.attribute_indices)
    if location.mapping_index != 0:
        assert mapping.memory_start <= location.address < mapping.memory_limit
    return {
        "file": use("string", mapping.filename_strindex),
        "build_id": told.get("process.executable.build_id.gnu", ""),
        "file_offset": location.address - mapping.memory_start + mapping.file_offset,
        "frames": list(frames_of(location)),
    }


assert data.resource_profiles, "no resource"
for resource in data.resource_profiles:
    assert resource.scope_profiles, "a resource without a scope"
    keys = [attribute.key for attribute in resource.resource.attributes]
    assert len(set(keys)) == len(keys), "two attributes of a resource of one name"
    told = {it.key: value_of(it.value) for it in resource.resource.attributes}
    for scope in resource.scope_profiles:
        assert scope.profiles, "a scope without a profile"
        for profile in scope.profiles:
            kind = kind_of(profile.sample_type)
            kind_of(profile.period_type)
            attributes(profile.attribute_indices)
            identities = set()
            shapes = {(len(it.values) > 0, len(it.timestamps_unix_nano) > 0) for it in profile.samples}
            assert len(shapes) <= 1, "samples with times beside samples without"
            for sample in profile.samples:
                times = len(sample.timestamps_unix_nano)
                assert sample.values or times, "a sample of nothing"
                assert times in (0, len(sample.values)), "not as many times as values"
                for time in sample.timestamps_unix_nano:
                    assert time >= profile.time_unix_nano, "before the profile"
                    end = profile.time_unix_nano + profile.duration_nano
                    assert time < end < 2**64, "behind the profile"
                use("link", sample.link_index)
                labels = attributes(sample.attribute_indices)
                identity = (
                    sample.stack_index,
                    frozenset(sample.attribute_indices),
                    times > 0,
                )
                assert identity not in identities, "two samples of one identity"
                identities.add(identity)
                stack = use("stack", sample.stack_index)
                line = {
                    "pid": told.get("process.pid"),
                    "process": told.get("process.executable.name", ""),
                    "tid": labels.get("thread.id"),
                    "kind": kind,
                    "value": sum(sample.values),
                    "stack": [location_of(it) for it in stack.location_indices],
                }
                print(json.dumps(line, sort_keys=True))

for name, places in used.items():
    size = len(strings) if name == "string" else len(tables[name])
    orphans = set(range(size)) - places
    assert not orphans, f"{name}: nothing refers to {sorted(orphans)[:9]}"
