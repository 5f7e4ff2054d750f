//! What an adapter provides, and the loops over streams that every adapter shares.

use crate::entry::{Key, Value};
use crate::interface::{Contents, Ops, Stream, Tally, GET, INSERT, REMOVE, UPDATE};
use std::ffi::c_void;
use std::marker::PhantomData;
use std::time::Instant;

/// Operations between two calls of `Peer::pause`.
const PAUSE: usize = 64;

/// One map for keys `K` and values of `W` words.
pub trait Peer<K: Key, const W: usize>: Sized + Sync {
    /// What a thread keeps while it works on the map.
    type Local<'a>
    where
        Self: 'a;

    fn create(capacity: usize, threads: usize) -> Self;
    fn enter(&self, thread: usize) -> Self::Local<'_>;

    /// Called every 64 operations.
    #[inline(always)]
    fn pause<'a>(&'a self, _local: &mut Self::Local<'a>) {}

    /// The sum of the value's words.
    fn get(&self, local: &mut Self::Local<'_>, key: &K::Ref) -> Option<u64>;
    /// Whether the key is new. Streams insert only new ones.
    fn insert(&self, local: &mut Self::Local<'_>, key: &K::Ref, value: Value<W>) -> bool;
    fn remove(&self, local: &mut Self::Local<'_>, key: &K::Ref) -> bool;
    fn update(&self, local: &mut Self::Local<'_>, key: &K::Ref) -> bool;
    /// Inserts `value`, or adds one to the value that is there; whether it inserted.
    fn upsert(&self, local: &mut Self::Local<'_>, key: &K::Ref, value: Value<W>) -> bool;

    /// Makes what was written visible before the contents are looked at.
    fn flush(&self) {}
    fn for_each(&self, visit: impl FnMut(&K::Ref, &Value<W>));

    /// Fills an empty map; those that publish do so once.
    fn fill(&self, stream: &Stream) {
        run::<Self, K, W>(self, 0, stream, None);
    }
}

fn run<P: Peer<K, W>, K: Key, const W: usize>(
    map: &P,
    thread: usize,
    stream: &Stream,
    mut times: Option<&mut [u32]>,
) -> Tally {
    let (kinds, numbers) = (stream.kinds(), stream.numbers());
    let mut tally = Tally::default();
    let mut found = Found::default();
    let mut local = map.enter(thread);
    let mut start = 0;

    while start < kinds.len() {
        let end = kinds.len().min(start + PAUSE);
        match times.as_deref_mut() {
            None => {
                for i in start..end {
                    found = step::<P, K, W>(map, &mut local, stream, numbers, kinds, i, found, &mut tally);
                }
            }
            Some(times) => {
                for (i, time) in (start..end).zip(&mut times[start..end]) {
                    let before = Instant::now();
                    found = step::<P, K, W>(map, &mut local, stream, numbers, kinds, i, found, &mut tally);
                    *time = before.elapsed().as_nanos().min(u128::from(u32::MAX)) as u32;
                }
            }
        }
        map.pause(&mut local);
        start = end;
    }
    tally.hits = found.hits;
    tally.sum = found.sum;
    tally
}

/// What look-ups found.
#[derive(Clone, Copy, Default)]
struct Found {
    hits: u64,
    sum: u64,
}

#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn step<P: Peer<K, W>, K: Key, const W: usize>(
    map: &P,
    local: &mut P::Local<'_>,
    stream: &Stream,
    numbers: &[u64],
    kinds: &[u8],
    i: usize,
    mut found: Found,
    tally: &mut Tally,
) -> Found {
    if kinds[i] != GET {
        change::<P, K, W>(map, local, stream, numbers, kinds, i, tally);
    } else if let Some(sum) = map.get(local, &K::at(stream, numbers, i)) {
        found.hits += 1;
        found.sum = found.sum.wrapping_add(sum);
    }
    found
}

/// Out of line, so that the loop around the look-ups keeps its sums in registers: see core/loop.h.
#[inline(never)]
fn change<P: Peer<K, W>, K: Key, const W: usize>(
    map: &P,
    local: &mut P::Local<'_>,
    stream: &Stream,
    numbers: &[u64],
    kinds: &[u8],
    i: usize,
    tally: &mut Tally,
) {
    let key = K::at(stream, numbers, i);

    match kinds[i] {
        INSERT => tally.inserted += u64::from(map.insert(local, &key, Value::of(numbers[i]))),
        REMOVE => tally.removed += u64::from(map.remove(local, &key)),
        UPDATE => tally.updated += u64::from(map.update(local, &key)),
        _ => tally.upserted += u64::from(map.upsert(local, &key, Value::of(numbers[i]))),
    }
}

/// The table of C functions for one map, key and value.
pub struct Table<P, K, const W: usize>(PhantomData<(P, K)>);

impl<P: Peer<K, W>, K: Key, const W: usize> Table<P, K, W> {
    pub const OPS: Ops = Ops {
        create: Self::create,
        fill: Self::fill,
        run: Self::run,
        run_timed: Self::run_timed,
        contents: Self::contents,
        destroy: Self::destroy,
    };

    extern "C" fn create(capacity: usize, threads: u32) -> *mut c_void {
        Box::into_raw(Box::new(P::create(capacity, threads as usize))).cast()
    }

    // SAFETY of all below: the C side hands back what `create` gave it, not after `destroy`, and streams that live.

    extern "C" fn fill(map: *mut c_void, stream: *const Stream) {
        unsafe { (*map.cast::<P>()).fill(&*stream) }
    }

    extern "C" fn run(map: *mut c_void, thread: u32, stream: *const Stream, tally: *mut Tally) {
        unsafe { *tally = run::<P, K, W>(&*map.cast::<P>(), thread as usize, &*stream, None) }
    }

    extern "C" fn run_timed(map: *mut c_void, thread: u32, stream: *const Stream, tally: *mut Tally, times: *mut u32) {
        unsafe {
            let times = std::slice::from_raw_parts_mut(times, (*stream).kinds().len());
            *tally = run::<P, K, W>(&*map.cast::<P>(), thread as usize, &*stream, Some(times));
        }
    }

    extern "C" fn contents(map: *mut c_void, contents: *mut Contents) {
        let map = unsafe { &*map.cast::<P>() };
        let mut sum = Contents::default();

        map.flush();
        map.for_each(|key, value| {
            sum.entries += 1;
            sum.checksum = sum.checksum.wrapping_add(K::digest(key, &value.0));
        });
        unsafe { *contents = sum }
    }

    extern "C" fn destroy(map: *mut c_void) {
        drop(unsafe { Box::from_raw(map.cast::<P>()) })
    }
}
