/* The left-right map for one pair of key and value; included by core/instances.h. MULTIMAP: the multimap, with one
 * value for each key. */

#if MULTIMAP
static uint64_t NAME(value_hash)(const VALUE *value, uint64_t seed)
{
    return cm_hash_u64(&value->word[0], seed);
}

static bool NAME(value_equal)(const VALUE *a, const VALUE *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}
#endif

#if TEXT
OUR_MAP(NAME(map), cm_str, VALUE, cm_hash_str, cm_equal_str)
#else
OUR_MAP(NAME(map), uint64_t, VALUE, cm_hash_u64, cm_equal_u64)
#endif

#define MAP struct NAME(both)
#define LOCAL struct NAME(local)

MAP
{
    NAME(map) map;
    NAME(map_writer) writer; /* of all threads */
    unsigned every;          /* writes between two publications */
    unsigned view_gets;      /* gets in one view; 0: single ones */
};

LOCAL
{
    NAME(map_reader) reader;
    const NAME(map_view) * view;
    unsigned gets;
};

static void *NAME(make)(size_t capacity, unsigned every, unsigned view_gets)
{
    MAP *map = malloc(sizeof *map);
    cm_config config = {0};
    cm_status status;

    config.capacity = capacity;
    status = map ? NAME(map_init)(&map->map, &config) : CM_NOMEM;
    if (status == CM_OK)
        status = NAME(map_writer_open_shared)(&map->map, &map->writer);
    if (status == CM_OK)
        status = NAME(map_publish_every)(&map->writer, every);
    if (status != CM_OK)
        bench_fatal("init", (int)status);
    map->every = every;
    map->view_gets = view_gets;
    return map;
}

static void *NAME(create_each)(size_t capacity, unsigned threads)
{
    (void)threads;
    return NAME(make)(capacity, 1, 0);
}

static void *NAME(create_view)(size_t capacity, unsigned threads)
{
    (void)threads;
    return NAME(make)(capacity, 1, VIEW_GETS);
}

static void *NAME(create_late)(size_t capacity, unsigned threads)
{
    (void)threads;
    return NAME(make)(capacity, 1024, 0);
}

static void NAME(destroy)(void *opaque)
{
    MAP *map = opaque;
    NAME(map_destroy)(&map->map);
    free(map);
}

static inline LOCAL NAME(enter)(MAP *map, unsigned thread)
{
    LOCAL local = {.view = NULL};

    (void)thread;
    if (NAME(map_reader_open)(&map->map, &local.reader) != CM_OK)
        bench_fatal("reader", 0);
    return local;
}

static inline void NAME(outside)(LOCAL *local)
{
    if (local->view)
        NAME(map_leave)(&local->reader);
    local->view = NULL;
}

static inline void NAME(leave)(MAP *map, LOCAL *local)
{
    NAME(outside)(local);
    NAME(map_reader_close)(&local->reader);
    NAME(map_flush)(&map->writer);
}

static inline bool NAME(get)(MAP *map, LOCAL *local, KEY key, VALUE *value)
{
    const VALUE *found;

    if (!map->view_gets)
        return NAME(GET)(&local->reader, key, value);
    if (!local->view || local->gets-- == 0) {
        NAME(outside)(local);
        local->view = NAME(map_enter)(&local->reader);
        local->gets = map->view_gets;
    }
    found = NAME(VIEW_GET)(local->view, key);
    if (found)
        *value = *found;
    return found != NULL;
}

/* The several calls of which a write of a multimap consists keep the lock. */
static inline void NAME(write_begin)(MAP *map, LOCAL *local)
{
    NAME(outside)(local);
    if (MULTIMAP && NAME(map_writer_lock)(&map->writer) != CM_OK)
        bench_fatal("lock", 0);
}

static inline cm_status NAME(write_end)(MAP *map, cm_status status)
{
    if (status < 0)
        bench_fatal("write", (int)status);
    if (MULTIMAP)
        NAME(map_writer_unlock)(&map->writer);
    return status;
}

#if MULTIMAP
static cm_status NAME(insert_in)(NAME(map_writer) * writer, KEY key, VALUE value)
{
    return NAME(map_writer_contains)(writer, key) ? CM_EXISTS : NAME(map_insert)(writer, key, value);
}

static cm_status NAME(remove_in)(NAME(map_writer) * writer, KEY key)
{
    return NAME(map_remove_entry)(writer, key);
}

static cm_status NAME(update_in)(NAME(map_writer) * writer, KEY key)
{
    VALUE value;
    cm_status status = NAME(map_writer_get_one)(writer, key, &value);

    value.word[0]++;
    if (status == CM_OK)
        status = NAME(map_update)(writer, key, value);
    return status == CM_REPLACED ? CM_OK : status;
}

static cm_status NAME(upsert_in)(NAME(map_writer) * writer, KEY key, VALUE value)
{
    cm_status status = NAME(update_in)(writer, key);

    return status == CM_ABSENT ? NAME(map_insert)(writer, key, value) : status == CM_OK ? CM_REPLACED : status;
}
#else
static cm_status NAME(bump)(VALUE *value, void *context)
{
    (void)context;
    value->word[0]++;
    return CM_OK;
}

static cm_status NAME(insert_in)(NAME(map_writer) * writer, KEY key, VALUE value)
{
    return NAME(map_insert)(writer, key, value);
}

static cm_status NAME(remove_in)(NAME(map_writer) * writer, KEY key)
{
    return NAME(map_remove)(writer, key, NULL);
}

static cm_status NAME(update_in)(NAME(map_writer) * writer, KEY key)
{
    return NAME(map_update)(writer, key, NAME(bump), NULL);
}

static cm_status NAME(upsert_in)(NAME(map_writer) * writer, KEY key, VALUE value)
{
    return NAME(map_upsert)(writer, key, value, NAME(bump), NULL);
}
#endif

static inline bool NAME(insert)(MAP *map, LOCAL *local, KEY key, VALUE value)
{
    NAME(write_begin)(map, local);
    return NAME(write_end)(map, NAME(insert_in)(&map->writer, key, value)) == CM_OK;
}

static inline bool NAME(remove)(MAP *map, LOCAL *local, KEY key)
{
    NAME(write_begin)(map, local);
    return NAME(write_end)(map, NAME(remove_in)(&map->writer, key)) == CM_OK;
}

static inline bool NAME(update)(MAP *map, LOCAL *local, KEY key)
{
    NAME(write_begin)(map, local);
    return NAME(write_end)(map, NAME(update_in)(&map->writer, key)) == CM_OK;
}

static inline bool NAME(upsert)(MAP *map, LOCAL *local, KEY key, VALUE value)
{
    NAME(write_begin)(map, local);
    return NAME(write_end)(map, NAME(upsert_in)(&map->writer, key, value)) == CM_OK;
}

#include "../core/loop.h"

/* One batch. */
static void NAME(fill_all)(void *opaque, const struct bench_stream *stream)
{
    MAP *map = opaque;

    NAME(map_publish_every)(&map->writer, 0);
    NAME(fill)(map, stream);
    NAME(map_publish_every)(&map->writer, map->every);
}

static void NAME(contents)(void *opaque, struct bench_contents *contents)
{
    MAP *map = opaque;
    NAME(map_reader) reader;
    const char *reason = "";

    *contents = (struct bench_contents){0};
    if (NAME(map_check)(&map->map, &reason) != CM_OK)
        bench_fatal(reason, 0);
    if (NAME(map_reader_open)(&map->map, &reader) != CM_OK)
        bench_fatal("reader", 0);
    CM_WITH_VIEW (NAME(map), &reader, view)
        CM_FOREACH (NAME(map_view), view, it) {
            contents->entries++;
#if TEXT
            contents->checksum += bench_digest_text(it.key->data, it.key->len, it.VALUES->word, WORDS);
#else
            contents->checksum += bench_digest_u64(*it.key, it.VALUES->word, WORDS);
#endif
        }
    NAME(map_reader_close)(&reader);
}

#if !MULTIMAP
#define ANCHORED 0
#define GET_MANY(map, local, ...) NAME(map_get_many)(&(local)->reader, __VA_ARGS__)
#define APPLY_MANY(map, ...) NAME(map_apply_many)(&(map)->writer, __VA_ARGS__)
#include "batch_instance.h"
#undef ANCHORED
#undef GET_MANY
#undef APPLY_MANY

static const struct bench_ops NAME(batch) = {NAME(create_each),     NAME(fill_all), NAME(batch_run),
                                             NAME(batch_run_timed), NAME(contents), NAME(destroy)};
#endif
static const struct bench_ops NAME(each) = {NAME(create_each), NAME(fill_all), NAME(run),
                                            NAME(run_timed),   NAME(contents), NAME(destroy)};
static const struct bench_ops NAME(view) = {NAME(create_view), NAME(fill_all), NAME(run),
                                            NAME(run_timed),   NAME(contents), NAME(destroy)};
static const struct bench_ops NAME(late) = {NAME(create_late), NAME(fill_all), NAME(run),
                                            NAME(run_timed),   NAME(contents), NAME(destroy)};

#undef MAP
#undef LOCAL
