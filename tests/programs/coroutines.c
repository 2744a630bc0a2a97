/* coroutines [ROUNDS]: stacks that come and go. Each round maps a stack of another size, runs a
 * coroutine on it that allocates some frames down and switches back in the middle, and unmaps
 * it; a signal handler on a stack of its own allocates as well. */
#define _GNU_SOURCE
#include "common.h"
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

static ucontext_t outside, inside;
static struct truth truth;

static void *take(size_t size) {
    char *block = malloc(size);
    block[0] = 1;
    truth_allocated(&truth, size);
    return block;
}

static void give(void *block, size_t size) {
    free(block);
    truth_freed(&truth, size);
}

__attribute__((noinline)) static void descend(int depth) {
    volatile char room[64];
    room[0] = (char)depth;
    if (depth) {
        descend(depth - 1);
    } else {
        void *block = take(3000);
        swapcontext(&inside, &outside);
        give(block, 3000);
    }
    room[1] = room[0];
}

static void body(void) {
    descend(6);
}

static void handler(int number) {
    (void)number;
    give(take(9000), 9000);
}

int main(int count, char **arguments) {
    volatile uint64_t rounds = argument(count, arguments, 1, 200);
    uint64_t begun = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    static char alternate[64 * 1024];
    stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
    sigaltstack(&stack, NULL);
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
    sigaction(SIGUSR1, &action, NULL);
    for (volatile uint64_t round = 0; round < rounds; round++) {
        size_t size = (8 + round % 5 * 4) * 4096;
        void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        getcontext(&inside);
        inside.uc_stack.ss_sp = memory;
        inside.uc_stack.ss_size = size;
        inside.uc_link = &outside;
        makecontext(&inside, body, 0);
        swapcontext(&outside, &inside);
        void *block = take(3000);
        raise(SIGUSR1);
        swapcontext(&outside, &inside);
        give(block, 3000);
        munmap(memory, size);
    }
    truth_say(&truth, clock_ns(CLOCK_PROCESS_CPUTIME_ID) - begun);
    return 0;
}
