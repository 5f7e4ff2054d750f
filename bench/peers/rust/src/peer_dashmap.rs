//! `dashmap`: a table per shard, each behind a lock; by default four shards a core.

use crate::entry::{Key, Value};
use crate::peer::Peer;
use dashmap::DashMap;
use std::hash::BuildHasher;

/// `SHARDS` 0: the crate's default.
pub struct DashBy<K: Key, B, const W: usize, const SHARDS: usize>(DashMap<K, Value<W>, B>);

pub type Dash<K, const W: usize, const SHARDS: usize> = DashBy<K, <K as Key>::Build, W, SHARDS>;
pub type DashXxh3<K, const W: usize, const SHARDS: usize> = DashBy<K, <K as Key>::FastBuild, W, SHARDS>;

impl<K: Key, B, const W: usize, const SHARDS: usize> Peer<K, W> for DashBy<K, B, W, SHARDS>
where
    B: BuildHasher + Default + Clone + Send + Sync + 'static,
{
    type Local<'a> = ();

    fn create(capacity: usize, _: usize) -> Self {
        let hasher = B::default();
        DashBy(match SHARDS {
            0 => DashMap::with_capacity_and_hasher(capacity, hasher),
            _ => DashMap::with_capacity_and_hasher_and_shard_amount(capacity, hasher, SHARDS),
        })
    }

    fn enter(&self, _: usize) {}

    #[inline(always)]
    fn get(&self, _: &mut (), key: &K::Ref) -> Option<u64> {
        self.0.get(key).map(|value| value.sum())
    }

    #[inline(always)]
    fn insert(&self, _: &mut (), key: &K::Ref, value: Value<W>) -> bool {
        self.0.insert(K::own(key), value).is_none()
    }

    #[inline(always)]
    fn remove(&self, _: &mut (), key: &K::Ref) -> bool {
        self.0.remove(key).is_some()
    }

    #[inline(always)]
    fn update(&self, _: &mut (), key: &K::Ref) -> bool {
        self.0.get_mut(key).map(|mut value| value.bump()).is_some()
    }

    #[inline(always)]
    fn upsert(&self, _: &mut (), key: &K::Ref, value: Value<W>) -> bool {
        let mut fresh = true;
        self.0
            .entry(K::own(key))
            .and_modify(|value| {
                value.bump();
                fresh = false;
            })
            .or_insert(value);
        fresh
    }

    fn for_each(&self, mut visit: impl FnMut(&K::Ref, &Value<W>)) {
        for entry in self.0.iter() {
            visit(entry.key().borrow(), entry.value());
        }
    }
}
