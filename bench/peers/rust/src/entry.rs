//! Keys and values: u64 or text, and 1 to 32 words.

use crate::interface::{bench_digest_text, bench_digest_u64, Stream};
use std::borrow::Borrow;
use std::collections::hash_map::DefaultHasher;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher};
use xxhash_rust::xxh3::xxh3_64;

/// A key as a map stores it; maps look it up by what it borrows as.
pub trait Key: Eq + Hash + Clone + Send + Sync + Borrow<Self::Ref> + 'static {
    type Ref: Eq + Hash + ?Sized;
    type Build: BuildHasher + Default + Clone + Send + Sync + 'static;
    /// For texts that no enemy chooses.
    type FastBuild: BuildHasher + Default + Clone + Send + Sync + 'static;

    fn at(stream: &Stream, numbers: &[u64], i: usize) -> impl std::ops::Deref<Target = Self::Ref>;
    fn own(key: &Self::Ref) -> Self;
    fn digest(key: &Self::Ref, words: &[u64]) -> u64;
}

impl Key for u64 {
    type Ref = u64;
    type Build = BuildHasherDefault<MultiplyFold>;
    type FastBuild = Self::Build;

    #[inline(always)]
    fn at(_: &Stream, numbers: &[u64], i: usize) -> impl std::ops::Deref<Target = u64> {
        Held(numbers[i])
    }

    #[inline(always)]
    fn own(key: &u64) -> u64 {
        *key
    }

    fn digest(key: &u64, words: &[u64]) -> u64 {
        // SAFETY: the callee reads the words that it is told of.
        unsafe { bench_digest_u64(*key, words.as_ptr(), words.len()) }
    }
}

impl Key for Box<str> {
    type Ref = str;
    type Build = BuildHasherDefault<DefaultHasher>; // SipHash-1-3
    type FastBuild = BuildHasherDefault<Xxh3>;

    #[inline(always)]
    fn at(stream: &Stream, _: &[u64], i: usize) -> impl std::ops::Deref<Target = str> {
        // SAFETY: streams outlive the runs over them.
        let text: &'static str = unsafe { std::mem::transmute(stream.text(i)) };
        text
    }

    #[inline(always)]
    fn own(key: &str) -> Box<str> {
        key.into()
    }

    fn digest(key: &str, words: &[u64]) -> u64 {
        // SAFETY: as above.
        unsafe { bench_digest_text(key.as_ptr(), key.len(), words.as_ptr(), words.len()) }
    }
}

/// A number that dereferences like the text of a text key.
struct Held(u64);

impl std::ops::Deref for Held {
    type Target = u64;

    #[inline(always)]
    fn deref(&self) -> &u64 {
        &self.0
    }
}

/// `bench_hash_u64` of core/key.h.
#[derive(Default, Clone, Copy)]
pub struct MultiplyFold(u64);

impl Hasher for MultiplyFold {
    #[inline(always)]
    fn write_u64(&mut self, key: u64) {
        let product = u128::from(key ^ 0x2d35_8dcc_aa6c_78a5) * 0x9e37_79b9_7f4a_7c15;
        self.0 = product as u64 ^ (product >> 64) as u64;
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("only u64 keys are hashed so");
    }

    #[inline(always)]
    fn finish(&self) -> u64 {
        self.0
    }
}

/// XXH3 in one go: a text arrives as one slice, and a byte that marks its end.
#[derive(Default, Clone, Copy)]
pub struct Xxh3(u64);

impl Hasher for Xxh3 {
    #[inline(always)]
    fn write(&mut self, text: &[u8]) {
        self.0 = xxh3_64(text);
    }

    #[inline(always)]
    fn write_u8(&mut self, _: u8) {}

    #[inline(always)]
    fn finish(&self) -> u64 {
        self.0
    }
}

/// A value of `W` words, made as `bench_value_word` of core/key.h makes it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Value<const W: usize>(pub [u64; W]);

impl<const W: usize> Value<W> {
    #[inline(always)]
    pub fn of(number: u64) -> Self {
        Value(std::array::from_fn(|j| (number >> 8) + j as u64))
    }

    /// All words added up: who asked for the value has looked at all of it.
    #[inline(always)]
    pub fn sum(&self) -> u64 {
        self.0.iter().fold(0, |sum, word| sum.wrapping_add(*word))
    }

    #[inline(always)]
    pub fn bump(&mut self) {
        self.0[0] = self.0[0].wrapping_add(1);
    }

    #[inline(always)]
    pub fn bumped(mut self) -> Self {
        self.bump();
        self
    }
}
