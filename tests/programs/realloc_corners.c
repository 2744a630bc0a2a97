/* realloc_corners: every corner of the C allocation functions once, with its exact counts.
 * A failed call counts nothing; a realloc of a block is one free and one allocation. */
#include "common.h"
#include <errno.h>
#include <malloc.h>

static struct truth truth;
static volatile size_t huge = PTRDIFF_MAX; /* not known to the compiler */

static void check(int holds, const char *what) {
    if (holds) return;
    say("failed: %s, errno %d\n", what, errno);
    _exit(1);
}

static void *counted(void *block, size_t size) {
    check(block != NULL, "an allocation");
    truth_allocated(&truth, size);
    return block;
}

static void release(void *block, size_t size) {
    free(block);
    truth_freed(&truth, size);
}

static void grow_and_shrink(void) {
    char *block = counted(realloc(NULL, 100), 100);
    memset(block, 7, 100);
    size_t size = 100;
    const size_t next[] = {100, 101, 20, 1, 5000, 300000, 4000000, 2000000, 12, 1 << 20, (1 << 20) - 1, 16};
    for (size_t i = 0; i < sizeof next / sizeof *next; i++) {
        block = realloc(block, next[i]);
        check(block && block[0] == 7, "contents");
        truth_moved(&truth, size, next[i]);
        size = next[i];
    }
    block = reallocarray(block, 30, 7);
    truth_moved(&truth, size, 210);
    release(block, 210);
}

static void resize_to_nothing(void) {
    void *block = counted(malloc(48), 48);
    check(realloc(block, 0) == NULL, "glibc frees a block resized to nothing");
    truth_freed(&truth, 48);
    block = counted(realloc(NULL, 0), 0);
    release(block, 0);
}

static void fail(void) {
    char *block = counted(malloc(64), 64);
    block[63] = 9;
    errno = 0;
    check(realloc(block, huge) == NULL && errno == ENOMEM, "a huge realloc");
    errno = 0;
    check(reallocarray(block, huge, 16) == NULL && errno == ENOMEM, "an overflowing reallocarray");
    check(block[63] == 9, "the block is where it was");
    errno = 0;
    check(malloc(huge) == NULL && errno == ENOMEM, "a huge malloc");
    errno = 0;
    check(calloc(huge, 4) == NULL && errno == ENOMEM, "an overflowing calloc");
    check(calloc(huge / 2 + 1, 4) == NULL, "a calloc that wraps to a small product");
    void *place = block;
    check(posix_memalign(&place, 24, 10) == EINVAL, "an alignment that is no power of two");
    check(posix_memalign(&place, 4, 10) == EINVAL, "an alignment below a pointer's");
    check(posix_memalign(&place, 64, huge) == ENOMEM, "a huge posix_memalign");
    check(place == block, "the place is left as it was");
    errno = 0;
    check(memalign(64, huge) == NULL && errno == ENOMEM, "a huge memalign");
    release(block, 64);
}

static void align(void) {
    void *place = NULL;
    const size_t alignments[] = {8, 16, 64, 4096, 65536};
    for (size_t i = 0; i < sizeof alignments / sizeof *alignments; i++) {
        size_t by = alignments[i];
        check(posix_memalign(&place, by, 100) == 0, "posix_memalign");
        check((uintptr_t)place % by == 0, "its alignment");
        release(counted(place, 100), 100);
        place = counted(aligned_alloc(by, by * 3), by * 3);
        check((uintptr_t)place % by == 0, "aligned_alloc");
        place = realloc(place, 10);
        truth_moved(&truth, by * 3, 10);
        release(place, 10);
        place = counted(memalign(by, 33), 33);
        check((uintptr_t)place % by == 0, "memalign");
        release(place, 33);
    }
    release(counted(valloc(5), 5), 5);
    release(counted(pvalloc(5), 5), 5);
    release(counted(posix_memalign(&place, 16, 0) ? NULL : place, 0), 0);
}

static void nothing(void) {
    void *block = counted(malloc(0), 0);
    check(malloc_usable_size(block) >= 24, "usable size");
    release(block, 0);
    release(counted(calloc(0, 8), 0), 0);
    free(NULL);
    check(malloc_usable_size(NULL) == 0, "usable size of nothing");
}

static void zeroed(void) {
    memset(counted(malloc(3000), 3000), 1, 3000);
    char *block = counted(calloc(30, 100), 3000);
    for (int i = 0; i < 3000; i++) check(block[i] == 0, "calloc clears");
    release(block, 3000);
}

static void keep_errno(void) {
    errno = 77;
    void *block = counted(malloc(5000), 5000);
    release(block, 5000);
    block = counted(malloc(2 << 20), 2 << 20);
    release(block, 2 << 20);
    check(errno == 77, "errno is kept");
}

int main(void) {
    grow_and_shrink();
    resize_to_nothing();
    fail();
    align();
    nothing();
    zeroed();
    keep_errno();
    truth_say(&truth, 0);
    return 0;
}
