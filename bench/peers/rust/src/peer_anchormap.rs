//! `anchormap`: entries never move, and `get` gives a plain reference. It changes no value under shared access, so values
//! are mutexes, as its users would have it. What is removed stays in memory until the map is dropped.

use crate::entry::{Key, Value};
use crate::peer::Peer;
use anchormap::HashMap;
use std::sync::Mutex;

pub struct Anchor<K: Key, const W: usize>(HashMap<K, Mutex<Value<W>>, K::Build>);

impl<K: Key, const W: usize> Peer<K, W> for Anchor<K, W> {
    type Local<'a> = ();

    fn create(capacity: usize, _: usize) -> Self {
        Anchor(HashMap::with_capacity_and_hasher(capacity, K::Build::default()))
    }

    fn enter(&self, _: usize) {}

    #[inline(always)]
    fn get(&self, _: &mut (), key: &K::Ref) -> Option<u64> {
        self.0.get(key).map(|value| value.lock().unwrap().sum())
    }

    #[inline(always)]
    fn insert(&self, _: &mut (), key: &K::Ref, value: Value<W>) -> bool {
        self.0.insert(K::own(key), Mutex::new(value))
    }

    #[inline(always)]
    fn remove(&self, _: &mut (), key: &K::Ref) -> bool {
        self.0.remove(key)
    }

    #[inline(always)]
    fn update(&self, _: &mut (), key: &K::Ref) -> bool {
        self.0.get(key).map(|value| value.lock().unwrap().bump()).is_some()
    }

    #[inline(always)]
    fn upsert(&self, local: &mut (), key: &K::Ref, value: Value<W>) -> bool {
        if self.update(local, key) {
            return false;
        }
        let mut fresh = false;
        let present = self.0.get_or_insert_with(K::own(key), || {
            fresh = true;
            Mutex::new(value)
        });
        if !fresh {
            present.lock().unwrap().bump();
        }
        fresh
    }

    fn for_each(&self, mut visit: impl FnMut(&K::Ref, &Value<W>)) {
        for (key, value) in self.0.iter() {
            visit(key.borrow(), &value.lock().unwrap());
        }
    }
}
