//! A caller of the admin listener.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;

use super::fetch::Answer;
use super::reach::CacheError;
use crate::config::{Admin, AdminEndpoint};

/// To connect, and between two reads or writes: a purge is answered once memory has been searched.
const PATIENCE: Duration = Duration::from_secs(120);

/// The largest answer that is read, bytes.
const ANSWER: u64 = 64 * 1024 * 1024;

/// Where the admin listener is, and what it wants to be shown.
pub(super) struct Client {
    endpoint: AdminEndpoint,
    token: Option<String>,
}

impl Client {
    /// What was said on the command line goes before what is configured.
    pub(super) fn new(
        address: Option<&str>,
        token_file: Option<&Path>,
        configured: Option<Admin>,
    ) -> anyhow::Result<Self> {
        let (endpoint, token) = match (address, configured) {
            (Some(address), _) => (endpoint(address)?, None),
            (None, Some(admin)) => (admin.endpoint, admin.token_file),
            (None, None) => bail!("the configuration has no admin listener; name one with --admin"),
        };
        let read = |path: &Path| std::fs::read_to_string(path).with_context(|| path.display().to_string());
        let token = token_file.or(token.as_deref()).map(read).transpose()?;
        Ok(Self { endpoint, token: token.map(|text| text.trim().to_owned()) })
    }

    pub(super) fn get(&self, path: &str) -> Result<Value, CacheError> {
        self.call("GET", path, "")
    }

    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Value, CacheError> {
        self.call("POST", path, &body.to_string())
    }

    fn call(&self, verb: &str, path: &str, body: &str) -> Result<Value, CacheError> {
        let answer = self.send(verb, path, body).with_context(|| format!("the admin listener at {}", self.name()))?;
        let value: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        if (200..300).contains(&answer.status) {
            return Ok(value);
        }
        let message = value.get("message").and_then(Value::as_str).unwrap_or("the gateway refused").to_owned();
        Err(CacheError::Refused { status: answer.status, message })
    }

    fn send(&self, verb: &str, path: &str, body: &str) -> anyhow::Result<Answer> {
        let (host, authorization) = (self.host(), self.token.as_deref());
        let authorization = authorization.map(|t| format!("Authorization: Bearer {t}\r\n")).unwrap_or_default();
        let request = format!(
            "{verb} {path} HTTP/1.1\r\nHost: {host}\r\n{authorization}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        match &self.endpoint {
            AdminEndpoint::Tcp(address) => {
                let stream = TcpStream::connect_timeout(address, PATIENCE)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                exchange(stream, &request)
            }
            AdminEndpoint::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                exchange(stream, &request)
            }
        }
    }

    fn host(&self) -> String {
        match &self.endpoint {
            AdminEndpoint::Tcp(address) => address.to_string(),
            AdminEndpoint::Unix(_) => "localhost".into(),
        }
    }

    fn name(&self) -> String {
        match &self.endpoint {
            AdminEndpoint::Tcp(address) => address.to_string(),
            AdminEndpoint::Unix(path) => format!("unix:{}", path.display()),
        }
    }
}

fn exchange(mut stream: impl Read + Write, request: &str) -> anyhow::Result<Answer> {
    stream.write_all(request.as_bytes())?;
    let mut bytes = Vec::new();
    stream.take(ANSWER).read_to_end(&mut bytes)?;
    Answer::read(&bytes)
}

fn endpoint(text: &str) -> anyhow::Result<AdminEndpoint> {
    if let Some(path) = text.strip_prefix("unix:") {
        return Ok(AdminEndpoint::Unix(path.into()));
    }
    let address: SocketAddr = text.parse().with_context(|| format!("'{text}' is neither IP:PORT nor unix:PATH"))?;
    Ok(AdminEndpoint::Tcp(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_goes_before_the_configuration() {
        let configured = || Some(Admin { endpoint: AdminEndpoint::Unix("/run/a".into()), token_file: None });
        assert_eq!(Client::new(Some("127.0.0.1:1"), None, configured()).unwrap().name(), "127.0.0.1:1");
        assert_eq!(Client::new(None, None, configured()).unwrap().name(), "unix:/run/a");
        assert!(Client::new(None, None, None).is_err());
        assert!(Client::new(Some("somewhere"), None, None).is_err());
    }
}
