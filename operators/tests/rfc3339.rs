//! Moments as text in records, in a format that is text and in one that is not.

use serde::{Deserialize, Serialize};
use tidemill_operators::state::{decode, encode};
use tidemill_operators::time::{EventTime, rfc3339};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Record {
    #[serde(with = "rfc3339")]
    at: EventTime,
    #[serde(with = "rfc3339::option", default)]
    until: Option<EventTime>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Text {
    at: String,
    #[serde(default)]
    until: Option<String>,
}

fn record(at: i64, until: Option<i64>) -> Record {
    let moment = EventTime::from_micros;
    Record { at: moment(at), until: until.map(moment) }
}

fn text(at: &str, until: Option<&str>) -> Text {
    Text { at: at.to_owned(), until: until.map(str::to_owned) }
}

#[test]
fn moments_are_written_as_text_and_come_back() {
    for (record, written) in [
        (record(0, None), text("1970-01-01T00:00:00Z", None)),
        (
            record(-1, Some(-3_600_500_000)),
            text("1969-12-31T23:59:59.999999Z", Some("1969-12-31T22:59:59.500Z")),
        ),
        (
            record(-62_167_219_200_000_000, Some(253_402_300_799_999_999)),
            text("0000-01-01T00:00:00Z", Some("9999-12-31T23:59:59.999999Z")),
        ),
    ] {
        assert_eq!(decode::<Text>(&encode(&record)).as_ref(), Ok(&written));
        assert_eq!(decode::<Record>(&encode(&written)), Ok(record));
        assert_eq!(encode(&decode::<Record>(&encode(&written)).unwrap()), encode(&written));
    }
}

#[test]
fn what_may_be_missing_may_be_left_out() {
    let only = encode(&std::collections::BTreeMap::from([("at", "1970-01-01T00:00:00Z")]));
    assert_eq!(decode::<Record>(&only), Ok(record(0, None)));
}

#[test]
fn what_cannot_be_read_is_named_with_its_field() {
    let refused = |text: Text| decode::<Record>(&encode(&text)).unwrap_err();
    let expected = "expected a time as RFC 3339 writes it, such as 2013-01-01T10:00:00Z";
    assert_eq!(
        refused(text("yesterday", None)),
        format!("at: invalid value: string \"yesterday\", {expected}")
    );
    assert_eq!(
        refused(text("1970-01-01T00:00:00Z", Some("1970-02-30T00:00:00Z"))),
        format!("until: invalid value: string \"1970-02-30T00:00:00Z\", {expected}")
    );
    let number = encode(&std::collections::BTreeMap::from([("at", 7)]));
    let error = decode::<Record>(&number).unwrap_err();
    assert_eq!(error, format!("at: invalid type: integer `7`, {expected}"));
    assert_eq!("7".parse::<EventTime>().unwrap_err().to_string(), expected);
}

#[test]
fn what_the_calendar_does_not_reach_is_not_written() {
    let write = |at| std::panic::catch_unwind(|| encode(&record(at, None)));
    for beyond in [i64::MIN, -62_167_219_200_000_001, 253_402_300_800_000_000, i64::MAX] {
        assert!(write(beyond).is_err(), "{beyond}");
    }
    assert!(write(253_402_300_799_999_999).is_ok());
}
