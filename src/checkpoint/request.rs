//! Savepoints on request: how someone outside asks a running job for one, through its store.
//!
//! A request is a small file in the job's folder. The job looks for such files twice a second,
//! takes a checkpoint, copies it, and answers in a file beside the request, which whoever asked
//! removes. So a request needs nothing but the store, and works from any machine that reaches it.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, Instant};

use object_store::ObjectStoreExt;
use serde::{Deserialize, Serialize};

use super::store::Store;
use crate::error::{Error, ErrorKind, Result};

/// How often someone who waits looks for the answer.
const LOOK: Duration = Duration::from_millis(100);

/// Somebody's wish for a savepoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What it is known by.
    pub id: String,
    /// Where the savepoint is to be; in the job's folder if nothing is said.
    pub to: Option<String>,
}

/// What is in the file of a request.
#[derive(Serialize, Deserialize)]
struct Wish {
    to: Option<String>,
}

/// What is in the file of an answer: where the savepoint is, or why there is none.
type Answer = std::result::Result<String, String>;

impl Store {
    /// Asks the job that uses this store for a savepoint, and waits for it.
    ///
    /// # Errors
    ///
    /// If the job does not answer within `patience`, perhaps because it does not run, or could not
    /// make the savepoint.
    pub fn request_savepoint(&self, to: Option<&str>, patience: Duration) -> Result<String> {
        let id = format!("{:016x}", RandomState::new().build_hasher().finish());
        let (asked, answered) = (wish_of(&id), answer_of(&id));
        self.put_json(&asked, &Wish { to: to.map(str::to_owned) })?;
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if let Some(answer) = self.get_json::<Answer>(&answered)? {
                self.remove(&answered)?;
                return answer.map_err(|why| Error::new(ErrorKind::State, why));
            }
            std::thread::sleep(LOOK);
        }
        self.remove(&asked)?;
        let message = format!(
            "the job {} made no savepoint within {patience:?}: does it run, with --checkpoint at \
             this place?",
            self.job()
        );
        Err(Error::new(ErrorKind::Stopped, message))
    }

    /// The savepoints that were asked for and have no answer.
    ///
    /// # Errors
    ///
    /// If the store cannot be reached.
    pub fn requests(&self) -> Result<Vec<Request>> {
        let mut requests = Vec::new();
        for file in self.files_in("requests")? {
            let Some(id) = file.strip_prefix("requests/").and_then(|it| it.strip_suffix(WISH))
            else {
                continue;
            };
            // It may have been taken back since it was listed.
            if let Some(Wish { to }) = self.get_json(&file)? {
                requests.push(Request { id: id.to_owned(), to });
            }
        }
        Ok(requests)
    }

    /// Answers a request.
    ///
    /// # Errors
    ///
    /// If the store cannot be written to.
    pub fn answer(&self, request: &Request, made: &Result<String>) -> Result<()> {
        let answer: Answer = match made {
            Ok(place) => Ok(place.clone()),
            Err(error) => Err(format!("{error:#}")),
        };
        self.put_json(&answer_of(&request.id), &answer)?;
        self.remove(&wish_of(&request.id))
    }

    fn put_json<T: Serialize>(&self, file: &str, value: &T) -> Result<()> {
        let text = serde_json::to_vec(value).map_err(|cause| self.cannot_write(file, cause))?;
        let put = self.wait(self.objects().put(&self.path(file), text.into()));
        put.map(drop).map_err(|cause| self.cannot_write(file, cause))
    }

    fn get_json<T: for<'de> Deserialize<'de>>(&self, file: &str) -> Result<Option<T>> {
        let got = self.wait(async { self.objects().get(&self.path(file)).await?.bytes().await });
        match got {
            Ok(text) => {
                let value = serde_json::from_slice(&text);
                value.map(Some).map_err(|_| self.fault(file, "is no request or answer"))
            }
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(cause) => Err(self.cannot_read(file, cause)),
        }
    }

    fn remove(&self, file: &str) -> Result<()> {
        match self.wait(self.objects().delete(&self.path(file))) {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(cause) => Err(self.cannot_write(file, cause)),
        }
    }
}

const WISH: &str = ".wish.json";

fn wish_of(id: &str) -> String {
    format!("requests/{id}{WISH}")
}

fn answer_of(id: &str) -> String {
    format!("requests/{id}.answer.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_answered_once() {
        let store = Store::open("memory://", "clicks").expect("a store");
        let asking = store.clone();
        let patience = Duration::from_secs(60);
        let asked = std::thread::spawn(move || asking.request_savepoint(Some("there"), patience));
        let requests = loop {
            let requests = store.requests().expect("it can be read");
            if !requests.is_empty() {
                break requests;
            }
        };
        assert_eq!(requests.len(), 1);
        assert_eq!(requests[0].to.as_deref(), Some("there"));
        store.answer(&requests[0], &Ok("there/it/is".to_owned())).expect("answered");
        assert_eq!(asked.join().expect("no panic").expect("an answer"), "there/it/is");
        assert!(store.requests().expect("it can be read").is_empty());
    }

    #[test]
    fn who_is_not_answered_takes_the_request_back() {
        let store = Store::open("memory://", "clicks").expect("a store");
        let error = store.request_savepoint(None, Duration::ZERO).expect_err("nobody answers");
        assert!(error.to_string().contains("does it run"), "{error}");
        assert!(store.requests().expect("it can be read").is_empty());
    }
}
