/* grow [BLOCKS]: builds BLOCKS live blocks of 16..256 bytes and frees all of them in random
 * order. */
#include "common.h"

int main(int count, char **arguments) {
    uint64_t blocks = argument(count, arguments, 1, 2000000), seed = 42;
    struct truth truth = {0};
    uint64_t begun = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    struct { char *at; uint64_t size; } *table = malloc(blocks * sizeof *table);
    truth_allocated(&truth, blocks * sizeof *table);
    for (uint64_t i = 0; i < blocks; i++) {
        table[i].size = 16 + rng_below(&seed, 241);
        table[i].at = malloc(table[i].size);
        table[i].at[0] = (char)i;
        truth_allocated(&truth, table[i].size);
    }
    for (uint64_t left = blocks; left > 0; left--) {
        uint64_t chosen = rng_below(&seed, left);
        free(table[chosen].at);
        truth_freed(&truth, table[chosen].size);
        table[chosen] = table[left - 1];
    }
    free(table);
    truth_freed(&truth, blocks * sizeof *table);
    truth_say(&truth, clock_ns(CLOCK_PROCESS_CPUTIME_ID) - begun);
    return 0;
}
