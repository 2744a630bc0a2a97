/* signal_handler [MILLISECONDS [MICROSECONDS]]: allocates all the time, in main and in the
 * handler of a signal that comes every MICROSECONDS. Wants an allocator that permits this:
 * see reentrant_malloc.c. */
#include "common.h"
#include <signal.h>
#include <sys/time.h>

struct sums { volatile uint64_t allocations, frees, reallocations, allocated, freed; };
static struct sums in_main, in_handler;
static char *volatile kept[64];
static volatile size_t kept_size[64];

static char *take(struct sums *sums, size_t size) {
    char *block = malloc(size);
    sums->allocations++;
    sums->allocated += size;
    return block;
}

static void give(struct sums *sums, char *block, size_t size) {
    free(block);
    sums->frees++;
    sums->freed += size;
}

static char *resize(struct sums *sums, char *block, size_t from, size_t to) {
    block = realloc(block, to);
    sums->reallocations++;
    sums->frees++;
    sums->freed += from;
    sums->allocations++;
    sums->allocated += to;
    return block;
}

static void handler(int number) {
    static uint64_t turn;
    size_t size = 16 + turn % 500, at = turn % 64;
    (void)number;
    if (kept[at]) give(&in_handler, kept[at], kept_size[at]);
    kept[at] = take(&in_handler, size);
    kept_size[at] = size;
    if (turn++ % 3 == 0) {
        kept[at] = resize(&in_handler, kept[at], size, size + 700);
        kept_size[at] = size + 700;
    }
    give(&in_handler, take(&in_handler, 40), 40);
}

int main(int count, char **arguments) {
    uint64_t milliseconds = argument(count, arguments, 1, 1000);
    suseconds_t micros = (suseconds_t)argument(count, arguments, 2, 1000);
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    struct itimerval timer = {{0, micros}, {0, micros}};
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &timer, NULL);
    uint64_t end = clock_ns(CLOCK_MONOTONIC) + milliseconds * 1000000, seed = 42;
    while (clock_ns(CLOCK_MONOTONIC) < end)
        for (int i = 0; i < 100; i++) {
            size_t size = rng_below(&seed, 300);
            char *block = take(&in_main, size);
            if (i % 10 == 0) {
                block = resize(&in_main, block, size, size + 50);
                size += 50;
            }
            give(&in_main, block, size);
        }
    memset(&timer, 0, sizeof timer);
    setitimer(ITIMER_REAL, &timer, NULL);
    uint64_t live = in_handler.allocated - in_handler.freed;
    struct truth truth = {
        .allocations = in_main.allocations + in_handler.allocations,
        .frees = in_main.frees + in_handler.frees,
        .reallocations = in_main.reallocations + in_handler.reallocations,
        .allocated_bytes = in_main.allocated + in_handler.allocated,
        .freed_bytes = in_main.freed + in_handler.freed,
        .live_bytes = live,
        .live_blocks = in_handler.allocations - in_handler.frees,
        .peak_blocks = in_handler.allocations, /* how often the handler was in it */
    };
    truth_say(&truth, 0);
    _exit(0);
}
