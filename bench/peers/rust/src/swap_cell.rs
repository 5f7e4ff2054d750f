//! arc-swap, for bench/swap.c: one cell, looked at in a loop.

use arc_swap::ArcSwap;
use std::sync::{Arc, OnceLock};

fn cell() -> &'static ArcSwap<[u64; 8]> {
    static CELL: OnceLock<ArcSwap<[u64; 8]>> = OnceLock::new();
    CELL.get_or_init(|| ArcSwap::from_pointee([0; 8]))
}

/// Loads so often, each time a member whose place depends on the one before.
#[no_mangle]
pub extern "C" fn bench_arc_swap_load(rounds: u64) -> u64 {
    let mut sum = 0;
    for _ in 0..rounds {
        sum = std::hint::black_box(sum + cell().load()[(sum & 7) as usize]);
    }
    sum
}

/// The same with counted references.
#[no_mangle]
pub extern "C" fn bench_arc_swap_load_full(rounds: u64) -> u64 {
    let mut sum = 0;
    for _ in 0..rounds {
        sum = std::hint::black_box(sum + cell().load_full()[(sum & 7) as usize]);
    }
    sum
}

/// Replaces the value so often.
#[no_mangle]
pub extern "C" fn bench_arc_swap_store(rounds: u64) -> u64 {
    for _ in 0..rounds {
        cell().store(Arc::new([0; 8]));
    }
    0
}
