//! The keys of one space: each of the ring's keys, with the space's salt (HKDF-SHA-256).

use std::fmt;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hkdf::{self, HKDF_SHA256};
use parking_lot::RwLockReadGuard;
use zeroize::Zeroizing;

use super::Salt;
use super::keyring::{KeyId, Keyring, Keys};
use super::secret::Secret;
use super::xaes::{NONCE_LEN, TAG_LEN, Xaes};

/// What the derived keys are for; a key for anything else has another label.
const LABEL: &[u8] = b"sluice cache record 1";

/// Seals and opens what belongs to one space.
pub(crate) struct Space {
    keyring: Arc<Keyring>,
    salt: Salt,
    derived: ArcSwap<Derived>,
}

/// The space's keys as of one generation of the ring; [`super::KEYS_LIMIT`] at most.
struct Derived {
    generation: u64,
    keys: Vec<(KeyId, Xaes)>,
}

/// The current key, which stays current for as long as this is held.
pub(crate) struct Sealing<'a> {
    keys: RwLockReadGuard<'a, Keys>,
    derived: Arc<Derived>,
}

/// Why something is not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotOpened {
    /// The ring has no such key.
    UnknownKey,
    /// It was not sealed with this key, nonce and bound, or was changed.
    Damaged,
}

impl Space {
    pub(crate) fn new(keyring: Arc<Keyring>, salt: Salt) -> Self {
        let derived = ArcSwap::new(Derived::new(&keyring, &keyring.hold(), &salt));
        Self { keyring, salt, derived }
    }

    /// Holds the current key.
    pub(crate) fn sealing(&self) -> Sealing<'_> {
        let keys = self.keyring.hold();
        let derived = self.derived(&keys);
        Sealing { keys, derived }
    }

    /// Decrypts `content`, which ends with its tag, where it is.
    pub(crate) fn open(
        &self,
        id: KeyId,
        nonce: [u8; NONCE_LEN],
        bound: &[u8],
        content: &mut [u8],
    ) -> Result<(), NotOpened> {
        let mut derived = Guard::into_inner(self.derived.load());
        if derived.generation != self.keyring.generation() {
            derived = self.derived(&self.keyring.hold());
        }
        let xaes = derived.get(id).ok_or(NotOpened::UnknownKey)?;
        xaes.open(nonce, bound, content).map_err(|_| NotOpened::Damaged)
    }

    /// The space's keys for those of the ring, which is held.
    fn derived(&self, keys: &Keys) -> Arc<Derived> {
        let known = self.derived.load();
        if known.generation == self.keyring.generation() {
            return Guard::into_inner(known);
        }
        let derived = Derived::new(&self.keyring, keys, &self.salt);
        self.derived.store(Arc::clone(&derived));
        derived
    }
}

impl Sealing<'_> {
    pub(crate) fn id(&self) -> KeyId {
        self.keys.current()
    }

    /// Encrypts `content` where it is; gives the tag. `nonce` is drawn for this content alone.
    pub(crate) fn seal(&self, nonce: [u8; NONCE_LEN], bound: &[u8], content: &mut [u8]) -> Option<[u8; TAG_LEN]> {
        self.derived.get(self.id())?.seal(nonce, bound, content).ok()
    }
}

impl Derived {
    /// `keys` are held, so the generation is theirs. A key that the library cannot take is left out, and unknown.
    fn new(keyring: &Keyring, keys: &Keys, salt: &Salt) -> Arc<Self> {
        let derive = |(id, secret): &(KeyId, Secret)| Some((*id, derive(secret, salt).ok()?));
        Arc::new(Self { generation: keyring.generation(), keys: keys.all().iter().filter_map(derive).collect() })
    }

    fn get(&self, id: KeyId) -> Option<&Xaes> {
        self.keys.iter().find(|(known, _)| *known == id).map(|(_, key)| key)
    }
}

fn derive(secret: &Secret, salt: &Salt) -> Result<Xaes, Unspecified> {
    let mut key = Zeroizing::new([0; 32]);
    let source = hkdf::Salt::new(HKDF_SHA256, salt.as_bytes()).extract(secret.as_bytes());
    source.expand(&[LABEL], HKDF_SHA256)?.fill(key.as_mut_slice())?;
    Xaes::new(&key)
}

impl fmt::Debug for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Space({:?})", self.keyring)
    }
}
