//! Folded stacks that say what code their frames are of, and that name modules alone.

use backsight_formats::folded::{Options, write};
use backsight_profile::{Location, Profile, ProfileFrame, Sample};
use backsight_types::{AddrKind, FileOffset, Module, ModuleIdx, Reason};

fn folded(profile: &Profile, sample_type: usize, options: Options) -> String {
    let mut out = Vec::new();
    write(profile, sample_type, options, &mut out).expect("a vector takes it");
    String::from_utf8(out).expect("names are UTF-8")
}

/// One stack: the kernel below made code, an inlined function, and two nameless places of a
/// library.
fn mixed() -> Profile {
    let mut profile = Profile {
        modules: vec![Module::default().with_path(b"/lib/libc.so.6")],
        ..Profile::default()
    };
    let mut named = |names: &[(&str, bool)], kind| {
        let frames: Vec<ProfileFrame> = names
            .iter()
            .map(|(name, inlined)| ProfileFrame {
                function: Some(profile.strings.intern(name)),
                inlined: *inlined,
                ..ProfileFrame::default()
            })
            .collect();
        let frames = profile.add_frames(frames).unwrap();
        let place = Location {
            kind: Some(kind),
            frames,
            ..Location::default()
        };
        profile.add_location(place).unwrap()
    };
    let kernel = named(&[("do_thing", false)], AddrKind::Kernel);
    let made = named(&[("hot", false)], AddrKind::Anonymous);
    let main = named(&[("aim", true), ("main", false)], AddrKind::File);
    let mut nameless = |offset| {
        let place = Location {
            kind: Some(AddrKind::File),
            module: Some(ModuleIdx(0)),
            file_offset: Some(FileOffset(offset)),
            reason: Some(Reason::NoSymbols),
            ..Location::default()
        };
        profile.add_location(place).unwrap()
    };
    let (outer, inner) = (nameless(0x10), nameless(0x20));
    let stack = profile
        .stacks
        .intern([outer, inner, main, outer, made, kernel]);
    let sample = Sample {
        stack,
        ..Sample::default()
    };
    profile.samples.push(sample, &[3], &[]);
    profile
}

#[test]
fn names_say_what_code_they_are_of_and_neighbours_of_a_module_are_one() {
    let options = Options::default();
    let cases = [
        (
            options,
            "libc.so.6+0x10;libc.so.6+0x20;main;aim;libc.so.6+0x10;hot;do_thing 3\n",
        ),
        (
            options.with_annotated(true),
            "libc.so.6+0x10;libc.so.6+0x20;main;aim_[i];libc.so.6+0x10;hot_[j];do_thing_[k] 3\n",
        ),
        (
            options.with_modules_alone(true),
            "[libc.so.6];main;aim;[libc.so.6];hot;do_thing 3\n",
        ),
    ];
    for (options, want) in cases {
        assert_eq!(folded(&mixed(), 0, options), want, "{options:?}");
    }
}
