/* threads [PAIRS [THREADS [locked]]]: each thread churns PAIRS blocks; one block in ten is
 * handed to the next thread, which frees it. With a third argument every operation happens
 * under one lock, together with its count, so that the program knows its true peak. */
#include "common.h"
#include <pthread.h>
#include <stdatomic.h>
#define WINDOW 1000
#define RING 65536
#define MOST 64

struct block { char *at; uint64_t size; };
struct ring { /* one producer, one consumer */
    _Alignas(64) _Atomic uint32_t head;
    _Alignas(64) _Atomic uint32_t tail;
    _Alignas(64) struct block at[RING];
};
static struct ring rings[MOST];
static uint64_t pairs;
static unsigned threads;
static int locked;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct truth truth; /* under the lock, or, at a thread's end, its sums */

static int push(struct ring *ring, struct block block) {
    uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    if (tail - atomic_load_explicit(&ring->head, memory_order_acquire) == RING) return 0;
    ring->at[tail % RING] = block;
    atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
    return 1;
}

static int pop(struct ring *ring, struct block *block) {
    uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    if (head == atomic_load_explicit(&ring->tail, memory_order_acquire)) return 0;
    *block = ring->at[head % RING];
    atomic_store_explicit(&ring->head, head + 1, memory_order_release);
    return 1;
}

static struct block take(struct truth *own, uint64_t size) {
    if (locked) pthread_mutex_lock(&lock);
    struct block block = {malloc(size), size};
    truth_allocated(locked ? &truth : own, size);
    if (locked) pthread_mutex_unlock(&lock);
    block.at[0] = (char)size;
    return block;
}

static void give(struct truth *own, struct block block) {
    if (locked) pthread_mutex_lock(&lock);
    free(block.at);
    truth_freed(locked ? &truth : own, block.size);
    if (locked) pthread_mutex_unlock(&lock);
}

static void *run(void *argument) {
    unsigned me = (unsigned)(uintptr_t)argument;
    struct ring *in = &rings[me], *out = &rings[(me + 1) % threads];
    struct block slot[WINDOW] = {{0}}, block;
    struct truth own = {0};
    uint64_t seed = 42 + me;
    for (uint64_t i = 0; i < pairs; i++) {
        uint64_t at = rng_below(&seed, WINDOW);
        if (slot[at].at && !(at % 10 == 0 && push(out, slot[at]))) give(&own, slot[at]);
        slot[at] = take(&own, sizes[i % SIZES]);
        while (pop(in, &block)) give(&own, block);
    }
    for (int at = 0; at < WINDOW; at++)
        if (slot[at].at) give(&own, slot[at]);
    pthread_mutex_lock(&lock);
    truth.allocations += own.allocations;
    truth.frees += own.frees;
    truth.allocated_bytes += own.allocated_bytes;
    truth.freed_bytes += own.freed_bytes;
    pthread_mutex_unlock(&lock);
    return NULL;
}

int main(int count, char **arguments) {
    pairs = argument(count, arguments, 1, 5000000);
    threads = (unsigned)argument(count, arguments, 2, 4);
    locked = count > 3;
    if (threads > MOST) return 2;
    pthread_t thread[MOST];
    struct block block;
    sizes_init(7);
    uint64_t begun = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    for (unsigned i = 0; i < threads; i++)
        if (pthread_create(&thread[i], NULL, run, (void *)(uintptr_t)i)) return 2;
    for (unsigned i = 0; i < threads; i++) pthread_join(thread[i], NULL);
    for (unsigned i = 0; i < threads; i++)
        while (pop(&rings[i], &block)) give(&truth, block);
    truth.live_bytes = truth.allocated_bytes - truth.freed_bytes;
    truth.live_blocks = truth.allocations - truth.frees;
    truth_say(&truth, clock_ns(CLOCK_PROCESS_CPUTIME_ID) - begun);
    return 0;
}
