//! One output file: bytes are gathered in memory and written in large pieces.
//!
//! The handle can be closed and opened again, so that a writer with very many files needs few
//! handles. Every failure names the file and what to try.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};

/// A file that is being written.
#[derive(Debug)]
pub(crate) struct OutFile {
    path: PathBuf,
    /// `None` while the handle is given back.
    file: Option<File>,
    buffer: Vec<u8>,
    spill_at: usize,
    written: u64,
}

impl OutFile {
    /// Begins a new file, or an existing one anew.
    pub(crate) fn create(path: PathBuf, spill_at: usize) -> Result<Self> {
        let file = File::create(&path).map_err(|cause| cannot("create", &path, cause))?;
        Ok(Self { path, file: Some(file), buffer: Vec::new(), spill_at, written: 0 })
    }

    /// Goes on with a file of this length.
    pub(crate) fn resume(path: PathBuf, spill_at: usize, written: u64) -> Self {
        Self { path, file: None, buffer: Vec::new(), spill_at, written }
    }

    /// How much the file holds, what is still in memory included.
    pub(crate) fn bytes(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    /// Appends what `encode` appends, all of it or nothing.
    #[inline]
    pub(crate) fn append(&mut self, encode: impl FnOnce(&mut Vec<u8>) -> Result<()>) -> Result<()> {
        let start = self.buffer.len();
        if let Err(error) = encode(&mut self.buffer) {
            self.buffer.truncate(start);
            return Err(error);
        }
        if self.buffer.len() >= self.spill_at {
            self.spill()?;
        }
        Ok(())
    }

    /// Hands everything to the operating system. After an error the file is not to be trusted.
    pub(crate) fn spill(&mut self) -> Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let file = match &mut self.file {
            Some(file) => file,
            held => {
                let again = OpenOptions::new().append(true).open(&self.path);
                held.insert(again.map_err(|cause| cannot("open again", &self.path, cause))?)
            }
        };
        file.write_all(&self.buffer).map_err(|cause| cannot("write to", &self.path, cause))?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Gives the handle and the memory back until something is appended.
    pub(crate) fn rest(&mut self) -> Result<()> {
        self.spill()?;
        self.buffer = Vec::new();
        self.file = None;
        Ok(())
    }
}

/// Gives a finished file its final name, where nothing may stand yet.
pub(crate) fn publish(hidden: &Path, visible: &Path) -> Result<()> {
    if visible.symlink_metadata().is_ok() {
        let message = format!(
            "cannot put {} in place: there is a file of that name already; what was to go there \
             stays in {}: move one of them away",
            visible.display(),
            hidden.display()
        );
        return Err(Error::new(ErrorKind::Write, message));
    }
    rename(hidden, visible)
}

/// Gives a file another name, in place of whatever has it.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).map_err(|cause| cannot("put in place", to, cause))
}

/// Makes a file's contents survive a power failure.
pub(crate) fn sync_file(path: &Path) -> Result<()> {
    let synced = File::open(path).and_then(|file| file.sync_all());
    synced.map_err(|cause| cannot("make durable", path, cause))
}

/// Makes the names in a folder survive a power failure, where the system has a way to say so.
pub(crate) fn sync_folder(path: &Path) -> Result<()> {
    if cfg!(unix) { sync_file(path) } else { Ok(()) }
}

/// Cuts off what a file holds beyond `length`.
pub(crate) fn cut(path: &Path, length: u64) -> Result<()> {
    let file = OpenOptions::new().write(true).open(path);
    let file = file.map_err(|cause| cannot("go on with", path, cause))?;
    let there = file.metadata().map_err(|cause| cannot("go on with", path, cause))?.len();
    if there < length {
        let message = format!(
            "{} holds {there} bytes, but {length} were committed: put it back if it was replaced",
            path.display()
        );
        return Err(Error::new(ErrorKind::State, message));
    }
    file.set_len(length).map_err(|cause| cannot("cut", path, cause))
}

/// Removes a file; that it is gone already is fine.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(cannot("remove", path, cause)),
        _ => Ok(()),
    }
}

/// Makes sure there is a folder at `path`.
pub(crate) fn make_folder(path: &Path) -> Result<()> {
    if path.is_file() {
        let message = format!(
            "{} is a file, but a folder is to be written: name a folder, remove the file, or ask \
             for `single_file`",
            path.display()
        );
        return Err(Error::new(ErrorKind::Write, message));
    }
    fs::create_dir_all(path).map_err(|cause| cannot("create the folder", path, cause))
}

/// What failed on which file, and what to try.
pub(crate) fn cannot(action: &str, path: &Path, cause: io::Error) -> Error {
    let message = format!("cannot {action} {}{}", path.display(), advice(cause.kind()));
    Error::new(ErrorKind::Write, message).because(cause)
}

fn advice(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::PermissionDenied => ", allow this user to write there or name another place",
        io::ErrorKind::ReadOnlyFilesystem => ", name a place on a disk that can be written",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            ", free some space or name a place on another disk"
        }
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            ", a part of the path is a file: name another folder"
        }
        io::ErrorKind::IsADirectory => ", this is a folder: name a file in it",
        io::ErrorKind::NotFound => ", was the folder moved or removed meanwhile?",
        _ => "",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_fails_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let mut file = OutFile::create(path.clone(), 1024).unwrap();
        file.append(|out| {
            out.extend(b"whole\n");
            Ok(())
        })
        .unwrap();
        let failed = file.append(|out| {
            out.extend(b"ha");
            Err(Error::new(ErrorKind::Malformed, "half"))
        });
        assert!(failed.is_err());
        file.rest().unwrap();
        assert_eq!(fs::read(path).unwrap(), b"whole\n");
    }

    #[test]
    fn a_file_that_rested_goes_on_at_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let mut file = OutFile::create(path.clone(), 1).unwrap();
        for piece in ["a", "b", "c"] {
            file.append(|out| {
                out.extend(piece.as_bytes());
                Ok(())
            })
            .unwrap();
            file.rest().unwrap();
        }
        assert_eq!(file.bytes(), 3);
        assert_eq!(fs::read(path).unwrap(), b"abc");
    }

    #[test]
    fn nothing_is_put_in_place_of_another_file() {
        let folder = tempfile::tempdir().unwrap();
        let (hidden, visible) = (folder.path().join(".a"), folder.path().join("a"));
        fs::write(&hidden, "new").unwrap();
        fs::write(&visible, "old").unwrap();
        let error = publish(&hidden, &visible).unwrap_err();
        assert!(error.to_string().contains("already"), "{error}");
        assert_eq!(fs::read_to_string(&visible).unwrap(), "old");
        assert_eq!(fs::read_to_string(&hidden).unwrap(), "new");
    }

    #[test]
    fn errors_name_the_file_and_what_to_try() {
        for (kind, hint) in [
            (io::ErrorKind::PermissionDenied, "allow"),
            (io::ErrorKind::StorageFull, "free some space"),
            (io::ErrorKind::NotADirectory, "name another folder"),
        ] {
            let error = cannot("create", Path::new("rates/part"), kind.into()).to_string();
            assert!(error.contains("rates/part") && error.contains(hint), "{error}");
        }
    }
}
