//! Why a call to HDFS failed, what that says about what it did, and how the stores of this crate say it.

use std::io::{self, ErrorKind};
use std::time::Duration;

use hdfs_native::HdfsError;
use object_store::Error;

use super::login::{DATA_PROTECTION, LoginFailure};

/// A call that did not bring what was asked for.
#[derive(Debug)]
pub(crate) enum Failed {
    /// A server said no, or could not be reached.
    Hdfs(HdfsError),
    /// There was no answer in this time.
    Late(Duration),
    /// The call could not be begun or broke off on our side.
    Here(io::Error),
    /// We are not let in.
    Login(LoginFailure, WasIn),
    /// A DataNode closed the connection, and the settings do not say how data is protected.
    Unprotected(HdfsError),
    /// A file is longer than its complete blocks: its writer has not closed it, or no DataNode has reported its last block yet.
    Incomplete,
}

/// Whether the cluster has let this process in before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WasIn(pub(crate) bool);

/// What was said of a failure, and what to do about it where that is known. It is the source of the store's error.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
struct Advised {
    text: String,
    hint: String,
}

/// What the cluster's part of an error, or of one of its causes, advises.
pub fn advice<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a str> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(advised) = error.downcast_ref::<Advised>() {
            return Some(&advised.hint);
        }
        // An I/O error shows not itself but the causes of what it holds.
        let held = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        cause = match held {
            Some(held) => Some(held as &(dyn std::error::Error + 'static)),
            None => error.source(),
        };
    }
    None
}

/// What a failed call did to the file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing, and the same call fails the same way.
    Refused,
    /// Nothing, and the same call may succeed later: nobody heard it, or a NameNode that does not serve yet.
    NotServed,
    /// That cannot be told: the answer was lost.
    Unknown,
}

impl From<HdfsError> for Failed {
    fn from(error: HdfsError) -> Failed {
        Failed::Hdfs(error)
    }
}

impl Failed {
    pub(crate) fn effect(&self) -> Effect {
        match self {
            Failed::Late(_) | Failed::Here(_) => Effect::Unknown,
            Failed::Hdfs(error) => effect(error),
            // A cache is empty for a moment while it is renewed.
            Failed::Login(failure, was_in) if was_in.0 && failure.is_for_now(*was_in) => Effect::NotServed,
            Failed::Incomplete => Effect::NotServed,
            Failed::Login(..) | Failed::Unprotected(_) => Effect::Refused,
        }
    }

    /// Whether there is nothing of that name.
    pub(crate) fn is_absent(&self) -> bool {
        match self {
            Failed::Hdfs(HdfsError::FileNotFound(_)) => true,
            Failed::Hdfs(error) => {
                matches!(class_of(error), Some("java.io.FileNotFoundException" | PARENT_IS_A_FILE))
            }
            Failed::Late(_) | Failed::Here(_) | Failed::Login(..) | Failed::Unprotected(_) | Failed::Incomplete => {
                false
            }
        }
    }

    /// Whether a NameNode answered that another one serves.
    pub(crate) fn is_of_standby(&self) -> bool {
        matches!(self, Failed::Hdfs(error) if class_of(error).is_some_and(|class| class.ends_with(".StandbyException")))
    }

    /// Whether a server that knows us said no.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self, Failed::Hdfs(HdfsError::RPCError(..)))
    }

    /// In one line, without a place.
    pub(crate) fn to_line(&self) -> String {
        match self {
            Failed::Hdfs(error) => said(error),
            Failed::Late(deadline) => late(*deadline),
            Failed::Here(error) => error.to_string(),
            Failed::Login(failure, _) => failure.to_string(),
            Failed::Unprotected(error) => format!("{}, and the settings have no {DATA_PROTECTION}", said(error)),
            Failed::Incomplete => INCOMPLETE.to_owned(),
        }
    }

    /// As a store says it; `place` is what was asked for, such as `hdfs://host:port/a`.
    ///
    /// Beside the kinds that the system gives: `ResourceBusy` where no server did anything, `BrokenPipe` where that cannot be told.
    pub(crate) fn at(self, place: &str) -> Error {
        let is_absent = self.is_absent();
        let otherwise = match self.effect() {
            Effect::Refused => ErrorKind::Other,
            Effect::NotServed => ErrorKind::ResourceBusy,
            Effect::Unknown => ErrorKind::BrokenPipe,
        };
        let (path, error) = (
            place.to_owned(),
            match self {
                Failed::Hdfs(error) => error,
                Failed::Late(deadline) => return generic(ErrorKind::TimedOut, format!("{}: {place}", late(deadline))),
                Failed::Here(error) => return generic(error.kind(), format!("{error}: {place}")),
                Failed::Login(failure, was_in) => return not_let_in(&failure, was_in, place.to_owned()),
                Failed::Unprotected(error) => {
                    let text = format!("{}, and the settings have no {DATA_PROTECTION}: {place}", said(&error));
                    let hint = format!(
                        "let HADOOP_CONF_DIR name a folder whose hdfs-site.xml sets {DATA_PROTECTION} as the cluster's does"
                    );
                    return advised(ErrorKind::Other, text, hint);
                }
                Failed::Incomplete => {
                    let hint = "when nobody writes it any more, `hdfs debug recoverLease -path` closes it".to_owned();
                    return advised(otherwise, format!("{INCOMPLETE}: {place}"), hint);
                }
            },
        );
        let source = said(&error).into();
        match &error {
            _ if is_absent => Error::NotFound { path, source },
            HdfsError::AlreadyExists(_) => Error::AlreadyExists { path, source },
            HdfsError::SASLError(_) | HdfsError::GSSAPIError(..) | HdfsError::NoSASLMechanism => {
                Error::Unauthenticated { path, source }
            }
            HdfsError::IOError(error) => generic(error.kind(), format!("{source}: {place}")),
            error => match class_of(error) {
                Some(class) if is_permission(class) => Error::PermissionDenied { path, source },
                Some(class) if class.ends_with("QuotaExceededException") => {
                    generic(ErrorKind::QuotaExceeded, format!("{source}: {place}"))
                }
                _ => generic(otherwise, format!("{source}: {place}")),
            },
        }
    }

    /// As [`at`](Failed::at), of a call that writes: what it misses is not its target but what it needs.
    pub(crate) fn writing(self, place: &str) -> Error {
        let is_parent_a_file = matches!(&self, Failed::Hdfs(error) if class_of(error) == Some(PARENT_IS_A_FILE));
        match self.at(place) {
            Error::NotFound { source, .. } if is_parent_a_file => {
                generic(ErrorKind::NotADirectory, format!("{source}: {place}"))
            }
            Error::NotFound { path, source } => {
                let text = format!("somebody removed it while it was written ({source})");
                Error::Precondition { path, source: text.into() }
            }
            error => error,
        }
    }
}

fn late(deadline: Duration) -> String {
    format!("no answer within {} s", deadline.as_secs_f64())
}

const INCOMPLETE: &str = "its last block is still being written, or no DataNode has reported it yet";

const PARENT_IS_A_FILE: &str = "org.apache.hadoop.fs.ParentNotDirectoryException";

/// Waiting can help when a ticket has run out; somebody has to act on everything else.
fn not_let_in(failure: &LoginFailure, was_in: WasIn, path: String) -> Error {
    match failure.is_for_now(was_in) {
        true => advised(ErrorKind::Other, format!("{failure}: {path}"), failure.hint()),
        false => {
            let source = Advised { text: failure.to_string(), hint: failure.hint() }.into();
            Error::Unauthenticated { path, source }
        }
    }
}

fn advised(kind: ErrorKind, text: String, hint: String) -> Error {
    Error::Generic { store: "HDFS", source: io::Error::new(kind, Advised { text, hint }).into() }
}

fn generic(kind: ErrorKind, text: String) -> Error {
    Error::Generic { store: "HDFS", source: io::Error::new(kind, text).into() }
}

fn is_permission(class: &str) -> bool {
    class == "org.apache.hadoop.security.AccessControlException"
        || class == "org.apache.hadoop.security.authorize.AuthorizationException"
}

fn effect(error: &HdfsError) -> Effect {
    use ErrorKind::{AddrNotAvailable, ConnectionRefused, HostUnreachable, NetworkUnreachable, NotConnected};
    const NOT_SERVING: [&str; 4] =
        ["SafeModeException", "StandbyException", "RetriableException", "ObserverRetryOnActiveException"];
    match error {
        HdfsError::IOError(error) => match error.kind() {
            AddrNotAvailable | ConnectionRefused | HostUnreachable | NetworkUnreachable | NotConnected => {
                Effect::NotServed
            }
            _ => Effect::Unknown,
        },
        HdfsError::RPCError(class, _) | HdfsError::FatalRPCError(class, _) => {
            let is_class = |name: &str| class.rsplit('.').next() == Some(name);
            match NOT_SERVING.iter().any(|name| is_class(name)) || is_without_data_nodes(error) {
                true => Effect::NotServed,
                false => Effect::Refused,
            }
        }
        HdfsError::DataTransferError(_)
        | HdfsError::OperationFailed(_)
        | HdfsError::BlocksNotFound(_)
        | HdfsError::ChecksumError
        | HdfsError::InvalidRPCResponse(_) => Effect::Unknown,
        _ => Effect::Refused,
    }
}

/// A NameNode has no exception of its own for a file that no DataNode takes.
fn is_without_data_nodes(error: &HdfsError) -> bool {
    matches!(error, HdfsError::RPCError(_, text) if text.contains("could only be written to"))
}

fn class_of(error: &HdfsError) -> Option<&str> {
    match error {
        HdfsError::RPCError(class, _) | HdfsError::FatalRPCError(class, _) => Some(class),
        _ => None,
    }
}

/// What a server said, without the stack of its Java.
fn said(error: &HdfsError) -> String {
    let text = match error {
        HdfsError::RPCError(class, text) | HdfsError::FatalRPCError(class, text) => {
            let first = text.lines().next().unwrap_or_default().trim();
            let class = class.rsplit('.').next().unwrap_or(class);
            // Most texts begin with their class again.
            let text = first.split_once(": ").filter(|(head, _)| head.ends_with(class)).map_or(first, |(_, rest)| rest);
            return match text.is_empty() || class == "IOException" {
                true if !text.is_empty() => text.to_owned(),
                true => class.to_owned(),
                false if text.starts_with("Permission denied") => text.to_owned(),
                false => format!("{text} ({class})"),
            };
        }
        HdfsError::IOError(error) => error.to_string(),
        HdfsError::DataTransferError(text) if text.starts_with(ALL_FAILED) => no_data_node(text),
        error => error.to_string(),
    };
    text.lines().next().unwrap_or_default().to_owned()
}

/// What the client says when it has tried every DataNode that has a block, before all that it knows of them.
const ALL_FAILED: &str = "All DataNodes failed: ";

/// The same with their addresses only.
fn no_data_node(text: &str) -> String {
    let field = |node: &str, name: &str| {
        let (_, after) = node.split_once(name)?;
        Some(after.split([',', ' ']).next()?.trim_matches('"').to_owned())
    };
    let address = |node: &str| Some(format!("{}:{}", field(node, "ip_addr: ")?, field(node, "xfer_port: ")?));
    let addresses: Vec<String> = text.split("DatanodeIdProto {").skip(1).filter_map(address).collect();
    match addresses.is_empty() {
        true => "no DataNode is known to have the block".to_owned(),
        false => format!("no DataNode that has the block gives it: {}", addresses.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn rpc(class: &str, text: &str) -> HdfsError {
        HdfsError::RPCError(class.to_owned(), text.to_owned())
    }

    #[track_caller]
    fn check(error: HdfsError, effect: Effect, expect: Expect) {
        let failed = Failed::from(error);
        assert_eq!(failed.effect(), effect);
        expect.assert_eq(&failed.at("hdfs://nn:8020/t/f").to_string());
    }

    #[test]
    fn a_missing_file_is_not_found_in_all_its_forms() {
        for error in [
            HdfsError::FileNotFound("/t/f".to_owned()),
            rpc("java.io.FileNotFoundException", "File does not exist: /t/f\n\tat org.apache…"),
            rpc("org.apache.hadoop.fs.ParentNotDirectoryException", "/t (is not a directory)"),
        ] {
            assert!(matches!(Failed::from(error).at("hdfs://nn/t/f"), Error::NotFound { .. }));
        }
    }

    #[test]
    fn what_vanishes_while_it_is_written_is_neither_a_missing_target_nor_a_fault_to_wait_for() {
        let gone = rpc("java.io.FileNotFoundException", "File does not exist: /t/.ognivo-1.tmp (inode 7) Holder c7 …");
        let error = Failed::from(gone).writing("hdfs://nn/t/f");
        assert!(matches!(error, Error::Precondition { .. }), "{error}");
        let cause = std::error::Error::source(&error).expect("a cause").to_string();
        assert!(cause.starts_with("somebody removed it while it was written (File does not exist: /t/"), "{cause}");
    }

    #[test]
    fn a_refusal_names_user_right_and_path_in_one_line() {
        let denied = "Permission denied: user=alice, access=WRITE, inode=\"/t\":root:supergroup:drwxr-xr-x\n\tat org…";
        check(
            rpc("org.apache.hadoop.security.AccessControlException", denied),
            Effect::Refused,
            expect![[
                r#"The operation lacked the necessary privileges to complete for path hdfs://nn:8020/t/f: Permission denied: user=alice, access=WRITE, inode="/t":root:supergroup:drwxr-xr-x"#
            ]],
        );
    }

    #[test]
    fn a_name_node_that_does_not_serve_did_nothing() {
        check(
            rpc(
                "org.apache.hadoop.hdfs.server.namenode.SafeModeException",
                "Cannot create file /t/f. Name node is in safe mode.\nIt was turned on…",
            ),
            Effect::NotServed,
            expect![
                "Generic HDFS error: Cannot create file /t/f. Name node is in safe mode. (SafeModeException): hdfs://nn:8020/t/f"
            ],
        );
        check(
            HdfsError::IOError(ErrorKind::ConnectionRefused.into()),
            Effect::NotServed,
            expect!["Generic HDFS error: connection refused: hdfs://nn:8020/t/f"],
        );
        assert_eq!(effect(&HdfsError::IOError(ErrorKind::ConnectionAborted.into())), Effect::Unknown);
    }

    #[test]
    fn the_kind_of_an_error_says_whether_any_server_did_anything() {
        let kind = |error: HdfsError| match Failed::from(error).at("hdfs://nn/t/f") {
            Error::Generic { source, .. } => source.downcast_ref::<io::Error>().map(io::Error::kind),
            _ => None,
        };
        let busy = [
            rpc("org.apache.hadoop.hdfs.server.namenode.SafeModeException", "Name node is in safe mode."),
            rpc("java.io.IOException", "File /t/f could only be written to 0 of the 1 minReplication nodes."),
        ];
        assert_eq!(busy.map(kind), [Some(ErrorKind::ResourceBusy); 2]);
        let unknown = HdfsError::OperationFailed("Failed to complete file in time".to_owned());
        assert_eq!(kind(unknown), Some(ErrorKind::BrokenPipe));
        assert_eq!(kind(rpc("java.io.IOException", "no")), Some(ErrorKind::Other));
        let full = rpc("org.apache.hadoop.hdfs.protocol.DSQuotaExceededException", "The DiskSpace quota is exceeded");
        assert_eq!(kind(full), Some(ErrorKind::QuotaExceeded));
    }

    #[test]
    fn data_nodes_that_give_no_block_are_told_by_their_addresses() {
        let node = |port: u16| {
            format!(
                "DatanodeInfoProto {{ id: DatanodeIdProto {{ ip_addr: \"10.0.0.1\", host_name: \"dn\", datanode_uuid: \"198c\", \
                 xfer_port: {port}, info_port: 9864, ipc_port: 9867, info_secure_port: Some(0) }}, capacity: Some(1) }}"
            )
        };
        check(
            HdfsError::DataTransferError(format!("{ALL_FAILED}[{}, {}]", node(9866), node(9966))),
            Effect::Unknown,
            expect![
                "Generic HDFS error: no DataNode that has the block gives it: 10.0.0.1:9866, 10.0.0.1:9966: hdfs://nn:8020/t/f"
            ],
        );
    }
}
