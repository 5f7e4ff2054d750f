/* What a side of a left-right map or multimap has, as a stream (detail/saved.h), and whole maps from such.
 *
 * Nobody is in a map that is being loaded, so the writer and its log have no part in that: one side is filled as a
 * plain map would be, and the other one becomes a copy of it, table and rooms of bags. (W2) and (W4) of
 * detail/leftright.h hold then, with nothing to be replayed.
 *
 * All of it is compiled once, in src/side_saved.c, with descriptors that are read at run time. */
#ifndef CONCMAP_DETAIL_SIDE_SAVED_H
#define CONCMAP_DETAIL_SIDE_SAVED_H

#include <concmap/detail/multimap.h>
#include <concmap/detail/saved.h>

CM_BEGIN_DECLS

/* Writes the entries and the meta value of a side that does not change meanwhile. `reason` may be NULL. */
CM_API cm_status cm_side_save_(const struct cm_side_ *side, const struct cm_saved_type_ *saved,
                               const struct cm_sink *sink, const struct cm_progress *progress, const char **reason);
/* Makes a map, and fills it; `file` as of cm_loader_begin_(). After a failure there is none. `version` and `size` are
 * the caller's own. */
CM_API cm_status cm_leftright_load_(struct cm_leftright_ **core, const struct cm_saved_type_ *saved,
                                    const cm_config *config, unsigned version, size_t size,
                                    const struct cm_source *source, const struct cm_file_ *file,
                                    const struct cm_progress *progress, const char **reason);

CM_END_DECLS

#endif
