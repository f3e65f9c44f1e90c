//! The form that state has as bytes: self-describing, so that a later program can still read it.
//!
//! It is MessagePack. Structs are maps by the names of their fields, enums are `{variant: content}`
//! or the name alone. A program whose struct has gained a field with `#[serde(default)]`, or lost
//! one, or has them in another order, reads what an earlier one wrote; so does one whose integer
//! became wider.
//!
//! # Guarantees
//!
//! What was encoded is what is decoded. MessagePack has one `nil` for `None`, `()` and unit structs, so
//! that `Some(None)` and `Some(())` would be lost in it. Here a `Some` whose content begins with `nil`
//! has the byte 0xc1 in front, which MessagePack never uses, and one whose content begins with
//! that byte has another. All else can be read by any MessagePack library.
//!
//! Bytes that are no such value are an error: they never panic, and they make no room for more than
//! their own length could hold. Values are nested at most 256 deep, in both directions.
//!
//! What serde itself cannot carry it cannot carry here: the 128-bit integers of an internally tagged or
//! untagged enum, or of a flattened field, are written and then refused. An untagged enum is read as the
//! first of its variants that fits: of two that are nothing (`None`, `()`, a unit struct) the first.
//!
//! # Cost
//!
//! One pass in either direction, without allocation but for the value itself and the growth of the
//! bytes. Integers take one to nine bytes, the 128-bit ones 18, a field its name besides.

use serde::Serialize;
use serde::de::DeserializeOwned;

use read::Reader;
use write::Writer;

mod access;
mod error;
mod head;
mod items;
mod read;
mod write;

/// How deep values may be nested: sequences, maps, structs, variants and options.
const DEPTH: u32 = 256;

/// What stands for nothing: `None`, `()` and unit structs.
const NIL: u8 = 0xc0;

/// In front of the content of a `Some` that begins with [`NIL`] or with this.
const SOME: u8 = 0xc1;

/// Encodes one value of saved state.
///
/// # Panics
///
/// If the value's own `Serialize` implementation reports an error, it is nested more than 256 deep
/// or a part of it is longer than 2³² - 1.
pub fn encode<S: Serialize>(value: &S) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_into(&mut bytes, value);
    bytes
}

/// Encodes one value of saved state after those in `bytes`.
///
/// # Panics
///
/// As [`encode`].
pub fn encode_into<S: Serialize>(bytes: &mut Vec<u8>, value: &S) {
    if let Err(error) = value.serialize(Writer::new(bytes)) {
        panic!("state of type {} cannot be saved: {error}", std::any::type_name::<S>());
    }
}

/// Decodes what [`encode`] made.
///
/// # Errors
///
/// Where and why the bytes cannot be this type: the state belongs to another program.
///
/// # Example
///
/// ```
/// use tidemill_operators::state::{decode, encode};
///
/// let bytes = encode(&("a", vec![1, 300]));
/// assert_eq!(decode(&bytes), Ok(("a".to_string(), vec![1u64, 300])));
///
/// let error = decode::<(String, Vec<u8>)>(&bytes).unwrap_err();
/// assert_eq!(error, "1.1: invalid value: integer `300`, expected u8");
/// ```
pub fn decode<S: DeserializeOwned>(bytes: &[u8]) -> Result<S, String> {
    let mut rest = bytes;
    let value = S::deserialize(Reader::new(&mut rest)).map_err(|error| error.to_string())?;
    match rest.len() {
        0 => Ok(value),
        more => Err(format!("{more} more bytes follow the value")),
    }
}

/// Decodes, one after the other, the values that [`encode_into`] put into `bytes`.
///
/// # Errors
///
/// As [`decode`]; the values before have been given to `each` by then.
pub fn decode_all<S: DeserializeOwned>(
    bytes: &[u8],
    mut each: impl FnMut(S),
) -> Result<(), String> {
    let mut rest = bytes;
    while !rest.is_empty() {
        each(S::deserialize(Reader::new(&mut rest)).map_err(|error| error.to_string())?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Serialize)]
    struct Before {
        name: String,
        old: Vec<u8>,
        count: u32,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct After {
        count: u64,
        #[serde(default)]
        new: Option<i64>,
        name: String,
    }

    #[test]
    fn a_struct_may_gain_and_lose_fields() {
        let before = Before { name: "a".into(), old: vec![1, 2], count: 3 };
        let after = After { count: 3, new: None, name: "a".into() };
        assert_eq!(decode(&encode(&before)), Ok(after));
    }

    #[test]
    fn what_does_not_fit_is_an_error_that_says_why() {
        let error = decode::<After>(&encode(&("a", 1))).expect_err("it lacks the fields");
        assert!(!error.is_empty());
        assert!(decode_all(&[0xc1], |_: u32| ()).is_err(), "a byte that MessagePack never uses");
        assert!(decode::<String>(&encode(&1u8)).is_err());
    }
}
