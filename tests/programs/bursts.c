/* bursts [TIMES]: so often, holds 32 MiB for 600 ms and gives them back for 750 ms. */
#include "common.h"

#include <time.h>

static void wait_ms(long ms) {
    struct timespec span = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&span, NULL);
}

int main(int count, char **arguments) {
    uint64_t times = argument(count, arguments, 1, 4), blocks = 512;
    char *held[512];
    for (uint64_t time = 0; time < times; time++) {
        wait_ms(750);
        for (uint64_t i = 0; i < blocks; i++) {
            held[i] = malloc(64 << 10);
            held[i][0] = 1;
        }
        wait_ms(600);
        for (uint64_t i = 0; i < blocks; i++) {
            free(held[i]);
        }
    }
    return 0;
}
