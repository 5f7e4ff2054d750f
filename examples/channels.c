/* Who is on which channel: several values per key, read by threads that deliver messages while people come and go.
 *
 * Each user is on CHANNELS channels, and moves from one to another all the time; a move is published as a whole, with
 * the number of moves so far. Deliverers take one view for a round over all channels, so that whatever is published
 * meanwhile, they see each user exactly CHANNELS times. */
#include <concmap/leftright_multimap.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define USERS 1000
#define CHANNELS 3 /* of each user */
#define ALL 50     /* channels there are */
#define DELIVERERS 2
#define MOVES 20000

CM_LEFTRIGHT_MULTIMAP(members, uint32_t, uint32_t, cm_hash_u32, cm_equal_u32, cm_hash_u32, cm_equal_u32)

static members table;
static atomic_bool stop;
static atomic_ulong rounds, wrong;

/* The channel that a user is on as its n-th; those of one user are all different. */
static uint32_t channel_of(uint32_t user, uint32_t n, uint32_t moves)
{
    return (user * 7 + n + moves * CHANNELS) % ALL;
}

static void *deliver(void *argument)
{
    members_reader reader;
    (void)argument;
    if (members_reader_open(&table, &reader) != CM_OK)
        return NULL;
    while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
        CM_WITH_VIEW (members, &reader, view) {
            size_t deliveries = 0, count;
            for (uint32_t channel = 0; channel < ALL; channel++)
                if (members_view_get(view, channel, &count)) /* an array of users */
                    deliveries += count;
            if (members_view_len(view) && deliveries != (size_t)USERS * CHANNELS)
                atomic_fetch_add_explicit(&wrong, 1, memory_order_relaxed);
        }
        atomic_fetch_add_explicit(&rounds, 1, memory_order_relaxed);
    }
    members_reader_close(&reader);
    return NULL;
}

/* Takes a user from its channels to the next ones. */
static cm_status user_move(members_writer *writer, uint32_t user, uint32_t moves)
{
    for (uint32_t n = 0; n < CHANNELS; n++) {
        if (moves > 0 && members_remove_value(writer, channel_of(user, n, moves - 1), user) != CM_OK)
            return CM_CORRUPT;
        cm_status status = members_insert(writer, channel_of(user, n, moves), user);
        if (status < 0)
            return status;
    }
    return CM_OK;
}

static cm_status all_move(members_writer *writer)
{
    cm_status status = CM_OK;
    for (uint32_t user = 0; status >= 0 && user < USERS; user++)
        status = user_move(writer, user, 0);
    members_publish(writer);
    for (uint32_t i = 0; status >= 0 && i < MOVES; i++) {
        status = user_move(writer, i % USERS, i / USERS + 1);
        members_set_meta(writer, i + 1);
        members_publish(writer);
    }
    return status;
}

int main(void)
{
    pthread_t threads[DELIVERERS];
    members_writer writer;
    int started = 0;
    if (members_init(&table, NULL) != CM_OK || members_writer_open(&table, &writer) != CM_OK)
        return 1;
    while (started < DELIVERERS && pthread_create(&threads[started], NULL, deliver, NULL) == 0)
        started++;
    cm_status status = all_move(&writer);
    atomic_store(&stop, true);
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    printf("%d moves, %lu rounds, %lu of them with somebody missing or twice; %s\n", MOVES, atomic_load(&rounds),
           atomic_load(&wrong), status < 0 ? "failed" : "done");
    members_destroy(&table);
    return status < 0 || atomic_load(&wrong) != 0;
}
