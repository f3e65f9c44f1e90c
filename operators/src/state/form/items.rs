//! The items of a sequence, map or struct that is being written.

use serde::{Serialize, Serializer, ser};

use super::error::Error;
use super::write::Writer;

/// What stands in front of items: one byte for fewer than 16 of them, `wide` for a length of 16 bits,
/// the byte after it for one of 32.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    small: u8,
    wide: u8,
}

pub(super) const ARRAY: Kind = Kind { small: 0x90, wide: 0xdc };
pub(super) const MAP: Kind = Kind { small: 0x80, wide: 0xde };

impl Kind {
    /// The header of fewer than 16 items.
    #[inline]
    pub(super) const fn small(self, len: u8) -> u8 {
        self.small | len
    }

    /// Any header, and how many of the bytes it takes.
    fn header(self, len: usize) -> Result<([u8; 5], usize), Error> {
        let wide = u32::try_from(len).map_err(|_| Error::too_long(len))?;
        let [a, b, c, d] = wide.to_be_bytes();
        Ok(match wide {
            0..16 => ([self.small(d), 0, 0, 0, 0], 1),
            16..0x1_0000 => ([self.wide, c, d, 0, 0], 3),
            _ => ([self.wide + 1, a, b, c, d], 5),
        })
    }
}

/// Writes items one after the other. Their number need not be known before: if it turns out to be
/// another than was promised, the header is replaced at the end.
pub(super) struct Items<'a> {
    out: &'a mut Vec<u8>,
    /// How many more levels there may be below this one.
    depth: u32,
    kind: Kind,
    /// Where the header begins and the items begin.
    begin: usize,
    first: usize,
    promised: usize,
    written: usize,
}

impl<'a> Items<'a> {
    #[inline]
    pub(super) fn new(
        out: &'a mut Vec<u8>,
        depth: u32,
        kind: Kind,
        promised: usize,
    ) -> Result<Self, Error> {
        let begin = out.len();
        match promised {
            small @ 0..16 => out.push(kind.small(small as u8)),
            _ => {
                let (header, width) = kind.header(promised)?;
                out.extend_from_slice(&header[..width]);
            }
        }
        Ok(Self { first: out.len(), out, depth, kind, begin, promised, written: 0 })
    }

    #[inline]
    fn write<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Error> {
        value.serialize(Writer::at(self.out, self.depth))
    }

    #[inline]
    fn item<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Error> {
        self.written += 1;
        self.write(value)
    }

    #[inline]
    fn field<T: ?Sized + Serialize>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
        self.written += 1;
        Writer::at(self.out, self.depth).serialize_str(name)?;
        self.write(value)
    }

    #[inline]
    fn finish(self) -> Result<(), Error> {
        if self.written == self.promised {
            return Ok(());
        }
        let (header, width) = self.kind.header(self.written)?;
        self.out.splice(self.begin..self.first, header.into_iter().take(width));
        Ok(())
    }
}

impl ser::SerializeSeq for Items<'_> {
    type Ok = ();
    type Error = Error;

    #[inline]
    fn serialize_element<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Error> {
        self.item(value)
    }

    #[inline]
    fn end(self) -> Result<(), Error> {
        self.finish()
    }
}

impl ser::SerializeTuple for Items<'_> {
    type Ok = ();
    type Error = Error;

    #[inline]
    fn serialize_element<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Error> {
        self.item(value)
    }

    #[inline]
    fn end(self) -> Result<(), Error> {
        self.finish()
    }
}

impl ser::SerializeTupleStruct for Items<'_> {
    type Ok = ();
    type Error = Error;

    #[inline]
    fn serialize_field<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Error> {
        self.item(value)
    }

    #[inline]
    fn end(self) -> Result<(), Error> {
        self.finish()
    }
}

impl ser::SerializeTupleVariant for Items<'_> {
    type Ok = ();
    type Error = Error;

    #[inline]
    fn serialize_field<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Error> {
        self.item(value)
    }

    #[inline]
    fn end(self) -> Result<(), Error> {
        self.finish()
    }
}

impl ser::SerializeMap for Items<'_> {
    type Ok = ();
    type Error = Error;

    #[inline]
    fn serialize_key<T: ?Sized + Serialize>(&mut self, key: &T) -> Result<(), Error> {
        self.item(key)
    }

    #[inline]
    fn serialize_value<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Error> {
        self.write(value)
    }

    #[inline]
    fn end(self) -> Result<(), Error> {
        self.finish()
    }
}

impl ser::SerializeStruct for Items<'_> {
    type Ok = ();
    type Error = Error;

    #[inline]
    fn serialize_field<T: ?Sized + Serialize>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.field(name, value)
    }

    #[inline]
    fn end(self) -> Result<(), Error> {
        self.finish()
    }
}

impl ser::SerializeStructVariant for Items<'_> {
    type Ok = ();
    type Error = Error;

    #[inline]
    fn serialize_field<T: ?Sized + Serialize>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.field(name, value)
    }

    #[inline]
    fn end(self) -> Result<(), Error> {
        self.finish()
    }
}
