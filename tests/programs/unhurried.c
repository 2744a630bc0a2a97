/* unhurried [PAIRS]: 48 threads, each with so many pairs of malloc and free, and 5 ms between two. */
#include "common.h"
#include <pthread.h>
#include <unistd.h>
#define THREADS 48

static uint64_t pairs;

static void *work(void *unused) {
    for (uint64_t i = 0; i < pairs; i++) {
        free(malloc(100));
        usleep(5000);
    }
    return unused;
}

int main(int count, char **arguments) {
    pthread_t threads[THREADS];
    pairs = argument(count, arguments, 1, 100);
    for (int at = 0; at < THREADS; at++)
        pthread_create(&threads[at], NULL, work, NULL);
    for (int at = 0; at < THREADS; at++)
        pthread_join(threads[at], NULL);
    return 0;
}
