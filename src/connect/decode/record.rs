//! A row as a record: which column goes into which field.
//!
//! The columns of a struct are looked up in the header once. A struct whose deserializer takes its
//! fields in order (as a derived one does) is from then on handed the columns in that order, with no
//! name compared; whether it does is tried on the first row. All others are given names with each
//! value: structs with aliases, flattened or defaulted fields, maps.

use std::cell::Cell as Shared;
use std::marker::PhantomData;

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess,
    Visitor,
};

use super::cell::{Cell, Unfit};
use super::rows::Row;
use super::shape::{NoColumn, fields_of};

/// Which column goes into which field of records of type `T`.
pub(crate) struct Plan<T> {
    layout: Layout,
    form: Form,
    record: PhantomData<fn() -> T>,
}

/// What is known of the columns.
struct Layout {
    names: Option<Vec<String>>,
    trim: bool,
    absent: Vec<u8>,
    /// The fields of the struct and their columns, if it is one.
    fields: &'static [&'static str],
    columns: Vec<Option<usize>>,
    /// How many fields the last struct asked for.
    asked: Shared<usize>,
}

/// How the fields of a struct are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Unknown,
    InOrder,
    ByName,
}

impl<T: DeserializeOwned> Plan<T> {
    /// For rows with a header of these names, or without one, when columns are taken by position.
    pub(crate) fn new(names: Option<Vec<String>>, trim: bool, absent: Vec<u8>) -> Self {
        let (mut form, mut columns, fields) = (Form::ByName, Vec::new(), fields_of::<T>());
        if let Some(fields) = fields {
            columns = match &names {
                Some(names) => {
                    fields.iter().map(|it| names.iter().position(|name| name == it)).collect()
                }
                None => (0..fields.len()).map(Some).collect(),
            };
            form = if names.is_some() { Form::Unknown } else { Form::InOrder };
        }
        let (fields, asked) = (fields.unwrap_or_default(), Shared::new(0));
        let layout = Layout { names, trim, absent, fields, columns, asked };
        Self { layout, form, record: PhantomData }
    }

    /// The names of the columns, if there is a header.
    pub(crate) fn names(&self) -> Option<&[String]> {
        self.layout.names.as_deref()
    }

    /// The record of a row.
    #[inline]
    pub(crate) fn read(&mut self, row: &Row<'_>) -> Result<T, Unfit> {
        if self.form == Form::Unknown {
            return self.find_form(row);
        }
        T::deserialize(Record { row, layout: &self.layout, form: self.form })
    }

    #[cold]
    fn find_form(&mut self, row: &Row<'_>) -> Result<T, Unfit> {
        let layout = &self.layout;
        let in_order = T::deserialize(Record { row, layout, form: Form::InOrder });
        if in_order.is_ok() && layout.asked.get() == layout.fields.len() {
            self.form = Form::InOrder;
            return in_order;
        }
        let by_name = T::deserialize(Record { row, layout, form: Form::ByName });
        if by_name.is_ok() {
            self.form = Form::ByName;
        }
        by_name
    }
}

/// A row, to be made into a record.
#[derive(Clone, Copy)]
struct Record<'a> {
    row: &'a Row<'a>,
    layout: &'a Layout,
    form: Form,
}

impl<'a> Record<'a> {
    #[inline]
    fn value<'de, S: DeserializeSeed<'de>>(
        &self,
        column: usize,
        seed: S,
    ) -> Result<S::Value, Unfit> {
        match self.cell(column) {
            Some(cell) => seed.deserialize(cell).map_err(|unfit| self.located(unfit, column)),
            None => Err(self.located(Unfit::new("the row ends before it"), column)),
        }
    }

    #[inline]
    fn cell(&self, column: usize) -> Option<Cell<'a>> {
        let (bytes, begin) = self.row.field(column)?;
        let cell = Cell::new(bytes, begin, &self.layout.absent);
        Some(if self.layout.trim { cell.trimmed() } else { cell })
    }

    #[cold]
    fn located(&self, unfit: Unfit, column: usize) -> Unfit {
        match self.layout.names.as_ref().and_then(|names| names.get(column)) {
            Some(name) => unfit.in_column(&format!("`{name}`")),
            None => unfit.in_column(&(column + 1).to_string()),
        }
    }

    /// The one field of a row that is a single value.
    fn single(&self) -> Result<Cell<'a>, Unfit> {
        match (self.row.len(), self.cell(0)) {
            (1, Some(cell)) => Ok(cell),
            (count, _) => Err(Unfit::new(format!("the row has {count} columns, the record one"))),
        }
    }
}

macro_rules! single {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
            self.single()?.$method(visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for Record<'_> {
    type Error = Unfit;

    single! {
        deserialize_bool deserialize_char
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_f32 deserialize_f64 deserialize_str deserialize_string
        deserialize_bytes deserialize_byte_buf deserialize_identifier
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        if self.form == Form::InOrder {
            let mut fields = InOrder { record: &self, at: 0 };
            let record = visitor.visit_seq(&mut fields);
            self.layout.asked.set(fields.at);
            return record;
        }
        visitor.visit_map(ByName { record: &self, at: 0, column: 0, all: false })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        if self.layout.names.is_none() {
            return Err(Unfit::new("without a header the columns have no names"));
        }
        visitor.visit_map(ByName { record: &self, at: 0, column: 0, all: true })
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_seq(Every { record: &self, at: 0 })
    }

    #[inline]
    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        let count = self.row.len();
        if count != length {
            let reason = format!("the row has {count} columns, the record {length}");
            return Err(Unfit::new(reason));
        }
        visitor.visit_seq(Every { record: &self, at: 0 })
    }

    #[inline]
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        self.deserialize_tuple(length, visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        match self.single() {
            Ok(cell) => cell.deserialize_option(visitor),
            Err(_) => visitor.visit_some(self),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        self.single()?.deserialize_enum(name, variants, visitor)
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        if self.layout.names.is_some() {
            self.deserialize_map(visitor)
        } else {
            self.deserialize_seq(visitor)
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        visitor.visit_unit()
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_unit()
    }
}

/// The fields of a struct in their order.
struct InOrder<'a, 'r> {
    record: &'a Record<'r>,
    at: usize,
}

impl<'de> SeqAccess<'de> for InOrder<'_, '_> {
    type Error = Unfit;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Unfit> {
        let Some(column) = self.record.layout.columns.get(self.at) else { return Ok(None) };
        self.at += 1;
        match column {
            Some(column) => self.record.value(*column, seed).map(Some),
            None => seed.deserialize(NoColumn).map(Some),
        }
    }
}

/// All columns in their order.
struct Every<'a, 'r> {
    record: &'a Record<'r>,
    at: usize,
}

impl<'de> SeqAccess<'de> for Every<'_, '_> {
    type Error = Unfit;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Unfit> {
        if self.at == self.record.row.len() {
            return Ok(None);
        }
        self.at += 1;
        self.record.value(self.at - 1, seed).map(Some)
    }
}

/// The columns that the struct has fields for, or all, with their names.
struct ByName<'a, 'r> {
    record: &'a Record<'r>,
    at: usize,
    column: usize,
    all: bool,
}

impl ByName<'_, '_> {
    /// The name of the next column, which becomes the current one.
    fn advance(&mut self) -> Option<&str> {
        if self.all {
            let name = self.record.layout.names.as_ref()?.get(self.at)?;
            self.column = self.at;
            self.at += 1;
            return Some(name);
        }
        loop {
            let column = *self.record.layout.columns.get(self.at)?;
            self.at += 1;
            if let Some(column) = column {
                self.column = column;
                return Some(self.record.layout.fields[self.at - 1]);
            }
        }
    }
}

impl<'de> MapAccess<'de> for ByName<'_, '_> {
    type Error = Unfit;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Unfit> {
        match self.advance() {
            Some(name) => seed.deserialize(name.into_deserializer()).map(Some),
            None => Ok(None),
        }
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Unfit> {
        self.record.value(self.column, seed)
    }
}
