/* The typed functions of the left-right multimap, besides those that it shares with the map (leftright_reads.h,
 * leftright_writes.h). */
#ifndef CONCMAP_DETAIL_MULTIMAP_VERBS_H
#define CONCMAP_DETAIL_MULTIMAP_VERBS_H

#include <concmap/detail/leftright_many.h>
#include <concmap/detail/leftright_reads.h>
#include <concmap/detail/multimap.h>

/* ---- views ---- */

#define CM_MULTIMAP_VIEWS_(how, name, Key, Value)                                                                      \
    CM_INNER_(how, const Value *, name##_values_,                                                                      \
              (const struct cm_side_ *side, const struct cm_bag_ *bag, size_t *count), {                               \
                  (void)side;                                                                                          \
                  *count = bag ? bag->len : 0;                                                                         \
                  return bag ? (const Value *)(const void *)cm_bag_values_(&name##_bag_type_, bag) : NULL;             \
              })                                                                                                       \
    /* The key's values, *count of them, one behind the other; NULL: the view has not the key. Valid until the reader  \
     * leaves. They lie in the order in which they were inserted, but that the last one takes the place of one that is \
     * removed. */                                                                                                     \
    CM_FUNCTION_(how, const Value *, name##_view_get, (const name##_view *view, Key key, size_t *count), {             \
        return name##_values_(&view->core, cm_multimap_find_(&name##_type_, &view->core.plain, &key), count);          \
    })                                                                                                                 \
    /* Looks n keys up, fetching ahead: values[i] and counts[i] are what view_get gives for keys[i]. Returns the hits. \
     */                                                                                                                \
    CM_FUNCTION_(how, size_t, name##_view_get_many,                                                                    \
                 (const name##_view *view, const Key *keys, size_t n, const Value **values, size_t *counts), {         \
                     const struct cm_plain_ *plain = &view->core.plain;                                                \
                     size_t hits = 0;                                                                                  \
                     CM_FLAT_BATCH_(&name##_type_, plain, i, n, hash, &keys[i], false, {                               \
                         const void *bag = cm_plain_find_(&name##_type_, plain, &keys[i], hash);                       \
                         values[i] = name##_values_(&view->core, (const struct cm_bag_ *)bag, &counts[i]);             \
                         hits += bag != NULL;                                                                          \
                     });                                                                                               \
                     return hits;                                                                                      \
                 })                                                                                                    \
    /* The first of the key's values; NULL: there is none. Valid until the reader leaves. */                           \
    CM_FUNCTION_(how, const Value *, name##_view_get_one, (const name##_view *view, Key key), {                        \
        size_t count;                                                                                                  \
        const Value *values = name##_view_get(view, key, &count);                                                      \
        return count ? values : NULL;                                                                                  \
    })                                                                                                                 \
    CM_INNER_(how, bool, name##_has_, (const struct cm_plain_ *plain, const Key *key, const Value *value), {           \
        const struct cm_bag_ *bag = cm_multimap_find_(&name##_type_, plain, key);                                      \
        return bag && cm_bag_find_(&name##_bag_type_, bag, plain->seed, value) != CM_BAG_NONE_;                        \
    })                                                                                                                 \
    /* Whether one of the key's values is equal to this one. O(1); up to 31 values are looked at one by one. */        \
    CM_FUNCTION_(how, bool, name##_view_contains_value, (const name##_view *view, Key key, Value value),               \
                 { return name##_has_(&view->core.plain, &key, &value); })

/* A walk over a view. */
#define CM_MULTIMAP_WALKS_(how, name, Key, Value)                                                                      \
    CM_SHOWN_(                                                                                                         \
        how, typedef struct name##_view_iter {                                                                         \
            const name##_view *view;                                                                                   \
            struct cm_flat_walk_ walk;                                                                                 \
            const Key *key;                                                                                            \
            const Value *values;                                                                                       \
            size_t count;                                                                                              \
        } name##_view_iter;)                                                                                           \
    /* Begins a walk: CM_FOREACH(name_view, view, it) gives it.key, and it.count values at it.values, valid until the  \
     * reader leaves. Each key of the view is visited once. */                                                         \
    CM_FUNCTION_(how, name##_view_iter, name##_view_iter_begin, (const name##_view *view), {                           \
        name##_view_iter iter = {view, cm_flat_walk_begin_(), NULL, NULL, 0};                                          \
        return iter;                                                                                                   \
    })                                                                                                                 \
    CM_FUNCTION_(how, bool, name##_view_iter_next, (name##_view_iter * iter), {                                        \
        const struct cm_type *const type = CM_TYPE_OF_(how, name, &iter->view->core);                                  \
        struct cm_flat_place_ place = cm_flat_walk_next_(type, &iter->view->core.plain.flat, &iter->walk);             \
        if (!place.entry)                                                                                              \
            return false;                                                                                              \
        iter->key = (const Key *)(const void *)place.entry;                                                            \
        iter->values = name##_values_(                                                                                 \
            &iter->view->core, (const struct cm_bag_ *)(const void *)cm_flat_value_(type, place), &iter->count);       \
        return true;                                                                                                   \
    })                                                                                                                 \
    CM_FUNCTION_(how, void, name##_view_iter_end, (name##_view_iter * iter), { (void)iter; })

/* Look-ups of one value, by readers that enter by themselves and by the writer. */
#define CM_MULTIMAP_GETS_(how, name, Key, Value)                                                                       \
    CM_LOCAL_(how, cm_status, name##_one_copy_, (const struct cm_plain_ *plain, const Key *key, Value *value), {       \
        const struct cm_bag_ *bag = cm_multimap_find_(&name##_type_, plain, key);                                      \
        if (!bag || !bag->len)                                                                                         \
            return CM_ABSENT;                                                                                          \
        const Value *one = (const Value *)(const void *)cm_bag_values_(&name##_bag_type_, bag);                        \
        if (name##_bag_type_.key_clone)                                                                                \
            return name##_bag_type_.key_clone(value, one, plain->context);                                             \
        memcpy((void *)value, one, sizeof *value);                                                                     \
        return CM_OK;                                                                                                  \
    })                                                                                                                 \
    /* Copies the first of the key's values; false: there is none (or it could not be cloned), and *value is as it     \
     * was. Inside a view, of that view. Wait-free. */                                                                 \
    CM_FUNCTION_(how, bool, name##_get_one, (name##_reader * reader, Key key, Value * value), {                        \
        bool found = false;                                                                                            \
        const struct cm_side_ *side = cm_reader_enter_(&reader->core);                                                 \
        if (!side)                                                                                                     \
            return false;                                                                                              \
        found = name##_one_copy_(&side->plain, &key, value) == CM_OK;                                                  \
        cm_reader_leave_(&reader->core);                                                                               \
        return found;                                                                                                  \
    })                                                                                                                 \
    /* Whether one of the key's values is equal to this one. Inside a view, of that view. Wait-free. */                \
    CM_FUNCTION_(how, bool, name##_contains_value, (name##_reader * reader, Key key, Value value), {                   \
        const struct cm_side_ *side = cm_reader_enter_(&reader->core);                                                 \
        if (!side)                                                                                                     \
            return false;                                                                                              \
        bool found = name##_has_(&side->plain, &key, &value);                                                          \
        cm_reader_leave_(&reader->core);                                                                               \
        return found;                                                                                                  \
    })                                                                                                                 \
    /* Copies the first value that the key has for the writer, with all its changes. CM_OK, CM_ABSENT, or what a clone \
     * failed with. */                                                                                                 \
    CM_FUNCTION_(how, cm_status, name##_writer_get_one, (name##_writer * writer, Key key, Value * value),              \
                 CM_IN_TURN_(name, writer, CM_TURN_LOOKS_, CM_FOREVER,                                                 \
                             name##_one_copy_(&cm_newest_(writer->core)->plain, &key, value)))                         \
    CM_LOCAL_(how, cm_status, name##_count_, (const struct cm_plain_ *plain, const Key *key, size_t *count), {         \
        const struct cm_bag_ *bag = cm_multimap_find_(&name##_type_, plain, key);                                      \
        *count = bag ? bag->len : 0;                                                                                   \
        return bag ? CM_OK : CM_ABSENT;                                                                                \
    })                                                                                                                 \
    /* How many values the key has for the writer, in *count: CM_OK; or CM_ABSENT, and 0. */                           \
    CM_FUNCTION_(how, cm_status, name##_writer_count, (name##_writer * writer, Key key, size_t * count),               \
                 CM_IN_TURN_(name, writer, CM_TURN_LOOKS_, CM_FOREVER,                                                 \
                             name##_count_(&cm_newest_(writer->core)->plain, &key, count)))                            \
    /* Whether the key is there for the writer. */                                                                     \
    CM_FUNCTION_(how, bool, name##_writer_contains, (name##_writer * writer, Key key), {                               \
        size_t count;                                                                                                  \
        return name##_writer_count(writer, key, &count) == CM_OK;                                                      \
    })                                                                                                                 \
    CM_LOCAL_(how, cm_status, name##_writer_has_, (name##_writer * writer, const Key *key, const Value *value),        \
              CM_IN_TURN_(name, writer, CM_TURN_LOOKS_, CM_FOREVER,                                                    \
                          name##_has_(&cm_newest_(writer->core)->plain, key, value) ? CM_OK : CM_ABSENT))              \
    /* Whether one of the values that the key has for the writer is equal to this one. */                              \
    CM_FUNCTION_(how, bool, name##_writer_contains_value, (name##_writer * writer, Key key, Value value),              \
                 { return name##_writer_has_(writer, &key, &value) == CM_OK; })

/* ---- changes ---- */

/* A change of one key: name_VERB of cm_multimap_VERB_. */
#define CM_MULTIMAP_KEYED_(how, name, Key, verb, more, arguments, passed)                                              \
    CM_INNER_(how, cm_status, name##_##verb##_in_,                                                                     \
              (name##_writer * writer, uint64_t hash, Key key CM_LIST_ more, cm_deadline deadline),                    \
              CM_IN_TURN_(name, writer, CM_TURN_CHANGES_, deadline,                                                    \
                          cm_multimap_##verb##_(writer->core, &name##_type_, &key, hash CM_LIST_ passed)))             \
    /* As is said where it is used. */                                                                                 \
    CM_KEYED_(how, name, name##_writer, Key, verb, more, arguments)

#define CM_MULTIMAP_CHANGES_(how, name, Key, Value)                                                                    \
    /* Adds a value to those of the key, which is added if it is absent: CM_OK. A value that is equal to another one   \
     * of the key is one more. CM_NOMEM, CM_FULL; CM_DEADLOCK: as begin; then the value is the caller's. O(1), but for \
     * growing, which is rare: O(values of the key), O(keys). */                                                       \
    CM_MULTIMAP_KEYED_(how, name, Key, insert, (, Value value), (, value), (, &value))                                 \
    /* Gives the key this value alone: CM_OK (new), or CM_REPLACED: the others are destroyed when no reader can see    \
     * them any more. As insert. */                                                                                    \
    CM_MULTIMAP_KEYED_(how, name, Key, update, (, Value value), (, value), (, &value))                                 \
    /* Removes one of the key's values that is equal to this one, whichever: CM_OK; or CM_ABSENT. The key stays, with  \
     * no values if that was the last one. `value` stays the caller's. CM_NOMEM; as insert. O(1); up to 31 values are  \
     * looked at one by one. */                                                                                        \
    CM_MULTIMAP_KEYED_(how, name, Key, remove_value, (, Value value), (, value), (, &value, NULL))                     \
    CM_LOCAL_(how, cm_status, name##_take_value_one_,                                                                  \
              (name##_writer * writer, uint64_t hash, const Key *key, const Value *value, name##_taken *taken), {      \
                  cm_status status =                                                                                   \
                      cm_multimap_remove_value_(writer->core, &name##_type_, key, hash, value, (void *)&taken->value); \
                  if (status == CM_OK)                                                                                 \
                      cm_leftright_took_(writer->core, &taken->map, &taken->published, &taken->context);               \
                  return status;                                                                                       \
              })                                                                                                       \
    CM_INNER_(                                                                                                         \
        how, cm_status, name##_take_value_in_,                                                                         \
        (name##_writer * writer, uint64_t hash, Key key, Value value, name##_taken * taken, cm_deadline deadline),     \
        CM_IN_TURN_(name, writer, CM_TURN_CHANGES_, deadline,                                                          \
                    name##_take_value_one_(writer, hash, &key, &value, taken)))                                        \
    /* As remove_value; `taken` has the value that the map had, which nobody destroys until it is given back. Readers  \
     * may look at it still, so it may be read, and not changed. */                                                    \
    CM_KEYED_(how, name, name##_writer, Key, take_value, (, Value value, name##_taken * taken), (, value, taken))      \
    /* Removes the key with all its values: CM_OK, or CM_ABSENT. CM_NOMEM; as insert. O(1). */                         \
    CM_MULTIMAP_KEYED_(how, name, Key, remove_entry, (), (), ())                                                       \
    /* Removes all values of the key, which stays: CM_OK, or CM_ABSENT. CM_NOMEM; as insert. O(1). */                  \
    CM_MULTIMAP_KEYED_(how, name, Key, clear_entry, (), (), ())                                                        \
    /* Makes room for so many values more of a key that is there, so that inserting them takes no memory but of the    \
     * log. CM_OK or CM_ABSENT; CM_NOMEM, CM_FULL; as insert. O(values of the key). */                                 \
    CM_MULTIMAP_KEYED_(how, name, Key, reserve_values, (, size_t more), (, more), (, more))                            \
    /* Makes the room of the key's values as small as they allow: CM_OK or CM_ABSENT. CM_NOMEM; as insert. O(values of \
     * the key). */                                                                                                    \
    CM_MULTIMAP_KEYED_(how, name, Key, fit, (), (), ())

/* Of many keys. */
#define CM_MULTIMAP_PAIRS_(how, name, Key, Value, verb, one)                                                           \
    CM_INNER_(how, size_t, name##_##verb##_in_,                                                                        \
              (name##_writer * writer, const Key *keys, const Value *values, size_t n, cm_status *results,             \
               cm_deadline deadline),                                                                                  \
              CM_IN_TURN_OF_MANY_(name, &name##_type_, writer, true, deadline, i, n, hash, &keys[i], one,              \
                                  CM_NOTE_RESULT_(results, i), status == CM_OK))

#define CM_MULTIMAP_MANY_(how, name, Key, Value)                                                                       \
    CM_MULTIMAP_PAIRS_(how, name, Key, Value, insert_many,                                                             \
                       cm_multimap_insert_(writer->core, &name##_type_, &keys[i], hash, &values[i]))                   \
    /* Inserts n values, values[i] of keys[i], in order and in one turn, fetching ahead in large tables: other         \
     * threads' changes come before or behind all of them, and they are published together, whatever publish_every     \
     * says. `results` (may be NULL) takes what insert would return. Returns how many succeeded; 0, where there was no \
     * turn, and that is each one's result. May wait, as begin does. O(n). */                                          \
    CM_TWINS_OF_(how, size_t, name, insert_many,                                                                       \
                 (name##_writer * writer, const Key *keys, const Value *values, size_t n, cm_status *results),         \
                 (writer, keys, values, n, results))                                                                   \
    CM_MULTIMAP_PAIRS_(how, name, Key, Value, remove_value_many,                                                       \
                       cm_multimap_remove_value_(writer->core, &name##_type_, &keys[i], hash, &values[i], NULL))       \
    /* Removes n values, one that is equal to values[i] of keys[i]. Returns how many there were. As insert_many. */    \
    CM_TWINS_OF_(how, size_t, name, remove_value_many,                                                                 \
                 (name##_writer * writer, const Key *keys, const Value *values, size_t n, cm_status *results),         \
                 (writer, keys, values, n, results))

/* Those with a function of the caller. */
#define CM_MULTIMAP_CALLS_(how, name, Key, Value)                                                                      \
    CM_HIDDEN_(                                                                                                        \
        how, struct name##_call_ {                                                                                     \
            cm_status (*keep)(const Key *, const Value *, void *);                                                     \
            cm_status (*keep_value)(const Value *, void *);                                                            \
            cm_status (*tell)(const Key *, const Value *, size_t, void *);                                             \
            void *context;                                                                                             \
        };)                                                                                                            \
    CM_LOCAL_(how, cm_status, name##_run_, (const void *key, const void *values, size_t count, void *call), {          \
        const struct name##_call_ *made = (const struct name##_call_ *)call;                                           \
        if (made->tell)                                                                                                \
            return made->tell((const Key *)key, (const Value *)values, count, made->context);                          \
        return made->keep ? made->keep((const Key *)key, (const Value *)values, made->context)                         \
                          : made->keep_value((const Value *)values, made->context);                                    \
    })

#define CM_MULTIMAP_SIFT_KEY_(how, name, Key, Value)                                                                   \
    CM_INNER_(how, cm_status, name##_retain_values_in_,                                                                \
              (name##_writer * writer, uint64_t hash, Key key, cm_status(*keep)(const Value *, void *), void *context, \
               cm_deadline deadline),                                                                                  \
              {                                                                                                        \
                  struct name##_call_ made = {NULL, keep, NULL, context};                                              \
                  struct cm_values_call_ call = {name##_run_, &made};                                                  \
                  CM_IN_TURN_(name, writer, CM_TURN_CHANGES_, deadline,                                                \
                              cm_multimap_retain_values_(writer->core, &name##_type_, &key, hash, &call))              \
              })                                                                                                       \
    /* Removes those of the key's values for which `keep` returns CM_ABSENT, and keeps those for which it returns      \
     * CM_OK. It is asked once about each, the last one first. CM_OK; CM_ABSENT: there is no such key. Less than 0     \
     * ends it, and that value stays; so does CM_NOMEM: what was removed until then is removed. `keep` may look at the \
     * map, and not change it. As insert. O(values of the key). */                                                     \
    CM_KEYED_(how, name, name##_writer, Key, retain_values,                                                            \
              (, cm_status(*keep)(const Value *, void *), void *context), (, keep, context))

/* Of all keys. */
#define CM_MULTIMAP_SIFTS_(how, name, Key, Value)                                                                      \
    CM_INNER_(how, cm_status, name##_retain_in_,                                                                       \
              (name##_writer * writer, cm_status(*keep)(const Key *, const Value *, void *), void *context,            \
               cm_deadline deadline),                                                                                  \
              {                                                                                                        \
                  struct name##_call_ made = {keep, NULL, NULL, context};                                              \
                  struct cm_values_call_ call = {name##_run_, &made};                                                  \
                  CM_IN_TURN_(name, writer, CM_TURN_CHANGES_, deadline,                                                \
                              cm_multimap_retain_(writer->core, CM_TYPE_OF_(how, name, writer->core->sides), &call))   \
              })                                                                                                       \
    /* The same as retain_values for the values of all keys, which stay. May wait, as begin does. O(groups + values).  \
     */                                                                                                                \
    CM_TWINS_(how, name, retain,                                                                                       \
              (name##_writer * writer, cm_status(*keep)(const Key *, const Value *, void *), void *context),           \
              (writer, keep, context))                                                                                 \
    CM_INNER_(how, cm_status, name##_remove_random_in_,                                                                \
              (name##_writer * writer, size_t n, uint64_t seed,                                                        \
               cm_status(*tell)(const Key *, const Value *, size_t, void *), void *context, cm_deadline deadline),     \
              {                                                                                                        \
                  struct name##_call_ made = {NULL, NULL, tell, context};                                              \
                  struct cm_values_call_ call = {name##_run_, &made};                                                  \
                  CM_IN_TURN_(name, writer, CM_TURN_CHANGES_, deadline,                                                \
                              cm_multimap_remove_random_(writer->core, CM_TYPE_OF_(how, name, writer->core->sides), n, \
                                                         seed, &call))                                                 \
              })                                                                                                       \
    /* Removes n keys (all, if there are no more), each with the same odds; `seed` is for the choice, any number.      \
     * Before a key is removed tell(key, values, count, context) is called: it is removed, unless that returns less    \
     * than 0, which ends it. So does CM_NOMEM. `tell` may look at the map, and not change it. May wait, as begin      \
     * does. O(n), or O(groups) where few slots of the table are taken. */                                             \
    CM_TWINS_(how, name, remove_random,                                                                                \
              (name##_writer * writer, size_t n, uint64_t seed,                                                        \
               cm_status(*tell)(const Key *, const Value *, size_t, void *), void *context),                           \
              (writer, n, seed, tell, context))

/* Changes of all keys. */
#define CM_MULTIMAP_WHOLE_(how, name)                                                                                  \
    CM_INNER_(how, cm_status, name##_purge_in_, (name##_writer * writer, cm_deadline deadline),                        \
              CM_IN_TURN_(name, writer, CM_TURN_CHANGES_, deadline,                                                    \
                          cm_multimap_purge_(writer->core, CM_TYPE_OF_(how, name, writer->core->sides))))              \
    /* Removes every key; keeps the tables. CM_NOMEM; may wait, as begin does. O(groups). */                           \
    CM_TWINS_(how, name, purge, (name##_writer * writer), (writer))                                                    \
    CM_INNER_(how, cm_status, name##_fit_all_in_, (name##_writer * writer, cm_deadline deadline),                      \
              CM_IN_TURN_(name, writer, CM_TURN_CHANGES_, deadline,                                                    \
                          cm_multimap_fit_all_(writer->core, CM_TYPE_OF_(how, name, writer->core->sides))))            \
    /* As fit of each key, and shrink_to_fit. CM_NOMEM: some may have been made smaller. May wait, as begin does.      \
     * O(groups + values). */                                                                                          \
    CM_TWINS_(how, name, fit_all, (name##_writer * writer), (writer))

#endif
