/* A shared library: an allocator with the four functions of old and no malloc_usable_size.
 * Each block is a mapping of its own, so that a look before a block faults. */
#define _GNU_SOURCE
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE ((size_t)4096)

/* The length stands at the end of the block's mapping, where no caller looks. */
static size_t pages(size_t bytes) { return (bytes + sizeof(size_t) + PAGE - 1) / PAGE * PAGE; }

static void *take(size_t bytes) {
    char *block = mmap(NULL, PAGE * 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED || pages(bytes) > PAGE * 16) return NULL;
    memcpy(block + PAGE * 16 - sizeof bytes, &bytes, sizeof bytes);
    return block;
}

static size_t length(const char *block) {
    size_t bytes;
    memcpy(&bytes, block + PAGE * 16 - sizeof bytes, sizeof bytes);
    return bytes;
}

void *malloc(size_t bytes) { return take(bytes); }
void *calloc(size_t count, size_t bytes) { return take(count * bytes); }
void free(void *block) { if (block) munmap(block, PAGE * 16); }

void *realloc(void *block, size_t bytes) {
    void *fresh = take(bytes);
    if (!block || !fresh) return fresh;
    memcpy(fresh, block, length(block) < bytes ? length(block) : bytes);
    munmap(block, PAGE * 16);
    return fresh;
}
