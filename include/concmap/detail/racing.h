/* Reading what a writer may be changing. */
#ifndef CONCMAP_DETAIL_RACING_H
#define CONCMAP_DETAIL_RACING_H

#include <concmap/detail/platform.h>

CM_BEGIN_DECLS

/* Copies bytes that a writer may be changing; the caller validates the copy before it uses it. Exempt from the thread
 * sanitizer: under a lock values are written by plain stores, of the user too, and a torn copy is thrown away. */
#if CM_TSAN
static CM_NO_TSAN __attribute__((unused)) void cm_copy_racing_(void *to, const void *from, size_t size)
{
    volatile char *out = (volatile char *)to;
    const volatile char *in = (const volatile char *)from;
    for (size_t i = 0; i < size; i++)
        out[i] = in[i];
}
#else
CM_INLINE void cm_copy_racing_(void *to, const void *from, size_t size)
{
    CM_COMPILER_BARRIER();
    memcpy(to, from, size);
    CM_COMPILER_BARRIER();
}
#endif

enum cm_read_ { CM_READ_MISS_, CM_READ_HIT_, CM_READ_AGAIN_ };

CM_END_DECLS

#endif
