/* many_stacks [LEVELS [THREADS]]: allocates once under each of 2^LEVELS call chains, in each of
 * THREADS threads. */
#include "common.h"
#include <pthread.h>
#include <stdlib.h>

static unsigned levels;
static struct truth truth;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

__attribute__((noinline)) static void left(unsigned depth);
__attribute__((noinline)) static void right(unsigned depth);

static inline __attribute__((always_inline)) void go(unsigned depth) {
    if (depth == 0) {
        free(malloc(3000));
        return;
    }
    left(depth - 1);
    __asm__ volatile("");
    right(depth - 1);
    __asm__ volatile("");
}

static void left(unsigned depth) {
    go(depth);
}

static void right(unsigned depth) {
    go(depth);
    __asm__ volatile("nop");
}

static void *work(void *unused) {
    go(levels);
    pthread_mutex_lock(&lock);
    for (uint64_t i = 0; i < 1ull << levels; i++) {
        truth_allocated(&truth, 3000);
        truth_freed(&truth, 3000);
    }
    pthread_mutex_unlock(&lock);
    return unused;
}

int main(int count, char **arguments) {
    levels = (unsigned)argument(count, arguments, 1, 10);
    uint64_t threads = argument(count, arguments, 2, 1);
    uint64_t begun = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    pthread_t ids[1000];
    for (uint64_t i = 0; i < threads; i++)
        pthread_create(&ids[i], NULL, work, NULL);
    for (uint64_t i = 0; i < threads; i++)
        pthread_join(ids[i], NULL);
    truth_say(&truth, clock_ns(CLOCK_PROCESS_CPUTIME_ID) - begun);
    return 0;
}
