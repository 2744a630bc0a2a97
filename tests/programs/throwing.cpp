/* throwing ROUNDS N: uses containers, and in every Nth round asks for more than there is, whose
 * exception it catches; then says what it asked for of its own. Links with any allocator. */
#include "common.h"
#include <new>
#include <string>
#include <vector>

static struct truth truth;

struct Wide {
    alignas(64) char bytes[192];
};

static void round_of(uint64_t number) {
    size_t size = 1 + number % 5000;
    char *array = new char[size];
    truth_allocated(&truth, size);
    Wide *wide = new Wide;
    truth_allocated(&truth, sizeof *wide);
    int *quiet = new (std::nothrow) int(7);
    truth_allocated(&truth, sizeof *quiet);
    std::vector<std::string> words;
    words.reserve(4);
    truth_allocated(&truth, 4 * sizeof words[0]);
    words.emplace_back(100, 'x');
    truth_allocated(&truth, 101);
    memset(array, 1, size);
    memset(wide->bytes, 2, sizeof wide->bytes);
    delete[] array;
    truth_freed(&truth, size);
    delete wide;
    truth_freed(&truth, sizeof *wide);
    delete quiet;
    truth_freed(&truth, sizeof *quiet);
    truth_freed(&truth, 101);
    truth_freed(&truth, 4 * sizeof words[0]);
}

/* The exception passes through whatever stands between the program and its allocator. */
__attribute__((noinline)) static bool asks_for_too_much() {
    try {
        size_t much = SIZE_MAX / 4;
        /* A compiler may leave out a pair of new and delete, but not one it cannot see. */
        char *volatile block = new char[much];
        delete[] block;
    } catch (const std::bad_alloc &) {
        return true;
    }
    return false;
}

int main(int count, char **arguments) {
    uint64_t rounds = argument(count, arguments, 1, 1000);
    uint64_t often = argument(count, arguments, 2, 100);
    for (uint64_t number = 0; number < rounds; number++) {
        round_of(number);
        if (often && number % often == 0 && !asks_for_too_much()) return 1;
    }
    truth_say(&truth, 0);
    return 0;
}
