//! Profiles, read as their readers declare them.

use super::*;

/// `profile.proto`, as its readers declare it.
mod profile {
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Profile {
        #[prost(message, repeated, tag = "1")]
        pub sample_type: Vec<ValueType>,
        #[prost(message, repeated, tag = "2")]
        pub sample: Vec<Sample>,
        #[prost(message, repeated, tag = "3")]
        pub mapping: Vec<Mapping>,
        #[prost(message, repeated, tag = "4")]
        pub location: Vec<Location>,
        #[prost(message, repeated, tag = "5")]
        pub function: Vec<Function>,
        #[prost(string, repeated, tag = "6")]
        pub string_table: Vec<String>,
        #[prost(int64, tag = "9")]
        pub time_nanos: i64,
        #[prost(int64, tag = "10")]
        pub duration_nanos: i64,
        #[prost(message, optional, tag = "11")]
        pub period_type: Option<ValueType>,
        #[prost(int64, tag = "12")]
        pub period: i64,
        #[prost(int64, repeated, tag = "13")]
        pub comment: Vec<i64>,
        #[prost(int64, tag = "14")]
        pub default_sample_type: i64,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct ValueType {
        #[prost(int64, tag = "1")]
        pub name: i64,
        #[prost(int64, tag = "2")]
        pub unit: i64,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Sample {
        #[prost(uint64, repeated, tag = "1")]
        pub location_id: Vec<u64>,
        #[prost(int64, repeated, tag = "2")]
        pub value: Vec<i64>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Mapping {
        #[prost(uint64, tag = "1")]
        pub id: u64,
        #[prost(uint64, tag = "2")]
        pub memory_start: u64,
        #[prost(uint64, tag = "3")]
        pub memory_limit: u64,
        #[prost(int64, tag = "5")]
        pub filename: i64,
        #[prost(int64, tag = "6")]
        pub build_id: i64,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Location {
        #[prost(uint64, tag = "1")]
        pub id: u64,
        #[prost(uint64, tag = "2")]
        pub mapping_id: u64,
        #[prost(uint64, tag = "3")]
        pub address: u64,
        #[prost(message, repeated, tag = "4")]
        pub line: Vec<Line>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Line {
        #[prost(uint64, tag = "1")]
        pub function_id: u64,
        #[prost(int64, tag = "2")]
        pub line: i64,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Function {
        #[prost(uint64, tag = "1")]
        pub id: u64,
        #[prost(int64, tag = "2")]
        pub name: i64,
        #[prost(int64, tag = "4")]
        pub filename: i64,
    }
}

#[test]
fn a_pprof_profile_says_what_the_recording_says() {
    let bytes = export("pprof", &tree(), "pprof", &[]);
    let profile = profile::Profile::decode(unzipped(&bytes).as_slice()).expect("a profile");
    let text = |id: i64| profile.string_table[id as usize].as_str();
    assert_eq!(profile.string_table[0], "");
    let types: Vec<_> =
        profile.sample_type.iter().map(|one| (text(one.name), text(one.unit))).collect();
    let expected = [
        ("alloc_objects", "count"),
        ("alloc_space", "bytes"),
        ("inuse_objects", "count"),
        ("inuse_space", "bytes"),
    ];
    assert_eq!(types, expected);
    assert_eq!(text(profile.default_sample_type), "inuse_space");
    assert_eq!(profile.duration_nanos, 192_000_000_000);
    let sums = sums(&code::late());
    let sum = |at: usize| profile.sample.iter().map(|sample| sample.value[at] as u64).sum::<u64>();
    assert_eq!(
        [sum(0), sum(1), sum(2), sum(3)],
        [sums.allocations, sums.allocated_bytes, sums.current_blocks, sums.current_bytes]
    );
    let functions: BTreeMap<u64, (&str, &str)> =
        profile.function.iter().map(|one| (one.id, (text(one.name), text(one.filename)))).collect();
    let frames = |sample: &profile::Sample| -> Vec<(&str, &str, i64)> {
        let locations = sample.location_id.iter().map(|id| &profile.location[*id as usize - 1]);
        let lines = locations.flat_map(|location| &location.line);
        lines
            .map(|line| (functions[&line.function_id].0, functions[&line.function_id].1, line.line))
            .collect()
    };
    assert_eq!(frames(&profile.sample[0])[0], ("dictAdd", "src/dict.c", 312));
    assert_eq!(frames(&profile.sample[0])[3], ("main", "src/server.c", 7001));
    for location in &profile.location {
        let mapping = &profile.mapping[location.mapping_id as usize - 1];
        assert!((mapping.memory_start..mapping.memory_limit).contains(&location.address));
    }
    assert_eq!(text(profile.mapping[0].filename), "/usr/bin/redis-server");
    assert_eq!(text(profile.mapping[0].build_id), "07");
}
