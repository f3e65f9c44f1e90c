//! The writer of a single file, which appears whole when it is closed.
//!
//! Until then it has a hidden name beside its place. A transaction is a length of it: a run that
//! continues cuts off what lies beyond, and brings the file back if it had appeared already. Of several
//! transactions that it finds in its checkpoint only the longest says what the file held. What is
//! no ordinary file, such as a device or a named pipe, is written to directly, and gets the records
//! since the last checkpoint again after a crash.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Writer;
use super::write_file::{
    OutFile, cannot, cut, make_folder, publish, rename, sync_file, sync_folder,
};
use super::write_format::OutputFormat;
use crate::error::{Error, ErrorKind, Result};

/// Writes one file.
pub(crate) struct SingleWriter<T, F> {
    format: F,
    path: PathBuf,
    file: Option<OutFile>,
    /// The name while writing; `None` where the file is written to directly.
    hidden: Option<PathBuf>,
    overwrite: bool,
    begun: bool,
    buffer: usize,
    /// Whether this continues a run, and was not told where to go on.
    waiting: bool,
    /// How long the files of the run were that this continues.
    lengths: BTreeMap<String, u64>,
    records: PhantomData<fn(T)>,
}

/// A transaction: everything up to a length.
#[derive(Debug, Serialize, Deserialize)]
struct Prepared {
    /// The name of the file when it is finished.
    file: String,
    length: u64,
    /// Whether the head of the file is written.
    begun: bool,
}

impl<T, F: OutputFormat<T>> SingleWriter<T, F> {
    pub(crate) fn open(path: PathBuf, format: F, overwrite: bool, buffer: usize) -> Result<Self> {
        let hidden = match path.metadata() {
            Ok(there) if there.is_dir() => {
                let message = format!("{} is a folder: name a file in it", path.display());
                return Err(Error::new(ErrorKind::Write, message));
            }
            Ok(there) if there.is_file() && !overwrite => {
                let message = format!(
                    "{} is there already: name another file, or set `overwrite`",
                    path.display()
                );
                return Err(Error::new(ErrorKind::Write, message));
            }
            Ok(there) if !there.is_file() => None,
            _ => Some(hidden_name(&path)?),
        };
        if let Some(folder) = folder_of(&path) {
            make_folder(folder)?;
        }
        let written = hidden.clone().unwrap_or_else(|| path.clone());
        let file = Some(OutFile::create(written, buffer)?);
        let records = PhantomData;
        let (begun, waiting, lengths) = (false, false, BTreeMap::new());
        Ok(Self { format, path, file, hidden, overwrite, begun, buffer, waiting, lengths, records })
    }

    /// The writer of a run that continues: the file is opened when it is known how far it goes.
    pub(crate) fn reopen(path: PathBuf, format: F, overwrite: bool, buffer: usize) -> Result<Self> {
        let hidden = match path.metadata() {
            Ok(there) if !there.is_file() => {
                return Self::open(path, format, overwrite, buffer);
            }
            _ => Some(hidden_name(&path)?),
        };
        let records = PhantomData;
        let (file, begun, waiting, lengths) = (None, false, true, BTreeMap::new());
        Ok(Self { format, path, file, hidden, overwrite, begun, buffer, waiting, lengths, records })
    }

    /// Brings a file of an earlier run back to the length that was prepared. The file of a writer
    /// that this run does not have is finished with that.
    fn bring_back(&mut self, prepared: &Prepared) -> Result<()> {
        let path = self.path.with_file_name(&prepared.file);
        let hidden = hidden_name(&path)?;
        if !hidden.is_file() && path.is_file() {
            rename(&path, &hidden)?;
        }
        if path != self.path {
            cut(&hidden, prepared.length)?;
            return publish(&hidden, &path);
        }
        self.waiting = false;
        if !hidden.is_file() && prepared.length == 0 {
            self.file = Some(OutFile::create(hidden, self.buffer)?);
            return Ok(());
        }
        cut(&hidden, prepared.length)?;
        self.file = Some(OutFile::resume(hidden, self.buffer, prepared.length));
        self.begun = prepared.begun;
        Ok(())
    }

    /// Begins the file of a writer that the run before did not have. One that an earlier run had,
    /// with as many workers as now, is gone on with.
    fn ready(&mut self) -> Result<()> {
        let Some(hidden) = self.hidden.clone().filter(|_| std::mem::take(&mut self.waiting)) else {
            return Ok(());
        };
        if self.path.is_file() && !self.overwrite {
            rename(&self.path, &hidden)?;
            let length = hidden.metadata().map_err(|cause| cannot("go on with", &hidden, cause))?;
            self.file = Some(OutFile::resume(hidden, self.buffer, length.len()));
            self.begun = true;
        } else {
            self.file = Some(OutFile::create(hidden, self.buffer)?);
        }
        Ok(())
    }

    fn file(&mut self) -> Result<&mut OutFile> {
        let message = || format!("{} is closed already", self.path.display());
        self.file.as_mut().ok_or_else(|| Error::new(ErrorKind::Write, message()))
    }

    fn begin(&mut self, first: Option<&T>) -> Result<()> {
        if self.begun {
            return Ok(());
        }
        self.begun = true;
        let mut format = self.format.clone();
        self.file()?.append(|out| format.begin(first, out))?;
        self.format = format;
        Ok(())
    }
}

fn folder_of(path: &Path) -> Option<&Path> {
    path.parent().filter(|it| !it.as_os_str().is_empty())
}

fn described(cause: postcard::Error) -> Error {
    let message = "a prepared transaction of a file cannot be understood: was it another sink's?";
    Error::new(ErrorKind::State, message).because(cause)
}

/// What describes a transaction. No bytes at all are no transaction.
fn parsed(prepared: &[u8]) -> Result<Option<Prepared>> {
    match prepared {
        [] => Ok(None),
        bytes => postcard::from_bytes(bytes).map(Some).map_err(described),
    }
}

fn hidden_name(path: &Path) -> Result<PathBuf> {
    let Some(file) = path.file_name() else {
        let message = format!("{} is not the name of a file", path.display());
        return Err(Error::new(ErrorKind::Setting, message));
    };
    let mut hidden = OsString::from(".");
    hidden.push(file);
    hidden.push(".open");
    Ok(path.with_file_name(hidden))
}

impl<T: Send, F: OutputFormat<T>> Writer for SingleWriter<T, F> {
    type Record = T;

    fn write(&mut self, records: &mut Vec<T>) -> Result<()> {
        self.ready()?;
        if let Some(first) = records.first() {
            self.begin(Some(first))?;
        }
        let closed = || Error::new(ErrorKind::Write, "the file is closed already");
        let file = self.file.as_mut().ok_or_else(closed)?;
        for record in records.drain(..) {
            file.append(|out| self.format.record(&record, out))?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.file.as_mut().map_or(Ok(()), OutFile::spill)
    }

    fn prepare(&mut self) -> Result<Vec<u8>> {
        self.ready()?;
        let (hidden, begun) = (self.hidden.clone(), self.begun);
        let file = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(open) = &mut self.file else { return Ok(Vec::new()) };
        open.spill()?;
        let length = open.bytes();
        let Some(hidden) = hidden else { return Ok(Vec::new()) };
        sync_file(&hidden)?;
        folder_of(&hidden).map_or(Ok(()), sync_folder)?;
        postcard::to_stdvec(&Prepared { file, length, begun }).map_err(described)
    }

    fn resume(&mut self, prepared: &[Vec<u8>]) -> Result<()> {
        for prepared in prepared {
            if let Some(Prepared { file, length, .. }) = parsed(prepared)? {
                let longest = self.lengths.entry(file).or_default();
                *longest = length.max(*longest);
            }
        }
        Ok(())
    }

    fn commit(&mut self, prepared: &[u8]) -> Result<()> {
        let Some(prepared) = parsed(prepared)? else { return Ok(()) };
        if self.lengths.get(&prepared.file).is_some_and(|longest| prepared.length < *longest) {
            return Ok(());
        }
        let own =
            Path::new(&prepared.file).as_os_str() == self.path.file_name().unwrap_or_default();
        // What this run prepared itself is where it should be.
        if own && !self.waiting { Ok(()) } else { self.bring_back(&prepared) }
    }

    fn abort(&mut self, _: &[u8]) -> Result<()> {
        // The records stay in the file, as part of the next transaction.
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        self.ready()?;
        if self.file.is_none() {
            return Ok(());
        }
        self.begin(None)?;
        self.file()?.rest()?;
        self.file = None;
        match &self.hidden {
            Some(hidden) if self.overwrite => rename(hidden, &self.path),
            Some(hidden) => publish(hidden, &self.path),
            None => Ok(()),
        }
    }
}

/// Where a worker writes when there are several: `rates.csv` becomes `rates-3.csv`.
pub(crate) fn path_of_worker(path: &Path, worker: usize, peers: usize) -> Result<PathBuf> {
    if peers == 1 {
        return Ok(path.to_owned());
    }
    if path.metadata().is_ok_and(|there| !there.is_file() && !there.is_dir()) {
        let cause = std::io::Error::other("it is no ordinary file");
        return Err(cannot("let several workers write to", path, cause));
    }
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{worker}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    Ok(path.with_file_name(name))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn each_of_several_workers_has_a_file_of_its_own() {
        for (path, worker, peers, own) in [
            ("out/rates.csv", 0, 1, "out/rates.csv"),
            ("out/rates.csv", 0, 2, "out/rates-0.csv"),
            ("out/rates.csv", 3, 4, "out/rates-3.csv"),
            ("rates", 1, 2, "rates-1"),
        ] {
            assert_eq!(path_of_worker(Path::new(path), worker, peers).unwrap(), Path::new(own));
        }
    }
}
