//! The first bytes of a value: what it is, and if it is no number how long.

use super::error::Error;
use super::{NIL, SOME};

/// What a value begins with. Numbers are complete, the rest follows.
#[derive(Clone, Copy)]
pub(super) enum Head {
    Nil,
    Some,
    Bool(bool),
    Unsigned(u64),
    /// Written as signed, and usually negative.
    Signed(i64),
    F32(f32),
    F64(f64),
    Text(usize),
    Bytes(usize),
    Items(usize),
    Entries(usize),
}

/// Takes the first bytes of a value.
pub(super) fn head(rest: &mut &[u8]) -> Result<Head, Error> {
    let [first] = number(rest)?;
    Ok(match first {
        0..0x80 => Head::Unsigned(first.into()),
        0x80..0x90 => Head::Entries((first & 0xf).into()),
        0x90..0xa0 => Head::Items((first & 0xf).into()),
        0xa0..0xc0 => Head::Text((first & 0x1f).into()),
        NIL => Head::Nil,
        SOME => Head::Some,
        0xc2 => Head::Bool(false),
        0xc3 => Head::Bool(true),
        0xc4 => Head::Bytes(short(rest)?),
        0xc5 => Head::Bytes(medium(rest)?),
        0xc6 => Head::Bytes(long(rest)?),
        0xca => Head::F32(f32::from_be_bytes(number(rest)?)),
        0xcb => Head::F64(f64::from_be_bytes(number(rest)?)),
        0xcc => Head::Unsigned(u8::from_be_bytes(number(rest)?).into()),
        0xcd => Head::Unsigned(u16::from_be_bytes(number(rest)?).into()),
        0xce => Head::Unsigned(u32::from_be_bytes(number(rest)?).into()),
        0xcf => Head::Unsigned(u64::from_be_bytes(number(rest)?)),
        0xd0 => Head::Signed(i8::from_be_bytes(number(rest)?).into()),
        0xd1 => Head::Signed(i16::from_be_bytes(number(rest)?).into()),
        0xd2 => Head::Signed(i32::from_be_bytes(number(rest)?).into()),
        0xd3 => Head::Signed(i64::from_be_bytes(number(rest)?)),
        0xd9 => Head::Text(short(rest)?),
        0xda => Head::Text(medium(rest)?),
        0xdb => Head::Text(long(rest)?),
        0xdc => Head::Items(medium(rest)?),
        0xdd => Head::Items(long(rest)?),
        0xde => Head::Entries(medium(rest)?),
        0xdf => Head::Entries(long(rest)?),
        0xe0.. => Head::Signed(i8::from_be_bytes([first]).into()),
        0xc7..=0xc9 | 0xd4..=0xd8 => return Err(foreign(first)),
    })
}

/// Takes an integer if it is one without a sign; otherwise, as the next three, nothing. They are
/// quicker than [`head`]: a tuple of integers is read in half the time.
#[inline]
pub(super) fn unsigned(rest: &mut &[u8]) -> Option<u64> {
    let (&first, mut after) = rest.split_first()?;
    let value = match first {
        0..0x80 => first.into(),
        0xcc => u8::from_be_bytes(fixed(&mut after)?).into(),
        0xcd => u16::from_be_bytes(fixed(&mut after)?).into(),
        0xce => u32::from_be_bytes(fixed(&mut after)?).into(),
        0xcf => u64::from_be_bytes(fixed(&mut after)?),
        _ => return None,
    };
    *rest = after;
    Some(value)
}

/// Takes an integer if it has a sign.
#[inline]
pub(super) fn signed(rest: &mut &[u8]) -> Option<i64> {
    let (&first, mut after) = rest.split_first()?;
    let value = match first {
        0xe0.. => i8::from_be_bytes([first]).into(),
        0xd0 => i8::from_be_bytes(fixed(&mut after)?).into(),
        0xd1 => i16::from_be_bytes(fixed(&mut after)?).into(),
        0xd2 => i32::from_be_bytes(fixed(&mut after)?).into(),
        0xd3 => i64::from_be_bytes(fixed(&mut after)?),
        _ => return None,
    };
    *rest = after;
    Some(value)
}

/// Takes a float of 64 bits.
#[inline]
pub(super) fn float(rest: &mut &[u8]) -> Option<f64> {
    let (&first, mut after) = rest.split_first()?;
    if first != 0xcb {
        return None;
    }
    let value = f64::from_be_bytes(fixed(&mut after)?);
    *rest = after;
    Some(value)
}

/// Takes the length in a first byte whose other bits, those of `mask`, are `kind`.
#[inline]
pub(super) fn small(rest: &mut &[u8], mask: u8, kind: u8) -> Option<usize> {
    let (&first, after) = rest.split_first()?;
    if first & mask != kind {
        return None;
    }
    *rest = after;
    Some((first & !mask).into())
}

/// Takes the next `len` bytes.
#[inline]
pub(super) fn take<'de>(rest: &mut &'de [u8], len: usize) -> Result<&'de [u8], Error> {
    let (taken, after) = rest.split_at_checked(len).ok_or_else(|| too_few(len, rest.len()))?;
    *rest = after;
    Ok(taken)
}

/// Takes one value of any kind and depth.
pub(super) fn skip(rest: &mut &[u8]) -> Result<(), Error> {
    let mut values = 1;
    while values > 0 {
        values -= 1;
        match head(rest)? {
            Head::Some => values += 1,
            Head::Text(len) | Head::Bytes(len) => {
                take(rest, len)?;
            }
            Head::Items(len) => values = len.saturating_add(values),
            Head::Entries(len) => values = len.saturating_mul(2).saturating_add(values),
            _ => {}
        }
        // Each takes a byte at least: this also keeps the number from growing without bound.
        enough(rest, values)?;
    }
    Ok(())
}

/// Whether there can be as many values as are said to follow.
#[inline]
pub(super) fn enough(rest: &[u8], values: usize) -> Result<(), Error> {
    if values <= rest.len() { Ok(()) } else { Err(too_few(values, rest.len())) }
}

#[inline]
fn short(rest: &mut &[u8]) -> Result<usize, Error> {
    Ok(u8::from_be_bytes(number(rest)?).into())
}

#[inline]
fn medium(rest: &mut &[u8]) -> Result<usize, Error> {
    Ok(u16::from_be_bytes(number(rest)?).into())
}

/// A length that no memory holds is beyond what follows too.
#[inline]
fn long(rest: &mut &[u8]) -> Result<usize, Error> {
    Ok(usize::try_from(u32::from_be_bytes(number(rest)?)).unwrap_or(usize::MAX))
}

#[inline]
fn number<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Error> {
    fixed(rest).ok_or_else(|| too_few(N, rest.len()))
}

#[inline]
fn fixed<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (fixed, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*fixed)
}

#[cold]
fn too_few(expected: usize, found: usize) -> Error {
    Error::new(format!("expected {expected} more bytes or values, found {found} bytes"))
}

#[cold]
fn foreign(first: u8) -> Error {
    Error::new(format!("expected a value, found the byte {first:#x}, which begins none of ours"))
}
