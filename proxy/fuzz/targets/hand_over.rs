//! What comes over the upgrade socket: messages until the first that is none.

#![no_main]

use std::io::Write;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use sluice::server::upgrade::Channel;

fuzz_target!(|bytes: &[u8]| {
    let Ok((mut peer, ours)) = UnixStream::pair() else { return };
    // Within what the socket buffers.
    peer.write_all(&bytes[..bytes.len().min(32 * 1024)]).expect("there is room");
    peer.shutdown(Shutdown::Write).expect("it is open");
    let mut channel = Channel::new(ours).expect("a socket");
    let mut count = 0;
    while channel.receive(Duration::from_secs(5)).is_ok() {
        count += 1;
    }
    assert!(count <= bytes.len() / 6);
});
