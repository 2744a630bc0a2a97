/* late_start [BLOCKS]: builds BLOCKS blocks of 32 bytes and waits; then replaces each by
 * another of the same size and waits again. */
#include "common.h"
#include <malloc.h>

int main(int count, char **arguments) {
    uint64_t blocks = argument(count, arguments, 1, 1000000), usable = 0;
    struct truth truth = {0};
    void **table = malloc(blocks * sizeof *table);
    for (uint64_t i = 0; i < blocks; i++) table[i] = malloc(32);
    pause_at("built");
    for (uint64_t i = 0; i < blocks; i++) {
        usable += malloc_usable_size(table[i]);
        free(table[i]);
        table[i] = malloc(32);
        truth_allocated(&truth, 32);
    }
    say("%llu\n", (unsigned long long)usable);
    truth_say(&truth, 0);
    pause_at("replaced");
    _exit(0);
}
