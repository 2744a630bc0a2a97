/* history: does what it is told on standard input and answers each order with one line:
 * usable bytes of the block before and after, and whether there is one now.
 *
 *   m SLOT SIZE         malloc          c SLOT COUNT SIZE      calloc
 *   r SLOT SIZE         realloc         R SLOT COUNT SIZE      reallocarray
 *   a SLOT ALIGN SIZE   posix_memalign  A SLOT ALIGN SIZE      aligned_alloc
 *   f SLOT              free            t SLOT                 free, from another thread
 *   k 0                 nothing: the answer tells that all before is done */
#include "common.h"
#include <malloc.h>
#include <pthread.h>
#include <semaphore.h>

static void *slot[64];
static void *volatile for_other;
static sem_t given, gone;

static void *other(void *argument) {
    (void)argument;
    for (;;) {
        sem_wait(&given);
        free(for_other);
        sem_post(&gone);
    }
    return NULL;
}

static void free_elsewhere(void *block) {
    static int begun;
    pthread_t thread;
    if (!begun) {
        begun = 1;
        if (pthread_create(&thread, NULL, other, NULL)) _exit(2);
    }
    for_other = block;
    sem_post(&given);
    sem_wait(&gone);
}

static int next_line(char *line, size_t room) {
    static char buffer[4096];
    static ssize_t at, length;
    for (size_t used = 0; used + 1 < room;) {
        if (at == length) {
            at = 0;
            length = read(0, buffer, sizeof buffer);
            if (length <= 0) return 0;
        }
        if ((line[used++] = buffer[at++]) == '\n') {
            line[used] = 0;
            return 1;
        }
    }
    return 0;
}

int main(void) {
    char line[256], order;
    sem_init(&given, 0, 0);
    sem_init(&gone, 0, 0);
    while (next_line(line, sizeof line)) {
        unsigned at = 0;
        size_t first = 0, second = 0;
        int rank = sscanf(line, "%c %u %zu %zu", &order, &at, &first, &second);
        if (rank < 2 || at >= 64) return 2;
        size_t before = malloc_usable_size(slot[at]);
        void *got = slot[at];
        switch (order) {
        case 'm': got = malloc(first); break;
        case 'c': got = calloc(first, second); break;
        case 'r': got = realloc(slot[at], first); break;
        case 'R': got = reallocarray(slot[at], first, second); break;
        case 'a': if (posix_memalign(&got, first, second)) got = NULL; break;
        case 'A': got = aligned_alloc(first, second); break;
        case 'f': free(slot[at]); got = NULL; break;
        case 't': free_elsewhere(slot[at]); got = NULL; break;
        case 'k': break;
        default: return 2;
        }
        /* A realloc that failed, and not to nothing, leaves the block. */
        int kept = !got && slot[at] && (order == 'R' || (order == 'r' && first != 0));
        if (kept && order == 'R' && first == 0) kept = 0;
        if (kept && order == 'R' && second == 0) kept = 0;
        if (!kept) slot[at] = got;
        say("%zu %zu %d\n", before, malloc_usable_size(slot[at]), got != NULL);
    }
    return 0;
}
