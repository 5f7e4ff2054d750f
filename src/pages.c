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

size_t cm_platform_empty_(void *address, size_t size)
{
#ifdef __linux__ /* elsewhere the pages may keep what was in them */
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uintptr_t begin = cm_align_up_((uintptr_t)address, page);
    uintptr_t end = ((uintptr_t)address + size) / page * page;
    if (end > begin && madvise((void *)begin, end - begin, MADV_DONTNEED) == 0)
        return end - begin;
#else
    (void)address, (void)size;
#endif
    return 0;
}
