//! The face that a row shows to serde: which type becomes which field.
//!
//! What has no fixed number of columns (lists, maps, variants with fields) is refused.

use std::fmt::Display;

use serde::Serialize;
use serde::ser::{self, Impossible, Serializer};

use super::write_row::{Row, RowError};

macro_rules! integers {
    ($($method:ident: $type:ty),*) => {$(
        #[inline]
        fn $method(self, value: $type) -> Result<(), RowError> {
            self.plain(itoa::Buffer::new().format(value).as_bytes())
        }
    )*};
}

impl<'a, 'b> Serializer for &'a mut Row<'b> {
    type Ok = ();
    type Error = RowError;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Impossible<(), RowError>;
    type SerializeMap = Impossible<(), RowError>;
    type SerializeStruct = Self;
    type SerializeStructVariant = Impossible<(), RowError>;

    integers! {
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_i128: i128, serialize_u8: u8, serialize_u16: u16, serialize_u32: u32,
        serialize_u64: u64, serialize_u128: u128
    }

    fn serialize_bool(self, value: bool) -> Result<(), RowError> {
        self.plain(if value { b"true" } else { b"false" })
    }

    /// Not a number is `NaN`, the infinities are `inf` and `-inf`, as Rust reads them.
    fn serialize_f32(self, value: f32) -> Result<(), RowError> {
        self.plain(zmij::Buffer::new().format(value).as_bytes())
    }

    fn serialize_f64(self, value: f64) -> Result<(), RowError> {
        self.plain(zmij::Buffer::new().format(value).as_bytes())
    }

    fn serialize_char(self, value: char) -> Result<(), RowError> {
        self.text(value.encode_utf8(&mut [0; 4]).as_bytes())
    }

    fn serialize_str(self, value: &str) -> Result<(), RowError> {
        self.text(value.as_bytes())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), RowError> {
        self.bytes(value)
    }

    fn serialize_none(self) -> Result<(), RowError> {
        self.missing()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), RowError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), RowError> {
        self.missing()
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), RowError> {
        self.missing()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), RowError> {
        self.text(variant.as_bytes())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), RowError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: &T,
    ) -> Result<(), RowError> {
        self.refuse(
            &format!("the variant `{variant}`, which carries a value"),
            "write a struct with one field for each variant, or JSON lines",
        )
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self, RowError> {
        if self.depth > 0 {
            return self.refuse(
                "a list, which has no fixed number of columns",
                "write an array of fixed length, join the list to one text, or write JSON lines",
            );
        }
        self.open();
        Ok(self)
    }

    fn serialize_tuple(self, _: usize) -> Result<Self, RowError> {
        self.open();
        Ok(self)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, RowError> {
        self.open();
        Ok(self)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, RowError> {
        self.serialize_newtype_variant("", 0, variant, &()).map(|()| unreachable!("refused"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, RowError> {
        self.refuse(
            "a map, which has no fixed columns",
            "write a struct without `#[serde(flatten)]`, or JSON lines",
        )
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, RowError> {
        self.open();
        Ok(self)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, RowError> {
        self.serialize_newtype_variant("", 0, variant, &()).map(|()| unreachable!("refused"))
    }

    /// Dates and their like write themselves straight into the row.
    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<(), RowError> {
        self.displayed(value)
    }
}

macro_rules! elements {
    ($($trait:ident: $method:ident),*) => {$(
        impl ser::$trait for &mut Row<'_> {
            type Ok = ();
            type Error = RowError;

            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), RowError> {
                self.element(value)
            }

            #[inline]
            fn end(self) -> Result<(), RowError> {
                self.shut();
                Ok(())
            }
        }
    )*};
}

elements! {
    SerializeSeq: serialize_element, SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field
}

impl ser::SerializeStruct for &mut Row<'_> {
    type Ok = ();
    type Error = RowError;

    #[inline]
    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), RowError> {
        self.named(name, value)
    }

    /// A field that is left out now and then keeps its column.
    fn skip_field(&mut self, name: &'static str) -> Result<(), RowError> {
        self.named(name, &())
    }

    #[inline]
    fn end(self) -> Result<(), RowError> {
        self.shut();
        Ok(())
    }
}
