/* operators ROUNDS: allocates and releases by every form of C++'s operators and by `mallocx` and
 * its kin, as far as there are such; some are missing in an allocator, and then libstdc++'s do.
 * operators older: allocates, waits for the test, and releases.
 * operators late LIBRARY: loads an allocator when it runs, and says whose operators it gets. */
#include "common.h"
#include <dlfcn.h>

#define WEAK __attribute__((weak))
WEAK void *_Znwm(size_t), *_Znam(size_t);
WEAK void *_ZnwmRKSt9nothrow_t(size_t, const void *), *_ZnamRKSt9nothrow_t(size_t, const void *);
WEAK void *_ZnwmSt11align_val_t(size_t, size_t), *_ZnamSt11align_val_t(size_t, size_t);
WEAK void *_ZnwmSt11align_val_tRKSt9nothrow_t(size_t, size_t, const void *);
WEAK void *_ZnamSt11align_val_tRKSt9nothrow_t(size_t, size_t, const void *);
WEAK void _ZdlPv(void *), _ZdaPv(void *);
WEAK void _ZdlPvRKSt9nothrow_t(void *, const void *), _ZdaPvRKSt9nothrow_t(void *, const void *);
WEAK void _ZdlPvm(void *, size_t), _ZdaPvm(void *, size_t);
WEAK void _ZdlPvSt11align_val_t(void *, size_t), _ZdaPvSt11align_val_t(void *, size_t);
WEAK void _ZdlPvmSt11align_val_t(void *, size_t, size_t);
WEAK void _ZdaPvmSt11align_val_t(void *, size_t, size_t);
WEAK void _ZdlPvSt11align_val_tRKSt9nothrow_t(void *, size_t, const void *);
WEAK void _ZdaPvSt11align_val_tRKSt9nothrow_t(void *, size_t, const void *);
WEAK void *mallocx(size_t, int), *rallocx(void *, size_t, int);
WEAK size_t xallocx(void *, size_t, size_t, int);
WEAK void dallocx(void *, int), sdallocx(void *, size_t, int);

static struct truth truth;
static const char nothrow;

#define ALIGNMENT ((size_t)64)
#define ALIGNMENT_BITS 6
#define ZERO 0x40
#define FORMS 10

static void *allocate(int form, size_t size) {
    switch (form) {
    case 0: return _Znwm(size);
    case 1: return _Znam(size);
    case 2: return _ZnwmRKSt9nothrow_t(size, &nothrow);
    case 3: return _ZnamRKSt9nothrow_t(size, &nothrow);
    case 4: return _ZnwmSt11align_val_t(size, ALIGNMENT);
    case 5: return _ZnamSt11align_val_t(size, ALIGNMENT);
    case 6: return _ZnwmSt11align_val_tRKSt9nothrow_t(size, ALIGNMENT, &nothrow);
    case 7: return _ZnamSt11align_val_tRKSt9nothrow_t(size, ALIGNMENT, &nothrow);
    case 8: return malloc(size);
    default: return calloc(size, 1);
    }
}

static void release(int form, int way, void *block, size_t size) {
    int array = form & 1;
    if (form >= 8) {
        free(block);
    } else if (form >= 4) {
        switch (way % 3) {
        case 0: (array ? _ZdaPvSt11align_val_t : _ZdlPvSt11align_val_t)(block, ALIGNMENT); break;
        case 1:
            (array ? _ZdaPvmSt11align_val_t : _ZdlPvmSt11align_val_t)(block, size, ALIGNMENT);
            break;
        default:
            (array ? _ZdaPvSt11align_val_tRKSt9nothrow_t : _ZdlPvSt11align_val_tRKSt9nothrow_t)(
                block, ALIGNMENT, &nothrow);
        }
    } else {
        switch (way % 3) {
        case 0: (array ? _ZdaPv : _ZdlPv)(block); break;
        case 1: (array ? _ZdaPvm : _ZdlPvm)(block, size); break;
        default: (array ? _ZdaPvRKSt9nothrow_t : _ZdlPvRKSt9nothrow_t)(block, &nothrow);
        }
    }
}

static void check(int holds, const char *what) {
    if (!holds) {
        say("%s\n", what);
        _exit(1);
    }
}

static int is_filled(const char *block, size_t size, char with) {
    for (size_t i = 0; i < size; i++)
        if (block[i] != with) return 0;
    return 1;
}

/* Whatever the operators do, this is what they are asked for. */
static void use_operators(uint64_t rounds) {
    for (uint64_t round = 0; round < rounds; round++) {
        void *blocks[FORMS];
        size_t length[FORMS];
        for (int form = 0; form < FORMS; form++) {
            length[form] = 1 + (round * 7 + (size_t)form * 13) % 900;
            blocks[form] = allocate(form, length[form]);
            check(blocks[form] != NULL, "no block");
            int aligned = form >= 4 && form < 8;
            check(!aligned || (uintptr_t)blocks[form] % ALIGNMENT == 0, "not aligned");
            memset(blocks[form], form, length[form]);
            truth_allocated(&truth, length[form]);
        }
        for (int form = 0; form < FORMS; form++) {
            check(is_filled(blocks[form], length[form], (char)form), "overwritten");
            release(form, (int)(round % 3), blocks[form], length[form]);
            truth_freed(&truth, length[form]);
        }
    }
}

static void use_mallocx(uint64_t rounds) {
    for (uint64_t round = 0; round < rounds; round++) {
        size_t size = 1 + round % 700;
        char *block = mallocx(size, round & 1 ? ALIGNMENT_BITS | ZERO : 0);
        check(block != NULL, "no block");
        check(!(round & 1) || ((uintptr_t)block % ALIGNMENT == 0 && is_filled(block, size, 0)),
              "not aligned or not zero");
        memset(block, 7, size);
        truth_allocated(&truth, size);
        block = rallocx(block, size + 500, 0);
        check(is_filled(block, size, 7), "not moved");
        truth_moved(&truth, size, size + 500);
        check(rallocx(block, (size_t)1 << 62, 0) == NULL, "more than there is");
        size_t grown = xallocx(block, (size_t)1 << 30, 0, 0);
        check(grown < (size_t)1 << 30, "grown in place");
        size_t left = xallocx(block, size + 400, 0, 0);
        check(left >= size + 400, "too little left");
        truth_moved(&truth, size + 500, size + 400);
        if (round & 2) dallocx(block, 0);
        else sdallocx(block, left, 0);
        truth_freed(&truth, size + 400);
    }
}

static int older(void) {
    static void *blocks[FORMS * 3];
    for (int i = 0; i < FORMS * 3; i++) blocks[i] = allocate(i / 3, 100);
    void *moved = mallocx(100, 0), *shrunk = mallocx(100, 0);
    pause_at("built");
    for (int i = 0; i < FORMS * 3; i++) release(i / 3, i % 3, blocks[i], 100);
    moved = rallocx(moved, 200, 0);
    xallocx(shrunk, 50, 0, 0);
    sdallocx(moved, 200, 0);
    dallocx(shrunk, 0);
    pause_at("released");
    return 0;
}

static int late(const char *library) {
    void *before = dlsym(RTLD_DEFAULT, "_Znwm");
    char *message = dlerror();
    check(before || message, "no message");
    check(!before, "there is an operator new");
    check(!dlsym(RTLD_DEFAULT, "mallocx"), "there is a mallocx");
    void *loaded = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    check(loaded != NULL, "not loaded");
    void *(*new)(size_t) = (void *(*)(size_t))dlsym(loaded, "_Znam");
    _Atomic int *news = dlsym(loaded, "own_news");
    check(new && news, "not defined");
    new(10);
    check(*news == 1, "the library did not get its own operator new");
    say("its own\n");
    return 0;
}

int main(int count, char **arguments) {
    if (count > 2 && !strcmp(arguments[1], "late")) return late(arguments[2]);
    if (count > 1 && !strcmp(arguments[1], "older")) return older();
    uint64_t rounds = argument(count, arguments, 1, 1000);
    if (_Znwm) use_operators(rounds);
    if (mallocx) use_mallocx(rounds);
    truth_say(&truth, 0);
    return 0;
}
