//! The Rust peers of concmap-bench: one adapter a file, one C table for each map, key and value.

mod entry;
mod interface;
mod peer;
mod peer_anchormap;
mod peer_dashmap;
mod peer_evmap;
mod peer_flashmap;
mod peer_papaya;
mod peer_scc;
mod peer_std;
mod sleepers;
mod swap_cell;

use interface::Ops;
use peer::Table;
use std::ffi::{c_char, CStr};

/// The table of a map for the key and the words that are asked for.
macro_rules! table {
    ($map:ident $(, $parameter:literal)? ; $text:expr, $words:expr) => {
        match ($text, $words) {
            (false, 1) => Some(&const { Table::<$map<u64, 1 $(, $parameter)?>, u64, 1>::OPS }),
            (false, 3) => Some(&const { Table::<$map<u64, 3 $(, $parameter)?>, u64, 3>::OPS }),
            (false, 8) => Some(&const { Table::<$map<u64, 8 $(, $parameter)?>, u64, 8>::OPS }),
            (false, 32) => Some(&const { Table::<$map<u64, 32 $(, $parameter)?>, u64, 32>::OPS }),
            (true, 1) => Some(&const { Table::<$map<Box<str>, 1 $(, $parameter)?>, Box<str>, 1>::OPS }),
            (true, 3) => Some(&const { Table::<$map<Box<str>, 3 $(, $parameter)?>, Box<str>, 3>::OPS }),
            (true, 8) => Some(&const { Table::<$map<Box<str>, 8 $(, $parameter)?>, Box<str>, 8>::OPS }),
            (true, 32) => Some(&const { Table::<$map<Box<str>, 32 $(, $parameter)?>, Box<str>, 32>::OPS }),
            _ => None,
        }
    };
}

use peer_anchormap::Anchor;
use peer_dashmap::{Dash, DashXxh3};
use peer_evmap::Evmap;
use peer_flashmap::Flash;
use peer_papaya::Papaya;
use peer_scc::Scc;
use peer_std::{ArcRwLock, StdMutex, StdRwLock};

/// The adapter of that name, or null.
///
/// # Safety
/// `name` is a C string.
#[no_mangle]
pub unsafe extern "C" fn bench_rust_find(name: *const c_char, text: bool, words: usize) -> Option<&'static Ops> {
    match CStr::from_ptr(name).to_bytes() {
        b"dashmap" => table!(Dash, 0; text, words),
        b"dashmap-128" => table!(Dash, 128; text, words),
        b"dashmap-xxh3" => table!(DashXxh3, 0; text, words),
        b"dashmap-128-xxh3" => table!(DashXxh3, 128; text, words),
        b"papaya" => table!(Papaya, false; text, words),
        b"papaya-pinned" => table!(Papaya, true; text, words),
        b"flashmap" => table!(Flash, 1; text, words),
        b"flashmap-1024" => table!(Flash, 1024; text, words),
        b"evmap" => table!(Evmap, 1; text, words),
        b"evmap-1024" => table!(Evmap, 1024; text, words),
        b"anchormap" => table!(Anchor; text, words),
        b"scc" => table!(Scc; text, words),
        b"std-mutex" => table!(StdMutex; text, words),
        b"std-rwlock" => table!(StdRwLock; text, words),
        b"arc-rwlock" => table!(ArcRwLock; text, words),
        _ => None,
    }
}
