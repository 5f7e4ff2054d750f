/* Includes ADAPTER once for each pair of key and value, as a template is instantiated: TEXT is 0 or 1, WORDS the size
 * of the value, NAME(x) a name for this instance alone, VALUE and KEY its types. No include guard: once for each
 * adapter. At the end INSTANCE_FIND(adapter, text, words) yields the instance's table. */

#define INSTANCE_PASTE_(a, b, c, d) a##b##c##_##d
#define INSTANCE_PASTE(a, b, c, d) INSTANCE_PASTE_(a, b, c, d)
#define INSTANCE_VALUE_(words) struct bench_value_##words
#define INSTANCE_VALUE(words) INSTANCE_VALUE_(words)
#define VALUE INSTANCE_VALUE(WORDS)

#define TEXT 0
#define KEY uint64_t
#define NAME(x) INSTANCE_PASTE(u64_, WORDS, _v, x)
#define WORDS 1
#include ADAPTER
#undef WORDS
#define WORDS 3
#include ADAPTER
#undef WORDS
#define WORDS 8
#include ADAPTER
#undef WORDS
#define WORDS 32
#include ADAPTER
#undef WORDS
#undef NAME
#undef KEY
#undef TEXT

#define TEXT 1
#define KEY TEXT_KEY
#define NAME(x) INSTANCE_PASTE(text_, WORDS, _v, x)
#define WORDS 1
#include ADAPTER
#undef WORDS
#define WORDS 3
#include ADAPTER
#undef WORDS
#define WORDS 8
#include ADAPTER
#undef WORDS
#define WORDS 32
#include ADAPTER
#undef WORDS
#undef NAME
#undef KEY
#undef TEXT

/* The table called `ops` of the instance that is asked for. */
#define INSTANCE_FIND(ops, text, words)                                                                                \
    ((words) == 1    ? (text) ? &text_1_v_##ops : &u64_1_v_##ops                                                       \
     : (words) == 3  ? (text) ? &text_3_v_##ops : &u64_3_v_##ops                                                       \
     : (words) == 8  ? (text) ? &text_8_v_##ops : &u64_8_v_##ops                                                       \
     : (words) == 32 ? (text) ? &text_32_v_##ops : &u64_32_v_##ops                                                     \
                     : NULL)
