//! `RwLock<HashMap<K, Mutex<V>>>`, for bench/sleepers.c.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, RwLock};

fn map() -> &'static RwLock<HashMap<u64, Mutex<u64>>> {
    static MAP: OnceLock<RwLock<HashMap<u64, Mutex<u64>>>> = OnceLock::new();
    MAP.get_or_init(RwLock::default)
}

/// Works on a value, if the key is there, under its lock.
#[no_mangle]
pub extern "C" fn bench_sleepers_work(key: u64, work: extern "C" fn(&mut u64)) {
    if let Some(value) = map().read().unwrap().get(&key) {
        work(&mut value.lock().unwrap());
    }
}

/// Adds a key.
#[no_mangle]
pub extern "C" fn bench_sleepers_insert(key: u64) {
    map().write().unwrap().insert(key, Mutex::new(0));
}

/// Removes one.
#[no_mangle]
pub extern "C" fn bench_sleepers_remove(key: u64) {
    map().write().unwrap().remove(&key);
}
