/* thread_end THREADS ALIVE [detached]: THREADS threads, at most ALIVE of them at once. Each
 * allocates, hands a block to its successor, and goes on allocating and freeing in its end:
 * in destructors of keys made before and after the tracer's own, over several rounds.
 *
 * All blocks have sizes from 2049 to 4096 and from 8193 to 16384, which the C library itself
 * does not ask for when it makes a thread: those two size classes hold the truth exactly. */
#include "common.h"
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#define SMALL 3000
#define LARGE 9000
static _Atomic uint64_t allocations, frees, allocated, freed;
static pthread_key_t early, late;
static sem_t room, done;
static void *_Atomic handed;
static __thread char local[100];

static void *take(size_t size) {
    char *block = malloc(size);
    if (!block) _exit(2);
    block[0] = 1;
    allocations++;
    allocated += size;
    return block;
}

static void give(void *block, size_t size) {
    free(block);
    frees++;
    freed += size;
}

/* Three rounds: frees what the last one left and leaves something anew. */
static void at_end(void *value, pthread_key_t key) {
    char *block = value;
    int round = block[0];
    give(block, SMALL);
    give(take(LARGE), LARGE);
    if (round < 3) {
        block = take(SMALL);
        block[0] = (char)(round + 1);
        pthread_setspecific(key, block);
    }
}
static void early_end(void *value) { at_end(value, early); }
static void late_end(void *value) { at_end(value, late); }

static void *run(void *argument) {
    (void)argument;
    local[0] = 1;
    pthread_setspecific(early, take(SMALL));
    void *own[10];
    for (int i = 0; i < 10; i++) own[i] = take(LARGE + i);
    for (int i = 0; i < 9; i++) give(own[i], LARGE + i);
    void *former = atomic_exchange(&handed, own[9]);
    if (former) give(former, LARGE + 9);
    pthread_setspecific(late, take(SMALL));
    sem_post(&done);
    sem_wait(&room);
    return NULL;
}

int main(int count, char **arguments) {
    uint64_t threads = argument(count, arguments, 1, 1000);
    uint64_t alive = argument(count, arguments, 2, 8);
    static pthread_t thread[4096];
    pthread_attr_t attributes;
    if (alive > 4096) return 2;
    sem_init(&room, 0, 0);
    sem_init(&done, 0, 0);
    pthread_key_create(&early, early_end);
    free(malloc(1)); /* the tracer makes its key by now */
    pthread_key_create(&late, late_end);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 64 * 1024);
    if (count > 3) pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    for (uint64_t begun = 0; begun < threads;) {
        uint64_t wave = threads - begun < alive ? threads - begun : alive;
        for (uint64_t i = 0; i < wave; i++)
            if (pthread_create(&thread[i], &attributes, run, NULL)) return 2;
        for (uint64_t i = 0; i < wave; i++) sem_wait(&done);
        for (uint64_t i = 0; i < wave; i++) sem_post(&room);
        for (uint64_t i = 0; i < wave && count <= 3; i++) pthread_join(thread[i], NULL);
        begun += wave;
    }
    /* Detached threads cannot be joined: theirs is done when all counts have come. */
    uint64_t expected = threads * (11 + 2 * 5 + 1);
    for (int i = 0; i < 5000 && frees < expected - 1; i++) usleep(1000);
    struct truth truth = {.allocations = allocations, .frees = frees,
                          .allocated_bytes = allocated, .freed_bytes = freed,
                          .live_bytes = allocated - freed, .live_blocks = allocations - frees};
    truth_say(&truth, 0);
    return 0;
}
