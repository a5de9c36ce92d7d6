//! `metrics` as meant.

use std::net::SocketAddr;

use super::text;
use crate::job::complaint::Complaint;
use crate::job::job::MetricsJob;
use crate::job::node::Node;

/// Reads `metrics`; `None` after complaints.
pub(super) fn resolve_metrics(node: &Node, complaints: &mut Vec<Complaint>) -> Option<MetricsJob> {
    let written = text(node, "listen")?;
    let listen = parse_listen(&written);
    if listen.is_none() {
        let at = node.get("listen").map_or(node.at, |listen| listen.at);
        let hint = Some("such as 127.0.0.1:9464, localhost:9464, 0.0.0.0:9464 or [::1]:9464".to_owned());
        let message = format!("`metrics.listen` is no address with a port: {written}");
        complaints.push(Complaint::new(at, message).with_hint(hint));
    }
    Some(MetricsJob { listen: listen? })
}

/// An IP address or `localhost`, and a port. Other names are not looked up: they may mean another machine.
fn parse_listen(text: &str) -> Option<SocketAddr> {
    let numeric = match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => text.to_owned(),
    };
    numeric.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_port_and_is_one_of_this_machine() {
        let parsed = |text: &str| parse_listen(text).map(|address| address.to_string());
        for (text, expect) in [
            ("127.0.0.1:9464", Some("127.0.0.1:9464")),
            ("localhost:9464", Some("127.0.0.1:9464")),
            ("0.0.0.0:0", Some("0.0.0.0:0")),
            ("[::1]:9464", Some("[::1]:9464")),
            ("127.0.0.1", None),
            ("9464", None),
            ("127.0.0.1:70000", None),
            ("metrics.example:9464", None),
            ("http://127.0.0.1:9464", None),
            ("", None),
        ] {
            assert_eq!(parsed(text).as_deref(), expect, "{text}");
        }
    }
}
