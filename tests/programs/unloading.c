/* unloading ROUNDS LIBRARY...: loads each library in turn, lets it allocate, and unloads it, so
 * that other code comes to stand where the former was. */
#define _GNU_SOURCE
#include "common.h"
#include <dlfcn.h>
#include <stdlib.h>

int main(int count, char **arguments) {
    static struct truth truth;
    uint64_t rounds = argument(count, arguments, 1, 100);
    uint64_t begun = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    for (uint64_t round = 0; round < rounds; round++) {
        void *library = dlopen(arguments[2 + round % (uint64_t)(count - 2)], RTLD_NOW);
        if (!library)
            return 1;
        void *(*allocate)(size_t) = (void *(*)(size_t))dlsym(library, "plugin_allocate");
        for (int again = 0; again < 3; again++) {
            void *block = allocate(9000);
            truth_allocated(&truth, 9000);
            free(block);
            truth_freed(&truth, 9000);
        }
        dlclose(library);
    }
    truth_say(&truth, clock_ns(CLOCK_PROCESS_CPUTIME_ID) - begun);
    return 0;
}
