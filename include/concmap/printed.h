/* Maps as text, for whoever debugs: the stats, then a line for each entry, through a function of yours.
 *
 *     CM_SHARDED_MAP(ages, cm_str, uint32_t, cm_hash_str, cm_equal_str)
 *     CM_PRINTED(ages, cm_print_str, cm_print_u32)
 *     ...
 *     ages_print(&map, cm_write_file, stderr);
 *
 * A printer is a function, or a macro, that is called as
 *
 *     cm_status print(const Type *what, cm_write_text *write, void *context);
 *
 * and hands its text to `write`, with the context, in as many pieces as it likes. Less than 0 ends the printing. Below
 * are printers for integers, texts, and bytes; the library itself prints nothing. */
#ifndef CONCMAP_PRINTED_H
#define CONCMAP_PRINTED_H

#include <concmap/deadline.h>
#include <concmap/figures.h>
#include <concmap/status.h>
#include <concmap/str.h>
#include <stdio.h>

CM_BEGIN_DECLS

/* Takes a piece of text: `size` bytes, without a zero at the end. Less than 0: no more of it. */
typedef cm_status cm_write_text(void *context, const char *text, size_t size);

/* Writes to the FILE that is the context. CM_IO. */
CM_API cm_status cm_write_file(void *file, const char *text, size_t size);

/* Writes a text as it is, without its end. Returns what `write` does, as all that follow. */
CM_API cm_status cm_print_plain(const char *text, cm_write_text *write, void *context);

/* Integers, in decimal. */
CM_API cm_status cm_print_u64(const uint64_t *number, cm_write_text *write, void *context);
CM_API cm_status cm_print_i64(const int64_t *number, cm_write_text *write, void *context);
CM_API cm_status cm_print_u32(const uint32_t *number, cm_write_text *write, void *context);
CM_API cm_status cm_print_i32(const int32_t *number, cm_write_text *write, void *context);

/* A text in quotes, as C would have it: what is not printable ASCII in three octal digits. */
CM_API cm_status cm_print_str(const cm_str *text, cm_write_text *write, void *context);

/* `size` bytes in hexadecimal, two digits each, in the order of addresses. */
CM_API cm_status cm_print_bytes(const void *bytes, size_t size, cm_write_text *write, void *context);
/* The same as a printer of any type; padding is printed, too. */
#define CM_PRINT_HEX(what, write, context) cm_print_bytes((what), sizeof *(what), (write), (context))

/* Figures of a map, a line for each kind. */
CM_API cm_status cm_print_stats(const cm_stats *stats, cm_write_text *write, void *context);
/* What a view of a left-right map has. */
CM_API cm_status cm_print_view_(size_t entries, uint64_t meta, cm_write_text *write, void *context);

CM_END_DECLS

/* Makes name_print and its twins for a map type, from its public functions alone. */
#define CM_PRINTED(name, print_key, print_value) CM_PRINTED_(name, CM_PRINTED_PAIR_(name, print_key, print_value))

/* The same for a set. */
#define CM_PRINTED_SET(name, print_key) CM_PRINTED_(name, { status = print_key(&iter.key, write, context); })

/* The same for a partitioned map, whose owners are waited for, also for the figures (CM_PRINTED would wait for those
 * whatever the deadline: it does not compile). CM_CLOSED while it is being shut down. */
#define CM_PRINTED_PARTITIONED(name, print_key, print_value)                                                           \
    CM_PRINTED_BY_(name, name##_stats_until(map, &stats, deadline), CM_PRINTED_PAIR_(name, print_key, print_value))

#define CM_PRINTED_PAIR_(name, print_key, print_value)                                                                 \
    {                                                                                                                  \
        status = print_key(&iter.key, write, context);                                                                 \
        if (status >= 0)                                                                                               \
            status = cm_print_plain(": ", write, context);                                                             \
        if (status >= 0)                                                                                               \
            status = print_value(name##_iter_value_(&iter), write, context);                                           \
    }

/* A function that may wait for its figures is not for this: the types differ. */
#define CM_PRINTED_(name, ...)                                                                                         \
    CM_TYPED void name##_print_figures_(void (*figures)(const name *, cm_stats *), const name *map, cm_stats *stats)   \
    {                                                                                                                  \
        figures(map, stats);                                                                                           \
    }                                                                                                                  \
    CM_PRINTED_BY_(name, (name##_print_figures_(name##_stats, map, &stats), CM_OK), __VA_ARGS__)
#define CM_PRINTED_BY_(name, figures, ...)                                                                             \
    /* Prints the map: its stats, then each entry that is there throughout; those that come or go meanwhile may be     \
     * printed. No lock is held while a printer or `write` runs. CM_OK, or what ended it: less than 0 from a printer   \
     * or `write`, CM_NOMEM, or why a wait was given up: CM_TIMEOUT past the deadline; of a locked map CM_OWNER_DIED.  \
     * O(buckets). */                                                                                                  \
    CM_TYPED cm_status name##_print_until(const name *map, cm_write_text *write, void *context, cm_deadline deadline)  \
    {                                                                                                                  \
        cm_stats stats;                                                                                                \
        cm_status status = figures;                                                                                    \
        if (status >= 0)                                                                                               \
            status = cm_print_stats(&stats, write, context);                                                           \
        name##_iter iter = name##_iter_begin(map);                                                                     \
        while (status >= 0 && name##_iter_next_until(&iter, deadline)) {                                               \
            __VA_ARGS__                                                                                                \
            if (status >= 0)                                                                                           \
                status = cm_print_plain("\n", write, context);                                                         \
        }                                                                                                              \
        status = status < 0 ? status : iter.status;                                                                    \
        name##_iter_end(&iter);                                                                                        \
        return status < 0 ? status : CM_OK;                                                                            \
    }                                                                                                                  \
    /* The same, however long locks are held. */                                                                       \
    CM_TYPED cm_status name##_print(const name *map, cm_write_text *write, void *context)                              \
    {                                                                                                                  \
        return name##_print_until(map, write, context, CM_FOREVER);                                                    \
    }                                                                                                                  \
    /* The same without waiting: CM_BUSY. */                                                                           \
    CM_TYPED cm_status name##_try_print(const name *map, cm_write_text *write, void *context)                          \
    {                                                                                                                  \
        return name##_print_until(map, write, context, CM_TRY);                                                        \
    }

/* Makes name_view_print for a left-right map, of what a view has. */
#define CM_PRINTED_VIEW(name, print_key, print_value)                                                                  \
    CM_PRINTED_VIEW_(name, {                                                                                           \
        status = print_key(iter.key, write, context);                                                                  \
        if (status >= 0)                                                                                               \
            status = cm_print_plain(": ", write, context);                                                             \
        if (status >= 0)                                                                                               \
            status = print_value(iter.value, write, context);                                                          \
    })

/* The same for a left-right multimap: the values of a key stand behind it, with commas. */
#define CM_PRINTED_MULTIMAP_VIEW(name, print_key, print_value)                                                         \
    CM_PRINTED_VIEW_(name, {                                                                                           \
        status = print_key(iter.key, write, context);                                                                  \
        for (size_t i = 0; i < iter.count && status >= 0; i++) {                                                       \
            status = cm_print_plain(i ? ", " : ": ", write, context);                                                  \
            if (status >= 0)                                                                                           \
                status = print_value(&iter.values[i], write, context);                                                 \
        }                                                                                                              \
    })

/* The same for a left-right set. */
#define CM_PRINTED_SET_VIEW(name, print_key) CM_PRINTED_VIEW_(name, { status = print_key(iter.key, write, context); })

#define CM_PRINTED_VIEW_(name, ...)                                                                                    \
    /* Prints how many entries there are, the meta value, and each entry. CM_OK, or what is less than 0 from a printer \
     * or `write`. Inside the view: nobody waits but a writer that needs the side back. O(entries). */                 \
    CM_TYPED cm_status name##_view_print(const name##_view *view, cm_write_text *write, void *context)                 \
    {                                                                                                                  \
        cm_status status = cm_print_view_(name##_view_len(view), name##_view_meta(view), write, context);              \
        name##_view_iter iter = name##_view_iter_begin(view);                                                          \
        while (status >= 0 && name##_view_iter_next(&iter)) {                                                          \
            __VA_ARGS__                                                                                                \
            if (status >= 0)                                                                                           \
                status = cm_print_plain("\n", write, context);                                                         \
        }                                                                                                              \
        name##_view_iter_end(&iter);                                                                                   \
        return status < 0 ? status : CM_OK;                                                                            \
    }

#endif
