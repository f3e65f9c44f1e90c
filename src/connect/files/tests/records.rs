//! How the columns of a row become the fields of a record.

use super::*;
use std::collections::BTreeMap;

fn check<T>(source: impl FnOnce(&str) -> Files<crate::connect::CsvInput<T>>, bytes: &str, to: &[T])
where
    T: serde::de::DeserializeOwned + PartialEq + std::fmt::Debug + 'static,
{
    let folder = folder();
    let path = file(folder.path(), "t.csv", bytes);
    let (found, _) = read(&source(&path), 1).unwrap();
    assert_eq!(found, to, "{bytes:?}");
}

#[test]
fn settings_change_what_a_row_is() {
    type Pair = (i64, String);
    let pair = |a, b: &str| (a, b.to_owned());
    check::<Pair>(|p| csv(p), "x,y\n1,a\n", &[pair(1, "a")]);
    check::<Pair>(|p| csv(p).no_header(), "1,a\n2,b\n", &[pair(1, "a"), pair(2, "b")]);
    check::<Pair>(|p| csv(p).delimiter(b'\t'), "x\ty\n1\ta,\n", &[pair(1, "a,")]);
    check::<Pair>(|p| csv(p).quote(b'\''), "x,y\n1,'a,''\"'\n", &[pair(1, "a,'\"")]);
    check::<Pair>(|p| csv(p).no_quotes(), "x,y\n1,\"a\n", &[pair(1, "\"a")]);
    check::<Pair>(|p| csv(p).trim(), " x , y \n 1 ,\ta \n", &[pair(1, "a")]);
    check::<String>(|p| csv(p), "x\na\n", &["a".to_owned()]);
    check::<Vec<u8>>(|p| csv(p).no_header(), "1,2\n3,4\n", &[vec![1, 2], vec![3, 4]]);
}

#[test]
fn fields_are_found_by_name_and_absent_ones_are_none() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Row {
        b: Option<i64>,
        a: u8,
        c: Option<String>,
    }
    let row = |b, a| Row { b, a, c: None };
    check(
        |p| csv(p).absent("NA"),
        "a,b\n1,2\n3,\n4,NA\n",
        &[row(Some(2), 1), row(None, 3), row(None, 4)],
    );
    check(|p| csv(p).no_header(), "2,1,\n", &[row(Some(2), 1)]);
}

#[test]
fn aliases_defaults_and_flattened_fields_are_found_by_name() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Row {
        #[serde(alias = "first", alias = "zeroth")]
        a: u8,
        #[serde(default)]
        b: u8,
        #[serde(skip)]
        unread: u8,
        c: u8,
    }
    let row = |a, b, c| Row { a, b, unread: 0, c };
    check(|p| csv(p), "c,first\n1,2\n3,4\n", &[row(2, 0, 1), row(4, 0, 3)]);
    check(|p| csv(p), "c,a,b\n1,2,3\n", &[row(2, 3, 1)]);
    #[derive(Debug, PartialEq, Deserialize)]
    struct Optional {
        #[serde(alias = "x")]
        a: Option<u8>,
        b: Option<u8>,
    }
    check(|p| csv(p), "x,b\n1,2\n", &[Optional { a: Some(1), b: Some(2) }]);
    #[derive(Debug, PartialEq, Deserialize)]
    struct Flat {
        a: u8,
        #[serde(flatten)]
        rest: BTreeMap<String, String>,
    }
    let rest = BTreeMap::from([("b".to_owned(), "x".to_owned())]);
    check(|p| csv(p), "a,b\n1,x\n", &[Flat { a: 1, rest: rest.clone() }]);
    check(|p| csv(p), "b\nx\n", &[rest]);
}

#[test]
fn a_struct_without_aliases_is_read_in_order_from_a_shuffled_header() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Row {
        a: i64,
        b: i64,
        c: i64,
    }
    check(
        |p| csv(p),
        "c,x,a,b\n3,0,1,2\n6,0,4,5\n",
        &[Row { a: 1, b: 2, c: 3 }, Row { a: 4, b: 5, c: 6 }],
    );
}

#[test]
fn quoted_fields_may_span_lines_if_said_so() {
    let bytes = "x,y\n1,\"a\n\nb\"\n2,c\n\n3,\"\"\"\r\n\"\r\n4,d";
    let expected =
        [(1, "a\n\nb"), (2, "c"), (3, "\"\r\n"), (4, "d")].map(|(x, y)| (x, y.to_owned()));
    let folder = folder();
    let path = file(folder.path(), "t.csv", bytes);
    for chunk in (1..40).chain([1000]) {
        let source = csv::<(i64, String)>(&path).multiline().chunk(chunk).stride(1);
        assert_eq!(source.partitions(3).unwrap().len(), 1);
        assert_eq!(drain(&source, &path, None, 100).unwrap().0, expected, "{chunk}");
        let mut reader = source.open(&path, None, Arc::new(|| ())).unwrap();
        let mut before = Vec::new();
        loop {
            let position = reader.position();
            let (after, _) = drain(&source, &path, Some(&position), 1).unwrap();
            assert_eq!([before.clone(), after].concat(), expected, "{chunk}");
            if reader.poll(1, &mut before).unwrap() == Polled::Ended {
                break;
            }
        }
    }
    let path = file(folder.path(), "u.csv", "x,y\n1,\"a\n2,b\n");
    let source = csv::<(i64, String)>(&path).multiline().on_malformed(OnMalformed::Skip);
    assert_eq!(read(&source, 1).unwrap(), (vec![(2, "b".to_owned())], 1));
}
