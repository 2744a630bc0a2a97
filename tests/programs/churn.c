/* churn [PAIRS]: one thread, pairs of malloc and free of mixed sizes over a window of 1000
 * live blocks. Every block is freed in the end. */
#include "common.h"
#define WINDOW 1000

int main(int count, char **arguments) {
    uint64_t pairs = argument(count, arguments, 1, 20000000), seed = 42;
    static char *slot[WINDOW];
    static uint16_t length[WINDOW];
    struct truth truth = {0};
    sizes_init(7);
    uint64_t begun = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    for (uint64_t i = 0; i < pairs; i++) {
        uint64_t at = rng_below(&seed, WINDOW);
        if (slot[at]) {
            free(slot[at]);
            truth_freed(&truth, length[at]);
        }
        uint16_t size = sizes[i % SIZES];
        char *block = malloc(size);
        block[0] = (char)i;
        slot[at] = block;
        length[at] = size;
        truth_allocated(&truth, size);
    }
    for (int at = 0; at < WINDOW; at++)
        if (slot[at]) {
            free(slot[at]);
            truth_freed(&truth, length[at]);
        }
    truth_say(&truth, clock_ns(CLOCK_PROCESS_CPUTIME_ID) - begun);
    return 0;
}
