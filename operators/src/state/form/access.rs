//! The items of a sequence, the entries of a map and the content of a variant that are being read.

use serde::Deserializer;
use serde::de::{
    Deserialize, DeserializeSeed, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::error::Error;
use super::head::{Head, enough, head, take};
use super::read::Reader;

/// The items of a sequence, of which `left` are still to be read.
pub(super) struct Items<'a, 'de> {
    rest: &'a mut &'de [u8],
    depth: u32,
    len: usize,
    left: usize,
}

impl<'a, 'de> Items<'a, 'de> {
    #[inline]
    pub(super) fn new(rest: &'a mut &'de [u8], depth: u32, len: usize) -> Result<Self, Error> {
        enough(rest, len)?;
        Ok(Self { rest, depth, len, left: len })
    }

    /// The value made of the items, if it is made of all.
    #[inline]
    pub(super) fn end<T>(self, value: T) -> Result<T, Error> {
        if self.left == 0 { Ok(value) } else { Err(unread(self.len, self.left)) }
    }
}

impl<'de> SeqAccess<'de> for Items<'_, 'de> {
    type Error = Error;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        let place = self.len - self.left;
        self.left -= 1;
        match seed.deserialize(Reader::at(self.rest, self.depth)) {
            Ok(value) => Ok(Some(value)),
            Err(error) => Err(in_item(error, place)),
        }
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// The entries of a map or struct, of which `left` are still to be read.
pub(super) struct Entries<'a, 'de> {
    rest: &'a mut &'de [u8],
    depth: u32,
    len: usize,
    left: usize,
    /// Begins with the key that was read last.
    key: &'de [u8],
}

impl<'a, 'de> Entries<'a, 'de> {
    #[inline]
    pub(super) fn new(rest: &'a mut &'de [u8], depth: u32, len: usize) -> Result<Self, Error> {
        enough(rest, len.saturating_mul(2))?;
        Ok(Self { key: rest, rest, depth, len, left: len })
    }

    /// The value made of the entries, if it is made of all.
    #[inline]
    pub(super) fn end<T>(self, value: T) -> Result<T, Error> {
        if self.left == 0 { Ok(value) } else { Err(unread(self.len, self.left)) }
    }
}

impl<'de> MapAccess<'de> for Entries<'_, 'de> {
    type Error = Error;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        self.key = self.rest;
        seed.deserialize(Reader::at(self.rest, self.depth)).map(Some)
    }

    #[inline]
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        match seed.deserialize(Reader::at(self.rest, self.depth)) {
            Ok(value) => Ok(value),
            Err(error) => Err(in_entry(error, self.key)),
        }
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// A variant with content: its name, then that.
pub(super) struct Variant<'a, 'de> {
    rest: &'a mut &'de [u8],
    depth: u32,
    /// Begins with the name.
    name: &'de [u8],
}

impl<'a, 'de> Variant<'a, 'de> {
    #[inline]
    pub(super) fn new(rest: &'a mut &'de [u8], depth: u32) -> Self {
        Self { name: rest, rest, depth }
    }

    #[inline]
    fn content<T>(
        self,
        read: impl FnOnce(Reader<'a, 'de>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        match read(Reader::at(self.rest, self.depth)) {
            Ok(value) => Ok(value),
            Err(error) => Err(in_entry(error, self.name)),
        }
    }
}

impl<'de> EnumAccess<'de> for Variant<'_, 'de> {
    type Error = Error;
    type Variant = Self;

    #[inline]
    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        let variant = seed.deserialize(Reader::at(self.rest, self.depth))?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de> {
    type Error = Error;

    #[inline]
    fn unit_variant(self) -> Result<(), Error> {
        self.content(<()>::deserialize)
    }

    #[inline]
    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        self.content(|reader| seed.deserialize(reader))
    }

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.content(|reader| reader.deserialize_seq(visitor))
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.content(|reader| reader.deserialize_map(visitor))
    }
}

#[cold]
fn unread(found: usize, left: usize) -> Error {
    Error::new(format!("expected {}, found {found} items", found - left))
}

#[cold]
#[inline(never)]
fn in_item(error: Error, place: usize) -> Error {
    error.within(place.to_string())
}

/// An error in what follows the key that `bytes` begin with.
#[cold]
#[inline(never)]
fn in_entry(error: Error, mut bytes: &[u8]) -> Error {
    error.within(match head(&mut bytes) {
        Ok(Head::Unsigned(number)) => number.to_string(),
        Ok(Head::Signed(number)) => number.to_string(),
        Ok(Head::Text(len)) => match take(&mut bytes, len) {
            Ok(text) => String::from_utf8_lossy(text).into_owned(),
            Err(_) => "_".into(),
        },
        _ => "_".into(),
    })
}
