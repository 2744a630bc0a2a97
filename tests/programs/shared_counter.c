/* shared_counter FILE [THREADS]: threads allocate and free until they are killed; what each
 * has done stands in FILE, which is shared memory and so outlives the kill. */
#include "common.h"
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>

struct count {
    volatile uint64_t allocations, frees, allocated_bytes, freed_bytes;
    uint64_t rest[4];
};
static struct count *counts;

static void *run(void *argument) {
    struct count *own = &counts[(uintptr_t)argument];
    uint64_t seed = 42 + (uintptr_t)argument;
    static __thread struct { void *at; uint64_t size; } slot[100];
    for (;;) {
        uint64_t at = rng_below(&seed, 100);
        if (slot[at].at) {
            free(slot[at].at);
            own->frees++;
            own->freed_bytes += slot[at].size;
        }
        slot[at].size = 2049 + rng_below(&seed, 2048);
        slot[at].at = malloc(slot[at].size);
        own->allocations++;
        own->allocated_bytes += slot[at].size;
    }
    return NULL;
}

int main(int count, char **arguments) {
    uint64_t threads = argument(count, arguments, 2, 4);
    int file = count > 1 ? open(arguments[1], O_RDWR) : -1;
    counts = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (counts == MAP_FAILED || threads > 64) return 2;
    for (uint64_t i = 0; i < threads; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, run, (void *)(uintptr_t)i)) return 2;
    }
    say("running\n");
    for (;;) pause();
}
