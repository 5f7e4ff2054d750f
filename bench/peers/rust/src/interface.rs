//! The C side's declarations: streams and tallies of core/stream.h, the table of core/map.h.

use std::ffi::c_void;
use std::slice;

pub const GET: u8 = 0;
pub const INSERT: u8 = 1;
pub const REMOVE: u8 = 2;
pub const UPDATE: u8 = 3;

#[repr(C)]
pub struct Stream {
    n: usize,
    kind: *const u8,
    key: *const u64,
    text: *const u8,
    text_len: usize,
    only_gets: bool,
}

impl Stream {
    pub fn kinds(&self) -> &[u8] {
        // SAFETY: the C side made `n` of them, and they outlive the run.
        unsafe { slice::from_raw_parts(self.kind, self.n) }
    }

    pub fn numbers(&self) -> &[u64] {
        // SAFETY: as above.
        unsafe { slice::from_raw_parts(self.key, self.n) }
    }

    /// The text of key `i`. Only for streams with text keys.
    #[inline(always)]
    pub fn text(&self, i: usize) -> &str {
        // SAFETY: there are `n` texts of `text_len` ASCII characters each.
        unsafe { std::str::from_utf8_unchecked(slice::from_raw_parts(self.text.add(i * self.text_len), self.text_len)) }
    }
}

#[repr(C)]
#[derive(Default, Clone, Copy)]
pub struct Tally {
    pub hits: u64,
    pub sum: u64,
    pub inserted: u64,
    pub removed: u64,
    pub updated: u64,
    pub upserted: u64,
}

#[repr(C)]
#[derive(Default)]
pub struct Contents {
    pub entries: u64,
    pub checksum: u64,
}

#[repr(C)]
pub struct Ops {
    pub create: extern "C" fn(usize, u32) -> *mut c_void,
    pub fill: extern "C" fn(*mut c_void, *const Stream),
    pub run: extern "C" fn(*mut c_void, u32, *const Stream, *mut Tally),
    pub run_timed: extern "C" fn(*mut c_void, u32, *const Stream, *mut Tally, *mut u32),
    pub contents: extern "C" fn(*mut c_void, *mut Contents),
    pub destroy: extern "C" fn(*mut c_void),
}

extern "C" {
    pub fn bench_digest_u64(key: u64, words: *const u64, n: usize) -> u64;
    pub fn bench_digest_text(text: *const u8, len: usize, words: *const u64, n: usize) -> u64;
}
