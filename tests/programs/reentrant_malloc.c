/* A shared library: an allocator that may be called from signal handlers, which glibc's may
 * not. Blocks are cut from one reservation and never come back; their length stands before
 * them. It is also the tests' example of a program that brings its own allocator. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#define RESERVED ((uintptr_t)16 << 30)
static _Atomic uintptr_t base;
static _Atomic uintptr_t used;

static uintptr_t reserve(void) {
    uintptr_t start = base;
    if (start) return start;
    void *fresh = mmap(NULL, RESERVED, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (fresh == MAP_FAILED) return 0;
    uintptr_t none = 0;
    if (atomic_compare_exchange_strong(&base, &none, (uintptr_t)fresh)) return (uintptr_t)fresh;
    munmap(fresh, RESERVED);
    return base;
}

/* Exported names call this and never each other: such a call would leave the library and pass
 * through whatever is preloaded. */
static void *cut(size_t alignment, size_t bytes) {
    if (alignment < 16) alignment = 16;
    uintptr_t start = reserve();
    if (!start || bytes > RESERVED / 2) {
        errno = ENOMEM;
        return NULL;
    }
    uintptr_t length = (bytes + alignment + 16 + 15) & ~(uintptr_t)15;
    uintptr_t offset = atomic_fetch_add(&used, length);
    if (offset + length > RESERVED) {
        errno = ENOMEM;
        return NULL;
    }
    uintptr_t block = (start + offset + 16 + alignment - 1) & ~(alignment - 1);
    ((uint64_t *)block)[-1] = bytes;
    return (void *)block;
}

static size_t length(void *block) { return block ? ((uint64_t *)block)[-1] : 0; }

void *malloc(size_t bytes) { return cut(16, bytes); }
void free(void *block) { (void)block; }
void *memalign(size_t alignment, size_t bytes) { return cut(alignment, bytes); }
void *aligned_alloc(size_t alignment, size_t bytes) { return cut(alignment, bytes); }
void *valloc(size_t bytes) { return cut(4096, bytes); }
size_t malloc_usable_size(void *block) { return length(block); }

void *calloc(size_t count, size_t bytes) {
    size_t total;
    if (__builtin_mul_overflow(count, bytes, &total)) {
        errno = ENOMEM;
        return NULL;
    }
    return cut(16, total);
}

int posix_memalign(void **place, size_t alignment, size_t bytes) {
    void *block = cut(alignment, bytes);
    if (!block) return ENOMEM;
    *place = block;
    return 0;
}

void *realloc(void *block, size_t bytes) {
    void *fresh = cut(16, bytes);
    size_t old = length(block);
    if (fresh && block) memcpy(fresh, block, old < bytes ? old : bytes);
    return fresh;
}
