//! Whatever serde can describe comes back as it was.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Error, read, size, write};

fn written<D: Serialize>(records: &[D]) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(records, &mut bytes).expect("every record has a form");
    assert_eq!(size(records).expect("every record has a form"), bytes.len(), "the size is right");
    bytes
}

/// Writes and reads `records`, whole and torn off at any place.
fn check<D: Serialize + DeserializeOwned + PartialEq + Debug>(records: &[D]) {
    let bytes = written(records);
    assert!(bytes.len().is_multiple_of(8), "it ends with a word");
    for end in 0..bytes.len().saturating_sub(7) {
        let torn: Result<Vec<D>, Error> = read(&bytes[..end]);
        assert!(torn.is_err(), "{end} of {} bytes of {records:?}", bytes.len());
    }
    let back: Vec<D> = read(&bytes).expect("it is whole");
    assert_eq!(back, records);
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Numbers {
    signed: (i8, i16, i32, i64, i128),
    unsigned: (u8, u16, u32, u64, u128),
    size: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Wrapped<T>(T);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Pair(char, Unit);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Tree {
    Leaf,
    Text(String),
    Both(Box<Tree>, bool),
    Named { left: Option<Box<Tree>>, count: u16 },
    Many(Vec<Tree>),
    Map(BTreeMap<String, Tree>),
}

/// Elements whose number is told to nobody.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(transparent)]
struct Untold(Vec<u16>);

impl Serialize for Untold {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.0.iter().filter(|_| true))
    }
}

/// Entries whose number is told to nobody.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(transparent)]
struct UntoldMap(BTreeMap<u8, String>);

impl Serialize for UntoldMap {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().filter(|_| true))
    }
}

/// Bytes as such rather than as a sequence of numbers.
#[derive(Clone, Debug, PartialEq)]
struct Raw(Vec<u8>);

impl Serialize for Raw {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl serde::de::Visitor<'_> for Bytes {
            type Value = Raw;
            fn expecting(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                to.write_str("bytes")
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Raw, E> {
                Ok(Raw(bytes.to_vec()))
            }
        }
        from.deserialize_byte_buf(Bytes)
    }
}

fn trees() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![Just(Tree::Leaf), ".{0,5}".prop_map(Tree::Text)];
    leaf.prop_recursive(3, 12, 3, |tree| {
        prop_oneof![
            (tree.clone(), any::<bool>()).prop_map(|(it, flag)| Tree::Both(Box::new(it), flag)),
            (prop::option::of(tree.clone().prop_map(Box::new)), any::<u16>())
                .prop_map(|(left, count)| Tree::Named { left, count }),
            prop::collection::vec(tree.clone(), 0..3).prop_map(Tree::Many),
            prop::collection::btree_map(".{0,3}", tree, 0..3).prop_map(Tree::Map),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn numbers_of_every_width_come_back(
        signed: (i8, i16, i32, i64, i128),
        unsigned: (u8, u16, u32, u64, u128),
        size: usize,
    ) {
        check(&[Numbers { signed, unsigned, size }]);
    }

    #[test]
    fn floats_come_back_with_every_bit(single: u32, double: u64) {
        let records = [(f32::from_bits(single), f64::from_bits(double))];
        let back: Vec<(f32, f64)> = read(&written(&records)).expect("it is whole");
        prop_assert_eq!((back[0].0.to_bits(), back[0].1.to_bits()), (single, double));
    }

    #[test]
    fn texts_characters_and_bytes_come_back(
        text: String,
        letter: char,
        bytes: Vec<u8>,
        option: Option<String>,
    ) {
        check(&[(text, Pair(letter, Unit), Raw(bytes.clone()), bytes, Wrapped(option))]);
    }

    #[test]
    fn enums_within_enums_come_back(records in prop::collection::vec(trees(), 0..4)) {
        check(&records);
    }

    #[test]
    fn collections_come_back(
        list: Vec<Option<i32>>,
        set: BTreeSet<u16>,
        map: BTreeMap<String, (u8, bool)>,
    ) {
        check(&[(list, set, map)]);
    }

    #[test]
    fn what_does_not_know_its_length_comes_back(list: Vec<u16>, map: BTreeMap<u8, String>) {
        check(&[(Untold(list), UntoldMap(map), 7_u32)]);
    }

    #[test]
    fn noise_is_an_error_or_some_value_but_no_panic(bytes: Vec<u8>) {
        let _ = read::<Tree>(&bytes);
        let _ = read::<(String, Vec<u64>, UntoldMap)>(&bytes);
    }
}

#[test]
fn nothing_comes_back_as_nothing() {
    check::<u64>(&[]);
    check(&[(), (), ()]);
    check(&[Unit; 5]);
    check(&[[1_u8; 3], [2; 3]]);
}

#[test]
fn nan_keeps_its_bits() {
    for bits in [f64::NAN.to_bits(), 0x7ff0_0000_0000_0001, 0xffff_ffff_ffff_ffff] {
        let back: Vec<f64> = read(&written(&[f64::from_bits(bits)])).expect("it is whole");
        assert_eq!(back[0].to_bits(), bits);
    }
}

#[test]
fn a_length_that_lies_reserves_no_memory() {
    let mut bytes = 1_u64.to_le_bytes().to_vec();
    bytes.extend((u32::MAX - 1).to_le_bytes());
    assert!(read::<Vec<u64>>(&bytes).is_err());
    assert!(read::<u64>(&u64::MAX.to_le_bytes()).is_err());
}

#[test]
fn a_type_that_depends_on_its_value_is_refused_in_words() {
    #[derive(Debug, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(u8),
    }
    let error = read::<Either>(&written(&[Either::Number(3)])).expect_err("nobody knows its type");
    assert!(error.to_string().contains("untagged"), "{error}");
}
