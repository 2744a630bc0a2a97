/* What the test programs share: a fixed-seed generator, a table of mixed sizes, clocks, and
 * the line of JSON in which each tells what it did. Nothing here allocates. */
#ifndef COMMON_H
#define COMMON_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static inline uint64_t rng_next(uint64_t *state) { /* xorshift64* */
    uint64_t x = *state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    return (*state = x) * 0x2545F4914F6CDD1DULL;
}

static inline uint64_t rng_below(uint64_t *state, uint64_t bound) {
    return ((rng_next(state) >> 32) * bound) >> 32;
}

/* Sizes 16..4096, log-normal around 96 bytes. */
#define SIZES 16384
static uint16_t sizes[SIZES];
static inline void sizes_init(uint64_t seed) {
    for (int i = 0; i < SIZES; i++) {
        double u = ((rng_next(&seed) >> 11) + 1) * 0x1p-53;
        double v = (rng_next(&seed) >> 11) * 0x1p-53;
        double size = 96.0 * exp(1.1 * sqrt(-2 * log(u)) * cos(6.283185307179586 * v));
        sizes[i] = (uint16_t)(size < 16 ? 16 : size > 4096 ? 4096 : size);
    }
}

static inline uint64_t clock_ns(clockid_t id) {
    struct timespec t;
    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

/* Writes formatted text to standard output without stdio's buffer, which is a block too. */
__attribute__((format(printf, 1, 2))) static inline void say(const char *format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length < 0 || write(1, text, (size_t)length) != length) _exit(3);
}

/* Waits for the test: says what has been reached, reads one byte. */
static inline void pause_at(const char *what) {
    char byte;
    say("%s\n", what);
    if (read(0, &byte, 1) != 1) _exit(4);
}

/* What a program knows it did. */
struct truth {
    uint64_t allocations, frees, reallocations, allocated_bytes, freed_bytes;
    uint64_t live_bytes, live_blocks, peak_bytes, peak_blocks;
};

static inline void truth_allocated(struct truth *t, uint64_t size) {
    t->allocations++;
    t->allocated_bytes += size;
    t->live_bytes += size;
    t->live_blocks++;
    if (t->live_bytes > t->peak_bytes) {
        t->peak_bytes = t->live_bytes;
        t->peak_blocks = t->live_blocks;
    }
}

static inline void truth_freed(struct truth *t, uint64_t size) {
    t->frees++;
    t->freed_bytes += size;
    t->live_bytes -= size;
    t->live_blocks--;
}

static inline void truth_moved(struct truth *t, uint64_t from, uint64_t to) {
    truth_freed(t, from);
    truth_allocated(t, to);
    t->reallocations++;
}

/* `work_ns` is processor time of the measured part, 0 where nothing is measured. */
static inline void truth_say(const struct truth *t, uint64_t work_ns) {
    typedef unsigned long long ull;
    say("{\"allocations\":%llu,\"frees\":%llu,\"reallocations\":%llu,\"allocated_bytes\":%llu,"
        "\"freed_bytes\":%llu,\"live_bytes\":%llu,\"live_blocks\":%llu,\"peak_bytes\":%llu,"
        "\"peak_blocks\":%llu,\"work_ns\":%llu}\n",
        (ull)t->allocations, (ull)t->frees, (ull)t->reallocations, (ull)t->allocated_bytes,
        (ull)t->freed_bytes, (ull)t->live_bytes, (ull)t->live_blocks, (ull)t->peak_bytes,
        (ull)t->peak_blocks, (ull)work_ns);
}

static inline uint64_t argument(int count, char **arguments, int index, uint64_t otherwise) {
    return count > index ? strtoull(arguments[index], NULL, 10) : otherwise;
}
#endif
