//! Folding a value's serde form into 64 bits.
//!
//! Every integer is widened to 64 bits and folded in by one 64 × 64 → 128 bit multiplication whose
//! halves are combined, the mixing step of wyhash (<https://github.com/wangyi-fudan/wyhash>).
//! Strings and sequences fold their length in as well, so neighbours cannot run into each other.

use std::fmt;

use serde::ser::{self, Serialize};

const SEED: u64 = 0x2d35_8dcc_aa6c_78a5;
const STEP: u64 = 0x8bb8_4b93_962e_acc9;

/// A serde serializer that keeps nothing but a hash.
pub(super) struct Fold(u64);

impl Default for Fold {
    #[inline]
    fn default() -> Self {
        Self(SEED)
    }
}

/// An error that a key's own `Serialize` implementation reported.
#[derive(Debug)]
pub(super) struct Refused(String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

impl ser::Error for Refused {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

impl Fold {
    #[inline]
    pub(super) fn finish(&self) -> u64 {
        // One more multiplication spreads the last word over the high bits, which choose the group.
        mix(self.0, STEP)
    }

    #[inline]
    fn word(&mut self, word: u64) {
        self.0 = mix(self.0 ^ word, STEP).wrapping_add(SEED);
    }

    /// Folds in the length that precedes a sequence or map.
    fn counted(&mut self, length: Option<usize>) -> Result<(), Refused> {
        let length = length.ok_or_else(|| ser::Error::custom("a key of unknown length"))?;
        self.word(length as u64);
        Ok(())
    }

    #[inline]
    fn bytes(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            self.word(u64::from_le_bytes(word.try_into().expect("eight bytes")));
        }
        let rest = words.remainder();
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.word(u64::from_le_bytes(last));
        self.word(bytes.len() as u64);
    }
}

#[inline]
fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ ((product >> 64) as u64)
}

/// Writes the methods that widen a scalar to one word.
macro_rules! words {
    ($($method:ident($scalar:ty) |$it:ident| $word:expr;)*) => {
        $(#[inline]
        fn $method(self, $it: $scalar) -> Result<(), Refused> {
            self.word($word);
            Ok(())
        })*
    };
}

impl ser::Serializer for &mut Fold {
    type Ok = ();
    type Error = Refused;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    words! {
        serialize_bool(bool) |it| u64::from(it);
        serialize_i8(i8) |it| i64::from(it) as u64;
        serialize_i16(i16) |it| i64::from(it) as u64;
        serialize_i32(i32) |it| i64::from(it) as u64;
        serialize_i64(i64) |it| it as u64;
        serialize_u8(u8) |it| u64::from(it);
        serialize_u16(u16) |it| u64::from(it);
        serialize_u32(u32) |it| u64::from(it);
        serialize_u64(u64) |it| it;
        serialize_f32(f32) |it| u64::from(it.to_bits());
        serialize_f64(f64) |it| it.to_bits();
        serialize_char(char) |it| u64::from(it);
    }

    fn serialize_i128(self, it: i128) -> Result<(), Refused> {
        self.serialize_u128(it as u128)
    }

    fn serialize_u128(self, it: u128) -> Result<(), Refused> {
        self.word(it as u64);
        self.word((it >> 64) as u64);
        Ok(())
    }

    #[inline]
    fn serialize_str(self, it: &str) -> Result<(), Refused> {
        self.bytes(it.as_bytes());
        Ok(())
    }

    #[inline]
    fn serialize_bytes(self, it: &[u8]) -> Result<(), Refused> {
        self.bytes(it);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Refused> {
        self.word(0);
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, it: &T) -> Result<(), Refused> {
        self.word(1);
        it.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Refused> {
        Ok(())
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), Refused> {
        Ok(())
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        index: u32,
        _variant: &'static str,
    ) -> Result<(), Refused> {
        self.serialize_u32(index)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        it: &T,
    ) -> Result<(), Refused> {
        it.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        index: u32,
        _variant: &'static str,
        it: &T,
    ) -> Result<(), Refused> {
        self.word(u64::from(index));
        it.serialize(self)
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Self, Refused> {
        self.counted(length)?;
        Ok(self)
    }

    #[inline]
    fn serialize_tuple(self, _length: usize) -> Result<Self, Refused> {
        Ok(self)
    }

    #[inline]
    fn serialize_tuple_struct(self, _name: &'static str, _length: usize) -> Result<Self, Refused> {
        Ok(self)
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        index: u32,
        _variant: &'static str,
        _length: usize,
    ) -> Result<Self, Refused> {
        self.word(u64::from(index));
        Ok(self)
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Self, Refused> {
        self.counted(length)?;
        Ok(self)
    }

    #[inline]
    fn serialize_struct(self, _name: &'static str, _length: usize) -> Result<Self, Refused> {
        Ok(self)
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        index: u32,
        _variant: &'static str,
        _length: usize,
    ) -> Result<Self, Refused> {
        self.word(u64::from(index));
        Ok(self)
    }
}

/// Writes the trait of one kind of compound value: its parts are folded in turn.
macro_rules! compounds {
    ($($kind:ident :: $method:ident($($name:ident)?);)*) => {
        $(impl ser::$kind for &mut Fold {
            type Ok = ();
            type Error = Refused;

            #[inline]
            fn $method<T: Serialize + ?Sized>(
                &mut self,
                $($name: &'static str,)?
                it: &T,
            ) -> Result<(), Refused> {
                it.serialize(&mut **self)
            }

            #[inline]
            fn end(self) -> Result<(), Refused> {
                Ok(())
            }
        })*
    };
}

compounds! {
    SerializeSeq::serialize_element();
    SerializeTuple::serialize_element();
    SerializeTupleStruct::serialize_field();
    SerializeTupleVariant::serialize_field();
    SerializeStruct::serialize_field(_name);
    SerializeStructVariant::serialize_field(_name);
}

impl ser::SerializeMap for &mut Fold {
    type Ok = ();
    type Error = Refused;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, it: &T) -> Result<(), Refused> {
        it.serialize(&mut **self)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, it: &T) -> Result<(), Refused> {
        it.serialize(&mut **self)
    }

    fn end(self) -> Result<(), Refused> {
        Ok(())
    }
}
