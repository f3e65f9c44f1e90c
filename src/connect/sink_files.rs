//! Files as sinks: CSV, JSON lines and text, with their settings.

use std::fmt::Display;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use super::roll::{Roll, Rolling};
use super::write_csv::CsvOutput;
use super::write_format::{JsonlOutput, OutputFormat, TextOutput};
use super::write_guard::Guarded;
use super::write_names::PartNames;
use super::write_parts::{Existing, FolderBy, PartSettings, PartWriter};
use super::write_single::{SingleWriter, path_of_worker};
use super::{Sink, Writer};
use crate::error::{Error, ErrorKind, Result};

/// Writes records as CSV to a folder, or to one file with [`single_file`](FileSink::single_file).
///
/// The header names the fields of the record, see [`CsvOutput`].
///
/// # Example
///
/// ```
/// use serde::Serialize;
/// use tidemill::connect::{Sink, to_csv};
///
/// #[derive(Serialize)]
/// struct Rate {
///     ad: u64,
///     clicks: f64,
/// }
///
/// # let place = tempfile::tempdir().expect("a folder");
/// # let folder = place.path().join("rates");
/// let sink = to_csv::<Rate>(&folder).name("rates");
/// // A job does this on each of its workers:
/// let mut writer = sink.open(0, 1)?;
/// writer.write(&mut vec![Rate { ad: 7, clicks: 0.25 }])?;
/// writer.close()?;
///
/// let written = std::fs::read_to_string(folder.join("rates-0-000000.csv")).expect("a part");
/// assert_eq!(written, "ad,clicks\n7,0.25\n");
/// # Ok::<(), tidemill::Error>(())
/// ```
pub fn to_csv<T: Serialize + Send + 'static>(path: impl Into<PathBuf>) -> FileSink<T, CsvOutput> {
    to_files(path, CsvOutput::default())
}

/// Writes records as JSON, one in each line, to a folder or to one file.
pub fn to_jsonl<T: Serialize + Send + 'static>(
    path: impl Into<PathBuf>,
) -> FileSink<T, JsonlOutput> {
    to_files(path, JsonlOutput)
}

/// Writes records as [`Display`] shows them, one in each line, to a folder or to one file.
pub fn to_text<T: Display + Send + 'static>(path: impl Into<PathBuf>) -> FileSink<T, TextOutput> {
    to_files(path, TextOutput)
}

/// Writes records in a format of the user's own to a folder or to one file.
pub fn to_files<T: Send + 'static, F: OutputFormat<T>>(
    path: impl Into<PathBuf>,
    format: F,
) -> FileSink<T, F> {
    FileSink {
        path: path.into(),
        format,
        name: "part".to_owned(),
        rolling: Rolling::default(),
        folder_by: None,
        single: false,
        existing: Existing::Refuse,
        buffer: 128 << 10,
        open_files: 64,
        records: PhantomData,
    }
}

/// Writes records to files: made by [`to_csv`], [`to_jsonl`], [`to_text`] and [`to_files`].
///
/// Each worker writes `<folder>/part-<worker>-<number>.<extension>`. Without records there are no
/// parts.
///
/// # Guarantees
///
/// - Readers see whole files only. A file in progress has a hidden name and is renamed when
///   complete: once it is [rolled](Self::roll) at the next flush of the job, otherwise when the job
///   ends. A job with checkpoints shows files only as it commits them, so that each record is in
///   exactly one visible file, whenever the job crashed.
/// - No file is ever written over unless [`overwrite`](Self::overwrite) is set. A folder that holds
///   parts of an earlier run is refused with the first record or flush, except when the job
///   continues that run from a checkpoint.
/// - An error in writing is never passed over: the writer refuses all that follows it.
/// - What is committed survives a power failure; without checkpoints the operating system decides.
///
/// Hidden files that a crash left are removed by the next run; prepared ones too, unless that run
/// continues from a checkpoint or [appends](Self::append).
///
/// Two jobs that write to the same folder at the same time need different [names](Self::name).
///
/// # Cost
///
/// Memory is [`buffer`](Self::buffer) times [`open_files`](Self::open_files) for each worker at
/// most, and some 200 bytes for each folder with a file in progress. CSV rows of seven integers are
/// written at some 11 million a second by one worker, 5 million into a hundred folders.
pub struct FileSink<T, F> {
    path: PathBuf,
    format: F,
    name: String,
    rolling: Rolling,
    folder_by: Option<FolderBy<T>>,
    single: bool,
    existing: Existing,
    buffer: usize,
    open_files: usize,
    records: PhantomData<fn(T)>,
}

impl<T, F> FileSink<T, F> {
    /// What the names of parts begin with, `part` if nothing is said.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Begins a new file at a limit. Called several times, whichever limit comes first counts.
    #[must_use]
    pub fn roll(mut self, roll: Roll) -> Self {
        self.rolling.add(roll);
        self
    }

    /// Writes records into sub-folders, one for each value of `folder`. Characters that would lead
    /// out of the folder, or hide it, become `_`.
    #[must_use]
    pub fn folder_by(mut self, folder: impl Fn(&T) -> String + Send + Sync + 'static) -> Self {
        self.folder_by = Some(Arc::new(folder));
        self
    }

    /// Writes exactly one file, at the path given, which appears when the job ends; also when there
    /// are no records. (With columns that are not known, such a CSV file is empty.)
    ///
    /// With several workers each writes one of its own: `rates.csv` becomes `rates-0.csv`,
    /// `rates-1.csv` and so on. A device or named pipe at the path is written to directly, by one
    /// worker. A single file cannot roll. With checkpoints, too, it appears when the job ends, and
    /// holds each record once then.
    #[must_use]
    pub fn single_file(mut self) -> Self {
        self.single = true;
        self
    }

    /// Replaces the output of an earlier run. Of a folder, only files with our names and this
    /// [prefix](Self::name) are removed.
    #[must_use]
    pub fn overwrite(mut self) -> Self {
        self.existing = Existing::Overwrite;
        self
    }

    /// Keeps the parts of earlier runs and numbers new ones after them.
    #[must_use]
    pub fn append(mut self) -> Self {
        self.existing = Existing::Append;
        self
    }

    /// How many bytes are gathered in memory for each file before they are written, 128 KiB if
    /// nothing is said.
    #[must_use]
    pub fn buffer(mut self, bytes: usize) -> Self {
        self.buffer = bytes;
        self
    }

    /// How many files a worker keeps open at the same time, 64 if nothing is said. With more
    /// folders than that, the file used longest ago is closed, and opened again when needed.
    #[must_use]
    pub fn open_files(mut self, most: usize) -> Self {
        self.open_files = most;
        self
    }
}

impl<T> FileSink<T, CsvOutput> {
    /// What separates fields, a comma if nothing is said.
    #[must_use]
    pub fn delimiter(mut self, delimiter: u8) -> Self {
        self.format.set_delimiter(delimiter);
        self
    }

    /// Leaves the header out.
    #[must_use]
    pub fn no_header(mut self) -> Self {
        self.format.header = false;
        self
    }

    /// Names the columns, for records that have no field names or should have others.
    #[must_use]
    pub fn columns<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.format.columns = Some(names.into_iter().map(Into::into).collect());
        self
    }
}

impl<T: Send + 'static, F: OutputFormat<T>> FileSink<T, F> {
    fn open_parts(&self, worker: usize, peers: usize) -> Result<Box<dyn Writer<Record = T>>> {
        let settings = PartSettings {
            root: self.path.clone(),
            names: PartNames::new(&self.name, F::EXTENSION)?,
            rolling: self.rolling,
            folder_by: self.folder_by.clone(),
            existing: self.existing,
            buffer: self.buffer,
            open_files: self.open_files,
            worker,
            peers,
        };
        Ok(Box::new(Guarded::new(PartWriter::open(settings, self.format.clone())?)))
    }

    /// Refuses settings that cannot work, alone or together.
    fn check(&self) -> Result<()> {
        self.format.check()?;
        self.rolling.check()?;
        let conflict = match () {
            () if self.open_files == 0 => "`open_files` is 0: allow at least one",
            () if !self.single => return Ok(()),
            () if self.rolling.any() => "`single_file` cannot `roll`: leave one of them out",
            () if self.folder_by.is_some() => {
                "`single_file` has no folders: leave it or `folder_by` out"
            }
            () if self.existing == Existing::Append => {
                "`single_file` cannot `append`: write to a folder"
            }
            () => return Ok(()),
        };
        Err(Error::new(ErrorKind::Setting, conflict))
    }
}

impl<T: Send + 'static, F: OutputFormat<T>> Sink for FileSink<T, F> {
    type Record = T;

    fn open(&self, worker: usize, peers: usize) -> Result<Box<dyn Writer<Record = T>>> {
        self.check()?;
        if self.single {
            let path = path_of_worker(&self.path, worker, peers)?;
            let overwrite = self.existing == Existing::Overwrite;
            let writer = SingleWriter::open(path, self.format.clone(), overwrite, self.buffer)?;
            return Ok(Box::new(Guarded::new(writer)));
        }
        self.open_parts(worker, peers)
    }

    fn reopen(&self, worker: usize, peers: usize) -> Result<Box<dyn Writer<Record = T>>> {
        self.check()?;
        if self.single {
            let path = path_of_worker(&self.path, worker, peers)?;
            let overwrite = self.existing == Existing::Overwrite;
            let writer = SingleWriter::reopen(path, self.format.clone(), overwrite, self.buffer)?;
            return Ok(Box::new(Guarded::new(writer)));
        }
        self.open_parts(worker, peers)
    }

    fn name(&self) -> String {
        format!("{} {}", F::EXTENSION, self.path.display())
    }
}
