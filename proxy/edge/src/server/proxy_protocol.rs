//! The PROXY protocol, versions 1 and 2: whom a connection comes from when a load balancer stands before us.
//!
//! As HAProxy's `proxy-protocol.txt` says, and strictly: a listener either asks for the header on every connection or does
//! not know it, one space separates the fields of version 1, numbers have no leading zeros, a version 2 header is at most
//! [`MAX_V2`] bytes with well-formed TLVs, and a CRC-32C that is there is right. Other TLVs are skipped. Datagram
//! families are refused, for they cannot come over TCP. UNIX addresses are accepted and give no source.
//!
//! It sets no deadline and does not decide who may send a header: both are the caller's.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use thiserror::Error;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// The longest header of version 1, its line end included, bytes.
pub const MAX_V1: usize = 107;
/// The longest header of version 2 that is taken, bytes; the format itself would allow 64 KiB of TLVs.
pub const MAX_V2: usize = 4096;

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family, length.
const V2_FIXED: usize = 16;
const V1_PREFIX: &[u8] = b"PROXY ";
const TLV_CRC32C: u8 = 0x03;

/// What the first bytes of a connection say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// A header, as far as it goes; more bytes are needed.
    Partial,
    /// A whole header.
    Header {
        /// Bytes of the header; what follows belongs to TLS or HTTP.
        length: usize,
        /// The client; `None` for health checks (`LOCAL`) and for what the balancer does not know (`UNKNOWN`).
        source: Option<SocketAddr>,
        /// The address the client spoke to.
        destination: Option<SocketAddr>,
    },
}

/// Why a connection's beginning is no PROXY header.
#[derive(Debug, Error)]
pub enum ProxyError {
    /// Neither version's beginning.
    #[error("the connection does not begin with a PROXY header")]
    Absent,
    /// Longer than [`MAX_V1`] or [`MAX_V2`].
    #[error("the PROXY header is too long")]
    TooLong,
    /// A fault in it.
    #[error("the PROXY header is malformed: {0}")]
    Malformed(&'static str),
    /// The peer closed, or the socket failed, within the header.
    #[error("the connection ended within the PROXY header: {0}")]
    Io(#[from] io::Error),
}

/// Source and destination; `None` where the header gives none.
type Addresses = Option<(SocketAddr, SocketAddr)>;

/// Reads a header from the first bytes of a connection.
///
/// # Errors
/// Where no further byte could make it a header.
pub fn parse(bytes: &[u8]) -> Result<Parsed, ProxyError> {
    if agrees(bytes, SIGNATURE) {
        parse_v2(bytes)
    } else if agrees(bytes, V1_PREFIX) {
        parse_v1(bytes)
    } else {
        Err(ProxyError::Absent)
    }
}

/// Reads the header off a connection and not one byte more. Gives the client's address, `None` as in [`Parsed`].
///
/// # Errors
/// As [`parse`], and where the connection ends before the header does.
pub async fn read_header(stream: &mut TcpStream) -> Result<Option<SocketAddr>, ProxyError> {
    let mut bytes = Vec::new();
    loop {
        if let Parsed::Header { source, .. } = parse(&bytes)? {
            return Ok(source);
        }
        let from = bytes.len();
        let more = missing(stream, &bytes).await?;
        bytes.resize(from + more, 0);
        stream.read_exact(bytes.get_mut(from..).unwrap_or_default()).await?;
    }
}

/// How many bytes certainly belong to the header and have not been read.
async fn missing(stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    if bytes.starts_with(SIGNATURE) {
        return Ok(v2_length(bytes).unwrap_or(V2_FIXED).saturating_sub(bytes.len()));
    }
    let mut window = [0; MAX_V1 + 1];
    let room = window.get_mut(bytes.len()..).unwrap_or_default();
    let seen = stream.peek(room).await?;
    let seen = room.get(..seen).unwrap_or_default();
    if seen.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if bytes.is_empty() && seen.first() == SIGNATURE.first() {
        return Ok(V2_FIXED);
    }
    Ok(line_end(seen).unwrap_or(seen.len()))
}

/// Whether one of them begins with the other.
fn agrees(bytes: &[u8], prefix: &[u8]) -> bool {
    bytes.iter().zip(prefix).all(|(a, b)| a == b)
}

/// Bytes up to and with the first line feed.
fn line_end(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|&b| b == b'\n').map(|at| at + 1)
}

fn parse_v1(bytes: &[u8]) -> Result<Parsed, ProxyError> {
    let Some(length) = line_end(bytes) else {
        return if bytes.len() < MAX_V1 { Ok(Parsed::Partial) } else { Err(ProxyError::TooLong) };
    };
    if length > MAX_V1 {
        return Err(ProxyError::TooLong);
    }
    let line = bytes.get(V1_PREFIX.len()..length).unwrap_or_default();
    let line = line.strip_suffix(b"\r\n").ok_or(ProxyError::Malformed("the line does not end with CRLF"))?;
    let line = std::str::from_utf8(line).map_err(|_| ProxyError::Malformed("the line is not ASCII"))?;
    header(length, v1_addresses(line)?)
}

/// What stands behind `PROXY `.
fn v1_addresses(line: &str) -> Result<Addresses, ProxyError> {
    let mut fields = line.split(' ');
    let is_v6 = match fields.next() {
        Some("TCP4") => false,
        Some("TCP6") => true,
        // The rest of the line has no meaning then.
        Some("UNKNOWN") => return Ok(None),
        _ => return Err(ProxyError::Malformed("unknown protocol")),
    };
    let (source, destination) = (v1_address(fields.next(), is_v6)?, v1_address(fields.next(), is_v6)?);
    let (source_port, destination_port) = (v1_port(fields.next())?, v1_port(fields.next())?);
    match fields.next() {
        None => Ok(Some((SocketAddr::new(source, source_port), SocketAddr::new(destination, destination_port)))),
        Some(_) => Err(ProxyError::Malformed("too many fields")),
    }
}

fn v1_address(field: Option<&str>, is_v6: bool) -> Result<IpAddr, ProxyError> {
    let text = field.ok_or(ProxyError::Malformed("too few fields"))?;
    let parsed =
        if is_v6 { text.parse::<Ipv6Addr>().map(IpAddr::V6) } else { text.parse::<Ipv4Addr>().map(IpAddr::V4) };
    parsed.map_err(|_| ProxyError::Malformed("bad address"))
}

fn v1_port(field: Option<&str>) -> Result<u16, ProxyError> {
    let text = field.ok_or(ProxyError::Malformed("too few fields"))?;
    let is_plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| is_plain).ok_or(ProxyError::Malformed("bad port"))
}

fn parse_v2(bytes: &[u8]) -> Result<Parsed, ProxyError> {
    let Some(length) = v2_length(bytes) else { return Ok(Parsed::Partial) };
    if length > MAX_V2 {
        return Err(ProxyError::TooLong);
    }
    let &[.., version_command, family] = bytes.get(..14).unwrap_or_default() else { return Ok(Parsed::Partial) };
    let is_local = match version_command {
        0x20 => true,
        0x21 => false,
        _ => return Err(ProxyError::Malformed("unknown version or command")),
    };
    let Some(whole) = bytes.get(..length) else { return Ok(Parsed::Partial) };
    if is_local {
        return header(length, None);
    }
    let body = whole.get(V2_FIXED..).unwrap_or_default();
    let (addresses, tlvs) = v2_addresses(family, body)?;
    check_tlvs(whole, tlvs)?;
    header(length, addresses)
}

/// The length of the whole header, once the bytes say it.
fn v2_length(bytes: &[u8]) -> Option<usize> {
    let length = bytes.get(14..V2_FIXED)?.first_chunk()?;
    Some(V2_FIXED + usize::from(u16::from_be_bytes(*length)))
}

/// The addresses of a family, and what follows them.
fn v2_addresses(family: u8, body: &[u8]) -> Result<(Addresses, &[u8]), ProxyError> {
    let short = || ProxyError::Malformed("too short for its addresses");
    match family {
        0x00 => Ok((None, body)),
        0x11 => {
            let (block, rest) = body.split_first_chunk::<12>().ok_or_else(short)?;
            let [a, b, c, d, e, f, g, h, ports @ ..] = *block;
            let (source_port, destination_port) = v2_ports(ports);
            let source = SocketAddr::from(([a, b, c, d], source_port));
            Ok((Some((source, SocketAddr::from(([e, f, g, h], destination_port)))), rest))
        }
        0x21 => {
            let (source, rest) = body.split_first_chunk::<16>().ok_or_else(short)?;
            let (destination, rest) = rest.split_first_chunk::<16>().ok_or_else(short)?;
            let (ports, rest) = rest.split_first_chunk::<4>().ok_or_else(short)?;
            let (source_port, destination_port) = v2_ports(*ports);
            let source = SocketAddr::from((*source, source_port));
            Ok((Some((source, SocketAddr::from((*destination, destination_port)))), rest))
        }
        0x31 => Ok((None, body.get(216..).ok_or_else(short)?)),
        _ => Err(ProxyError::Malformed("unknown address family or transport")),
    }
}

fn v2_ports([a, b, c, d]: [u8; 4]) -> (u16, u16) {
    (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))
}

/// Every TLV ends where the next begins, the last where the header ends; a checksum holds.
fn check_tlvs(whole: &[u8], mut tlvs: &[u8]) -> Result<(), ProxyError> {
    while let Some((&[kind, high, low], rest)) = tlvs.split_first_chunk() {
        let size = usize::from(u16::from_be_bytes([high, low]));
        let (value, next) = rest.split_at_checked(size).ok_or(ProxyError::Malformed("a TLV is cut off"))?;
        if kind == TLV_CRC32C && !checksum_holds(whole, value, next.len()) {
            return Err(ProxyError::Malformed("wrong checksum"));
        }
        tlvs = next;
    }
    if tlvs.is_empty() { Ok(()) } else { Err(ProxyError::Malformed("a TLV is cut off")) }
}

/// Whether `value`, `behind` bytes before the end, is the CRC-32C of the header with zeros in its place.
fn checksum_holds(whole: &[u8], value: &[u8], behind: usize) -> bool {
    let end = whole.len().saturating_sub(behind);
    let place = end.saturating_sub(value.len())..end;
    let zeroed = whole.iter().enumerate().map(|(at, &byte)| if place.contains(&at) { 0 } else { byte });
    value == crc32c(zeroed).to_be_bytes()
}

/// Castagnoli's checksum, bit by bit: headers are short and seldom carry one.
fn crc32c(bytes: impl Iterator<Item = u8>) -> u32 {
    !bytes.fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 })
    })
}

fn header(length: usize, addresses: Addresses) -> Result<Parsed, ProxyError> {
    let (source, destination) = addresses.unzip();
    Ok(Parsed::Header { length, source, destination })
}

#[cfg(test)]
#[path = "proxy_protocol_tests.rs"]
mod tests;
