/* fork_tree HOW: one of the ways in which a process comes from another. The parent has 100
 * blocks of 3000 bytes; what each process does is in the comment of its case, and the test
 * has the same figures. */
#include "common.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/wait.h>

extern char **environ;
static void *block[100];

static void allocate(int count, size_t size) {
    for (int i = 0; i < count; i++) block[i] = malloc(size);
}
static void release(int from, int to) {
    for (int i = from; i < to; i++) free(block[i]);
}
static void wait_for(pid_t child) {
    int status;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
        say("child %d: status %d\n", (int)child, status);
        _exit(2);
    }
}

/* Frees 40 of the parent's blocks, allocates 10 of 2500, frees 3 of them. */
static void be_child(void) {
    void *own[10];
    release(0, 40);
    for (int i = 0; i < 10; i++) own[i] = malloc(2500);
    for (int i = 0; i < 3; i++) free(own[i]);
}

static void fork_once(void) {
    pid_t child = fork();
    if (child == 0) {
        be_child();
        _exit(0);
    }
    wait_for(child);
}

/* The parent ends at once; the child waits for the end of its input before it does anything. */
static void fork_and_leave(void) {
    char byte;
    if (fork() != 0) _exit(0);
    while (read(0, &byte, 1) > 0);
    be_child();
    _exit(0);
}

/* The child as ever; the grandchild frees 2 of the root's blocks and 4 of the child's. */
static void fork_twice(void) {
    pid_t child = fork();
    if (child == 0) {
        release(0, 40);
        void *own[10];
        for (int i = 0; i < 10; i++) own[i] = malloc(2500);
        for (int i = 0; i < 3; i++) free(own[i]);
        pid_t grandchild = fork();
        if (grandchild == 0) {
            release(40, 42);
            for (int i = 3; i < 7; i++) free(own[i]);
            free(malloc(2222));
            _exit(0);
        }
        wait_for(grandchild);
        _exit(0);
    }
    wait_for(child);
}

/* A fork of which the C library hears nothing. */
static void fork_raw(int by_clone) {
    pid_t child = (pid_t)(by_clone ? syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) : syscall(SYS_fork));
    if (child == 0) {
        be_child();
        _exit(0);
    }
    wait_for(child);
}

/* The child works on the parent's books until it has a program of its own. */
static void fork_vm(const char *self) {
    pid_t child = vfork();
    if (child == 0) {
        execl(self, self, "leaf", (char *)NULL);
        _exit(9);
    }
    wait_for(child);
    char *const arguments[] = {(char *)self, "leaf", NULL};
    if (posix_spawn(&child, self, NULL, NULL, arguments, environ)) _exit(2);
    wait_for(child);
}

static _Atomic int stop;
static _Atomic uint64_t pairs;
static void *churn(void *argument) {
    uint64_t did = 0;
    (void)argument;
    while (!stop) {
        void *one = malloc(10000), *two = malloc(12000);
        free(one);
        free(two);
        did += 2;
    }
    pairs += did;
    return NULL;
}

/* 20 forks, while three threads allocate blocks of 10000 and 12000 bytes. */
static void fork_among_threads(void) {
    pthread_t thread[3];
    for (int i = 0; i < 3; i++) pthread_create(&thread[i], NULL, churn, NULL);
    for (int i = 0; i < 20; i++) {
        usleep(500);
        fork_once();
    }
    stop = 1;
    for (int i = 0; i < 3; i++) pthread_join(thread[i], NULL);
    say("%llu\n", (unsigned long long)pairs);
}

/* 8 children at once, each as ever, and each with 5 of its own that do nothing but 1 pair. */
static void fork_many(void) {
    pid_t child[8];
    for (int i = 0; i < 8; i++)
        if ((child[i] = fork()) == 0) {
            be_child();
            for (int j = 0; j < 5; j++) {
                pid_t grandchild = fork();
                if (grandchild == 0) {
                    free(malloc(2222));
                    _exit(0);
                }
                wait_for(grandchild);
            }
            _exit(0);
        }
    for (int i = 0; i < 8; i++) wait_for(child[i]);
}

int main(int count, char **arguments) {
    const char *how = count > 1 ? arguments[1] : "";
    if (strcmp(how, "leaf") == 0) { /* 7 blocks of 2100, 2 of them freed */
        allocate(7, 2100);
        release(0, 2);
        _exit(0);
    }
    allocate(100, 3000);
    if (strcmp(how, "fork") == 0) fork_once();
    else if (strcmp(how, "orphan") == 0) fork_and_leave();
    else if (strcmp(how, "grandchild") == 0) fork_twice();
    else if (strcmp(how, "raw_fork") == 0) fork_raw(0);
    else if (strcmp(how, "raw_clone") == 0) fork_raw(1);
    else if (strcmp(how, "vfork") == 0) fork_vm(arguments[0]);
    else if (strcmp(how, "threads") == 0) fork_among_threads();
    else if (strcmp(how, "many") == 0) fork_many();
    else if (strcmp(how, "exec") == 0) execl(arguments[0], arguments[0], "leaf", (char *)NULL);
    else return 2;
    release(0, 100);
    _exit(0);
}
