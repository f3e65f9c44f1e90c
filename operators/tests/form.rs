//! The form of saved state: every value comes back exactly as it was, it is MessagePack as rmp-serde
//! writes it but for what that loses, and bytes that are no value are errors.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::panic::catch_unwind;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde::de::{DeserializeOwned, IgnoredAny, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tidemill_operators::state::{decode, decode_all, encode, encode_into};

/// Asserts that a value comes back, alone and among others, and that no part of its bytes is one.
fn check<S: Serialize + DeserializeOwned + PartialEq + Debug>(value: &S) {
    let bytes = encode(value);
    assert_eq!(decode::<S>(&bytes).as_ref(), Ok(value), "from {bytes:x?}");
    for len in 0..bytes.len() {
        assert!(decode::<S>(&bytes[..len]).is_err(), "{len} of {bytes:x?} are no {value:?}");
    }
    let mut all = Vec::new();
    (0..3).for_each(|_| encode_into(&mut all, value));
    assert_eq!(all, bytes.repeat(3));
    assert!(decode::<S>(&all).is_err(), "more than one");
    let mut found = Vec::new();
    assert_eq!(decode_all(&all, |it: S| found.push(it)), Ok(()));
    assert!(found.len() == 3 && found.iter().all(|it| it == value));
    assert!(decode_all(&bytes, |_: IgnoredAny| ()).is_ok(), "skips {bytes:x?}");
}

/// As [`check`], for what rmp-serde does not lose either.
fn check_plain<S: Serialize + DeserializeOwned + PartialEq + Debug>(value: &S) {
    check(value);
    let theirs = rmp_serde::to_vec_named(value).expect("it is plain");
    assert_eq!(encode(value), theirs, "{value:?}");
}

type Holes = Option<Option<Option<()>>>;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Newtype(Option<Option<u8>>);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Point,
    Circle(i64),
    Line(u8, Holes),
    Label { at: i128, text: String, hole: Holes },
    Hole(Holes),
    Group(Vec<Shape>),
    Keyed(BTreeMap<(i8, char), Shape>),
    Again(Option<Box<Shape>>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    Empty,
    Full { count: u64, hole: Holes, shape: Option<Shape> },
    Wrapped(Inner),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "value")]
enum Adjacent {
    Empty,
    Hole(Holes),
    Pair(i64, Unit),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Loose {
    Empty(Unit),
    Number(i64),
    Blob(Blob),
    Text(String),
    Holes(Vec<Holes>),
    Named { inner: Inner, unit: (), other: Unit },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Inner {
    low: i64,
    high: u64,
    newtype: Newtype,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Flat {
    id: u32,
    #[serde(flatten)]
    inner: Inner,
    #[serde(flatten)]
    rest: BTreeMap<String, Holes>,
}

/// Bytes that are written as such.
#[derive(Clone, Debug, PartialEq)]
struct Blob(Vec<u8>);

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Blob;

            fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Blob, E> {
                Ok(Blob(bytes.to_vec()))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

/// A sequence and a map that promise a length, or none, whatever they write.
#[derive(Debug)]
struct Promised {
    len: Option<usize>,
    items: Vec<u16>,
}

struct AsMap<'a>(&'a Promised);

impl Serialize for Promised {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(self.len)?;
        self.items.iter().try_for_each(|item| seq.serialize_element(item))?;
        seq.end()
    }
}

impl Serialize for AsMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(self.0.len)?;
        let mut entries = self.0.items.iter().enumerate();
        entries.try_for_each(|(at, item)| map.serialize_entry(&at, item))?;
        map.end()
    }
}

/// As deep as wanted.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Nest(Vec<Nest>);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Chain(Option<Box<Chain>>);

fn newtype() -> impl Strategy<Value = Newtype> {
    any::<Option<Option<u8>>>().prop_map(Newtype)
}

fn inner() -> impl Strategy<Value = Inner> {
    (any::<i64>(), any::<u64>(), newtype()).prop_map(|(low, high, newtype)| Inner {
        low,
        high,
        newtype,
    })
}

fn shape() -> impl Strategy<Value = Shape> {
    let leaf = prop_oneof![
        Just(Shape::Point),
        any::<i64>().prop_map(Shape::Circle),
        any::<(u8, Holes)>().prop_map(|(width, hole)| Shape::Line(width, hole)),
        any::<(i128, String, Holes)>().prop_map(|(at, text, hole)| Shape::Label { at, text, hole }),
        any::<Holes>().prop_map(Shape::Hole),
    ];
    leaf.prop_recursive(4, 24, 4, |shape| {
        prop_oneof![
            vec(shape.clone(), 0..4).prop_map(Shape::Group),
            btree_map(any::<(i8, char)>(), shape.clone(), 0..4).prop_map(Shape::Keyed),
            proptest::option::of(shape.prop_map(Box::new)).prop_map(Shape::Again),
        ]
    })
}

/// A shape without the 128-bit integers that serde cannot carry inside a tagged enum.
fn narrow(shape: &Shape) -> bool {
    !format!("{shape:?}").contains("Label")
}

fn tagged() -> impl Strategy<Value = Tagged> {
    let shape = proptest::option::of(shape().prop_filter("carried by serde", narrow));
    prop_oneof![
        Just(Tagged::Empty),
        (any::<u64>(), any::<Holes>(), shape).prop_map(|(count, hole, shape)| Tagged::Full {
            count,
            hole,
            shape
        }),
        inner().prop_map(Tagged::Wrapped),
    ]
}

fn loose() -> impl Strategy<Value = Loose> {
    prop_oneof![
        Just(Loose::Empty(Unit)),
        any::<i64>().prop_map(Loose::Number),
        any::<String>().prop_map(Loose::Text),
        any::<Vec<u8>>().prop_map(|it| Loose::Blob(Blob(it))),
        any::<Vec<Holes>>().prop_map(Loose::Holes),
        inner().prop_map(|inner| Loose::Named { inner, unit: (), other: Unit }),
    ]
}

fn flat() -> impl Strategy<Value = Flat> {
    (any::<u32>(), inner(), btree_map("k.{0,3}", any::<Holes>(), 0..20))
        .prop_map(|(id, inner, rest)| Flat { id, inner, rest })
}

proptest! {
    #[test]
    fn numbers_come_back(value: (u8, u16, u32, u64, u128), signed: (i8, i16, i32, i64, i128)) {
        check_plain(&(value, signed));
    }

    #[test]
    fn integers_of_every_length_come_back(word: u64, shift in 0..64u32) {
        let value = word >> shift;
        check_plain(&(value, value as i64, (value as i64).wrapping_neg()));
        check_plain(&(value as u32, value as i32, value as u16, value as i16, value as i8));
    }

    #[test]
    fn floats_come_back_bit_for_bit(wide: u64, narrow: u32) {
        let bytes = encode(&(f64::from_bits(wide), f32::from_bits(narrow)));
        let (a, b) = decode::<(f64, f32)>(&bytes).unwrap();
        prop_assert_eq!((a.to_bits(), b.to_bits()), (wide, narrow));
        let theirs = rmp_serde::to_vec_named(&(f64::from_bits(wide), f32::from_bits(narrow)));
        prop_assert_eq!(bytes, theirs.unwrap());
    }

    #[test]
    fn plain_values_come_back(
        text: (String, char, bool, Option<u32>, Option<String>),
        map in btree_map(any::<(u8, i16)>(), vec(any::<String>(), 0..3), 0..6),
        bytes: Vec<u8>,
    ) {
        check_plain(&(text, map, (), Blob(bytes)));
    }

    #[test]
    fn nested_options_come_back(value: (Holes, Option<()>, Vec<Option<Option<u8>>>)) {
        check(&value);
    }

    #[test]
    fn enums_come_back(shape in shape()) {
        check(&shape);
    }

    #[test]
    fn tagged_and_flattened_values_come_back(
        value in (tagged(), loose(), flat(), newtype()),
        hole: Holes,
    ) {
        check(&value);
        check(&(Adjacent::Hole(hole), Adjacent::Empty, Adjacent::Pair(1, Unit)));
    }

    #[test]
    fn random_bytes_never_panic(bytes: Vec<u8>) {
        read_as_anything(&bytes);
    }

    #[test]
    fn damaged_values_never_panic(
        shape in shape(), tagged in tagged(), flat in flat(), at: usize, damage: u8,
    ) {
        for mut bytes in [encode(&shape), encode(&tagged), encode(&flat)] {
            let at = at % bytes.len();
            bytes[at] = damage;
            read_as_anything(&bytes);
        }
    }

    #[test]
    fn a_length_need_not_be_known(items in vec(any::<u16>(), 0..40), promised: Option<u8>) {
        let len = promised.map(|it| usize::from(it % 40));
        let promised = Promised { len, items };
        check_promised(&promised);
    }
}

fn check_promised(promised: &Promised) {
    let Promised { len, items } = promised;
    let bytes = encode(&(promised, "after", AsMap(promised), 7));
    let map = BTreeMap::from_iter(items.iter().copied().enumerate());
    let found = decode::<(Vec<u16>, String, BTreeMap<usize, u16>, u8)>(&bytes);
    assert_eq!(found, Ok((items.clone(), "after".into(), map, 7)), "promised {len:?}");
    assert_eq!(encode(promised), rmp_serde::to_vec_named(items).unwrap(), "promised {len:?}");
}

fn read_as_anything(bytes: &[u8]) {
    fn read<S: DeserializeOwned>(bytes: &[u8]) {
        let found = decode::<S>(bytes);
        assert!(found.is_ok() || found.is_err_and(|it| !it.is_empty()));
    }
    read::<Shape>(bytes);
    read::<Tagged>(bytes);
    read::<Adjacent>(bytes);
    read::<Loose>(bytes);
    read::<Flat>(bytes);
    read::<(u8, i128, char)>(bytes);
    read::<Vec<Holes>>(bytes);
    read::<BTreeMap<Option<String>, f32>>(bytes);
    read::<IgnoredAny>(bytes);
}

#[test]
fn lengths_at_the_edges_of_their_headers_come_back() {
    for len in [0, 1, 15, 16, 31, 32, 255, 256, 65_535, 65_536] {
        let text = "é".repeat(len);
        let ascii = "a".repeat(len);
        let items = vec![7u16; len];
        let theirs = rmp_serde::to_vec_named(&(&text, &ascii, Blob(vec![1; len]), &items)).unwrap();
        let bytes = encode(&(&text, &ascii, Blob(vec![1; len]), &items));
        assert!(bytes == theirs, "{len}");
        let found = decode::<(String, String, Blob, Vec<u16>)>(&bytes);
        assert!(found == Ok((text, ascii, Blob(vec![1; len]), items.clone())), "{len}");
        for promised in [None, Some(len), Some(0), Some(17), Some(70_000)] {
            check_promised(&Promised { len: promised, items: items.clone() });
        }
    }
}

#[test]
fn what_messagepack_loses_has_one_more_byte() {
    assert_eq!(encode(&None::<()>), [0xc0]);
    assert_eq!(encode(&Some(())), [0xc1, 0xc0]);
    assert_eq!(encode(&Some(None::<u8>)), [0xc1, 0xc0]);
    assert_eq!(encode(&Some(Some(()))), [0xc1, 0xc1, 0xc0]);
    assert_eq!(encode(&Some(Some(5))), [5]);
    assert_eq!(encode(&Some(Newtype(None))), [0xc1, 0xc0]);
    assert_eq!(encode(&Some(((), 1))), [0x92, 0xc0, 1]);
    assert_eq!(decode::<Option<u8>>(&[0xc1, 5]), Ok(Some(5)));
    assert!(decode::<Option<u8>>(&[0xc1, 0xc0]).is_err(), "`Some(None)` is no `Option<u8>`");
    assert!(decode::<u8>(&[0xc1, 5]).is_err());
}

#[test]
fn a_unit_struct_is_nothing_wherever_it_stands() {
    check(&(Unit, Some(Unit), None::<Unit>, Some(Some(Unit)), [Unit, Unit]));
    check(&(Loose::Empty(Unit), Some(Loose::Empty(Unit)), Adjacent::Pair(1, Unit)));
    assert_eq!(encode(&Unit), [0xc0]);
    assert_eq!(encode(&Some(Unit)), [0xc1, 0xc0]);
    // An empty array, as others write it, is one too.
    assert_eq!(rmp_serde::to_vec_named(&Unit).unwrap(), [0x90]);
    assert_eq!(decode::<(Unit, Option<Unit>)>(&[0x92, 0x90, 0x90]), Ok((Unit, Some(Unit))));
    assert!(decode::<Unit>(&[0x91, 0xc0]).is_err());
}

#[test]
fn lengths_that_lie_are_errors() {
    fn refused<S: DeserializeOwned>(first: u8) {
        for tail in [&[0xff; 4][..], &[0xff; 12], &[0x7f, 0, 0, 0, 1, 1]] {
            let bytes = [&[first][..], tail].concat();
            assert!(decode::<S>(&bytes).is_err(), "{bytes:x?}");
            assert!(decode::<IgnoredAny>(&bytes).is_err(), "{bytes:x?}");
        }
    }
    refused::<Vec<()>>(0xdd);
    refused::<BTreeMap<u8, ()>>(0xdf);
    refused::<String>(0xdb);
    refused::<Blob>(0xc6);
    refused::<Loose>(0xdd);
}

#[test]
fn depth_has_a_limit_in_both_directions() {
    let nest = |depth| (1..depth).fold(Nest(Vec::new()), |it, _| Nest(vec![it]));
    let chain = |depth| (0..depth).fold(Chain(None), |it, _| Chain(Some(Box::new(it))));
    check(&nest(256));
    check(&chain(256));
    assert!(catch_unwind(|| encode(&nest(257))).is_err());
    assert!(catch_unwind(|| encode(&chain(257))).is_err());

    let too_deep = |found: Result<(), String>| {
        let error = found.unwrap_err();
        assert!(error.ends_with("it is nested more than 256 deep"), "{error}");
    };
    for many in [257, 100_000] {
        too_deep(decode::<Nest>(&vec![0x91; many]).map(drop));
        too_deep(decode::<Chain>(&vec![0xc1; many]).map(drop));
        too_deep(decode::<Loose>(&vec![0x91; many]).map(drop));
        too_deep(decode::<Loose>(&vec![0xc1; many]).map(drop));
        too_deep(decode::<Loose>(&[0x81, 0].repeat(many)).map(drop));
        too_deep(
            decode::<Shape>(&[0x81, 0xa5, b'A', b'g', b'a', b'i', b'n'].repeat(many)).map(drop),
        );
    }
    let skipped = [&[0x81, 0xa1, b'x'][..], &[0x91; 100_000], &[0xc0]].concat();
    #[derive(Deserialize)]
    struct Empty {}
    assert!(decode::<Empty>(&skipped).is_ok(), "what is skipped may be of any depth");
}

#[test]
fn integers_and_floats_may_become_wider() {
    let bytes = encode(&(200u8, -5i32, u64::MAX, i64::MIN, 0.1f32));
    let wider = (200u64, -5i64, u128::from(u64::MAX), i128::from(i64::MIN), f64::from(0.1f32));
    assert_eq!(decode(&bytes), Ok(wider));
    assert!(decode::<i8>(&encode(&200)).is_err());
    assert!(decode::<u128>(&encode(&-1)).is_err());
    assert!(decode::<f32>(&encode(&0.5f64)).is_err(), "it might have been rounded");
}

#[test]
fn an_error_names_the_place() {
    let error = |bytes: &[u8]| decode::<(u8, Vec<Shape>)>(bytes).unwrap_err();
    assert_eq!(
        error(&encode(&(1, [BTreeMap::from([("Line", (300, 1))])]))),
        "1.0.Line.0: invalid value: integer `300`, expected u8"
    );
    assert_eq!(
        error(&encode(&(1, [BTreeMap::from([("Label", BTreeMap::from([("text", 1)]))])]))),
        "1.0.Label.text: invalid type: integer `1`, expected a string"
    );
    assert_eq!(error(&encode(&(1, [Shape::Point], 2))), "expected 2, found 3 items");
    assert_eq!(
        error(&[0x92, 0xd4, 0]),
        "0: expected a value, found the byte 0xd4, which begins none of ours"
    );
    assert_eq!(error(&[]), "expected 1 more bytes or values, found 0 bytes");
    assert_eq!(
        decode::<BTreeMap<i8, ()>>(&[0x81, 0xff, 1]).unwrap_err(),
        "-1: invalid type: integer `1`, expected unit"
    );
    assert!(decode::<String>(&[0xa1, 0xff]).unwrap_err().contains("UTF-8"));
}
