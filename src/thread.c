/* The registry of thread records. */
#include <concmap/detail/thread.h>

#include <concmap/detail/domain.h>
#include <pthread.h>

#include "checked.h"
#include "parking.h"
#include "platform.h"
#include "thread_registry.h"

#define BLOCK_BYTES 4096

CM_THREAD_LOCAL struct cm_thread_ *cm_thread_self_;
CM_THREAD_LOCAL uint32_t cm_thread_life_;

static struct cm_thread_ first_records[16];
static struct cm_thread_ stranger = {
    .index = CM_STRANGER_,
    .fenced = 1,
    .used = 1,
    .held = {.holds = {[0 ... CM_HOLDS_ - 1] = {.cell = &stranger.pin}}}}; /* none is free */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* the free list and the making of records; a leaf */
static struct cm_thread_ *free_records;
static uint32_t record_count;
static struct cm_thread_ *all_records;
static pthread_key_t exit_key;
static bool ready; /* these two under the lock */
static bool ended;

struct cm_thread_ *cm_thread_records_(void)
{
    return cm_load_acquire_(&all_records); /* pairs with the release in record_publish() */
}

static void record_publish(struct cm_thread_ *record, uint32_t index)
{
    record->index = index;
    record->next = all_records;
    record->next_free = free_records;
    free_records = record;
    cm_store_release_(&all_records, record);
}

/* Adds the records of a block so that the lowest index is taken first. */
static void records_add(struct cm_thread_ *records, uint32_t count)
{
    for (uint32_t i = count; i-- > 0;)
        record_publish(&records[i], record_count + i);
    record_count += count;
}

static void record_leave(void *context)
{
    struct cm_thread_ *record = context;
    cm_thread_life_++;
    cm_uses_end_(record);
    cm_thread_self_ = NULL;
    cm_domains_part_(record);
    cm_store_release_(&record->pin, 0); /* both pair with the scan of an advance */
    cm_store_release_(&record->leaf, 0);
    cm_store_relaxed_(&record->used, 0);
    if (cm_holds_end_(record)) /* the last step: whoever deals with what is left passes the record on */
        return;
    record->next_free = NULL;
    cm_thread_release_(record);
}

void cm_thread_release_(struct cm_thread_ *records)
{
    if (!records)
        return;
    struct cm_thread_ *last = records;
    while (last->next_free)
        last = last->next_free;
    pthread_mutex_lock(&lock);
    last->next_free = free_records;
    free_records = records;
    pthread_mutex_unlock(&lock);
}

static void fork_prepare(void)
{
    cm_waits_lock_();
    pthread_mutex_lock(&lock);
    cm_domains_lock_();
}

static void fork_parent(void)
{
    cm_domains_unlock_();
    pthread_mutex_unlock(&lock);
    cm_waits_unlock_();
}

/* Only the forking thread lives on in the child: the other records are free. */
static void fork_child(void)
{
    free_records = NULL;
    for (struct cm_thread_ *record = all_records; record; record = record->next) {
        if (record == cm_thread_self_)
            continue;
        record->pin = record->leaf = 0;
        record->used = 0;
        if (!cm_holds_forget_(record))
            continue;
        record->next_free = free_records;
        free_records = record;
    }
    if (cm_thread_self_) /* otherwise the thread may be the stranger, and inside */
        stranger.pin = 0;
    cm_parking_forget_();
    cm_checked_forget_();
    cm_domains_forget_(cm_thread_self_);
    cm_domain_start_();
    cm_domains_unlock_();
    pthread_mutex_unlock(&lock);
    cm_waits_unlock_();
}

static void registry_start(void)
{
    ready = pthread_key_create(&exit_key, record_leave) == 0;
    if (!ready)
        return;
    pthread_atfork(fork_prepare, fork_parent, fork_child);
    cm_domain_start_();
    cm_platform_lockfree_memory_(first_records, sizeof first_records);
    cm_platform_lockfree_memory_(&stranger, sizeof stranger);
    cm_platform_lockfree_memory_(&all_records, sizeof(uintptr_t));
    records_add(first_records, sizeof first_records / sizeof *first_records);
}

/* Where the library is a part of a module that is unloaded, threads that end later must not come here. At the end of
 * a process it does no harm: who has no record is a stranger. */
static __attribute__((destructor)) void registry_end(void)
{
    pthread_mutex_lock(&lock);
    if (ready && !ended)
        pthread_key_delete(exit_key);
    ended = true;
    pthread_mutex_unlock(&lock);
}

static struct cm_thread_ *record_take(void)
{
    if (!ready)
        registry_start();
    if (ready && !free_records) {
        struct cm_thread_ *block = cm_platform_map_(BLOCK_BYTES, BLOCK_BYTES, false);
        if (block) {
            cm_platform_lockfree_memory_(block, BLOCK_BYTES);
            records_add(block, BLOCK_BYTES / sizeof *block);
        }
    }
    struct cm_thread_ *record = free_records;
    if (record)
        free_records = record->next_free;
    return record;
}

static struct cm_thread_ *stranger_take(void)
{
    cm_store_release_(&stranger.pin, CM_EPOCH_ONE_); /* for ever: see thread.h */
    return &stranger;
}

struct cm_thread_ *cm_thread_join_(void)
{
    pthread_mutex_lock(&lock);
    struct cm_thread_ *record = ended ? NULL : record_take();
    if (record) {
        cm_store_relaxed_(&record->used, 1);
        cm_domain_begin_(record);
        cm_store_relaxed_(&record->handle, (uint64_t)(uintptr_t)pthread_self());
    }
    pthread_mutex_unlock(&lock);
    if (!record)
        return stranger_take();
    if (pthread_setspecific(exit_key, record) != 0) {
        record_leave(record);
        return stranger_take();
    }
    cm_thread_self_ = record;
    return record;
}

void cm_thread_visit_free_(void (*visit)(uint32_t index, void *context), void *context)
{
    pthread_mutex_lock(&lock);
    struct cm_thread_ *taken = free_records;
    free_records = NULL;
    pthread_mutex_unlock(&lock);
    for (struct cm_thread_ *record = taken; record; record = record->next_free)
        visit(record->index, context);
    cm_thread_release_(taken);
}

bool cm_thread_stranger_pinned_(void)
{
    return cm_load_acquire_(&stranger.pin) != 0;
}
