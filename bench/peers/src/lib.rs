//! DashMap behind the driver's C interface.

use dashmap::DashMap;
use std::hash::{BuildHasher, Hasher};
use std::time::Instant;

/// concmap's own integer hash, so that no map wins by its hash.
#[derive(Clone, Default)]
struct Mix;

struct MixHasher(u64);

const SEED: u64 = 0x1234567890abcdef;

impl Hasher for MixHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, _: &[u8]) {
        unreachable!("keys are u64")
    }
    #[inline]
    fn write_u64(&mut self, key: u64) {
        let keyed = key ^ SEED;
        let (a, b) = (keyed ^ 0x9e3779b97f4a7c15, keyed.swap_bytes() ^ 0xd6e8feb86659fd93);
        let product = (a as u128) * (b as u128);
        self.0 = (product as u64) ^ ((product >> 64) as u64);
    }
}

impl BuildHasher for Mix {
    type Hasher = MixHasher;
    #[inline]
    fn build_hasher(&self) -> MixHasher {
        MixHasher(0)
    }
}

type Map<const N: usize> = DashMap<u64, [u64; N], Mix>;

#[repr(C)]
pub struct Stream {
    ops: *const u8,
    keys: *const u64,
    count: usize,
}

fn make<const N: usize>(capacity: usize, shards: usize) -> *mut Map<N> {
    Box::into_raw(Box::new(match shards {
        0 => Map::with_capacity_and_hasher(capacity, Mix),
        _ => Map::with_capacity_and_hasher_and_shard_amount(capacity, Mix, shards),
    }))
}

#[inline]
fn one<const N: usize>(map: &Map<N>, op: u8, key: u64) -> u64 {
    match op {
        0 => map.get(&key).map_or(0, |value| value[0]),
        1 => map.insert(key, [key; N]).is_none() as u64,
        2 => map.remove(&key).is_some() as u64,
        3 => match map.get_mut(&key) {
            Some(mut value) => {
                value[0] = value[0].wrapping_add(1);
                1
            }
            None => 0,
        },
        _ => {
            map.entry(key)
                .and_modify(|value| value[0] = value[0].wrapping_add(1))
                .or_insert([key; N]);
            1
        }
    }
}

/// # Safety
/// The pointers are the driver's, valid for `count` elements.
unsafe fn run<const N: usize>(map: *mut Map<N>, stream: *const Stream, slowest: *mut u64) -> u64 {
    let (map, stream) = (&*map, &*stream);
    let ops = std::slice::from_raw_parts(stream.ops, stream.count);
    let keys = std::slice::from_raw_parts(stream.keys, stream.count);
    let mut sum = 0u64;
    if slowest.is_null() {
        for (&op, &key) in ops.iter().zip(keys) {
            sum = sum.wrapping_add(one(map, op, key));
        }
    } else {
        for (&op, &key) in ops.iter().zip(keys) {
            let start = Instant::now();
            one(map, op, key);
            *slowest = (*slowest).max(start.elapsed().as_nanos() as u64);
        }
    }
    sum
}

macro_rules! export {
    ($words:literal, $make:ident, $run:ident, $destroy:ident) => {
        #[no_mangle]
        pub extern "C" fn $make(capacity: usize, shards: usize) -> *mut Map<$words> {
            make::<$words>(capacity, shards)
        }
        /// # Safety
        /// See `run`.
        #[no_mangle]
        pub unsafe extern "C" fn $run(map: *mut Map<$words>, stream: *const Stream, slowest: *mut u64) -> u64 {
            run::<$words>(map, stream, slowest)
        }
        /// # Safety
        /// The map is one that the making function returned.
        #[no_mangle]
        pub unsafe extern "C" fn $destroy(map: *mut Map<$words>) {
            drop(Box::from_raw(map))
        }
    };
}

export!(1, dashmap_make_1, dashmap_run_1, dashmap_destroy_1);
export!(3, dashmap_make_3, dashmap_run_3, dashmap_destroy_3);
export!(8, dashmap_make_8, dashmap_run_8, dashmap_destroy_8);
export!(32, dashmap_make_32, dashmap_run_32, dashmap_destroy_32);
