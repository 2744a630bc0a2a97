/* before_libc: allocates before the C library has set up the environment. */
#include "common.h"

static void *early;
static void allocate(void) { early = malloc(1000); }
__attribute__((section(".preinit_array"), used)) static void (*const first)(void) = allocate;

int main(void) {
    char *block = malloc(3000);
    memset(block, 1, 3000);
    free(block);
    return early ? 0 : 1;
}
