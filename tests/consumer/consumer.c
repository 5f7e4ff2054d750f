/* A user's program, in C and in C++ alike: one typed map. */
#include <concmap/saved.h>
#include <concmap/sharded.h>

#include <stdio.h>

typedef cm_str name;

CM_SHARDED_MAP(squares, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)
CM_SHARDED_MAP(ages, name, int, cm_hash_str, cm_equal_str)
CM_SAVED(squares, 1)
CM_SAVED(ages, 1)

struct box {
    int *number;
};

static cm_status box_clone(struct box *to, const struct box *from, void *context)
{
    *to = *from;
    return context ? CM_INVALID : CM_OK;
}

static void box_destroy(struct box *box, void *context)
{
    (void)box, (void)context;
}

static cm_status box_encode(cm_encoder *to, const struct box *box, void *context)
{
    (void)context;
    return cm_encode_u64(to, box->number ? 1 : 0);
}

static cm_status box_decode(struct box *box, cm_decoder *from, void *context)
{
    uint64_t number;
    (void)context;
    box->number = NULL;
    return cm_decode_u64(from, &number);
}

CM_SHARDED_MAP_OWNED(boxes, uint64_t, struct box, cm_hash_u64, cm_equal_u64, CM_PLAIN, CM_OWNED(box_clone, box_destroy))
CM_SAVED_CODED(boxes, 1, CM_UNCODED, CM_CODED(box_encode, box_decode))

/* A stream in memory. */
struct stream {
    char bytes[65536];
    size_t size;
    size_t at;
};

static cm_status stream_write(void *context, const void *bytes, size_t size)
{
    struct stream *stream = (struct stream *)context;
    if (size > sizeof stream->bytes - stream->size)
        return CM_FULL;
    memcpy(stream->bytes + stream->size, bytes, size);
    stream->size += size;
    return CM_OK;
}

static cm_status stream_read(void *context, void *bytes, size_t size, size_t *got)
{
    struct stream *stream = (struct stream *)context;
    *got = size < stream->size - stream->at ? size : stream->size - stream->at;
    memcpy(bytes, stream->bytes + stream->at, *got);
    stream->at += *got;
    return CM_OK;
}

static bool maps_are_saved(const squares *map)
{
    static struct stream stream;
    cm_sink sink = {stream_write, &stream};
    cm_source source = {stream_read, &stream};
    squares loaded;
    boxes other;
    if (squares_save(map, &sink, NULL, NULL) != CM_OK || squares_load(&loaded, NULL, &source, NULL, NULL) != CM_OK)
        return false;
    uint64_t square = 0;
    bool right = squares_len(&loaded) == squares_len(map) && squares_get(&loaded, 7, &square) && square == 49;
    squares_destroy(&loaded);
    const char *reason = NULL;
    stream.at = 0;
    return right && boxes_load(&other, NULL, &source, NULL, &reason) == CM_INVALID && reason != NULL;
}

/* The map owns its texts, whatever their type is called. */
static bool texts_are_owned(void)
{
    char text[] = "ada";
    ages map;
    if (ages_init(&map, NULL) != CM_OK)
        return false;
    ages_put(&map, cm_str_of(text), 36, NULL);
    text[0] = 'x';
    int age = 0;
    bool right = ages_get(&map, cm_str_of("ada"), &age) && age == 36 && !ages_contains(&map, cm_str_of(text));
    ages_destroy(&map);
    return right;
}

/* A scope is left by exceptions, too. */
static bool scopes_unlock(squares *map)
{
#ifdef __cplusplus
    try {
        CM_WITH_WRITE (squares, map, 12, guard) {
            throw *guard.value;
        }
    } catch (uint64_t) {
    }
#endif
    return squares_try_put(map, 12, 144, NULL) == CM_REPLACED;
}

int main(void)
{
    squares map;
    if (squares_init(&map, NULL) != CM_OK)
        return 1;
    for (uint64_t i = 0; i < 100; i++)
        squares_put(&map, i, i * i, NULL);
    uint64_t square = 0;
    bool right = scopes_unlock(&map) && texts_are_owned() && maps_are_saved(&map) && squares_get(&map, 12, &square) &&
                 square == 144 && squares_len(&map) == 100;
    squares_destroy(&map);
    puts(right ? "right" : "wrong");
    return right ? 0 : 1;
}
