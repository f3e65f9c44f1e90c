//! The form that state has as bytes: self-describing, so that a later program can still read it.
//!
//! Structs are written with the names of their fields (MessagePack). A program whose struct has
//! gained a field with `#[serde(default)]`, or lost one, or has them in another order, reads what an
//! earlier one wrote; so does one whose integer became wider.

use std::io::Cursor;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Encodes one value of saved state.
///
/// # Panics
///
/// If the value's own `Serialize` implementation reports an error.
pub fn encode<S: Serialize>(value: &S) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_into(&mut bytes, value);
    bytes
}

/// Encodes one value of saved state after those in `bytes`.
///
/// # Panics
///
/// If the value's own `Serialize` implementation reports an error.
pub fn encode_into<S: Serialize>(bytes: &mut Vec<u8>, value: &S) {
    rmp_serde::encode::write_named(bytes, value)
        .expect("state serialises without an error of its own");
}

/// Decodes what [`encode`] made.
///
/// # Errors
///
/// Why the bytes cannot be this type: the state belongs to another program.
pub fn decode<S: DeserializeOwned>(bytes: &[u8]) -> Result<S, String> {
    rmp_serde::from_slice(bytes).map_err(|error| error.to_string())
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
    let mut values = rmp_serde::Deserializer::new(Cursor::new(bytes));
    while values.position() < bytes.len() as u64 {
        each(S::deserialize(&mut values).map_err(|error| error.to_string())?);
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
