/* heirs: a thread allocates 3000 bytes and ends, then another one 9000, and lives on; the first
 * thread of all allocates 5000. Prints the ids of the first and of the one that lives. */
#include "common.h"
#include <pthread.h>
#include <semaphore.h>
#include <sys/syscall.h>

static sem_t done;
static void *volatile held[3];

static void *former(void *argument) {
    held[0] = malloc(3000);
    return argument;
}

static void *heir(void *argument) {
    held[1] = malloc(9000);
    *(long *)argument = syscall(SYS_gettid);
    sem_post(&done);
    pause();
    return argument;
}

int main(void) {
    pthread_t thread;
    long tid = 0;
    held[2] = malloc(5000);
    sem_init(&done, 0, 0);
    if (pthread_create(&thread, 0, former, 0) || pthread_join(thread, 0)) return 2;
    if (pthread_create(&thread, 0, heir, &tid)) return 2;
    sem_wait(&done);
    char text[64];
    int length = snprintf(text, sizeof text, "%d %ld\n", (int)getpid(), tid);
    return write(1, text, (size_t)length) != length;
}
