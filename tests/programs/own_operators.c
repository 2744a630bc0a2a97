/* A shared library: an allocator that exports, beside C's functions, C++'s operators and
 * jemalloc's `mallocx` and its kin. Some of them do the work themselves, some ask another one by
 * its exported name, which passes through whatever is preloaded. Both ways a call is one call. */
#define calloc unused_calloc
#define realloc unused_realloc
#include "reentrant_malloc.c"
#undef calloc
#undef realloc

/* Calls of `operator new` that came to this library. */
_Atomic int own_news;

void *calloc(size_t count, size_t bytes) {
    size_t total;
    if (__builtin_mul_overflow(count, bytes, &total)) return NULL;
    return malloc(total);
}

void *realloc(void *block, size_t bytes) {
    void *fresh = malloc(bytes);
    size_t old = length(block);
    if (fresh && block) memcpy(fresh, block, old < bytes ? old : bytes);
    free(block);
    return fresh;
}

void *_Znwm(size_t bytes) {
    own_news++;
    return cut(16, bytes);
}
void *_ZnwmRKSt9nothrow_t(size_t bytes, const void *nothrow) {
    (void)nothrow;
    return _Znwm(bytes);
}
void *_Znam(size_t bytes) { return _Znwm(bytes); }
void *_ZnamRKSt9nothrow_t(size_t bytes, const void *nothrow) {
    (void)nothrow;
    own_news++;
    return malloc(bytes);
}
void *_ZnwmSt11align_val_t(size_t bytes, size_t alignment) { return cut(alignment, bytes); }
void *_ZnamSt11align_val_t(size_t bytes, size_t alignment) {
    return aligned_alloc(alignment, bytes);
}
void *_ZnwmSt11align_val_tRKSt9nothrow_t(size_t bytes, size_t alignment, const void *nothrow) {
    (void)nothrow;
    return memalign(alignment, bytes);
}
void *_ZnamSt11align_val_tRKSt9nothrow_t(size_t bytes, size_t alignment, const void *nothrow) {
    (void)nothrow;
    void *block = NULL;
    return posix_memalign(&block, alignment, bytes) ? NULL : block;
}

void _ZdlPv(void *block) { free(block); }
void _ZdaPv(void *block) { (void)block; }
void _ZdlPvRKSt9nothrow_t(void *block, const void *nothrow) {
    (void)nothrow;
    _ZdlPv(block);
}
void _ZdaPvRKSt9nothrow_t(void *block, const void *nothrow) { (void)block, (void)nothrow; }
void dallocx(void *block, int flags) {
    (void)flags;
    free(block);
}
void sdallocx(void *block, size_t bytes, int flags) {
    (void)bytes;
    dallocx(block, flags);
}
void _ZdlPvm(void *block, size_t bytes) { sdallocx(block, bytes, 0); }
void _ZdaPvm(void *block, size_t bytes) { (void)block, (void)bytes; }
void _ZdlPvSt11align_val_t(void *block, size_t alignment) {
    (void)alignment;
    _ZdlPv(block);
}
void _ZdaPvSt11align_val_t(void *block, size_t alignment) { (void)block, (void)alignment; }
void _ZdlPvmSt11align_val_t(void *block, size_t bytes, size_t alignment) {
    (void)alignment;
    _ZdlPvm(block, bytes);
}
void _ZdaPvmSt11align_val_t(void *block, size_t bytes, size_t alignment) {
    (void)block, (void)bytes, (void)alignment;
}
void _ZdlPvSt11align_val_tRKSt9nothrow_t(void *block, size_t alignment, const void *nothrow) {
    (void)nothrow;
    _ZdlPvSt11align_val_t(block, alignment);
}
void _ZdaPvSt11align_val_tRKSt9nothrow_t(void *block, size_t alignment, const void *nothrow) {
    (void)block, (void)alignment, (void)nothrow;
}

/* The lowest bits of the flags are the logarithm of the alignment. */
void *mallocx(size_t bytes, int flags) {
    return flags & 63 ? cut((size_t)1 << (flags & 63), bytes) : malloc(bytes);
}
void *rallocx(void *block, size_t bytes, int flags) {
    return bytes >> 40 ? NULL : flags & 63 ? realloc(block, bytes) : realloc(block, bytes);
}
size_t xallocx(void *block, size_t bytes, size_t extra, int flags) {
    (void)extra, (void)flags;
    /* Blocks do not grow in place; they shrink. */
    if (length(block) > bytes) ((uint64_t *)block)[-1] = bytes;
    return length(block);
}
