//! The fields of a head: a list that a worker lends to one request after the other, so that a request is small to move
//! and none allocates.

use std::cell::RefCell;
use std::ops::Deref;

use super::head::{Field, MAX_FIELDS};

/// Lists that a worker keeps for later.
const SPARE: usize = 64;

thread_local! {
    static LISTS: RefCell<Vec<Vec<Field>>> = const { RefCell::new(Vec::new()) };
}

/// At most `MAX_FIELDS` fields in the order of arrival.
#[derive(Debug)]
pub struct Fields(Vec<Field>);

impl Fields {
    /// None yet.
    #[inline]
    pub fn new() -> Self {
        Self(LISTS.with_borrow_mut(Vec::pop).unwrap_or_else(|| Vec::with_capacity(MAX_FIELDS)))
    }

    /// Appends a field; `false` when there are too many.
    #[inline]
    pub fn push(&mut self, field: Field) -> bool {
        let room = self.0.len() < MAX_FIELDS;
        if room {
            self.0.push(field);
        }
        room
    }
}

impl Default for Fields {
    fn default() -> Self {
        Self::new()
    }
}

impl Clone for Fields {
    fn clone(&self) -> Self {
        let mut fields = Self::new();
        fields.0.extend_from_slice(&self.0);
        fields
    }
}

impl Deref for Fields {
    type Target = [Field];

    #[inline]
    fn deref(&self) -> &[Field] {
        &self.0
    }
}

impl Drop for Fields {
    #[inline]
    fn drop(&mut self) {
        let mut list = std::mem::take(&mut self.0);
        list.clear();
        // The thread may be ending, and its lists with it.
        let _ = LISTS.try_with(|lists| {
            let mut lists = lists.borrow_mut();
            if lists.len() < SPARE {
                lists.push(list);
            }
        });
    }
}
