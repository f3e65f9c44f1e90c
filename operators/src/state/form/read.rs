//! Bytes to values.

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{Deserializer, Error as _, Unexpected, Visitor};

use super::access::{Entries, Items, Variant};
use super::error::Error;
use super::head::{Head, float, head, signed, skip, small, take, unsigned};
use super::{DEPTH, NIL, SOME};

/// Reads one value from the front of `rest`.
pub(super) struct Reader<'a, 'de> {
    rest: &'a mut &'de [u8],
    /// How many more levels there may be.
    depth: u32,
}

impl<'a, 'de> Reader<'a, 'de> {
    #[inline]
    pub(super) fn new(rest: &'a mut &'de [u8]) -> Self {
        Self { rest, depth: DEPTH }
    }

    /// For a value inside others, that may have `depth` more levels.
    #[inline]
    pub(super) fn at(rest: &'a mut &'de [u8], depth: u32) -> Self {
        Self { rest, depth }
    }

    #[inline]
    fn descend(self) -> Result<Self, Error> {
        let depth = self.depth.checked_sub(1).ok_or_else(Error::too_deep)?;
        Ok(Self { rest: self.rest, depth })
    }

    #[inline]
    fn items<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        let Self { rest, depth } = self.descend()?;
        let mut items = Items::new(rest, depth, len)?;
        let value = visitor.visit_seq(&mut items)?;
        items.end(value)
    }

    #[inline]
    fn entries<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        let Self { rest, depth } = self.descend()?;
        let mut entries = Entries::new(rest, depth, len)?;
        let value = visitor.visit_map(&mut entries)?;
        entries.end(value)
    }

    /// Whatever follows `head`.
    fn whatever<V: Visitor<'de>>(self, head: Head, visitor: V) -> Result<V::Value, Error> {
        match head {
            Head::Nil => visitor.visit_unit(),
            Head::Some => visitor.visit_some(self.descend()?),
            Head::Bool(value) => visitor.visit_bool(value),
            Head::Unsigned(value) => visitor.visit_u64(value),
            Head::Signed(value) => visitor.visit_i64(value),
            Head::F32(value) => visitor.visit_f32(value),
            Head::F64(value) => visitor.visit_f64(value),
            Head::Text(len) => visitor.visit_borrowed_str(text(self.rest, len)?),
            Head::Bytes(len) => visitor.visit_borrowed_bytes(take(self.rest, len)?),
            Head::Items(len) => self.items(len, visitor),
            Head::Entries(len) => self.entries(len, visitor),
        }
    }
}

#[inline]
fn text<'de>(rest: &mut &'de [u8], len: usize) -> Result<&'de str, Error> {
    let bytes = take(rest, len)?;
    std::str::from_utf8(bytes)
        .map_err(|_| Error::invalid_value(Unexpected::Bytes(bytes), &"text in UTF-8"))
}

/// Gives the visitor the integer that it hopes for if it is one, otherwise what is there.
macro_rules! integers {
    ($($method:ident $visit:ident $type:ty,)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            if let Some(value) = unsigned(self.rest) {
                return match <$type>::try_from(value) {
                    Ok(value) => visitor.$visit(value),
                    Err(_) => visitor.visit_u64(value),
                };
            }
            if let Some(value) = signed(self.rest) {
                return match <$type>::try_from(value) {
                    Ok(value) => visitor.$visit(value),
                    Err(_) => visitor.visit_i64(value),
                };
            }
            self.deserialize_any(visitor)
        }
    )*};
}

/// As [`integers`], for those that are written as 16 bytes.
macro_rules! wide_integers {
    ($($method:ident $visit:ident $type:ty,)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            match head(self.rest)? {
                Head::Bytes(16) => {
                    let bytes = take(self.rest, 16)?.first_chunk().copied().unwrap_or_default();
                    visitor.$visit(<$type>::from_be_bytes(bytes))
                }
                Head::Unsigned(value) => visitor.$visit(value.into()),
                Head::Signed(value) => match <$type>::try_from(value) {
                    Ok(value) => visitor.$visit(value),
                    Err(_) => visitor.visit_i64(value),
                },
                other => self.whatever(other, visitor),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Reader<'_, 'de> {
    type Error = Error;

    #[inline]
    fn is_human_readable(&self) -> bool {
        false
    }

    /// Also the way of all that the other methods do not expect, and of what is rare or long.
    #[inline(never)]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let head = head(self.rest)?;
        self.whatever(head, visitor)
    }

    integers! {
        deserialize_i8 visit_i8 i8,
        deserialize_i16 visit_i16 i16,
        deserialize_i32 visit_i32 i32,
        deserialize_i64 visit_i64 i64,
        deserialize_u8 visit_u8 u8,
        deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64,
    }

    wide_integers! {
        deserialize_i128 visit_i128 i128,
        deserialize_u128 visit_u128 u128,
    }

    #[inline]
    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match head(self.rest)? {
            Head::F32(value) => visitor.visit_f32(value),
            // A visitor would round it.
            Head::F64(value) => Err(Error::invalid_type(Unexpected::Float(value), &"an f32")),
            other => self.whatever(other, visitor),
        }
    }

    #[inline]
    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match float(self.rest) {
            Some(value) => visitor.visit_f64(value),
            None => self.deserialize_any(visitor),
        }
    }

    #[inline]
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match small(self.rest, 0xe0, 0xa0) {
            Some(len) => visitor.visit_borrowed_str(text(self.rest, len)?),
            None => self.deserialize_any(visitor),
        }
    }

    #[inline]
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    #[inline]
    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.rest.split_first() {
            Some((&NIL, rest)) => {
                *self.rest = rest;
                return visitor.visit_none();
            }
            Some((&SOME, rest)) => *self.rest = rest,
            _ => {}
        }
        visitor.visit_some(self.descend()?)
    }

    #[inline]
    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        match head(self.rest)? {
            // As others write it.
            Head::Items(0) => visitor.visit_unit(),
            other => self.whatever(other, visitor),
        }
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match small(self.rest, 0xf0, 0x90) {
            Some(len) => self.items(len, visitor),
            None => self.deserialize_any(visitor),
        }
    }

    #[inline]
    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    #[inline]
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    #[inline]
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match small(self.rest, 0xf0, 0x80) {
            Some(len) => self.entries(len, visitor),
            None => self.deserialize_any(visitor),
        }
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match head(self.rest)? {
            Head::Text(len) => {
                visitor.visit_enum(BorrowedStrDeserializer::new(text(self.rest, len)?))
            }
            Head::Entries(1) => {
                let Self { rest, depth } = self.descend()?;
                visitor.visit_enum(Variant::new(rest, depth))
            }
            other => self.whatever(other, visitor),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        skip(self.rest)?;
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! { bool char bytes byte_buf unit }
}

#[cfg(test)]
mod tests {
    use super::super::encode;
    use super::*;
    use serde::Deserialize;

    #[test]
    fn text_and_bytes_are_borrowed() {
        struct Blob;
        impl serde::Serialize for Blob {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_bytes(&[1, 2])
            }
        }
        let bytes = encode(&("text", Blob, 'é', "", 5));
        let mut rest = bytes.as_slice();
        let found = <(&str, &[u8], &str, &str)>::deserialize(Reader::new(&mut &bytes[..]));
        assert!(found.is_err(), "five are not four");
        let found = <(&str, &[u8], &str, &str, u8)>::deserialize(Reader::new(&mut rest));
        assert_eq!(found.expect("it is whole"), ("text", &[1, 2][..], "é", "", 5));
        assert!(rest.is_empty());
    }
}
