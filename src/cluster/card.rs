//! What a process says of itself, and what two processes must agree on before they work together.
//!
//! The engine sends bytes whose meaning depends on the program, its version and the number of
//! workers: between processes that differ it would misread them. So each shows the other its
//! [`Hello`] first, and [`Hello::misfit`] names what does not fit.

use serde::{Deserialize, Serialize};

use crate::config::Settings;

/// What all processes of a job have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Card {
    pub(super) job: String,
    pub(super) version: String,
    pub(super) processes: u64,
    pub(super) workers: u64,
    pub(super) max_parallelism: u32,
}

impl Card {
    pub(super) fn new(job: &str, settings: &Settings) -> Self {
        Self {
            job: job.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            processes: settings.processes as u64,
            workers: settings.workers as u64,
            max_parallelism: settings.max_parallelism,
        }
    }

    /// What differs, with the value of this card first.
    fn differences(&self, other: &Self) -> Vec<String> {
        let compared = [
            ("the job", format!("`{}`", self.job), format!("`{}`", other.job)),
            ("the version of tidemill", self.version.clone(), other.version.clone()),
            ("-n/--processes", self.processes.to_string(), other.processes.to_string()),
            ("-w/--threads", self.workers.to_string(), other.workers.to_string()),
            (
                "--max-parallelism",
                self.max_parallelism.to_string(),
                other.max_parallelism.to_string(),
            ),
        ];
        let differing = compared.into_iter().filter(|(_, here, there)| here != there);
        differing
            .map(|(what, here, there)| format!("{what} is {here} here, {there} there"))
            .collect()
    }
}

/// What a connection is for. Each two processes have one of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Purpose {
    /// The engine's data.
    Data,
    /// Signs of life.
    Heart,
}

/// What each side of a connection says first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Hello {
    pub(super) card: Card,
    pub(super) purpose: Purpose,
    /// The process that says this, and the one it believes to talk to, where it knows.
    pub(super) from: u64,
    pub(super) to: Option<u64>,
    /// Drawn once by each process: tells a process from the one it replaces.
    pub(super) incarnation: u64,
    /// Drawn for each connection, so that no proof serves twice.
    pub(super) nonce: [u8; 32],
    pub(super) heartbeat_ms: u64,
}

impl Hello {
    /// Why this process, which was called or is calling as `role` says, cannot work with the other.
    pub(super) fn misfit(&self, other: &Self, role: Role) -> Option<String> {
        let differences = self.card.differences(&other.card);
        if !differences.is_empty() {
            return Some(differences.join("; "));
        }
        if self.from == other.from {
            return Some(format!("both say that they are process {}", self.from));
        }
        let (caller, answerer) = match role {
            Role::Caller => (self, other),
            Role::Answerer => (other, self),
        };
        if caller.to != Some(answerer.from) {
            return Some(format!(
                "process {} called process {} but found process {}: the host files differ",
                caller.from,
                caller.to.map_or("?".to_owned(), |it| it.to_string()),
                answerer.from,
            ));
        }
        // The lower listens: a caller with a lower index would not be waited for.
        let out_of_range = caller.from >= self.card.processes || caller.from < answerer.from;
        out_of_range.then(|| format!("process {} is not one that calls", caller.from))
    }
}

/// Which side of a connection a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It connects.
    Caller,
    /// It listens.
    Answerer,
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What process `from` of three says to process `to`.
    pub(in crate::cluster) fn hello(from: u64, to: Option<u64>) -> Hello {
        let settings = Settings::default().processes(3, 0).workers(2);
        Hello {
            card: Card::new("job", &settings),
            purpose: Purpose::Data,
            from,
            to,
            incarnation: from,
            nonce: [from as u8; 32],
            heartbeat_ms: 5_000,
        }
    }

    #[test]
    fn processes_of_one_job_fit() {
        let (caller, answerer) = (hello(2, Some(0)), hello(0, None));
        assert_eq!(caller.misfit(&answerer, Role::Caller), None);
        assert_eq!(answerer.misfit(&caller, Role::Answerer), None);
    }

    #[test]
    fn what_differs_is_named_with_both_values() {
        let (caller, mut answerer) = (hello(2, Some(0)), hello(0, None));
        answerer.card.job = "other".into();
        answerer.card.version = "9.9.9".into();
        answerer.card.workers = 3;
        let here = env!("CARGO_PKG_VERSION");
        assert_eq!(
            caller.misfit(&answerer, Role::Caller),
            Some(format!(
                "the job is `job` here, `other` there; the version of tidemill is {here} here, \
                 9.9.9 there; -w/--threads is 2 here, 3 there"
            ))
        );
        let there = answerer.misfit(&caller, Role::Answerer).expect("it differs");
        assert!(there.contains("-w/--threads is 3 here, 2 there"), "{there}");
        let mut fewer = hello(0, None);
        fewer.card.processes = 2;
        fewer.card.max_parallelism = 8;
        let said = caller.misfit(&fewer, Role::Caller).expect("it differs");
        assert!(said.contains("-n/--processes is 3 here, 2 there"), "{said}");
        assert!(said.contains("--max-parallelism is 4096 here, 8 there"), "{said}");
    }

    #[test]
    fn indexes_that_cannot_be_are_named() {
        let cases = [
            (hello(1, Some(0)), hello(1, None), "both say that they are process 1"),
            (hello(2, Some(1)), hello(0, None), "called process 1 but found process 0"),
            (hello(2, None), hello(0, None), "called process ? but found process 0"),
            (hello(3, Some(0)), hello(0, None), "process 3 is not one that calls"),
            (hello(0, Some(1)), hello(1, None), "process 0 is not one that calls"),
        ];
        for (caller, answerer, fault) in cases {
            let sides =
                [caller.misfit(&answerer, Role::Caller), answerer.misfit(&caller, Role::Answerer)];
            for said in sides {
                assert!(said.as_deref().is_some_and(|it| it.contains(fault)), "{said:?}");
            }
        }
    }
}
