//! `papaya`: a lock-free table with hazard-epoch reclamation. Values are replaced, never changed in place.

use crate::entry::{Key, Value};
use crate::peer::Peer;
use papaya::{Compute, HashMap, LocalGuard, Operation};

/// `PINNED`: one guard serves 64 operations instead of one.
pub struct Papaya<K: Key, const W: usize, const PINNED: bool>(HashMap<K, Value<W>, K::Build>);

impl<K: Key, const W: usize, const PINNED: bool> Papaya<K, W, PINNED> {
    /// Calls `work` with the thread's guard, or with one of its own.
    #[inline(always)]
    fn pinned<R>(&self, local: &mut Option<LocalGuard<'_>>, work: impl FnOnce(&LocalGuard<'_>) -> R) -> R {
        match local {
            Some(guard) => work(guard),
            None => work(&self.0.guard()),
        }
    }
}

impl<K: Key, const W: usize, const PINNED: bool> Peer<K, W> for Papaya<K, W, PINNED> {
    type Local<'a> = Option<LocalGuard<'a>>;

    fn create(capacity: usize, _: usize) -> Self {
        Papaya(
            HashMap::builder()
                .capacity(capacity)
                .hasher(K::Build::default())
                .build(),
        )
    }

    fn enter(&self, _: usize) -> Option<LocalGuard<'_>> {
        PINNED.then(|| self.0.guard())
    }

    #[inline(always)]
    fn pause<'a>(&'a self, local: &mut Option<LocalGuard<'a>>) {
        if PINNED {
            *local = None;
            *local = Some(self.0.guard());
        }
    }

    #[inline(always)]
    fn get(&self, local: &mut Self::Local<'_>, key: &K::Ref) -> Option<u64> {
        self.pinned(local, |guard| self.0.get(key, guard).map(|value| value.sum()))
    }

    #[inline(always)]
    fn insert(&self, local: &mut Self::Local<'_>, key: &K::Ref, value: Value<W>) -> bool {
        self.pinned(local, |guard| self.0.insert(K::own(key), value, guard).is_none())
    }

    #[inline(always)]
    fn remove(&self, local: &mut Self::Local<'_>, key: &K::Ref) -> bool {
        self.pinned(local, |guard| self.0.remove(key, guard).is_some())
    }

    #[inline(always)]
    fn update(&self, local: &mut Self::Local<'_>, key: &K::Ref) -> bool {
        self.pinned(local, |guard| {
            self.0.update(K::own(key), |value| value.bumped(), guard).is_some()
        })
    }

    #[inline(always)]
    fn upsert(&self, local: &mut Self::Local<'_>, key: &K::Ref, value: Value<W>) -> bool {
        self.pinned(local, |guard| {
            let change = |entry: Option<(&K, &Value<W>)>| match entry {
                Some((_, present)) => Operation::<_, ()>::Insert(present.bumped()),
                None => Operation::Insert(value),
            };
            matches!(self.0.compute(K::own(key), change, guard), Compute::Inserted(..))
        })
    }

    fn for_each(&self, mut visit: impl FnMut(&K::Ref, &Value<W>)) {
        for (key, value) in self.0.iter(&self.0.guard()) {
            visit(key.borrow(), value);
        }
    }
}
