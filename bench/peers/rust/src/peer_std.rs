//! What people build from the standard library: one mutex, a reader-writer lock over mutexes, and a lock around an Arc.

use crate::entry::{Key, Value};
use crate::interface::Stream;
use crate::peer::Peer;
use std::collections::hash_map::Entry;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, RwLock};

type Table<K, V> = HashMap<K, V, <K as Key>::Build>;

fn table<K: Key, V>(capacity: usize) -> Table<K, V> {
    HashMap::with_capacity_and_hasher(capacity, K::Build::default())
}

/// Whether the value was inserted rather than bumped.
fn table_upsert<K: Key, const W: usize>(table: &mut Table<K, Value<W>>, key: K, value: Value<W>) -> bool {
    match table.entry(key) {
        Entry::Occupied(mut entry) => {
            entry.get_mut().bump();
            false
        }
        Entry::Vacant(entry) => {
            entry.insert(value);
            true
        }
    }
}

/// `Mutex<HashMap<K, V>>`.
pub struct StdMutex<K: Key, const W: usize>(Mutex<Table<K, Value<W>>>);

impl<K: Key, const W: usize> Peer<K, W> for StdMutex<K, W> {
    type Local<'a> = ();

    fn create(capacity: usize, _: usize) -> Self {
        StdMutex(Mutex::new(table::<K, _>(capacity)))
    }

    fn enter(&self, _: usize) {}

    #[inline(always)]
    fn get(&self, _: &mut (), key: &K::Ref) -> Option<u64> {
        self.0.lock().unwrap().get(key).map(|value| value.sum())
    }

    #[inline(always)]
    fn insert(&self, _: &mut (), key: &K::Ref, value: Value<W>) -> bool {
        self.0.lock().unwrap().insert(K::own(key), value).is_none()
    }

    #[inline(always)]
    fn remove(&self, _: &mut (), key: &K::Ref) -> bool {
        self.0.lock().unwrap().remove(key).is_some()
    }

    #[inline(always)]
    fn update(&self, _: &mut (), key: &K::Ref) -> bool {
        self.0.lock().unwrap().get_mut(key).map(|value| value.bump()).is_some()
    }

    #[inline(always)]
    fn upsert(&self, _: &mut (), key: &K::Ref, value: Value<W>) -> bool {
        table_upsert::<K, W>(&mut self.0.lock().unwrap(), K::own(key), value)
    }

    fn for_each(&self, mut visit: impl FnMut(&K::Ref, &Value<W>)) {
        for (key, value) in self.0.lock().unwrap().iter() {
            visit(key.borrow(), value);
        }
    }
}

/// `RwLock<HashMap<K, Mutex<V>>>`: values change under the shared lock, keys come and go under the exclusive one.
pub struct StdRwLock<K: Key, const W: usize>(RwLock<Table<K, Mutex<Value<W>>>>);

impl<K: Key, const W: usize> Peer<K, W> for StdRwLock<K, W> {
    type Local<'a> = ();

    fn create(capacity: usize, _: usize) -> Self {
        StdRwLock(RwLock::new(table::<K, _>(capacity)))
    }

    fn enter(&self, _: usize) {}

    #[inline(always)]
    fn get(&self, _: &mut (), key: &K::Ref) -> Option<u64> {
        self.0.read().unwrap().get(key).map(|value| value.lock().unwrap().sum())
    }

    #[inline(always)]
    fn insert(&self, _: &mut (), key: &K::Ref, value: Value<W>) -> bool {
        self.0.write().unwrap().insert(K::own(key), Mutex::new(value)).is_none()
    }

    #[inline(always)]
    fn remove(&self, _: &mut (), key: &K::Ref) -> bool {
        self.0.write().unwrap().remove(key).is_some()
    }

    #[inline(always)]
    fn update(&self, _: &mut (), key: &K::Ref) -> bool {
        self.0
            .read()
            .unwrap()
            .get(key)
            .map(|value| value.lock().unwrap().bump())
            .is_some()
    }

    #[inline(always)]
    fn upsert(&self, local: &mut (), key: &K::Ref, value: Value<W>) -> bool {
        if self.update(local, key) {
            return false;
        }
        match self.0.write().unwrap().entry(K::own(key)) {
            Entry::Occupied(mut entry) => {
                entry.get_mut().get_mut().unwrap().bump();
                false
            }
            Entry::Vacant(entry) => {
                entry.insert(Mutex::new(value));
                true
            }
        }
    }

    fn for_each(&self, mut visit: impl FnMut(&K::Ref, &Value<W>)) {
        for (key, value) in self.0.read().unwrap().iter() {
            visit(key.borrow(), &value.lock().unwrap());
        }
    }
}

/// `RwLock<Arc<HashMap<K, V>>>`, a snapshot that is swapped: readers clone the Arc, a writer copies the whole map, changes
/// the copy and stores it; writers take turns. Only for workloads that hardly write.
pub struct ArcRwLock<K: Key, const W: usize> {
    current: RwLock<Arc<Table<K, Value<W>>>>,
    writer: Mutex<()>,
}

impl<K: Key, const W: usize> ArcRwLock<K, W> {
    fn snapshot(&self) -> Arc<Table<K, Value<W>>> {
        self.current.read().unwrap().clone()
    }

    fn change<R>(&self, change: impl FnOnce(&mut Table<K, Value<W>>) -> R) -> R {
        let _turn = self.writer.lock().unwrap();
        let mut copy = Table::clone(&self.snapshot());
        let result = change(&mut copy);
        *self.current.write().unwrap() = Arc::new(copy);
        result
    }
}

impl<K: Key, const W: usize> Peer<K, W> for ArcRwLock<K, W> {
    type Local<'a> = ();

    fn create(capacity: usize, _: usize) -> Self {
        ArcRwLock {
            current: RwLock::new(Arc::new(table::<K, _>(capacity))),
            writer: Mutex::new(()),
        }
    }

    fn enter(&self, _: usize) {}

    #[inline(always)]
    fn get(&self, _: &mut (), key: &K::Ref) -> Option<u64> {
        self.snapshot().get(key).map(|value| value.sum())
    }

    fn insert(&self, _: &mut (), key: &K::Ref, value: Value<W>) -> bool {
        self.change(|table| table.insert(K::own(key), value).is_none())
    }

    fn remove(&self, _: &mut (), key: &K::Ref) -> bool {
        self.change(|table| table.remove(key).is_some())
    }

    fn update(&self, _: &mut (), key: &K::Ref) -> bool {
        self.change(|table| table.get_mut(key).map(|value| value.bump()).is_some())
    }

    fn upsert(&self, _: &mut (), key: &K::Ref, value: Value<W>) -> bool {
        self.change(|table| table_upsert::<K, W>(table, K::own(key), value))
    }

    fn for_each(&self, mut visit: impl FnMut(&K::Ref, &Value<W>)) {
        for (key, value) in self.snapshot().iter() {
            visit(key.borrow(), value);
        }
    }

    fn fill(&self, stream: &Stream) {
        let mut current = self.current.write().unwrap();
        let table = Arc::get_mut(&mut current).expect("nobody reads yet");
        for (i, number) in stream.numbers().iter().enumerate() {
            table.insert(K::own(&K::at(stream, stream.numbers(), i)), Value::of(*number));
        }
    }
}
