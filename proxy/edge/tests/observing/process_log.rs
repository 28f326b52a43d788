//! The process log: what strangers cannot write into it.

use super::support::http2::{Ending, Http2};
use super::support::{Recorder, eventually};
use super::{gateway, signal};

/// An answer to a ping that nobody has sent: the HTTP/2 library has a warning for each.
#[test]
fn clients_cannot_fill_it_with_a_library_s_warnings() {
    const PING: u8 = 6;
    const ACK: u8 = 1;
    for (level, told) in [("info", false), ("info,h2=warn", true)] {
        let gateway = gateway(&Recorder::echoing(), &format!("log = {{ level = \"{level}\" }}\n"));
        let mut client = Http2::connect(gateway.address());
        client.frame(PING, ACK, 0, &[0; 8]);
        client.head(1, &[(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/mock")], true);
        assert_eq!(client.ending(1), Ending::Answered(true, b"mock".to_vec()));
        signal(&gateway, "HUP");
        eventually("the lines so far are written", || gateway.log().contains("reloaded"));
        assert_eq!(gateway.log().contains("PING"), told, "{level}: {}", gateway.log());
    }
}
