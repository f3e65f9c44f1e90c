//! The names of a folder's part files: visible, in progress and prepared.
//!
//! `<prefix>-<worker>-<number>.<extension>` is a finished part. While it is written, a dot stands
//! in front and `.open` behind; while it is prepared, `.pending` stands behind. Hidden names match
//! no usual pattern, so readers of the folder see whole files only.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::write_file::cannot;
use crate::error::{Error, ErrorKind, Result};

/// What part files are called.
#[derive(Clone, Debug)]
pub(crate) struct PartNames {
    prefix: String,
    extension: &'static str,
}

/// How far a part has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Open,
    Pending,
    Visible,
}

/// Where a part is: below the output folder, in one of its sub-folders or directly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Empty for the output folder itself.
    pub(crate) folder: String,
    pub(crate) file: String,
}

/// A part that is there already.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    pub(crate) stage: Stage,
    pub(crate) worker: usize,
    pub(crate) number: u64,
}

impl Place {
    /// The path below the output folder at a stage, with `/` between its parts.
    pub(crate) fn at(&self, stage: Stage) -> String {
        let file = match stage {
            Stage::Open => format!(".{}.open", self.file),
            Stage::Pending => format!(".{}.pending", self.file),
            Stage::Visible => self.file.clone(),
        };
        if self.folder.is_empty() { file } else { format!("{}/{file}", self.folder) }
    }
}

impl PartNames {
    /// Names with this prefix, which must be a plain file name.
    pub(crate) fn new(prefix: &str, extension: &'static str) -> Result<Self> {
        if prefix != safe_component(prefix) {
            let message = format!(
                "`name` is {prefix:?}: name files by letters, digits, `-` and `_`, without a path"
            );
            return Err(Error::new(ErrorKind::Setting, message));
        }
        Ok(Self { prefix: prefix.to_owned(), extension })
    }

    /// The name of one part. Numbers are padded, so that names sort as parts were begun.
    pub(crate) fn part(&self, worker: usize, number: u64) -> String {
        format!("{}-{worker}-{number:06}.{}", self.prefix, self.extension)
    }

    /// Takes a name apart, if it is one of ours.
    fn parse(&self, file: &str) -> Option<(Stage, usize, u64)> {
        let (stage, name) = match file.strip_prefix('.') {
            None => (Stage::Visible, file),
            Some(hidden) => match hidden.strip_suffix(".open") {
                Some(name) => (Stage::Open, name),
                None => (Stage::Pending, hidden.strip_suffix(".pending")?),
            },
        };
        let numbers = name.strip_prefix(&self.prefix)?.strip_prefix('-')?;
        let numbers = numbers.strip_suffix(self.extension)?.strip_suffix('.')?;
        let (worker, number) = numbers.split_once('-')?;
        let (worker, number) = (worker.parse().ok()?, number.parse().ok()?);
        (self.part(worker, number) == name).then_some((stage, worker, number))
    }

    /// The parts in `folder`, and in the folders directly in it if `below`, in order of their names.
    pub(crate) fn find(&self, folder: &Path, below: bool) -> Result<Vec<Found>> {
        let listed = self.list(folder, below);
        let mut found = listed.map_err(|cause| cannot("look through", folder, cause))?;
        found.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(found)
    }

    fn list(&self, folder: &Path, below: bool) -> io::Result<Vec<Found>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                if below {
                    found.extend(self.list(&entry.path(), false)?);
                }
            } else if let Some(parsed) = entry.file_name().to_str().and_then(|it| self.parse(it)) {
                let (stage, worker, number) = parsed;
                found.push(Found { path: entry.path(), stage, worker, number });
            }
        }
        Ok(found)
    }
}

/// A folder name that stays one: separators, control characters and a leading dot become `_`, and
/// so does nothing at all.
pub(crate) fn safe_component(value: &str) -> String {
    if value.is_empty() {
        return "_".to_owned();
    }
    let unsafe_at = |place: usize, letter: char| {
        matches!(letter, '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|')
            || letter.is_control()
            || (place == 0 && letter == '.')
    };
    let letters = value.char_indices();
    letters.map(|(place, letter)| if unsafe_at(place, letter) { '_' } else { letter }).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_name_never_leaves_its_folder() {
        for (value, safe) in [
            ("JFK", "JFK"),
            ("day=2013-01-01", "day=2013-01-01"),
            ("..", "_."),
            ("../../etc", "_._.._etc"),
            ("a/b", "a_b"),
            ("a\\b", "a_b"),
            ("", "_"),
            (".hidden", "_hidden"),
            ("nul\0", "nul_"),
            ("Zürich", "Zürich"),
        ] {
            assert_eq!(safe_component(value), safe);
        }
    }

    #[test]
    fn only_our_own_names_are_taken_for_ours() {
        let names = PartNames::new("rates", "csv").unwrap();
        let part = names.part(3, 41);
        assert_eq!(part, "rates-3-000041.csv");
        assert_eq!(names.parse(&part), Some((Stage::Visible, 3, 41)));
        let place = Place { folder: String::new(), file: part };
        assert_eq!(names.parse(&place.at(Stage::Open)), Some((Stage::Open, 3, 41)));
        assert_eq!(names.parse(&place.at(Stage::Pending)), Some((Stage::Pending, 3, 41)));
        for other in [
            "rates-3-41.csv",
            "rates-3-000041.jsonl",
            "rates-03-000041.csv",
            "notes.csv",
            "part-3-000041.csv",
            ".rates-3-000041.csv",
            "rates-3-000041.csv.open",
            "rates--000041.csv",
        ] {
            assert_eq!(names.parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_name_with_a_path_in_it_is_refused() {
        for prefix in ["", "a/b", "..", ".x"] {
            assert!(PartNames::new(prefix, "csv").is_err(), "{prefix:?}");
        }
    }
}
