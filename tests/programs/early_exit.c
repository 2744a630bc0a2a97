/* early_exit HOW: 100 blocks of 1000 bytes, 30 of them freed, and then the end, without any
 * word to the libraries, or in the middle of a thread. */
#include "common.h"
#include <pthread.h>
#include <signal.h>

static void *leave(void *how) {
    if (strcmp(how, "thread") == 0) exit(5);
    if (strcmp(how, "_exit") == 0) _exit(5);
    if (strcmp(how, "quick") == 0) quick_exit(5);
    if (strcmp(how, "abort") == 0) abort();
    if (strcmp(how, "crash") == 0) raise(SIGSEGV);
    return how;
}

int main(int count, char **arguments) {
    static void *block[100];
    if (count != 2) return 2;
    signal(SIGABRT, SIG_DFL);
    for (int i = 0; i < 100; i++) block[i] = malloc(1000);
    for (int i = 0; i < 30; i++) free(block[i]);
    if (strcmp(arguments[1], "thread") == 0) {
        pthread_t thread;
        pthread_create(&thread, NULL, leave, arguments[1]);
        pthread_join(thread, NULL);
    }
    leave(arguments[1]);
    return 5;
}
