//! `evmap`: left-right with several values per key, of which we keep one. Its single writer is behind a mutex. What it has
//! not published yet it cannot look up, so where it publishes late the writer keeps its own table beside it.

use crate::entry::{Key, Value};
use crate::interface::Stream;
use crate::peer::Peer;
use evmap::handles::{ReadHandle, WriteHandle};
use std::collections::HashMap;
use std::sync::Mutex;

struct Writer<K: Key, const W: usize> {
    handle: WriteHandle<K, Value<W>, (), K::Build>,
    truth: HashMap<K, Value<W>, K::Build>, // only where it publishes late
    pending: usize,
}

/// `EVERY`: writes between two publications.
pub struct Evmap<K: Key, const W: usize, const EVERY: usize> {
    writer: Mutex<Writer<K, W>>,
    reader: Mutex<ReadHandle<K, Value<W>, (), K::Build>>, // to be cloned
}

impl<K: Key, const W: usize> Writer<K, W> {
    fn now(&self, late: bool, key: &K::Ref) -> Option<Value<W>> {
        if late {
            self.truth.get(key).copied()
        } else {
            self.handle.get_one(key).map(|value| *value)
        }
    }

    fn set(&mut self, late: bool, key: &K::Ref, value: Option<Value<W>>) {
        match value {
            Some(value) => self.handle.update(K::own(key), value),
            None => self.handle.remove_entry(K::own(key)),
        };
        match value {
            _ if !late => None,
            Some(value) => self.truth.insert(K::own(key), value),
            None => self.truth.remove(key),
        };
    }
}

impl<K: Key, const W: usize, const EVERY: usize> Evmap<K, W, EVERY> {
    /// Sets what `change` makes of the present value, and gives back that value; one write. None of `change`: no write.
    fn change(
        &self,
        key: &K::Ref,
        change: impl FnOnce(Option<Value<W>>) -> Option<Option<Value<W>>>,
    ) -> Option<Value<W>> {
        let late = EVERY > 1;
        let mut writer = self.writer.lock().unwrap();
        let before = writer.now(late, key);
        if let Some(after) = change(before) {
            writer.set(late, key, after);
            writer.pending += 1;
            if writer.pending >= EVERY {
                writer.handle.publish();
                writer.pending = 0;
            }
        }
        before
    }
}

impl<K: Key, const W: usize, const EVERY: usize> Peer<K, W> for Evmap<K, W, EVERY> {
    type Local<'a> = ReadHandle<K, Value<W>, (), K::Build>;

    fn create(capacity: usize, _: usize) -> Self {
        // SAFETY: hash and equality of keys and values are deterministic.
        let (mut handle, reader) = unsafe {
            evmap::Options::default()
                .with_capacity(capacity)
                .with_hasher(K::Build::default())
                .assert_stable()
        };
        handle.publish();
        let truth = HashMap::with_capacity_and_hasher(if EVERY > 1 { capacity } else { 0 }, K::Build::default());
        Evmap {
            writer: Mutex::new(Writer {
                handle,
                truth,
                pending: 0,
            }),
            reader: Mutex::new(reader),
        }
    }

    fn enter(&self, _: usize) -> Self::Local<'_> {
        self.reader.lock().unwrap().clone()
    }

    #[inline(always)]
    fn get(&self, local: &mut Self::Local<'_>, key: &K::Ref) -> Option<u64> {
        local.get_one(key).map(|value| value.sum())
    }

    fn insert(&self, _: &mut Self::Local<'_>, key: &K::Ref, value: Value<W>) -> bool {
        self.change(key, |_| Some(Some(value))).is_none()
    }

    fn remove(&self, _: &mut Self::Local<'_>, key: &K::Ref) -> bool {
        self.change(key, |before| before.map(|_| None)).is_some()
    }

    fn update(&self, _: &mut Self::Local<'_>, key: &K::Ref) -> bool {
        self.change(key, |before| before.map(|value| Some(value.bumped())))
            .is_some()
    }

    fn upsert(&self, _: &mut Self::Local<'_>, key: &K::Ref, value: Value<W>) -> bool {
        self.change(key, |before| Some(Some(before.map_or(value, Value::bumped))))
            .is_none()
    }

    fn flush(&self) {
        self.writer.lock().unwrap().handle.publish();
    }

    fn for_each(&self, mut visit: impl FnMut(&K::Ref, &Value<W>)) {
        let reader = self.reader.lock().unwrap().clone();
        let map = reader.enter().expect("the writer lives");
        for (key, values) in map.iter() {
            visit(key.borrow(), values.get_one().expect("every key has a value"));
        }
    }

    fn fill(&self, stream: &Stream) {
        let mut writer = self.writer.lock().unwrap();
        for (i, number) in stream.numbers().iter().enumerate() {
            writer.set(EVERY > 1, &K::at(stream, stream.numbers(), i), Some(Value::of(*number)));
        }
        writer.handle.publish();
    }
}
