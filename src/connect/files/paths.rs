//! Which files a source reads: paths, folders and globs, made into a sorted list of files.
//!
//! A folder stands for the files in it, not for those in folders below it; files whose name begins
//! with a dot are skipped. A name with `*`, `?` or `[` is a glob unless a file has exactly that
//! name; `**` goes down into folders. A file found twice is read once.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};

/// The files that a source reads, as the user names them: one or more paths, folders or globs.
///
/// Made from a string, a path, or a list of either.
#[derive(Clone, Debug, Default)]
pub struct Paths(Vec<PathBuf>);

impl Paths {
    /// The files there are now, sorted by name within each path.
    ///
    /// # Errors
    ///
    /// When a path leads to nothing, or a file cannot be opened.
    pub(crate) fn resolve(&self) -> Result<Vec<String>> {
        if self.0.is_empty() {
            return Err(Error::new(ErrorKind::Setting, "no path to read was given"));
        }
        let mut seen = BTreeSet::new();
        let mut files = Vec::new();
        for path in &self.0 {
            for file in expand(path)? {
                let name = text_of(&file)?;
                File::open(&file).map_err(|cause| cannot("open", &file).because(cause))?;
                if seen.insert(name.clone()) {
                    files.push(name);
                }
            }
        }
        Ok(files)
    }

    /// The paths of files to follow, which need not exist yet.
    pub(crate) fn literal(&self) -> Result<Vec<String>> {
        if self.0.iter().any(|path| is_pattern(path) || path.is_dir()) {
            return self.resolve();
        }
        self.0.iter().map(|path| text_of(path)).collect()
    }

    /// The paths in one line, for names and errors.
    pub(crate) fn summary(&self) -> String {
        match self.0.as_slice() {
            [] => String::new(),
            [one] => one.display().to_string(),
            [first, rest @ ..] => format!("{} and {} more", first.display(), rest.len()),
        }
    }
}

fn expand(path: &Path) -> Result<Vec<PathBuf>> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => files_in(path),
        Ok(_) => Ok(vec![path.to_owned()]),
        Err(_) if is_pattern(path) => matching(path),
        Err(cause) => Err(cannot("read", path).because(cause)),
    }
}

fn files_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let listing = fs::read_dir(folder).map_err(|cause| cannot("list", folder).because(cause))?;
    for entry in listing {
        let path = entry.map_err(|cause| cannot("list", folder).because(cause))?.path();
        if path.is_file() && !is_hidden(&path) {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(Error::new(
            ErrorKind::Read,
            format!("there is no file in the folder {}", folder.display()),
        ));
    }
    files.sort();
    Ok(files)
}

fn matching(pattern: &Path) -> Result<Vec<PathBuf>> {
    let text = text_of(pattern)?;
    let found = glob::glob(&text).map_err(|cause| {
        Error::new(ErrorKind::Setting, format!("{text} is not a glob")).because(cause)
    })?;
    let mut files = Vec::new();
    for path in found {
        let path = path.map_err(|cause| cannot("list", cause.path()).because(cause))?;
        if path.is_file() && !is_hidden(&path) {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(Error::new(ErrorKind::Read, format!("no file matches {text}")));
    }
    files.sort();
    Ok(files)
}

fn is_pattern(path: &Path) -> bool {
    path.to_string_lossy().contains(['*', '?', '['])
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

fn cannot(what: &str, path: &Path) -> Error {
    Error::new(ErrorKind::Read, format!("cannot {what} {}", path.display()))
}

fn text_of(path: &Path) -> Result<String> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        let message = format!("the name of {} is not UTF-8: rename it", path.display());
        Error::new(ErrorKind::Read, message)
    })
}

impl From<&str> for Paths {
    fn from(path: &str) -> Self {
        Self(vec![path.into()])
    }
}

impl From<String> for Paths {
    fn from(path: String) -> Self {
        Self(vec![path.into()])
    }
}

impl From<&String> for Paths {
    fn from(path: &String) -> Self {
        Self(vec![path.into()])
    }
}

impl From<&Path> for Paths {
    fn from(path: &Path) -> Self {
        Self(vec![path.into()])
    }
}

impl From<PathBuf> for Paths {
    fn from(path: PathBuf) -> Self {
        Self(vec![path])
    }
}

impl From<&PathBuf> for Paths {
    fn from(path: &PathBuf) -> Self {
        Self(vec![path.clone()])
    }
}

impl<P: Into<PathBuf>> From<Vec<P>> for Paths {
    fn from(paths: Vec<P>) -> Self {
        Self(paths.into_iter().map(Into::into).collect())
    }
}

impl<P: AsRef<Path>> From<&Vec<P>> for Paths {
    fn from(paths: &Vec<P>) -> Self {
        Self::from(paths.as_slice())
    }
}

impl<P: AsRef<Path>> From<&[P]> for Paths {
    fn from(paths: &[P]) -> Self {
        Self(paths.iter().map(|path| path.as_ref().to_owned()).collect())
    }
}

impl<P: AsRef<Path>, const N: usize> From<[P; N]> for Paths {
    fn from(paths: [P; N]) -> Self {
        Self::from(paths.as_slice())
    }
}
