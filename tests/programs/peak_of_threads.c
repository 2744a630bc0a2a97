/* peak_of_threads WAY SIZE [ROUNDS]: while another thread is there, and for WAY 1 works, builds a
 * peak of one large block of SIZE bytes over 200,000 bytes that stay. WAY 2: the block is freed by
 * the other thread. WAY 3: it is moved to where less is. WAY 4: four threads do so at once. WAY 5:
 * they do so without rest, ROUNDS times, each time with some more for 3000 of them. WAYS 6 and 7:
 * nobody is there yet, and who comes frees the block; for WAY 7 the first goes on. */
#include "common.h"
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

static void *_Atomic handed;
static atomic_int is_done, is_there;
static int way;
static uint64_t rounds;

static void *other(void *unused) {
    (void)unused;
    free(malloc(100));
    is_there = 1;
    while (!is_done) {
        void *block = way == 1 ? malloc(100) : NULL;
        usleep(100);
        free(block);
        free(atomic_exchange(&handed, NULL));
    }
    return NULL;
}

static void *climbs(void *size) {
    for (uint64_t i = 0; i < rounds; i++)
        free(malloc(*(uint64_t *)size + i % 3000 * 64));
    return NULL;
}

static void *builds(void *size) {
    if (way == 5)
        return climbs(size);
    for (int i = 0; i < 20; i++) {
        void *block = malloc(*(uint64_t *)size);
        usleep(500);
        free(block);
    }
    return NULL;
}

static void *frees(void *block) {
    free(block);
    return NULL;
}

static int leaves_it_to_who_comes(uint64_t size) {
    pthread_t thread;
    void *stays = malloc(200000), *block = malloc(size);
    pthread_create(&thread, NULL, frees, block);
    pthread_join(thread, NULL);
    if (way == 7)
        free(stays);
    return 0;
}

int main(int count, char **arguments) {
    way = argument(count, arguments, 1, 0);
    uint64_t size = argument(count, arguments, 2, 1000000);
    rounds = argument(count, arguments, 3, 3000);
    if (way >= 6)
        return leaves_it_to_who_comes(size);
    pthread_t thread, builders[3];
    pthread_create(&thread, NULL, other, NULL);
    while (!is_there)
        usleep(100);
    void *stays = malloc(200000);
    for (int i = 0; way >= 4 && i < 3; i++)
        pthread_create(&builders[i], NULL, builds, &size);
    if (way >= 4)
        builds(&size);
    for (int i = 0; way >= 4 && i < 3; i++)
        pthread_join(builders[i], NULL);
    void *block = way >= 4 ? NULL : malloc(size);
    if (way == 3)
        block = realloc(block, 50);
    if (way == 2) {
        handed = block;
        while (handed)
            usleep(100);
    } else
        free(block);
    is_done = 1;
    pthread_join(thread, NULL);
    free(stays);
    return 0;
}
