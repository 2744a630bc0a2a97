/* many_stacks [LEVELS [THREADS [SIZES]]]: allocates SIZES blocks of as many sizes under each of
 * 2^LEVELS call chains, in each of THREADS threads. The last block of each chain stays until its
 * thread has ended, and main frees it. */
#include "common.h"
#include <pthread.h>
#include <stdlib.h>

static unsigned levels;
static uint64_t block_sizes;
static struct truth truth;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static __thread void **kept;

__attribute__((noinline)) static void left(unsigned depth);
__attribute__((noinline)) static void right(unsigned depth);

/* The one line that allocates: a loop that is peeled would make two of it. */
static __attribute__((noinline)) void **block_of(uint64_t size) {
    void **block = malloc(size);
    __asm__ volatile("" : "+r"(block));
    return block;
}

static inline __attribute__((always_inline)) void ask(void) {
    for (uint64_t size = 16; size < 16 + block_sizes; size++) {
        void **block = block_of(size);
        if (size < 15 + block_sizes) {
            free(block);
            continue;
        }
        *block = kept;
        kept = block;
    }
}

static inline __attribute__((always_inline)) void go(unsigned depth) {
    if (depth == 0) {
        ask();
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
    for (uint64_t chain = 0; chain < 1ull << levels; chain++)
        for (uint64_t size = 16; size < 16 + block_sizes; size++) {
            truth_allocated(&truth, size);
            truth_freed(&truth, size);
        }
    pthread_mutex_unlock(&lock);
    (void)unused;
    return kept;
}

static void give_back(void **block) {
    while (block) {
        void **next = *block;
        free(block);
        block = next;
    }
}

int main(int count, char **arguments) {
    levels = (unsigned)argument(count, arguments, 1, 10);
    uint64_t threads = argument(count, arguments, 2, 1);
    block_sizes = argument(count, arguments, 3, 1);
    uint64_t begun = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    pthread_t ids[1000];
    void *left_over;
    for (uint64_t i = 0; i < threads; i++)
        pthread_create(&ids[i], NULL, work, NULL);
    for (uint64_t i = 0; i < threads; i++) {
        pthread_join(ids[i], &left_over);
        give_back(left_over);
    }
    truth_say(&truth, clock_ns(CLOCK_PROCESS_CPUTIME_ID) - begun);
    return 0;
}
