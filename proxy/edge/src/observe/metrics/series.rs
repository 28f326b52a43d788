//! Which number a method's counters have: allotted when a plan is compiled, the same for the same names ever after.

use std::collections::HashMap;
use std::sync::Arc;

/// Series at most, the reserved ones among them. Unused ones stay, for a counter must not fall.
pub const SERIES_LIMIT: u32 = 65_536;

/// A method's row in every core's counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SeriesId(u32);

impl SeriesId {
    /// Requests that reached no method.
    pub const UNROUTED: Self = Self(0);
    /// Methods beyond [`SERIES_LIMIT`], together.
    pub const OVERFLOW: Self = Self(1);

    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// The labels of a series.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct SeriesName {
    pub(super) api: String,
    pub(super) stage: String,
    pub(super) method: String,
}

impl SeriesName {
    pub(super) fn new(api: &str, stage: &str, method: &str) -> Self {
        Self { api: api.to_owned(), stage: stage.to_owned(), method: method.to_owned() }
    }

    pub(super) fn labels(&self) -> [(&str, &str); 3] {
        [("api", &self.api), ("stage", &self.stage), ("method", &self.method)]
    }
}

/// All series of the node, in order of their ids.
#[derive(Debug)]
pub(super) struct SeriesTable {
    ids: HashMap<Arc<SeriesName>, SeriesId>,
    names: Vec<Arc<SeriesName>>,
}

impl SeriesTable {
    pub(super) fn allot(&mut self, name: SeriesName) -> SeriesId {
        if let Some(id) = self.ids.get(&name) {
            return *id;
        }
        let next = u32::try_from(self.names.len()).unwrap_or(SERIES_LIMIT);
        if next >= SERIES_LIMIT {
            return SeriesId::OVERFLOW;
        }
        let name = Arc::new(name);
        self.names.push(Arc::clone(&name));
        self.ids.insert(name, SeriesId(next));
        SeriesId(next)
    }

    /// The names, each at its id's place.
    pub(super) fn names(&self) -> Vec<Arc<SeriesName>> {
        self.names.clone()
    }
}

impl Default for SeriesTable {
    fn default() -> Self {
        let mut table = Self { ids: HashMap::new(), names: Vec::new() };
        table.allot(SeriesName::new("-", "-", "-"));
        table.allot(SeriesName::new("overflow", "-", "-"));
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_names_have_the_same_id_for_ever() {
        let mut table = SeriesTable::default();
        let pets = table.allot(SeriesName::new("pets", "prod", "GET /pets"));
        let other = table.allot(SeriesName::new("pets", "test", "GET /pets"));
        assert_ne!(pets, other);
        assert_eq!(table.allot(SeriesName::new("pets", "prod", "GET /pets")), pets);
    }

    #[test]
    fn the_reserved_ids_are_what_they_are_called() {
        let mut table = SeriesTable::default();
        assert_eq!(table.allot(SeriesName::new("-", "-", "-")), SeriesId::UNROUTED);
        assert_eq!(table.allot(SeriesName::new("overflow", "-", "-")), SeriesId::OVERFLOW);
    }

    #[test]
    fn what_is_past_the_limit_shares_one_series() {
        let mut table = SeriesTable::default();
        for n in 2..SERIES_LIMIT {
            assert_ne!(table.allot(SeriesName::new("a", "s", &n.to_string())), SeriesId::OVERFLOW);
        }
        for n in 0..3 {
            assert_eq!(table.allot(SeriesName::new("b", "s", &n.to_string())), SeriesId::OVERFLOW);
        }
        assert_eq!(table.names().len(), SERIES_LIMIT as usize);
    }
}
