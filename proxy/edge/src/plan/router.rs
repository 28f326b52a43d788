//! Which resource and method a path and a verb reach: a tree of segments, walked without decoding.
//!
//! AWS's rules (`docs/parity.md`): static before `{variable}` before `{greedy+}`, segment by segment from the left, and
//! a resource without the verb yields to a less specific one that has it. A trailing slash and doubled leading slashes
//! are no part of the match. The cost depends on the path, not on how many routes there are: children are hashed, and a
//! node has at most one variable and one greedy child to fall back to.

use arrayvec::ArrayVec;
use sluice_api::{ResourcePath, Segment, Verb};

use crate::message::head::Span;
use crate::names::Names;

/// The most variables that a path may have.
pub const MAX_VARIABLES: usize = 16;

/// Values of path variables, in the order of the resource's path.
pub type Captures = ArrayVec<Span, MAX_VARIABLES>;

/// A number for each concrete verb.
const VERBS: usize = Verb::CONCRETE.len();

/// A path has more variables than the router holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' has more than {MAX_VARIABLES} variables")]
pub struct TooManyVariables(pub String);

/// Routes to values of type `u32`: indices of methods.
#[derive(Debug)]
pub struct Router {
    nodes: Vec<Node>,
}

#[derive(Debug, Default)]
struct Node {
    statics: Names<[u8], u32>,
    variable: Option<u32>,
    greedy: Option<u32>,
    methods: [Option<u32>; VERBS],
    any: Option<u32>,
}

impl Default for Router {
    fn default() -> Self {
        Self { nodes: vec![Node::default()] }
    }
}

impl Router {
    /// Adds a method. Of two with the same path and verb the later one stands; the configuration has refused that.
    pub fn insert(&mut self, path: &ResourcePath, verb: Verb, value: u32) -> Result<(), TooManyVariables> {
        if path.variables().count() > MAX_VARIABLES {
            return Err(TooManyVariables(path.to_string()));
        }
        let mut at = 0u32;
        for segment in path.segments() {
            at = self.child(at, segment);
        }
        if let Some(node) = self.nodes.get_mut(at as usize) {
            match slot(verb).and_then(|slot| node.methods.get_mut(slot)) {
                Some(method) => *method = Some(value),
                None => node.any = Some(value),
            }
        }
        Ok(())
    }

    /// Finds the method for a path, which begins at `offset` in the head and with a slash.
    #[inline]
    pub fn find(&self, path: &[u8], offset: usize, verb: Verb, captures: &mut Captures) -> Option<u32> {
        let (path, offset) = normal(path, offset);
        captures.clear();
        let walk = Walk { router: self, path, offset, slot: slot(verb)? };
        walk.from(0, 0, captures)
    }

    fn child(&mut self, at: u32, segment: &Segment) -> u32 {
        let next = self.nodes.len() as u32;
        let Some(node) = self.nodes.get_mut(at as usize) else { return 0 };
        let child = match segment {
            Segment::Static(name) => *node.statics.entry(name.as_bytes().into()).or_insert(next),
            Segment::Variable(_) => *node.variable.get_or_insert(next),
            Segment::Greedy(_) => *node.greedy.get_or_insert(next),
        };
        if child == next {
            self.nodes.push(Node::default());
        }
        child
    }
}

/// The part of a path that is matched: one leading slash, no trailing one.
pub fn normal(path: &[u8], offset: usize) -> (&[u8], usize) {
    let doubled = path.iter().take_while(|b| **b == b'/').count().saturating_sub(1);
    let path = path.get(doubled..).unwrap_or_default();
    let path = match path {
        [head @ .., b'/'] if !head.is_empty() => head,
        _ => path,
    };
    (path, offset + doubled)
}

fn slot(verb: Verb) -> Option<usize> {
    Verb::CONCRETE.iter().position(|v| *v == verb)
}

/// One search. `at` is the place of the slash before the segment to match.
struct Walk<'r, 'p> {
    router: &'r Router,
    path: &'p [u8],
    offset: usize,
    slot: usize,
}

impl Walk<'_, '_> {
    fn from(&self, node: u32, at: usize, captures: &mut Captures) -> Option<u32> {
        let node = self.router.nodes.get(node as usize)?;
        let rest = self.path.get(at..).unwrap_or_default();
        if rest.len() <= 1 && (at == 0 || rest.is_empty()) {
            return self.method(node);
        }
        let segment = rest.get(1..).unwrap_or_default();
        let end = segment.iter().position(|byte| *byte == b'/').unwrap_or(segment.len());
        let name = segment.get(..end).unwrap_or_default();
        let next = at + 1 + end;
        if let Some(found) = node.statics.get(name).and_then(|child| self.from(*child, next, captures)) {
            return Some(found);
        }
        if let Some(found) = self.variable(node, at, end, captures) {
            return Some(found);
        }
        self.greedy(node, at, captures)
    }

    fn variable(&self, node: &Node, at: usize, len: usize, captures: &mut Captures) -> Option<u32> {
        let child = node.variable.filter(|_| len > 0)?;
        let depth = captures.len();
        captures.try_push(self.span(at + 1, at + 1 + len)).ok()?;
        let found = self.from(child, at + 1 + len, captures);
        if found.is_none() {
            captures.truncate(depth);
        }
        found
    }

    fn greedy(&self, node: &Node, at: usize, captures: &mut Captures) -> Option<u32> {
        let child = self.router.nodes.get(node.greedy.filter(|_| at + 1 < self.path.len())? as usize)?;
        let found = self.method(child)?;
        captures.try_push(self.span(at + 1, self.path.len())).ok()?;
        Some(found)
    }

    fn method(&self, node: &Node) -> Option<u32> {
        node.methods.get(self.slot).copied().flatten().or(node.any)
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.offset + start, self.offset + end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router(routes: &[(&str, Verb)]) -> Router {
        let mut r = Router::default();
        for (i, (path, verb)) in routes.iter().enumerate() {
            r.insert(&ResourcePath::parse(path).unwrap(), *verb, i as u32).unwrap();
        }
        r
    }

    fn find(r: &Router, verb: Verb, path: &str) -> Option<(u32, Vec<String>)> {
        let mut captures = Captures::new();
        let found = r.find(path.as_bytes(), 0, verb, &mut captures)?;
        let texts = captures.iter().map(|s| String::from_utf8(s.of(path.as_bytes()).to_vec()).unwrap());
        Some((found, texts.collect()))
    }

    fn hit(value: u32, captures: &[&str]) -> Option<(u32, Vec<String>)> {
        Some((value, captures.iter().map(|c| c.to_string()).collect()))
    }

    #[test]
    fn specific_before_general() {
        use Verb::*;
        let r = router(&[
            ("/pets/dog", Get),
            ("/pets/{id}", Get),
            ("/{proxy+}", Any),
            ("/", Get),
            ("/pets/{id}/toys", Get),
        ]);
        assert_eq!(find(&r, Get, "/pets/dog"), hit(0, &[]));
        assert_eq!(find(&r, Get, "/pets/7"), hit(1, &["7"]));
        assert_eq!(find(&r, Get, "/pets/7/toys"), hit(4, &["7"]));
        assert_eq!(find(&r, Get, "/pets/7/games"), hit(2, &["pets/7/games"]));
        assert_eq!(find(&r, Get, "/pets/dog/toys"), hit(4, &["dog"]));
        assert_eq!(find(&r, Get, "/"), hit(3, &[]));
        assert_eq!(find(&r, Post, "/"), None, "a greedy part needs a segment");
    }

    #[test]
    fn a_resource_without_the_verb_yields() {
        use Verb::*;
        let r = router(&[("/test", Get), ("/{proxy+}", Any), ("/a/{x}", Get), ("/a/b", Post)]);
        assert_eq!(find(&r, Options, "/test"), hit(1, &["test"]));
        assert_eq!(find(&r, Get, "/a/b"), hit(2, &["b"]));
        assert_eq!(find(&r, Post, "/a/b"), hit(3, &[]));
        assert_eq!(find(&r, Put, "/a/b"), hit(1, &["a/b"]));
    }

    #[test]
    fn an_exact_verb_goes_before_any() {
        let r = router(&[("/x", Verb::Any), ("/x", Verb::Head)]);
        assert_eq!(find(&r, Verb::Head, "/x"), hit(1, &[]));
        assert_eq!(find(&r, Verb::Get, "/x"), hit(0, &[]));
    }

    #[test]
    fn slashes_at_the_ends_do_not_count_and_inner_ones_do() {
        let r = router(&[("/a", Verb::Get), ("/p/{proxy+}", Verb::Get), ("/", Verb::Get), ("/v/{x}", Verb::Get)]);
        assert_eq!(find(&r, Verb::Get, "/a/"), hit(0, &[]));
        assert_eq!(find(&r, Verb::Get, "//a"), hit(0, &[]));
        assert_eq!(find(&r, Verb::Get, "//"), hit(2, &[]));
        assert_eq!(find(&r, Verb::Get, "/p//x//y"), hit(1, &["/x//y"]));
        assert_eq!(find(&r, Verb::Get, "/p"), None);
        assert_eq!(find(&r, Verb::Get, "/p/"), None);
        assert_eq!(find(&r, Verb::Get, "/p//"), None);
        assert_eq!(find(&r, Verb::Get, "/v//"), None, "a variable is not empty");
        assert_eq!(find(&r, Verb::Get, "/A"), None, "case counts");
    }

    #[test]
    fn values_stay_undecoded() {
        let r = router(&[("/{x}", Verb::Get)]);
        assert_eq!(find(&r, Verb::Get, "/test%2Balias%2F"), hit(0, &["test%2Balias%2F"]));
    }

    #[test]
    fn every_one_of_many_routes_is_found() {
        let mut r = Router::default();
        for i in 0..10_000u32 {
            let path = ResourcePath::parse(&format!("/v{}/r{i}/{{id}}", i % 7)).unwrap();
            r.insert(&path, Verb::Get, i).unwrap();
        }
        for i in (0..10_000).step_by(97) {
            assert_eq!(find(&r, Verb::Get, &format!("/v{}/r{i}/x", i % 7)), hit(i, &["x"]));
        }
    }

    #[test]
    fn too_many_variables_are_refused() {
        let path: String = (0..17).map(|i| format!("/{{v{i}}}")).collect();
        assert!(Router::default().insert(&ResourcePath::parse(&path).unwrap(), Verb::Get, 0).is_err());
    }
}
