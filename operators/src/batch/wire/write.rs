//! Writing values, or counting the bytes that writing them would take.

use std::io::Write;

use serde::Serialize;
use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::{Error, UNKNOWN};

/// What becomes of the bytes.
pub(super) trait Target {
    fn put<const N: usize>(&mut self, bytes: [u8; N]) -> Result<(), Error> {
        self.put_all(&bytes)
    }

    fn put_all(&mut self, bytes: &[u8]) -> Result<(), Error>;
}

/// They are counted.
pub(super) struct Size(pub(super) usize);

impl Target for Size {
    #[inline]
    fn put_all(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.0 += bytes.len();
        Ok(())
    }
}

/// They are written.
pub(super) struct Through<'a, W> {
    pub(super) to: &'a mut W,
    pub(super) written: usize,
}

impl<W: Write> Target for Through<'_, W> {
    #[inline]
    fn put_all(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.written += bytes.len();
        self.to.write_all(bytes).map_err(|_| Error::new("there is too little room for the records"))
    }
}

/// Hands the bytes of one value to a target.
pub(super) struct Writer<'a, T>(pub(super) &'a mut T);

impl<T: Target> Writer<'_, T> {
    #[inline]
    fn length(&mut self, length: usize) -> Result<(), Error> {
        match u32::try_from(length) {
            Ok(length) if length != UNKNOWN => self.0.put(length.to_le_bytes()),
            _ => Err(Error::new("a text, list or map of a record has 4 billion entries or more")),
        }
    }

    #[inline]
    fn variant(self, index: u32) -> Result<Self, Error> {
        self.0.put(index.to_le_bytes())?;
        Ok(self)
    }
}

macro_rules! in_own_width {
    ($($method:ident: $type:ty),*) => {$(
        #[inline]
        fn $method(self, value: $type) -> Result<(), Error> {
            self.0.put(value.to_le_bytes())
        }
    )*};
}

impl<'a, T: Target> Serializer for Writer<'a, T> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Entries<'a, T>;
    type SerializeTuple = Fields<'a, T>;
    type SerializeTupleStruct = Fields<'a, T>;
    type SerializeTupleVariant = Fields<'a, T>;
    type SerializeMap = Entries<'a, T>;
    type SerializeStruct = Fields<'a, T>;
    type SerializeStructVariant = Fields<'a, T>;

    in_own_width!(
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_i128: i128, serialize_u8: u8, serialize_u16: u16, serialize_u32: u32,
        serialize_u64: u64, serialize_u128: u128, serialize_f32: f32, serialize_f64: f64
    );

    #[inline]
    fn serialize_bool(self, value: bool) -> Result<(), Error> {
        self.0.put([u8::from(value)])
    }

    #[inline]
    fn serialize_char(self, value: char) -> Result<(), Error> {
        self.serialize_u32(u32::from(value))
    }

    #[inline]
    fn serialize_str(self, value: &str) -> Result<(), Error> {
        self.serialize_bytes(value.as_bytes())
    }

    #[inline]
    fn serialize_bytes(mut self, value: &[u8]) -> Result<(), Error> {
        self.length(value.len())?;
        self.0.put_all(value)
    }

    #[inline]
    fn serialize_none(self) -> Result<(), Error> {
        self.0.put([0])
    }

    #[inline]
    fn serialize_some<V: Serialize + ?Sized>(self, value: &V) -> Result<(), Error> {
        self.0.put([1])?;
        value.serialize(self)
    }

    #[inline]
    fn serialize_unit(self) -> Result<(), Error> {
        Ok(())
    }

    #[inline]
    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        Ok(())
    }

    #[inline]
    fn serialize_unit_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
    ) -> Result<(), Error> {
        self.variant(index).map(|_| ())
    }

    #[inline]
    fn serialize_newtype_struct<V: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &V,
    ) -> Result<(), Error> {
        value.serialize(self)
    }

    #[inline]
    fn serialize_newtype_variant<V: Serialize + ?Sized>(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        value: &V,
    ) -> Result<(), Error> {
        value.serialize(self.variant(index)?)
    }

    #[inline]
    fn serialize_seq(mut self, length: Option<usize>) -> Result<Entries<'a, T>, Error> {
        match length {
            Some(length) => self.length(length)?,
            None => self.0.put(UNKNOWN.to_le_bytes())?,
        }
        Ok(Entries { to: self.0, counted: length.is_some() })
    }

    #[inline]
    fn serialize_map(self, length: Option<usize>) -> Result<Entries<'a, T>, Error> {
        self.serialize_seq(length)
    }

    #[inline]
    fn serialize_tuple(self, _: usize) -> Result<Fields<'a, T>, Error> {
        Ok(Fields(self.0))
    }

    #[inline]
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Fields<'a, T>, Error> {
        Ok(Fields(self.0))
    }

    #[inline]
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Fields<'a, T>, Error> {
        self.variant(index).map(|it| Fields(it.0))
    }

    #[inline]
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Fields<'a, T>, Error> {
        Ok(Fields(self.0))
    }

    #[inline]
    fn serialize_struct_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Fields<'a, T>, Error> {
        self.variant(index).map(|it| Fields(it.0))
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// The elements of a sequence or the entries of a map.
pub(super) struct Entries<'a, T> {
    to: &'a mut T,
    /// Whether their number stands before them.
    counted: bool,
}

impl<T: Target> Entries<'_, T> {
    #[inline]
    fn announce(&mut self) -> Result<(), Error> {
        if self.counted { Ok(()) } else { self.to.put([1]) }
    }

    #[inline]
    fn finish(self) -> Result<(), Error> {
        if self.counted { Ok(()) } else { self.to.put([0]) }
    }
}

impl<T: Target> SerializeSeq for Entries<'_, T> {
    type Ok = ();
    type Error = Error;

    #[inline]
    fn serialize_element<V: Serialize + ?Sized>(&mut self, value: &V) -> Result<(), Error> {
        self.announce()?;
        value.serialize(Writer(self.to))
    }

    #[inline]
    fn end(self) -> Result<(), Error> {
        self.finish()
    }
}

impl<T: Target> SerializeMap for Entries<'_, T> {
    type Ok = ();
    type Error = Error;

    #[inline]
    fn serialize_key<K: Serialize + ?Sized>(&mut self, key: &K) -> Result<(), Error> {
        self.announce()?;
        key.serialize(Writer(self.to))
    }

    #[inline]
    fn serialize_value<V: Serialize + ?Sized>(&mut self, value: &V) -> Result<(), Error> {
        value.serialize(Writer(self.to))
    }

    #[inline]
    fn end(self) -> Result<(), Error> {
        self.finish()
    }
}

/// The fields of a tuple, a struct or a variant.
pub(super) struct Fields<'a, T>(&'a mut T);

macro_rules! one_after_the_other {
    ($($trait:ident: $method:ident($($name:ty)?)),*) => {$(
        impl<T: Target> $trait for Fields<'_, T> {
            type Ok = ();
            type Error = Error;

            #[inline]
            fn $method<V: Serialize + ?Sized>(
                &mut self,
                $(_: $name,)?
                value: &V,
            ) -> Result<(), Error> {
                value.serialize(Writer(self.0))
            }

            #[inline]
            fn end(self) -> Result<(), Error> {
                Ok(())
            }
        }
    )*};
}

one_after_the_other!(
    SerializeTuple: serialize_element(),
    SerializeTupleStruct: serialize_field(),
    SerializeTupleVariant: serialize_field(),
    SerializeStruct: serialize_field(&'static str),
    SerializeStructVariant: serialize_field(&'static str)
);
