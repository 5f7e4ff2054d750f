#!/usr/bin/env bash
# A module that has the library in it, or uses the shared one, is loaded, used by a thread, and unloaded before that
# thread ends.
set -euo pipefail
[[ ${CONCMAP_SANITIZE:-} ]] && exit 77 # their runtimes do not unload
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >module.c <<'C'
#include <concmap/sharded.h>
CM_SHARDED_MAP(nums, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)
int use(void)
{
    nums map;
    uint64_t value, sum = 0;
    if (nums_init(&map, NULL) != CM_OK)
        return 1;
    for (uint64_t key = 0; key < 10000; key++)
        if (nums_put(&map, key, key, NULL) != CM_OK)
            return 1;
    for (uint64_t key = 0; key < 10000; key++)
        sum += nums_get(&map, key, &value) ? value : 0;
    nums_destroy(&map);
    return sum != UINT64_C(10000) * 9999 / 2;
}
C
cat >main.c <<'C'
#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static sem_t used, unloaded;
static int (*use)(void);

static void *run(void *context)
{
    int wrong = use();
    (void)context;
    sem_post(&used);
    sem_wait(&unloaded); /* and then it ends, with what the library keeps for each thread */
    return wrong ? &used : NULL;
}

int main(int argc, char **argv)
{
    sem_init(&used, 0, 0), sem_init(&unloaded, 0, 0);
    for (int round = 0; argc == 2 && round < 20; round++) {
        void *module = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL), *wrong;
        pthread_t threads[3];
        if (!module || !(*(void **)&use = dlsym(module, "use")))
            return fprintf(stderr, "%s\n", dlerror()), 1;
        for (int i = 0; i < 3; i++)
            pthread_create(&threads[i], NULL, run, NULL);
        for (int i = 0; i < 3; i++)
            sem_wait(&used);
        dlclose(module);
        for (int i = 0; i < 3; i++)
            sem_post(&unloaded);
        for (int i = 0; i < 3; i++)
            if (pthread_join(threads[i], &wrong) != 0 || wrong)
                return 1;
        int status = 1;
        pid_t child = fork(); /* what was registered for it is gone, too */
        if (child == 0)
            _exit(0);
        if (waitpid(child, &status, 0) != child || status != 0)
            return 1;
    }
    return 0;
}
C
read -ra cflags <<<"${CFLAGS:-}"
include=(-I "$CONCMAP_SOURCE/include")
"$CC" -O2 "${cflags[@]}" main.c -o main -ldl -lpthread
"$CC" -O2 -std=gnu11 -fPIC -shared "${cflags[@]}" "${include[@]}" module.c "$CONCMAP_BUILD/libconcmap.a" -lpthread -o static.so
"$CC" -O2 -std=gnu11 -fPIC -shared "${cflags[@]}" "${include[@]}" module.c -L "$CONCMAP_BUILD" -lconcmap \
    -Wl,-rpath,"$CONCMAP_BUILD" -lpthread -o shared.so
for module in static shared; do
    ./main "./$module.so"
    echo "$module: ok"
done
