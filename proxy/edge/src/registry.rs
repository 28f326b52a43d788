//! What outlives plans: found again by a stable id, freed with the last plan that uses it.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

/// Things by id. Bounded by the configurations that are alive: an id without a plan is dropped at the next look-up.
#[derive(Debug)]
pub struct Registry<K, T> {
    entries: Mutex<HashMap<K, Weak<T>>>,
}

impl<K: Eq + Hash, T> Registry<K, T> {
    /// The thing under `key`, made now if no plan holds it.
    pub fn get_or_make(&self, key: K, make: impl FnOnce() -> T) -> Arc<T> {
        let mut entries = self.entries.lock();
        if let Some(found) = entries.get(&key).and_then(Weak::upgrade) {
            return found;
        }
        entries.retain(|_, weak| weak.strong_count() > 0);
        let made = Arc::new(make());
        entries.insert(key, Arc::downgrade(&made));
        made
    }

    /// Everything that is alive, with its key.
    pub fn alive_by_key(&self) -> Vec<(K, Arc<T>)>
    where
        K: Clone,
    {
        let alive = |(key, weak): (&K, &Weak<T>)| Some((key.clone(), weak.upgrade()?));
        self.entries.lock().iter().filter_map(alive).collect()
    }

    /// Everything that is alive.
    pub fn alive(&self) -> Vec<Arc<T>> {
        self.entries.lock().values().filter_map(Weak::upgrade).collect()
    }
}

impl<K, T> Default for Registry<K, T> {
    fn default() -> Self {
        Self { entries: Mutex::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thing_lives_as_long_as_somebody_holds_it() {
        let registry = Registry::<&str, u32>::default();
        let one = registry.get_or_make("a", || 1);
        assert_eq!(*registry.get_or_make("a", || 2), 1);
        drop(one);
        assert_eq!(*registry.get_or_make("a", || 3), 3);
        assert!(registry.alive().is_empty());
    }
}
