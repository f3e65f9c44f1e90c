//! The writer of a single file, which appears whole when it is closed.
//!
//! Until then it has a hidden name beside its place. What is no ordinary file, such as a device or
//! a named pipe, is written to directly.

use std::ffi::OsString;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use super::Writer;
use super::write_file::{OutFile, cannot, make_folder, publish, rename};
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
    records: PhantomData<fn(T)>,
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
        if let Some(folder) = path.parent().filter(|it| !it.as_os_str().is_empty()) {
            make_folder(folder)?;
        }
        let written = hidden.clone().unwrap_or_else(|| path.clone());
        let file = Some(OutFile::create(written, buffer)?);
        let records = PhantomData;
        Ok(Self { format, path, file, hidden, overwrite, begun: false, records })
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

    fn indivisible<A>(&self) -> Result<A> {
        let message = format!(
            "{} cannot be committed step by step: with checkpoints write to a folder, without \
             `single_file`",
            self.path.display()
        );
        Err(Error::new(ErrorKind::Setting, message))
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
        self.indivisible()
    }

    fn commit(&mut self, _: &[u8]) -> Result<()> {
        self.indivisible()
    }

    fn abort(&mut self, _: &[u8]) -> Result<()> {
        self.indivisible()
    }

    fn close(&mut self) -> Result<()> {
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
