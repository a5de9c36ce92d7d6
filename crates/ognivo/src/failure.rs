//! Why a verb ended without its result: any error of any room, as `main` prints it and turns it into an exit code.

use std::path::{Path, PathBuf};

use ognivo_data::fault::{Explain, Fault, Retry, causes};

/// An error that ends the verb.
#[derive(Debug)]
pub(crate) struct Failure(Box<dyn Explain + Send + Sync>);

impl<E: Explain + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure(Box::new(error))
    }
}

impl Failure {
    /// Whether servers went away under what the program itself wrote.
    pub(crate) fn has_lost_servers(&self) -> bool {
        let error: &(dyn std::error::Error + 'static) = self.cause();
        let source = error.downcast_ref::<StoreFailure>().map(|failure| &failure.source);
        source.is_some_and(|source| is_broken_off(source) || is_away(source))
    }

    /// What failed, and why, in a line.
    pub(crate) fn to_line(&self) -> String {
        let failed = self.cause().to_string();
        causes(self.cause()).last().map_or(failed.clone(), |why| format!("{failed}: {why}"))
    }

    /// The error itself.
    pub(crate) fn cause(&self) -> &(dyn Explain + 'static) {
        self.0.as_ref()
    }
}

/// A local file or folder could not be read or written by the program itself.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action}: {}", path.display())]
pub(crate) struct FileFailure {
    action: &'static str,
    path: PathBuf,
    source: std::io::Error,
}

impl FileFailure {
    /// For `map_err`: what was tried with `path`.
    pub(crate) fn of(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> FileFailure {
        let path = path.to_owned();
        move |source| FileFailure { action, path, source }
    }
}

impl Explain for FileFailure {
    fn fault(&self) -> Fault {
        match self.source.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::AlreadyExists => {
                Fault::Job
            }
            _ => Fault::Remote,
        }
    }
}

/// A refusal that the verb itself decides on.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Refusal {
    message: String,
    hint: Option<String>,
    fault: Fault,
    retry: Retry,
}

impl Refusal {
    /// The user's arguments or files do not allow it.
    pub(crate) fn of_job(message: impl Into<String>, hint: Option<String>) -> Refusal {
        Refusal { message: message.into(), hint, fault: Fault::Job, retry: Retry::Never }
    }
}

impl Explain for Refusal {
    fn fault(&self) -> Fault {
        self.fault
    }
    fn retry(&self) -> Retry {
        self.retry
    }
    fn hint(&self) -> Option<String> {
        self.hint.clone()
    }
}

/// A store refused something that the program itself asked of it.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action}: {place}")]
pub(crate) struct StoreFailure {
    action: &'static str,
    place: String,
    source: object_store::Error,
}

impl StoreFailure {
    /// For `map_err`: what was tried where.
    pub(crate) fn of(action: &'static str, place: String) -> impl FnOnce(object_store::Error) -> StoreFailure {
        move |source| StoreFailure { action, place, source }
    }
}

impl Explain for StoreFailure {
    fn fault(&self) -> Fault {
        use object_store::Error::{PermissionDenied, Unauthenticated};
        match self.source {
            PermissionDenied { .. } | Unauthenticated { .. } => Fault::Job,
            _ => Fault::Remote,
        }
    }
    fn retry(&self) -> Retry {
        match self.fault() {
            Fault::Remote => Retry::Backoff,
            _ => Retry::Never,
        }
    }
}

/// Whether a connection broke off in the middle, or nobody answered.
pub(crate) fn is_broken_off(error: &object_store::Error) -> bool {
    use std::io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset, NotConnected, TimedOut, UnexpectedEof,
    };
    let of_connections =
        [BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset, NotConnected, TimedOut, UnexpectedEof];
    kind_of(error).is_some_and(|kind| of_connections.contains(&kind))
}

/// Whether no server could be reached, or none of those that could did anything.
fn is_away(error: &object_store::Error) -> bool {
    use std::io::ErrorKind::{AddrNotAvailable, HostUnreachable, NetworkUnreachable, ResourceBusy};
    let of_servers = [AddrNotAvailable, HostUnreachable, NetworkUnreachable, ResourceBusy];
    kind_of(error).is_some_and(|kind| of_servers.contains(&kind))
}

fn kind_of(error: &object_store::Error) -> Option<std::io::ErrorKind> {
    let object_store::Error::Generic { source, .. } = error else { return None };
    source.downcast_ref::<std::io::Error>().map(std::io::Error::kind)
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;

    fn of_store(source: object_store::Error) -> Failure {
        StoreFailure::of("write", "hdfs://nn:8020/out.csv".to_owned())(source).into()
    }

    #[test]
    fn only_servers_that_went_away_are_a_reason_to_begin_anew() {
        let of_kind = |kind: ErrorKind| {
            of_store(object_store::Error::Generic { store: "HDFS", source: std::io::Error::from(kind).into() })
        };
        for kind in [ErrorKind::ConnectionReset, ErrorKind::TimedOut, ErrorKind::ResourceBusy] {
            assert!(of_kind(kind).has_lost_servers(), "{kind}");
        }
        for kind in [ErrorKind::QuotaExceeded, ErrorKind::NotADirectory, ErrorKind::Other] {
            assert!(!of_kind(kind).has_lost_servers(), "{kind}");
        }
        let path = "hdfs://nn:8020/out.csv".to_owned();
        assert!(!of_store(object_store::Error::PermissionDenied { path, source: "no".into() }).has_lost_servers());
        assert!(!Failure::from(Refusal::of_job("no", None)).has_lost_servers());
        assert_eq!(
            of_kind(ErrorKind::TimedOut).to_line(),
            "cannot write: hdfs://nn:8020/out.csv: Generic HDFS error: timed out"
        );
    }
}
