//! What rows look like, and that the `csv` crate reads them back.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::{Deserialize, Serializer};

use super::*;

fn row<T: Serialize>(record: T) -> String {
    let mut out = Vec::new();
    Rows::new(b',').row(&record, &mut out).expect("a row");
    String::from_utf8(out).expect("text")
}

fn names<T: Serialize>(record: T) -> Option<Vec<String>> {
    Rows::new(b',').names(&record).expect("names")
}

fn refused<T: Serialize>(record: T) -> String {
    Rows::new(b',').row(&record, &mut Vec::new()).expect_err("no row").to_string()
}

#[derive(Serialize)]
struct Inner {
    x: i32,
    y: (bool, char),
}

#[derive(Serialize)]
struct Outer {
    name: &'static str,
    inner: Inner,
    #[serde(skip_serializing_if = "Option::is_none")]
    maybe: Option<u8>,
}

#[derive(Serialize)]
enum Kind {
    Plain,
    Carries(u8),
    Named { x: u8 },
}

#[test]
fn numbers_are_written_as_rust_reads_them() {
    assert_eq!(
        row((u64::MAX, i64::MIN, i128::MIN)),
        format!("{},{},{}\n", u64::MAX, i64::MIN, i128::MIN)
    );
    assert_eq!(row((0.1, f32::MAX, -0.0, 1e300)), "0.1,3.4028235e+38,-0.0,1e+300\n");
    assert_eq!(row((f64::NAN, f64::INFINITY, f64::NEG_INFINITY)), "NaN,inf,-inf\n");
}

#[test]
fn text_is_quoted_only_where_it_has_to_be() {
    for (text, written) in [
        ("plain", "plain"),
        (" spaces ", " spaces "),
        ("a,b", "\"a,b\""),
        ("say \"hi\"", "\"say \"\"hi\"\"\""),
        ("two\nlines", "\"two\nlines\""),
        ("two\r\nlines", "\"two\r\nlines\""),
        ("lone\r", "\"lone\r\""),
        ("\"", "\"\"\"\""),
        ("Zürich 東京 🚀", "Zürich 東京 🚀"),
    ] {
        assert_eq!(row((text, 1)), format!("{written},1\n"));
    }
}

#[test]
fn what_displays_itself_is_quoted_too() {
    struct Shown;
    impl Serialize for Shown {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_str(&format_args!("{},{}", 1, 2))
        }
    }
    assert_eq!(row((Shown, 3)), "\"1,2\",3\n");
}

#[test]
fn a_row_of_one_empty_field_is_not_a_blank_line() {
    assert_eq!(row(""), "\"\"\n");
    assert_eq!(row(None::<u8>), "\"\"\n");
    assert_eq!(row(("", "")), ",\n");
}

#[test]
fn none_is_empty_and_a_skipped_field_keeps_its_column() {
    let mut outer = Outer { name: "n", inner: Inner { x: 1, y: (true, ',') }, maybe: None };
    assert_eq!(row(&outer), "n,1,true,\",\",\n");
    let columns = ["name", "inner.x", "inner.y.0", "inner.y.1", "maybe"];
    assert_eq!(names(&outer).expect("named"), columns);
    outer.maybe = Some(7);
    assert_eq!(row(&outer), "n,1,true,\",\",7\n");
    assert_eq!(names(&outer).expect("named"), columns);
}

#[test]
fn a_tuple_has_no_names_unless_its_parts_have() {
    assert_eq!(names((1, 2)), None);
    let inner = || Inner { x: 1, y: (true, 'y') };
    assert_eq!(names((inner(), 2)), None);
    assert_eq!(names((inner(),)).expect("named"), ["x", "y.0", "y.1"]);
}

#[test]
fn what_has_no_fixed_columns_is_refused_with_its_place() {
    assert_eq!(row(vec![1, 2]), "1,2\n");
    assert_eq!(row(Kind::Plain), "Plain\n");
    for (error, what) in [
        (refused((1, vec![1])), "a list"),
        (refused((1, BTreeMap::from([(1, 1)]))), "a map"),
        (refused((1, Kind::Carries(1))), "`Carries`"),
        (refused((1, Kind::Named { x: 1 })), "`Named`"),
    ] {
        assert!(error.contains("column 2") && error.contains(what), "{error}");
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Everything {
    text: String,
    maybe: Option<i64>,
    letter: char,
    number: f64,
    small: f32,
    truth: bool,
    large: u64,
}

proptest! {
    #[test]
    fn every_row_is_read_back_by_the_csv_crate(
        texts in prop::collection::vec("[a-c,;\"\n\r é]{0,6}", 1..8),
        maybe: Option<i64>, letter: char, number: f64, small: f32, truth: bool, large: u64,
        delimiter in prop::sample::select(vec![b',', b';', b'\t', b'|']),
    ) {
        let rows = Rows::new(delimiter);
        let written: Vec<Everything> = texts
            .into_iter()
            .map(|text| Everything { text, maybe, letter, number, small, truth, large })
            .collect();
        let mut out = Vec::new();
        for record in &written {
            prop_assert_eq!(rows.row(record, &mut out).expect("a row"), 7);
        }
        let mut reader =
            csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).from_reader(&out[..]);
        let read: Vec<Everything> =
            reader.deserialize().collect::<Result<_, _>>().expect("readable");
        prop_assert_eq!(read, written);
    }
}
