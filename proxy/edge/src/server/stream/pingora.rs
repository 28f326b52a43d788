//! What Pingora asks of a stream. It does not peek (Pingora must not be asked to look for the HTTP/2 preface), and it does
//! not tell Pingora the peer's address, which may have come with a PROXY header: [`EdgeStream::peer`] does.

use std::sync::Arc;

use async_trait::async_trait;
use pingora_core::protocols::raw_connect::ProxyDigest;
use pingora_core::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, TimingDigest, UniqueID,
    UniqueIDType,
};
use tokio::io::AsyncWriteExt;

use super::{EdgeStream, Transport};

#[async_trait]
impl<S: Transport> Shutdown for EdgeStream<S> {
    async fn shutdown(&mut self) {
        // The peer may have gone already: nobody is left to be told.
        let _ = AsyncWriteExt::shutdown(self).await;
    }
}

impl<S: Transport> UniqueID for EdgeStream<S> {
    fn id(&self) -> UniqueIDType {
        self.transport.as_raw_fd()
    }
}

impl<S: Transport> Ssl for EdgeStream<S> {
    fn selected_alpn_proto(&self) -> Option<ALPN> {
        self.is_http2().then_some(ALPN::H2)
    }
}

impl<S: Transport> GetTimingDigest for EdgeStream<S> {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        Vec::new()
    }
}

impl<S: Transport> GetProxyDigest for EdgeStream<S> {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        None
    }
}

impl<S: Transport> GetSocketDigest for EdgeStream<S> {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        None
    }
}

#[async_trait]
impl<S: Transport> Peek for EdgeStream<S> {}
