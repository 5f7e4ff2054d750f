//! `flashmap`: left-right. Its single writer is behind a mutex, and its guard is kept until it is time to publish.

use crate::entry::{Key, Value};
use crate::interface::Stream;
use crate::peer::Peer;
use flashmap::{ReadHandle, View, WriteGuard, WriteHandle};
use std::sync::Mutex;

type Guard<K, const W: usize> = View<WriteGuard<'static, K, Value<W>, <K as Key>::Build>>;

struct Writer<K: Key, const W: usize> {
    guard: Option<Guard<K, W>>, // dropped before the handle that it borrows
    handle: *mut WriteHandle<K, Value<W>, K::Build>,
    pending: usize,
}

// SAFETY: one thread at a time uses it, under the mutex; nothing in it belongs to a thread.
unsafe impl<K: Key, const W: usize> Send for Writer<K, W> {}

impl<K: Key, const W: usize> Writer<K, W> {
    fn publish(&mut self) {
        if let Some(guard) = self.guard.take() {
            guard.publish();
        }
        self.pending = 0;
    }

    fn guard(&mut self) -> &mut Guard<K, W> {
        // SAFETY: the handle lives until drop, and only the one guard here borrows it.
        self.guard.get_or_insert_with(|| unsafe { (*self.handle).guard() })
    }
}

impl<K: Key, const W: usize> Drop for Writer<K, W> {
    fn drop(&mut self) {
        self.publish();
        // SAFETY: made by Box::into_raw() in create(), and no guard borrows it any more.
        drop(unsafe { Box::from_raw(self.handle) });
    }
}

/// `EVERY`: writes between two publications.
pub struct Flash<K: Key, const W: usize, const EVERY: usize> {
    writer: Mutex<Writer<K, W>>,
    reader: Mutex<ReadHandle<K, Value<W>, K::Build>>, // to be cloned
}

impl<K: Key, const W: usize, const EVERY: usize> Flash<K, W, EVERY> {
    fn write<R>(&self, write: impl FnOnce(&mut Guard<K, W>) -> R) -> R {
        let mut writer = self.writer.lock().unwrap();
        let result = write(writer.guard());
        writer.pending += 1;
        if writer.pending >= EVERY {
            writer.publish();
        }
        result
    }
}

impl<K: Key, const W: usize, const EVERY: usize> Peer<K, W> for Flash<K, W, EVERY> {
    type Local<'a> = ReadHandle<K, Value<W>, K::Build>;

    fn create(capacity: usize, _: usize) -> Self {
        // SAFETY: hash and equality of keys are deterministic.
        let (handle, reader) = unsafe {
            flashmap::Builder::new()
                .with_capacity(capacity)
                .with_hasher(K::Build::default())
                .build_assert_trusted()
        };
        let writer = Writer {
            guard: None,
            handle: Box::into_raw(Box::new(handle)),
            pending: 0,
        };
        Flash {
            writer: Mutex::new(writer),
            reader: Mutex::new(reader),
        }
    }

    fn enter(&self, _: usize) -> Self::Local<'_> {
        self.reader.lock().unwrap().clone()
    }

    #[inline(always)]
    fn get(&self, local: &mut Self::Local<'_>, key: &K::Ref) -> Option<u64> {
        local.guard().get(key).map(|value| value.sum())
    }

    fn insert(&self, _: &mut Self::Local<'_>, key: &K::Ref, value: Value<W>) -> bool {
        self.write(|guard| guard.insert(K::own(key), value).is_none())
    }

    fn remove(&self, _: &mut Self::Local<'_>, key: &K::Ref) -> bool {
        self.write(|guard| guard.remove(K::own(key)).is_some())
    }

    fn update(&self, _: &mut Self::Local<'_>, key: &K::Ref) -> bool {
        self.write(|guard| guard.replace(K::own(key), |value| value.bumped()).is_some())
    }

    fn upsert(&self, _: &mut Self::Local<'_>, key: &K::Ref, value: Value<W>) -> bool {
        self.write(|guard| {
            let fresh = guard.replace(K::own(key), |present| present.bumped()).is_none();
            if fresh {
                guard.insert(K::own(key), value);
            }
            fresh
        })
    }

    fn flush(&self) {
        self.writer.lock().unwrap().publish();
    }

    fn for_each(&self, mut visit: impl FnMut(&K::Ref, &Value<W>)) {
        let reader = self.reader.lock().unwrap().clone();
        for (key, value) in reader.guard().iter() {
            visit(key.borrow(), value);
        }
    }

    fn fill(&self, stream: &Stream) {
        let mut writer = self.writer.lock().unwrap();
        for (i, number) in stream.numbers().iter().enumerate() {
            writer
                .guard()
                .insert(K::own(&K::at(stream, stream.numbers(), i)), Value::of(*number));
        }
        writer.publish();
    }
}
