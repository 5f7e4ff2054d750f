/* The types and functions of a left-right map as a whole: its handles, its making and unmaking. */
#ifndef CONCMAP_DETAIL_LEFTRIGHT_LIFE_H
#define CONCMAP_DETAIL_LEFTRIGHT_LIFE_H

#include <concmap/detail/leftright_changes.h>
#include <concmap/detail/typed.h>

/* The type of a map, of which this is a side: a constant, but of the library's own functions for dynamic maps. */
#define CM_TYPE_OF_(how, name, side) CM_TYPE_OF_##how(name, side)
#define CM_TYPE_OF_cm_inline(name, side) (&name##_type_)
#define CM_TYPE_OF_cm_declare(name, side)
#define CM_TYPE_OF_cm_define(name, side) (&name##_type_)
#define CM_TYPE_OF_cm_export(name, side)
#define CM_TYPE_OF_cm_dynamic(name, side) ((side)->type)

#define CM_LEFTRIGHT_HANDLES_(how, name)                                                                               \
    CM_SHOWN_(                                                                                                         \
        how, typedef struct name { struct cm_leftright_ *core; } name; /* not initialised, or destroyed: undefined */  \
        typedef struct name##_writer { struct cm_leftright_ *core; } name##_writer;                                    \
        typedef struct name##_reader { struct cm_reader_ core; } name##_reader;                                        \
        typedef struct name##_factory { struct cm_leftright_ *core; } name##_factory;                                  \
        typedef struct name##_view { struct cm_side_ core; } name##_view; struct name##_visit_ {                       \
            name##_reader *reader;                                                                                     \
            const name##_view *view;                                                                                   \
        };)

/* What take gives. */
#define CM_LEFTRIGHT_TAKEN_TYPE_(how, name, Value)                                                                     \
    CM_SHOWN_(                                                                                                         \
        how, typedef struct name##_taken {                                                                             \
            Value value;                                                                                               \
            uint64_t map;       /* whose it was; 0: it was given back */                                               \
            uint64_t published; /* and when */                                                                         \
            void *context;                                                                                             \
        } name##_taken;)

#define CM_LEFTRIGHT_INIT_(how, name, init)                                                                            \
    /* Makes an empty map; its address does not matter, and it may be moved. CM_NOMEM; CM_INVALID: options that it has \
     * not (budget, fixed), or the library is of another version. */                                                   \
    CM_FUNCTION_(how, cm_status, name##_init, (name * map, const cm_config *config), { return init; })                 \
    CM_LEFTRIGHT_DESTROY_(how, name)

#define CM_LEFTRIGHT_DESTROY_(how, name)                                                                               \
    /* Gives everything back but values that were taken. Nobody may use the map's writer or any of its readers after   \
     * that; to close them before is not necessary. O(groups) at most. */                                              \
    CM_FUNCTION_(how, void, name##_destroy, (name * map), {                                                            \
        cm_leftright_end_(map->core, CM_TYPE_OF_(how, name, map->core->sides), name##_replay_);                        \
        map->core = NULL;                                                                                              \
    })

#define CM_LEFTRIGHT_LIFE_(how, name)                                                                                  \
    /* What the map takes: both tables; as nodes the texts of keys; as `waiting` the log, and tables that the other    \
     * side is to get; as `threads` the places of readers. */                                                          \
    CM_FUNCTION_(how, cm_memory, name##_memory, (name##_writer * writer),                                              \
                 { return cm_leftright_memory_(writer->core); })                                                       \
    /* What the table looks like that has all changes: see figures.h; `waits` are those for the lock of a shared       \
     * writer, which it has meanwhile. O(groups + entries). */                                                         \
    CM_FUNCTION_(how, void, name##_stats, (name##_writer * writer, cm_stats * stats),                                  \
                 { cm_leftright_stats_(writer->core, CM_TYPE_OF_(how, name, writer->core->sides), stats); })           \
    /* How often it was published, what is pending, how many readers there are, and how batches waited for them. O(1). \
     */                                                                                                                \
    CM_FUNCTION_(how, cm_publications, name##_publications, (name##_writer * writer),                                  \
                 { return cm_leftright_publications_(writer->core); })                                                 \
    /* Validates both tables, while nobody writes; `reason` (may be NULL) takes what is wrong. CM_OK or CM_CORRUPT, or \
     * CM_NOMEM. */                                                                                                    \
    CM_FUNCTION_(how, cm_status, name##_check, (const name *map, const char **reason),                                 \
                 { return cm_leftright_check_(map->core, CM_TYPE_OF_(how, name, map->core->sides), reason); })

#endif
