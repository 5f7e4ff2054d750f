/* Memory straight from the system, by mmap: large tables, and records that all maps share. */
#include "platform.h"

#include <sys/mman.h>
#include <unistd.h>

#if !defined(MAP_ANONYMOUS) && defined(MAP_ANON)
#define MAP_ANONYMOUS MAP_ANON
#endif

static void unmap_between(char *from, char *to)
{
    if (to > from)
        munmap(from, (size_t)(to - from));
}

void *cm_platform_map_(size_t size, size_t alignment, bool huge)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t slack = alignment > page ? alignment : 0;
    if (size > SIZE_MAX - slack - page)
        return NULL;
    size = cm_align_up_(size, page);
    char *raw = mmap(NULL, size + slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (raw == MAP_FAILED)
        return NULL;
    char *address = slack ? (char *)cm_align_up_((uintptr_t)raw, alignment) : raw;
    unmap_between(raw, address);
    unmap_between(address + size, raw + size + slack);
    (void)huge;
#ifdef MADV_HUGEPAGE
    if (huge)
        madvise(address, size, MADV_HUGEPAGE); /* a hint: failure does no harm */
#endif
    return address;
}

void cm_platform_unmap_(void *address, size_t size)
{
    munmap(address, size);
}
