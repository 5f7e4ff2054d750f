/* Ready-made types of dynamic maps, and their hashes and equalities. */
#include <concmap/any.h>

#include <stdlib.h>

uint64_t cm_any_hash_u32(const void *key, uint64_t seed)
{
    return cm_hash_u32(key, seed);
}

uint64_t cm_any_hash_u64(const void *key, uint64_t seed)
{
    return cm_hash_u64(key, seed);
}

uint64_t cm_any_hash_u128(const void *key, uint64_t seed)
{
    const uint64_t *halves = key;
    return cm_hash_combine(cm_hash_u64(&halves[0], seed), cm_hash_u64(&halves[1], seed));
}

uint64_t cm_any_hash_text(const void *key, uint64_t seed)
{
    return cm_hash_str(key, seed);
}

uint64_t cm_any_hash_text_fast(const void *key, uint64_t seed)
{
    return cm_hash_str_fast(key, seed);
}

bool cm_any_equal_u32(const void *a, const void *b)
{
    return cm_equal_u32(a, b);
}

bool cm_any_equal_u64(const void *a, const void *b)
{
    return cm_equal_u64(a, b);
}

bool cm_any_equal_u128(const void *a, const void *b)
{
    return memcmp(a, b, 16) == 0;
}

bool cm_any_equal_text(const void *a, const void *b)
{
    return cm_equal_str(a, b);
}

/* The largest one that divides the size, up to 8. */
static size_t alignment_for(size_t size)
{
    return size % 8 == 0 ? 8 : size % 4 == 0 ? 4 : size % 2 == 0 ? 2 : 1;
}

static void type_fill(struct cm_type *type, size_t key_size, size_t key_alignment, size_t value_size)
{
    memset(type, 0, sizeof *type);
    type->key_size = key_size;
    type->key_alignment = key_alignment;
    type->value_size = value_size;
    type->value_alignment = value_size ? alignment_for(value_size) : 1;
}

void cm_any_type_u32(struct cm_type *type, size_t value_size)
{
    type_fill(type, 4, 4, value_size);
    type->key_bitwise = true;
    type->hash = cm_any_hash_u32;
    type->equal = cm_any_equal_u32;
}

void cm_any_type_u64(struct cm_type *type, size_t value_size)
{
    type_fill(type, 8, 8, value_size);
    type->key_bitwise = true;
    type->hash = cm_any_hash_u64;
    type->equal = cm_any_equal_u64;
}

void cm_any_type_u128(struct cm_type *type, size_t value_size)
{
    type_fill(type, 16, 8, value_size);
    type->hash = cm_any_hash_u128;
    type->equal = cm_any_equal_u128;
}

void cm_any_type_text(struct cm_type *type, size_t value_size)
{
    type_fill(type, sizeof(cm_str), CM_ALIGNOF(cm_str), value_size);
    type->key_text = true;
    type->hash = cm_any_hash_text;
    type->equal = cm_any_equal_text;
}

/* ---- texts as values ---- */

cm_status cm_any_text_make(cm_str *text, const char *data, size_t len)
{
    char *copy = malloc(len ? len : 1);
    if (!copy)
        return CM_NOMEM;
    if (len)
        memcpy(copy, data, len);
    *text = cm_str_from(copy, len);
    return CM_OK;
}

void cm_any_text_free(cm_str *text)
{
    free((void *)(uintptr_t)text->data);
    *text = cm_str_from(NULL, 0);
}

static cm_status text_clone(void *to, const void *from, void *context)
{
    (void)context;
    const cm_str *text = from;
    return cm_any_text_make(to, text->data, text->len);
}

static void text_destroy(void *value, void *context)
{
    (void)context;
    cm_any_text_free(value);
}

static cm_status text_encode(cm_encoder *to, const void *value, void *context)
{
    (void)context;
    const cm_str *text = value;
    return cm_encode_bytes(to, text->data, text->len);
}

static cm_status text_decode(void *value, cm_decoder *from, void *context)
{
    (void)context;
    size_t len = cm_decode_left(from);
    return cm_any_text_make(value, cm_decoder_take_(from, len), len);
}

void cm_any_type_text_values(struct cm_type *type)
{
    type->value_size = sizeof(cm_str);
    type->value_alignment = CM_ALIGNOF(cm_str);
    type->value_clone = text_clone;
    type->value_destroy = text_destroy;
    type->value_encode = text_encode;
    type->value_decode = text_decode;
}
