//! Files read through the public traits.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use serde::Deserialize;

use super::Files;
use crate::connect::{InputFormat, OnMalformed, Polled, Source, csv, jsonl, text};
use crate::error::{Error, ErrorKind, Result};

mod choosing;
mod compressed;
mod followed;
mod lanes;
mod malformed;
mod real;
mod records;

/// Reads a partition from a position, at most `most` records at a time, to its end.
fn drain<F: InputFormat>(
    source: &Files<F>,
    partition: &str,
    from: Option<&[u8]>,
    most: usize,
) -> Result<(Vec<F::Record>, u64)> {
    let mut reader = source.open(partition, from, Arc::new(|| ()))?;
    let mut records = Vec::new();
    for _ in 0..100_000 {
        let before = records.len();
        let polled = reader.poll(most, &mut records)?;
        assert!(records.len() - before <= most, "more records than asked for");
        if polled == Polled::Ended {
            return Ok((records, reader.malformed()));
        }
    }
    panic!("{partition} does not end");
}

fn read<F: InputFormat>(source: &Files<F>, lanes: usize) -> Result<(Vec<F::Record>, u64)> {
    let (mut records, mut malformed) = (Vec::new(), 0);
    for partition in source.partitions(lanes)? {
        let (more, skipped) = drain(source, &partition, None, 1000)?;
        records.extend(more);
        malformed += skipped;
    }
    Ok((records, malformed))
}

fn file(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) -> String {
    let path = folder.join(name);
    fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn error<T>(result: Result<T>) -> Error {
    result.err().expect("this cannot be read")
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Trade {
    at: i64,
    symbol: String,
    price: f64,
}

/// What a CSV file of trades gives: records, and how many are malformed or why it is refused.
fn trades(bytes: impl AsRef<[u8]>) -> Result<(Vec<Trade>, u64)> {
    let folder = folder();
    let path = file(folder.path(), "trades.csv", bytes);
    read(&csv::<Trade>(&path).on_malformed(OnMalformed::Skip), 1)
}

fn stopped(bytes: impl AsRef<[u8]>) -> String {
    let folder = folder();
    let path = file(folder.path(), "trades.csv", bytes);
    let error = error(read(&csv::<Trade>(&path), 1));
    assert_eq!(error.kind(), ErrorKind::Malformed);
    error.to_string().replace(&path, "trades.csv")
}

fn trade(at: i64, symbol: &str, price: f64) -> Trade {
    Trade { at, symbol: symbol.to_owned(), price }
}
