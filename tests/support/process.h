/* For tests of what becomes of maps in a forked child, and on a system that refuses membarrier. */
#ifndef CONCMAP_TESTS_PROCESS_H
#define CONCMAP_TESTS_PROCESS_H

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

#define PROCESS_SKIPPED 77 /* what a child returns for what cannot be tried here */

/* Runs `work` in a forked child, which has two minutes for it, and returns what that returned; -1: it was killed. */
static inline int in_child(int (*work)(void))
{
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        alarm(120);
        _exit(work());
    }
    return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Work for a child: it returns 0, PROCESS_SKIPPED, or something else, which is a failure. */
struct child {
    int (*work)(void);
};

static inline void child_test(void **state)
{
    int status = in_child(((const struct child *)*state)->work);
    if (status == PROCESS_SKIPPED)
        skip();
    assert_int_equal(status, 0);
}

/* A test of cmocka's whose function is such work. */
#define unit_test_in_child(work) ((struct CMUnitTest){#work, child_test, NULL, NULL, &(struct child){work}})

/* What becomes of membarrier from now on. False: there are no filters of system calls here. */
static inline bool filter_membarrier(uint32_t verdict)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, verdict),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* It fails, as containers let it fail. */
static inline bool refuse_membarrier(void)
{
    return filter_membarrier(SECCOMP_RET_ERRNO | EPERM);
}

#define WITHOUT_MEMBARRIER "without-membarrier"

/* In a child: this program once more, from its beginning, without membarrier, which its only argument says. */
static inline int begin_without_membarrier(void)
{
    if (refuse_membarrier())
        execl("/proc/self/exe", "test", WITHOUT_MEMBARRIER, (char *)NULL);
    return PROCESS_SKIPPED;
}

#endif
