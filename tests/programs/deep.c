/* deep [PAIRS [DEPTH [PATHS]]]: churn in which every block is allocated DEPTH frames below
 * main, through one of PATHS call chains over 200 functions with a malloc each; a descent
 * replaces 16 blocks. */
#include "common.h"
#define WINDOW 1000
#define FUNCTIONS 200
#define BURST 16

typedef void (*function)(unsigned depth, uint32_t path);
static function functions[FUNCTIONS];
static char *slot[WINDOW];
static uint16_t length[WINDOW];
static uint64_t seed = 42, pairs;
static struct truth truth;

static inline uint32_t mix(uint32_t x) {
    x *= 0x9E3779B1u;
    x ^= x >> 15;
    x *= 0x85EBCA77u;
    return x ^ x >> 13;
}

static inline uint64_t empty_place(void) {
    uint64_t at = rng_below(&seed, WINDOW);
    if (slot[at]) {
        free(slot[at]);
        truth_freed(&truth, length[at]);
    }
    return at;
}

static inline void put(uint64_t at, char *block, uint16_t size) {
    block[0] = (char)size;
    slot[at] = block;
    length[at] = size;
    truth_allocated(&truth, size);
}

#define FUNCTION(k)                                                                      \
    static __attribute__((noinline)) void f##k(unsigned depth, uint32_t path) {          \
        if (depth) {                                                                     \
            path = mix(path + depth);                                                    \
            functions[path % FUNCTIONS](depth - 1, path);                                \
        } else                                                                           \
            for (int i = 0; i < BURST && truth.allocations < pairs; i++) {               \
                uint64_t at = empty_place();                                             \
                uint16_t size = (uint16_t)((sizes[truth.allocations % SIZES] + 63) & ~63); \
                put(at, malloc(size), size);                                             \
            }                                                                            \
        __asm__ volatile("" ::"i"(k)); /* no tail call, and no two functions alike */    \
    }
#define TEN(M, t) M(t##0) M(t##1) M(t##2) M(t##3) M(t##4) M(t##5) M(t##6) M(t##7) M(t##8) M(t##9)
#define ALL(M)                                                                        \
    TEN(M, 10) TEN(M, 11) TEN(M, 12) TEN(M, 13) TEN(M, 14) TEN(M, 15) TEN(M, 16)      \
    TEN(M, 17) TEN(M, 18) TEN(M, 19) TEN(M, 20) TEN(M, 21) TEN(M, 22) TEN(M, 23)      \
    TEN(M, 24) TEN(M, 25) TEN(M, 26) TEN(M, 27) TEN(M, 28) TEN(M, 29)
ALL(FUNCTION)
#define NAME(k) f##k,
static function functions[FUNCTIONS] = {ALL(NAME)};

int main(int count, char **arguments) {
    pairs = argument(count, arguments, 1, 4000000);
    unsigned depth = (unsigned)argument(count, arguments, 2, 40);
    uint32_t paths = (uint32_t)argument(count, arguments, 3, 1000);
    uint64_t choice = 99;
    sizes_init(7);
    uint64_t begun = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    while (truth.allocations < pairs) {
        uint32_t path = mix((uint32_t)rng_below(&choice, paths));
        functions[path % FUNCTIONS](depth - 1, path);
    }
    for (int at = 0; at < WINDOW; at++)
        if (slot[at]) {
            free(slot[at]);
            truth_freed(&truth, length[at]);
        }
    truth_say(&truth, clock_ns(CLOCK_PROCESS_CPUTIME_ID) - begun);
    return 0;
}
