//! `scc::HashMap`: a lock per bucket, and growth bit by bit.

use crate::entry::{Key, Value};
use crate::peer::Peer;
use scc::hash_map::Entry;
use scc::HashMap;
use std::borrow::Borrow;
use std::hash::{Hash, Hasher};

/// A borrowed key, as scc looks keys up by what is `Equivalent`.
struct Probe<'a, Q: ?Sized>(&'a Q);

impl<Q: Hash + ?Sized> Hash for Probe<'_, Q> {
    #[inline(always)]
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl<Q: Eq + ?Sized, K: Borrow<Q>> scc::Equivalent<K> for Probe<'_, Q> {
    #[inline(always)]
    fn equivalent(&self, key: &K) -> bool {
        *self.0 == *key.borrow()
    }
}

pub struct Scc<K: Key, const W: usize>(HashMap<K, Value<W>, K::Build>);

impl<K: Key, const W: usize> Peer<K, W> for Scc<K, W> {
    type Local<'a> = ();

    fn create(capacity: usize, _: usize) -> Self {
        Scc(HashMap::with_capacity_and_hasher(capacity, K::Build::default()))
    }

    fn enter(&self, _: usize) {}

    #[inline(always)]
    fn get(&self, _: &mut (), key: &K::Ref) -> Option<u64> {
        self.0.read_sync(&Probe(key), |_, value| value.sum())
    }

    #[inline(always)]
    fn insert(&self, _: &mut (), key: &K::Ref, value: Value<W>) -> bool {
        self.0.insert_sync(K::own(key), value).is_ok()
    }

    #[inline(always)]
    fn remove(&self, _: &mut (), key: &K::Ref) -> bool {
        self.0.remove_sync(&Probe(key)).is_some()
    }

    #[inline(always)]
    fn update(&self, _: &mut (), key: &K::Ref) -> bool {
        self.0.update_sync(&Probe(key), |_, value| value.bump()).is_some()
    }

    #[inline(always)]
    fn upsert(&self, _: &mut (), key: &K::Ref, value: Value<W>) -> bool {
        match self.0.entry_sync(K::own(key)) {
            Entry::Occupied(mut entry) => {
                entry.get_mut().bump();
                false
            }
            Entry::Vacant(entry) => {
                entry.insert_entry(value);
                true
            }
        }
    }

    fn for_each(&self, mut visit: impl FnMut(&K::Ref, &Value<W>)) {
        self.0.iter_sync(|key, value| {
            visit(key.borrow(), value);
            true
        });
    }
}
