//! Values to bytes.

use serde::{Serialize, Serializer};

use super::error::Error;
use super::items::{ARRAY, Items, Kind, MAP};
use super::{DEPTH, NIL, SOME};

/// Writes one value after what is in `out`.
pub(super) struct Writer<'a> {
    out: &'a mut Vec<u8>,
    /// How many more levels there may be.
    depth: u32,
}

impl<'a> Writer<'a> {
    #[inline]
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, depth: DEPTH }
    }

    /// For a value inside others, that may have `depth` more levels.
    #[inline]
    pub(super) fn at(out: &'a mut Vec<u8>, depth: u32) -> Self {
        Self { out, depth }
    }

    #[inline]
    fn descend(self) -> Result<Self, Error> {
        let depth = self.depth.checked_sub(1).ok_or_else(Error::too_deep)?;
        Ok(Self { out: self.out, depth })
    }

    #[inline]
    fn items(self, kind: Kind, len: Option<usize>) -> Result<Items<'a>, Error> {
        let Self { out, depth } = self.descend()?;
        Items::new(out, depth, kind, len.unwrap_or_default())
    }

    /// The content of a variant, which stands in a map by the variant's name.
    #[inline]
    fn variant(self, name: &'static str) -> Result<Self, Error> {
        let Self { out, depth } = self.descend()?;
        out.push(MAP.small(1));
        Writer::at(out, depth).serialize_str(name)?;
        Ok(Self { out, depth })
    }
}

/// A first byte and a number of fixed width.
#[inline]
fn put<const N: usize>(out: &mut Vec<u8>, first: u8, number: [u8; N]) {
    let mut bytes = [first; 9];
    bytes[1..=N].copy_from_slice(&number);
    out.extend_from_slice(&bytes[..=N]);
}

/// A length of 8, 16 or 32 bits, after the first byte for 8 of them or one of the next two.
#[inline]
fn length(out: &mut Vec<u8>, first: u8, len: usize) -> Result<(), Error> {
    match len {
        0..0x100 => put(out, first, (len as u8).to_be_bytes()),
        0x100..0x1_0000 => put(out, first + 1, (len as u16).to_be_bytes()),
        _ => {
            let wide = u32::try_from(len).map_err(|_| Error::too_long(len))?;
            put(out, first + 2, wide.to_be_bytes());
        }
    }
    Ok(())
}

impl<'a> Serializer for Writer<'a> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Items<'a>;
    type SerializeTuple = Items<'a>;
    type SerializeTupleStruct = Items<'a>;
    type SerializeTupleVariant = Items<'a>;
    type SerializeMap = Items<'a>;
    type SerializeStruct = Items<'a>;
    type SerializeStructVariant = Items<'a>;

    #[inline]
    fn is_human_readable(&self) -> bool {
        false
    }

    #[inline]
    fn serialize_bool(self, value: bool) -> Result<(), Error> {
        self.out.push(0xc2 | u8::from(value));
        Ok(())
    }

    #[inline]
    fn serialize_u64(self, value: u64) -> Result<(), Error> {
        match value {
            0..0x80 => self.out.push(value as u8),
            0x80..0x100 => put(self.out, 0xcc, (value as u8).to_be_bytes()),
            0x100..0x1_0000 => put(self.out, 0xcd, (value as u16).to_be_bytes()),
            0x1_0000..0x1_0000_0000 => put(self.out, 0xce, (value as u32).to_be_bytes()),
            _ => put(self.out, 0xcf, value.to_be_bytes()),
        }
        Ok(())
    }

    #[inline]
    fn serialize_i64(self, value: i64) -> Result<(), Error> {
        match value {
            0.. => return self.serialize_u64(value as u64),
            -0x20..0 => self.out.push(value as u8),
            -0x80..-0x20 => put(self.out, 0xd0, (value as i8).to_be_bytes()),
            -0x8000..-0x80 => put(self.out, 0xd1, (value as i16).to_be_bytes()),
            -0x8000_0000..-0x8000 => put(self.out, 0xd2, (value as i32).to_be_bytes()),
            _ => put(self.out, 0xd3, value.to_be_bytes()),
        }
        Ok(())
    }

    #[inline]
    fn serialize_u8(self, value: u8) -> Result<(), Error> {
        self.serialize_u64(value.into())
    }

    #[inline]
    fn serialize_u16(self, value: u16) -> Result<(), Error> {
        self.serialize_u64(value.into())
    }

    #[inline]
    fn serialize_u32(self, value: u32) -> Result<(), Error> {
        self.serialize_u64(value.into())
    }

    #[inline]
    fn serialize_u128(self, value: u128) -> Result<(), Error> {
        self.serialize_bytes(&value.to_be_bytes())
    }

    #[inline]
    fn serialize_i8(self, value: i8) -> Result<(), Error> {
        self.serialize_i64(value.into())
    }

    #[inline]
    fn serialize_i16(self, value: i16) -> Result<(), Error> {
        self.serialize_i64(value.into())
    }

    #[inline]
    fn serialize_i32(self, value: i32) -> Result<(), Error> {
        self.serialize_i64(value.into())
    }

    #[inline]
    fn serialize_i128(self, value: i128) -> Result<(), Error> {
        self.serialize_bytes(&value.to_be_bytes())
    }

    #[inline]
    fn serialize_f32(self, value: f32) -> Result<(), Error> {
        put(self.out, 0xca, value.to_be_bytes());
        Ok(())
    }

    #[inline]
    fn serialize_f64(self, value: f64) -> Result<(), Error> {
        put(self.out, 0xcb, value.to_be_bytes());
        Ok(())
    }

    #[inline]
    fn serialize_char(self, value: char) -> Result<(), Error> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    #[inline]
    fn serialize_str(self, text: &str) -> Result<(), Error> {
        match text.len() {
            short @ 0..0x20 => self.out.push(0xa0 | short as u8),
            len => length(self.out, 0xd9, len)?,
        }
        self.out.extend_from_slice(text.as_bytes());
        Ok(())
    }

    #[inline]
    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), Error> {
        length(self.out, 0xc4, bytes.len())?;
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    #[inline]
    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    #[inline]
    fn serialize_some<T: ?Sized + Serialize>(self, value: &T) -> Result<(), Error> {
        let Self { out, depth } = self.descend()?;
        let begin = out.len();
        value.serialize(Writer::at(out, depth))?;
        if let Some(&(NIL | SOME)) = out.get(begin) {
            out.insert(begin, SOME);
        }
        Ok(())
    }

    #[inline]
    fn serialize_unit(self) -> Result<(), Error> {
        self.out.push(NIL);
        Ok(())
    }

    /// As a unit: an empty array would be no unit struct to what does not know what to expect, such as
    /// an untagged enum.
    #[inline]
    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    #[inline]
    fn serialize_unit_variant(self, _: &str, _: u32, variant: &'static str) -> Result<(), Error> {
        self.serialize_str(variant)
    }

    #[inline]
    fn serialize_newtype_struct<T: ?Sized + Serialize>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self)
    }

    #[inline]
    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self.variant(variant)?)
    }

    #[inline]
    fn serialize_seq(self, len: Option<usize>) -> Result<Items<'a>, Error> {
        self.items(ARRAY, len)
    }

    #[inline]
    fn serialize_tuple(self, len: usize) -> Result<Items<'a>, Error> {
        self.items(ARRAY, Some(len))
    }

    #[inline]
    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<Items<'a>, Error> {
        self.items(ARRAY, Some(len))
    }

    #[inline]
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Items<'a>, Error> {
        self.variant(variant)?.items(ARRAY, Some(len))
    }

    #[inline]
    fn serialize_map(self, len: Option<usize>) -> Result<Items<'a>, Error> {
        self.items(MAP, len)
    }

    #[inline]
    fn serialize_struct(self, _: &'static str, len: usize) -> Result<Items<'a>, Error> {
        self.items(MAP, Some(len))
    }

    #[inline]
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Items<'a>, Error> {
        self.variant(variant)?.items(MAP, Some(len))
    }
}
