//! Which handler a path and a verb lead to.

use std::fmt;
use std::sync::Arc;

use super::message::{AdminRequest, AdminResponse, percent_decode};

/// Answers requests; it runs on a thread where it may block.
pub type Handler = Arc<dyn Fn(&AdminRequest) -> AdminResponse + Send + Sync>;

/// The admin listener's table of handlers, a few dozen at most.
#[derive(Clone, Default)]
pub struct Routes {
    routes: Vec<Route>,
}

impl Routes {
    /// One more route. A segment `{name}` of the pattern stands for any one segment that is not empty. `GET` answers
    /// `HEAD` too. The first route that fits is taken.
    #[must_use]
    pub fn on(
        mut self,
        verb: &'static str,
        pattern: &'static str,
        handler: impl Fn(&AdminRequest) -> AdminResponse + Send + Sync + 'static,
    ) -> Self {
        self.routes.push(Route { verb, pattern, handler: Arc::new(handler) });
        self
    }

    /// The handler for a request, into which the path's parameters are put; or the answer that there is none.
    pub(super) fn find(&self, request: &mut AdminRequest) -> Result<Handler, AdminResponse> {
        let verb = if request.verb == "HEAD" { "GET" } else { request.verb.as_str() };
        let mut allowed = Vec::new();
        for route in &self.routes {
            let Some(parameters) = captures(route.pattern, &request.path) else { continue };
            if route.verb == verb {
                request.parameters = parameters;
                return Ok(Arc::clone(&route.handler));
            }
            allowed.push(route.verb);
        }
        Err(no_handler(&allowed))
    }
}

impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.routes.iter().map(|route| (route.verb, route.pattern))).finish()
    }
}

#[derive(Clone)]
struct Route {
    verb: &'static str,
    pattern: &'static str,
    handler: Handler,
}

fn no_handler(allowed: &[&str]) -> AdminResponse {
    if allowed.is_empty() {
        return AdminResponse::error(404, "there is nothing at this path");
    }
    let answer = AdminResponse::error(405, "this path does not take this method");
    answer.with_header("Allow", allowed.join(", "))
}

/// What the pattern's parameters stand for in a path that fits it.
fn captures(pattern: &'static str, path: &str) -> Option<Vec<(&'static str, String)>> {
    let mut parameters = Vec::new();
    let mut segments = path.split('/');
    for expected in pattern.split('/') {
        let segment = segments.next()?;
        match expected.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some(name) if !segment.is_empty() => parameters.push((name, percent_decode(segment)?)),
            None if expected == segment => {}
            _ => return None,
        }
    }
    segments.next().is_none().then_some(parameters)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLUSH: &str = "/restapis/{id}/stages/{stage}/cache/data";

    #[test]
    fn patterns_capture_whole_segments() {
        let captured = captures(FLUSH, "/restapis/a%20b/stages/prod/cache/data").unwrap();
        assert_eq!(captured, [("id", "a b".to_owned()), ("stage", "prod".to_owned())]);
        for path in [
            "/restapis/a/stages/prod/cache/data/",
            "/restapis//stages/prod/cache/data",
            "/restapis/a/b/stages/prod/cache/data",
            "/restapis/a/stages/prod/cache",
            "/restapis/%/stages/prod/cache/data",
            "/restapis/%ff/stages/prod/cache/data",
        ] {
            assert_eq!(captures(FLUSH, path), None, "{path}");
        }
    }
}
