/* A stack with inlined calls. It prints a line for each frame: the return address less the
   load bias. What the frames are called is in the comments "frame N", innermost first.
   With an argument it then stays until its input ends. */
#define _GNU_SOURCE
#include <execinfo.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static int find_bias(struct dl_phdr_info *info, size_t size, void *bias) {
    (void)size;
    *(uintptr_t *)bias = info->dlpi_addr;
    return 1; /* the first is the program itself */
}

__attribute__((noinline)) void note(void) {
    void *frames[8];
    uintptr_t bias = 0;
    dl_iterate_phdr(find_bias, &bias);
    int count = backtrace(frames, 8);
    for (int at = 1; at < count && at < 4; at++)
        printf("%lx\n", (unsigned long)((uintptr_t)frames[at] - bias));
}

__attribute__((noinline)) static int inner(int depth) {
    note(); /* frame 0 inner */
    return depth + 1;
}

__attribute__((always_inline)) static inline int folded(int depth) {
    return inner(depth) * 3; /* frame 1 folded */
}

__attribute__((always_inline)) static inline int twice_folded(int depth) {
    return folded(depth + 1) + 1; /* frame 2 twice_folded */
}

__attribute__((noinline)) int outer(int depth) {
    return twice_folded(depth) + 1; /* frame 3 outer */
}

int main(int argc, char **argv) {
    (void)argv;
    int result = outer(argc); /* frame 4 main */
    fflush(stdout);
    if (argc > 1) getchar();
    return result == 0;
}
