//! Where a store is: a folder or a URL, and the folder of a job in it.

use std::path::PathBuf;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;

use super::part::checksum;
use crate::error::{Error, ErrorKind, Result};

/// An object store and a folder in it.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) objects: Arc<dyn ObjectStore>,
    pub(super) folder: Path,
    /// The folder as messages show it, without a slash at the end.
    pub(super) shown: String,
    /// The folder, if it is one of this machine.
    pub(super) local: Option<PathBuf>,
}

impl Place {
    /// The place that a user named: a folder, which is created, or a URL.
    pub(super) fn to_write(place: &str) -> Result<Self> {
        if let Some(folder) = local_folder(place) {
            std::fs::create_dir_all(folder).map_err(|cause| unusable(place).because(cause))?;
        }
        Self::to_read(place)
    }

    /// The place that a user named: a folder that is there, or a URL.
    pub(super) fn to_read(place: &str) -> Result<Self> {
        if let Some(folder) = local_folder(place) {
            return Self::local(folder);
        }
        match place.split_once("://") {
            Some(("memory", path)) => {
                let folder = Path::parse(path).map_err(|cause| unusable(place).because(cause))?;
                let objects = Arc::new(InMemory::new());
                Ok(Self { objects, folder, shown: shown(place), local: None })
            }
            Some((scheme, _)) => Self::cloud(place, scheme),
            None => Err(unusable(place)),
        }
    }

    /// A local folder. What is written there is synced to the disk.
    fn local(place: &str) -> Result<Self> {
        let files = LocalFileSystem::new_with_prefix(place);
        let files = files.map_err(|cause| unusable(place).because(cause))?;
        let objects = Arc::new(files.with_fsync(true).with_automatic_cleanup(true));
        let local = Some(PathBuf::from(place));
        Ok(Self { objects, folder: Path::default(), shown: shown(place), local })
    }

    #[cfg(feature = "cloud")]
    fn cloud(place: &str, scheme: &str) -> Result<Self> {
        const KNOWN: [&str; 10] =
            ["s3", "s3a", "gs", "az", "adl", "azure", "abfs", "abfss", "http", "https"];
        if !KNOWN.contains(&scheme) {
            return Err(unknown(place, scheme));
        }
        let url = url::Url::parse(place).map_err(|cause| unusable(place).because(cause))?;
        // The stores know their own variables, such as `AWS_REGION`, and pass over all others.
        let (objects, folder) = object_store::parse_url_opts(&url, std::env::vars())
            .map_err(|cause| unusable(place).because(cause))?;
        Ok(Self { objects: objects.into(), folder, shown: shown(place), local: None })
    }

    #[cfg(not(feature = "cloud"))]
    fn cloud(place: &str, scheme: &str) -> Result<Self> {
        const KNOWN: [&str; 9] =
            ["s3", "s3a", "gs", "az", "adl", "azure", "abfs", "abfss", "https"];
        if !KNOWN.contains(&scheme) {
            return Err(unknown(place, scheme));
        }
        let message = format!(
            "checkpoints at `{place}` need tidemill's feature `cloud`: build with it, or name a \
             local folder"
        );
        Err(Error::new(ErrorKind::Setting, message))
    }

    /// A place in an object store that is there already.
    pub(super) fn over(objects: Arc<dyn ObjectStore>) -> Self {
        let shown = objects.to_string();
        Self { objects, folder: Path::default(), shown, local: None }
    }

    /// A folder in this one.
    pub(super) fn folder(&self, name: &str) -> Self {
        Self {
            objects: self.objects.clone(),
            folder: self.path(name),
            shown: format!("{}/{name}", self.shown),
            local: self.local.as_ref().map(|it| it.join(name)),
        }
    }

    /// What is at a relative path with `/` between its parts.
    pub(super) fn path(&self, relative: &str) -> Path {
        let below = Path::from(relative);
        self.folder.parts().chain(below.parts()).collect()
    }

    /// The relative path of an object that was listed below this folder.
    pub(super) fn relative(&self, path: &Path) -> Option<String> {
        let parts = path.prefix_match(&self.folder)?;
        Some(parts.map(|it| it.as_ref().to_owned()).collect::<Vec<_>>().join("/"))
    }
}

/// The folder that a user named, unless it is a URL of something else.
fn local_folder(place: &str) -> Option<&str> {
    match place.split_once("://") {
        None => Some(place),
        Some(("file", path)) if path.starts_with('/') => Some(path),
        Some(_) => None,
    }
}

fn shown(place: &str) -> String {
    place.trim_end_matches('/').to_owned()
}

fn unusable(place: &str) -> Error {
    let message =
        format!("cannot keep checkpoints at `{place}`: name a folder or URL that can be used");
    Error::new(ErrorKind::Setting, message)
}

fn unknown(place: &str, scheme: &str) -> Error {
    let message = format!(
        "`{place}` begins with `{scheme}://`, which is no kind of store: name a folder, or a URL \
         of `s3`, `gs`, `az`, `file` or `memory`"
    );
    Error::new(ErrorKind::Setting, message)
}

/// The folder of a job, for any name: letters, digits, `-`, `_` and `.` stay, all else becomes the
/// hexadecimal value of its bytes behind `=`. A name that is too long for a file system ends in
/// its checksum.
pub(super) fn folder_of(job: &str) -> Result<String> {
    const LONGEST: usize = 200;
    if job.is_empty() {
        let message = "a job with checkpoints needs a name: name it when it is built";
        return Err(Error::new(ErrorKind::Setting, message));
    }
    let stays = |place: usize, byte: u8| {
        byte.is_ascii_alphanumeric() || b"-_".contains(&byte) || (byte == b'.' && place > 0)
    };
    let encoded: String = job
        .bytes()
        .enumerate()
        .map(|(place, byte)| match stays(place, byte) {
            true => char::from(byte).to_string(),
            false => format!("={byte:02X}"),
        })
        .collect();
    if encoded.len() <= LONGEST {
        return Ok(encoded);
    }
    let start = encoded.get(..LONGEST).unwrap_or_default();
    Ok(format!("{start}=long-{:016x}", checksum(job.as_bytes())))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn any_name_of_a_job_is_a_folder_of_its_own() {
        let long = "long".repeat(100);
        let other = "long".repeat(101);
        let names = [
            "clicks",
            "a/b",
            "a=2Fb",
            "a b",
            "..",
            ".",
            ".hidden",
            "Zürich 東京",
            "a\0b",
            "a\\b",
            "#1",
            "a#1",
            "%2F",
            "~",
            &long,
            &other,
        ];
        let folders: BTreeSet<String> = names.iter().map(|it| folder_of(it).unwrap()).collect();
        assert_eq!(folders.len(), names.len());
        for folder in folders {
            assert_eq!(Path::from(folder.as_str()).as_ref(), folder, "stays as it is in a path");
            assert!(folder.len() < 255 && !folder.starts_with('.') && !folder.contains(['/', '#']));
        }
        assert_eq!(folder_of("my job").unwrap(), "my=20job");
        assert!(folder_of("").is_err());
    }

    #[test]
    fn a_place_that_cannot_be_used_is_refused_by_its_name() {
        let fault = |place: &str| Place::to_write(place).err().map(|it| it.to_string()).unwrap();
        assert!(fault("ftp://host/x").contains("`ftp://`"));
        assert!(fault("").contains("at ``"));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(fault(file.join("below").to_str().unwrap()).contains("below"));
        #[cfg(not(feature = "cloud"))]
        assert!(fault("s3://bucket/x").contains("feature `cloud`"));
    }
}
