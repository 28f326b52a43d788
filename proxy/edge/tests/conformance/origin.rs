//! What the origin answers, by target.

use super::scene::{Gates, gate};
use super::support::{Answer, Request};

const FIELDS: &str =
    "Content-Type: text/plain\r\nX-Twice: 1\r\nX-Mixed-Case: Yes\r\nX-Twice: 2\r\nConnection: x-gone\r\nX-Gone: 1\r\n";

/// A request for this is never answered.
pub(super) const SILENT: &str = "/silent";

/// The answer to a request.
pub(super) fn answer(request: &Request, gates: &Gates) -> Answer {
    let path = request.target.split('?').next().unwrap_or_default();
    let kind = path.split('/').nth(1).unwrap_or_default();
    let status = kind.parse().unwrap_or(200);
    let large = "x".repeat(200_000);
    match kind {
        _ if request.method == "HEAD" => Answer::raw(format!("HTTP/1.1 200 OK\r\n{FIELDS}Content-Length: 7\r\n\r\n")),
        "204" | "304" => Answer::raw(format!("HTTP/1.1 {status} Said\r\nX-Said: 1\r\n\r\n")),
        "chunked" => Answer::chunked(FIELDS, &["first ", "second"]),
        "until-close" => Answer::raw("HTTP/1.1 200 OK\r\n\r\nto the end").close(),
        "large" => Answer::ok(large),
        "no-store" => Answer::status(200, "Cache-Control: no-store\r\n", "not kept"),
        "private" => Answer::status(200, "Cache-Control: private\r\n", "not kept"),
        "set-cookie" => Answer::status(200, "Set-Cookie: a=b\r\n", "not kept"),
        "vary" => Answer::status(200, "Vary: X-Other\r\n", "not kept"),
        "remapped" => Answer::status(200, "Server: s\r\nDate: d\r\nWWW-Authenticate: w\r\nx-amzn-RequestId: i\r\n", ""),
        "garbage" => Answer::raw("garbage\r\n\r\n"),
        "bad-chunk" => Answer::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        "broken" => Answer::raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello").close(),
        "closed" => Answer::none().close(),
        "silent" => Answer::none().hang(),
        "trickle" => {
            let begun = Answer::raw("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf");
            begun.wait(&gate(gates, &request.target)).then("rest")
        }
        "hold" => {
            let reply = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nheld";
            Answer::none().wait(&gate(gates, &request.target)).then(reply)
        }
        _ => Answer::status(status, FIELDS, format!("{} {}", request.method, request.target)),
    }
}
