/* The left-right map: readers look at a snapshot, at the speed of a plain table, and one writer publishes batches.
 *
 *     CM_LEFTRIGHT_MAP(routes, uint32_t, struct route, cm_hash_u32, cm_equal_u32)
 *
 * makes a type `routes`, and the handles `routes_writer`, `routes_reader` and `routes_view`:
 *
 *     routes_put(&writer, prefix, route, NULL);
 *     routes_publish(&writer);                               everything since the last time, at once
 *
 *     const routes_view *view = routes_enter(&reader);       plain stores, no lock, no fence
 *     const struct route *hop = routes_view_get(view, prefix);
 *     routes_leave(&reader);
 *
 * Take it for what is read all the time and changed now and then: routes, configuration, tables of features. The map
 * is there twice, so each change is made twice, and memory is twice that of a plain map, but for what owned values and
 * texts have of their own.
 *
 * Readers. A reader is a handle of one thread at a time; any thread makes and closes any number of them. Inside a view
 * nothing changes: two gets agree, with each other and with view_meta. The thread that has entered a view neither ends
 * nor writes while another one has it (it is taken for the one that looks). Before the first publication a view is
 * empty. After the writer was closed readers go on with what was published last. A reader that stays inside delays the
 * batch after the next publication, and memory, and nobody else.
 *
 * The writer. One handle; a second one is CM_BUSY. Changes are seen by the writer at once, and by readers from the next
 * `publish` on, which never waits. The first change after that (or `begin`) waits for readers that have been inside
 * since before that publication; try_VERB is CM_BUSY instead, VERB_until CM_TIMEOUT past its deadline (deadline.h), and
 * all of them CM_DEADLOCK where the thread would wait for its own view. Who waits spins briefly, then sleeps.
 *
 * Values. Both tables have a copy of a plain value, so that a look-up is one look. What an owned value (type.h) and a
 * text key own is shared by both, made once and destroyed once: when the batch after the one that removed or replaced
 * it begins, for then nobody looks at it any more. `take` keeps a value from that. To change values in place, with
 * atomics of their own, store pointers to them.
 *
 * A single `get` does not enter where keys are integers of 4 or 8 bytes, compared by the library's own functions, and
 * values are plain and of at most 64 bytes: then it needs no fence however thick publications come, and no batch waits
 * for it.
 *
 * Functions given to `update`, `upsert` and `retain` run once; what they decided is what the other table gets. They may
 * look at the map and not change it: CM_DEADLOCK. Functions that destroy must not change this map, either: where a
 * batch begins that is CM_DEADLOCK. None of them may leave by longjmp or by an exception. Hash and equality may not use
 * any map.
 *
 * Failure. Where memory is lacking a call returns CM_NOMEM and both tables are as before: all that the other one will
 * need is taken beforehand. */
#ifndef CONCMAP_LEFTRIGHT_H
#define CONCMAP_LEFTRIGHT_H

#include <concmap/detail/leftright_many.h>
#include <concmap/detail/leftright_reads.h>
#include <concmap/hash.h>

CM_BEGIN_DECLS

/* For when_free: adds 1 to the eventfd (or writes 8 bytes to any descriptor) whose number is at `fd`, an int. */
CM_API void cm_notify_fd(void *fd);

CM_END_DECLS

/* Runs the statement that follows inside a view of the reader, and leaves it however the statement is left, but by
 * longjmp. Where the writer has ended (writer_end) the statement does not run. */
#define CM_WITH_VIEW(name, reader, view) CM_WITH_VIEW_(name, reader, view)
#define CM_WITH_VIEW_(name, over, inside)                                                                              \
    for (struct name##_visit_ inside##_visit __attribute__((cleanup(name##_visit_end_))) = name##_visit_begin_(over);  \
         inside##_visit.view; inside##_visit.view = NULL)                                                              \
        for (const name##_view *inside = inside##_visit.view; inside##_visit.view; inside##_visit.view = NULL)

/* Makes a map type, with all its functions in this file. */
#define CM_LEFTRIGHT_MAP(name, Key, Value, hash_function, equal_function)                                              \
    CM_LEFTRIGHT_MAP_OWNED(name, Key, Value, hash_function, equal_function, CM_PLAIN, CM_PLAIN)

/* The same with keys or values that own memory, or count references: each owner is CM_PLAIN or CM_OWNED(clone,
 * destroy), see type.h. */
#define CM_LEFTRIGHT_MAP_OWNED(name, Key, Value, hash_function, equal_function, key_owner, value_owner)                \
    CM_LEFTRIGHT_TYPE_(cm_inline, name, Key, Value, hash_function, equal_function, key_owner, value_owner)             \
    CM_LEFTRIGHT_FUNCTIONS_(cm_inline, name, name##_key_, name##_value_)

/* The same for a type that many files use: DECLARE in a header, and DEFINE in one C file that includes it. The calls
 * are functions of that file then, and not inlined in others. */
#define CM_LEFTRIGHT_MAP_DECLARE(name, Key, Value)                                                                     \
    CM_LEFTRIGHT_TYPE_(cm_declare, name, Key, Value, unused_, unused_, CM_PLAIN, CM_PLAIN)                             \
    CM_LEFTRIGHT_FUNCTIONS_(cm_declare, name, name##_key_, name##_value_)
#define CM_LEFTRIGHT_MAP_DEFINE(name, Key, Value, hash_function, equal_function)                                       \
    CM_LEFTRIGHT_MAP_DEFINE_OWNED(name, Key, Value, hash_function, equal_function, CM_PLAIN, CM_PLAIN)
#define CM_LEFTRIGHT_MAP_DEFINE_OWNED(name, Key, Value, hash_function, equal_function, key_owner, value_owner)         \
    CM_LEFTRIGHT_TYPE_(cm_define, name, Key, Value, hash_function, equal_function, key_owner, value_owner)             \
    CM_LEFTRIGHT_FUNCTIONS_(cm_define, name, name##_key_, name##_value_)

#define CM_LEFTRIGHT_TYPE_(how, name, Key, Value, hash_function, equal_function, key_owner, value_owner)               \
    CM_LEFTRIGHT_HANDLES_(how, name)                                                                                   \
    CM_SHOWN_(how, typedef Key name##_key_; typedef Value name##_value_;)                                              \
    CM_LEFTRIGHT_TAKEN_TYPE_(how, name, name##_value_)                                                                 \
    CM_ADAPTORS_(how, name, name##_key_, name##_value_, hash_function, equal_function, key_owner, value_owner,         \
                 CM_NO_CACHE_)                                                                                         \
    CM_HIDDEN_(how, CM_DESCRIPTOR_(name, name, name##_key_, name##_value_, name##_key_bitwise_, false, false, NULL))

#define CM_LEFTRIGHT_FUNCTIONS_(how, name, Key, Value)                                                                 \
    CM_LEFTRIGHT_LOG_(how, name, Value)                                                                                \
    CM_LEFTRIGHT_INIT_(                                                                                                \
        how, name,                                                                                                     \
        cm_leftright_init_(&map->core, &name##_type_, config, CM_LEFTRIGHT_VERSION_, sizeof(struct cm_leftright_)))    \
    CM_LEFTRIGHT_LIFE_(how, name)                                                                                      \
    CM_LEFTRIGHT_READERS_(how, name)                                                                                   \
    CM_LEFTRIGHT_LOOKS_(how, name, name, Key, Value)                                                                   \
    CM_LEFTRIGHT_FINDS_(how, name, name, Key)                                                                          \
    CM_LEFTRIGHT_GETS_(how, name, name, Key, Key, Value)                                                               \
    CM_LEFTRIGHT_VIEWS_(how, name)                                                                                     \
    CM_LEFTRIGHT_WALKS_(how, name, Key, Value)                                                                         \
    CM_LEFTRIGHT_WRITER_(how, name)                                                                                    \
    CM_LEFTRIGHT_OWN_KEYS_(how, name, Key)                                                                             \
    CM_LEFTRIGHT_OWN_(how, name, name, Key, Value)                                                                     \
    CM_LEFTRIGHT_TAKEN_(how, name,                                                                                     \
                        cm_leftright_give_back_(&name##_type_, writer->core, taken->published, &taken->value),         \
                        name##_type_.value_destroy, &taken->value)                                                     \
    CM_LEFTRIGHT_CHANGES_(how, name, Key, Value)                                                                       \
    CM_LEFTRIGHT_MANY_(how, name, Key, Value)                                                                          \
    CM_LEFTRIGHT_CLEAR_(how, name)                                                                                     \
    CM_LEFTRIGHT_SIFT_(how, name, Key, Value)                                                                          \
    CM_LEFTRIGHT_RETAIN_(how, name, Key, Value)                                                                        \
    CM_LEFTRIGHT_SIZES_(how, name)

#endif
