/* String interning: several threads read text and turn its words into symbols. All who meet a word get the same
 * address, which stays valid for as long as the table; so from then on words are compared by address, and what is known
 * of one is reached without the table. */
#include <concmap/anchored_set.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define THREADS 4
#define WORDS 200000 /* that each thread reads */
#define DIFFERENT 5000

/* What is known of a word: a count that threads change where it is. */
struct symbol {
    atomic_ulong uses;
};

CM_ANCHORED_MAP_MUTABLE(symbols, cm_str, struct symbol, cm_hash_str, cm_equal_str)
CM_ANCHORED_SET(atoms, cm_str, cm_hash_str, cm_equal_str)

static symbols table = CM_MAP_INITIALIZER;
static atoms names = CM_MAP_INITIALIZER;

struct reader {
    unsigned seed;
    struct symbol *first[DIFFERENT]; /* where each word was when it was met first */
    unsigned long moved;
};

static void no_memory(void)
{
    fputs("no memory\n", stderr);
    exit(1);
}

static struct symbol *symbol_of(cm_str word)
{
    struct symbol unused = {0};
    struct symbol *symbol = symbols_get(&table, word); /* no lock, no guard, and nothing is stored */
    if (!symbol && symbols_get_or_insert(&table, word, unused, &symbol) < 0)
        no_memory();
    return symbol;
}

static void *read_words(void *argument)
{
    struct reader *reader = argument;
    unsigned random = reader->seed;
    char text[32];
    for (int n = 0; n < WORDS; n++) {
        random = random * 1664525 + 1013904223;
        unsigned which = (random >> 8) % DIFFERENT;
        int len = snprintf(text, sizeof text, "word%u", which);
        const cm_str *name;
        if (atoms_get_or_add(&names, cm_str_from(text, (size_t)len), &name) < 0) /* the text, once for all */
            no_memory();
        struct symbol *symbol = symbol_of(*name);
        if (!reader->first[which])
            reader->first[which] = symbol;
        reader->moved += reader->first[which] != symbol;
        atomic_fetch_add_explicit(&symbol->uses, 1, memory_order_relaxed);
    }
    return NULL;
}

int main(void)
{
    static struct reader readers[THREADS];
    pthread_t threads[THREADS];
    unsigned long uses = 0, moved = 0, differ = 0;
    for (unsigned i = 0; i < THREADS; i++) {
        readers[i].seed = i + 1;
        if (pthread_create(&threads[i], NULL, read_words, &readers[i]) != 0)
            return 1;
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < THREADS; i++) {
        moved += readers[i].moved;
        for (unsigned k = 0; k < DIFFERENT; k++)
            differ += readers[i].first[k] && readers[0].first[k] && readers[i].first[k] != readers[0].first[k];
    }
    CM_FOREACH (symbols, &table, it)
        uses += atomic_load(&it.value->uses);
    printf("%zu words used %lu times by %d threads\n", symbols_len(&table), uses, THREADS);
    printf("%lu addresses changed while the table grew, %lu differ between threads\n", moved, differ);
    symbols_destroy(&table);
    atoms_destroy(&names);
    return moved || differ || uses != (unsigned long)THREADS * WORDS;
}
