/* hard_places PLACE …: brings itself into a place where a tracer could be in the way, works
 * there, and says what it did. Whatever it says, it says untraced as well.
 *
 * All blocks of its own have sizes from 2049 to 4096 and from 8193 to 16384, which the C library
 * does not ask for. */
#include "common.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define SMALL 3000
#define LARGE 9000
static struct truth truth;

static void fail(const char *what) {
    say("%s: %s\n", what, strerror(errno));
    _exit(1);
}

/* A compiler may leave out a block that it sees freed, but not one it cannot see. */
static void pair(size_t size) {
    void *volatile block = malloc(size);
    free(block);
}

/* Blocks that live for a while, and a few that go at once. */
__attribute__((noinline)) static void work(int blocks) {
    static void *held[4096];
    for (int i = 0; i < blocks; i++) {
        size_t size = i % 3 ? SMALL : LARGE;
        held[i % 4096] = malloc(size);
        if (!held[i % 4096]) fail("malloc");
        memset(held[i % 4096], 1, size);
        truth_allocated(&truth, size);
        if (i % 4096 == 4095 || i == blocks - 1)
            for (int j = i - i % 4096; j <= i; j++) {
                free(held[j % 4096]);
                truth_freed(&truth, j % 3 ? SMALL : LARGE);
            }
    }
}

/* As the library call of old: everything from 3 on. Then no descriptor may be there. */
static void closed(void) {
    work(100);
    closefrom(3);
    if (close_range(3, ~0u, 0)) fail("close_range");
    for (int fd = 3; fd < 2000; fd++)
        if (fcntl(fd, F_GETFD) != -1) fail("a descriptor is open");
    work(20000);
    if (open("/dev/null", O_RDONLY) != 3) fail("the next descriptor is not 3");
}

static void limited(int resource, rlim_t value) {
    struct rlimit limit = {value, value};
    if (setrlimit((__rlimit_resource_t)resource, &limit)) fail("setrlimit");
}

/* Little address space is left: at some point there is no more, and then there is again. */
static void little_space(void) {
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%ld", &pages) != 1) fail("statm");
    fclose(file);
    limited(RLIMIT_AS, (rlim_t)pages * 4096 + (64 << 20));
    static void *held[100000];
    int count = 0;
    while (count < 100000 && (held[count] = malloc(SMALL))) count++;
    if (count == 100000 || count < 1000) fail("the limit is not felt");
    for (int i = 0; i < count; i++) free(held[i]);
    for (int i = 0; i < 1000; i++)
        if (!(held[i] = malloc(SMALL))) fail("memory did not come back");
    for (int i = 0; i < 1000; i++) free(held[i]);
    truth.allocations = truth.frees = (uint64_t)count + 1000;
}

__attribute__((noinline)) static void at_depth(int depth) {
    if (depth > 0) at_depth(depth - 1);
    else work(30);
    __asm__ volatile("");
}

/* Deeper than the program has been before, by many pages. */
__attribute__((noinline)) static void far_down(int depth) {
    volatile char room[2000];
    room[depth] = 1;
    if (depth > 0) far_down(depth - 1);
    else work(30);
    room[depth] += 2;
}

/* Much that lives at once. */
static void grow(void) {
    static void *held[40000];
    for (int i = 0; i < 40000; i++)
        if (!(held[i] = malloc(SMALL))) fail("malloc");
    for (int i = 0; i < 40000; i++) free(held[i]);
    truth.allocations += 40000, truth.frees += 40000;
}

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static void *on_a_small_stack(void *argument) {
    pthread_mutex_lock(&turn);
    at_depth((int)(intptr_t)argument);
    pthread_mutex_unlock(&turn);
    return NULL;
}

/* Threads with the smallest stack there may be, each with a stack trace of its own. */
static void small_stacks(int threads) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    if (pthread_attr_setstacksize(&attributes, 16384)) fail("stack size");
    for (int i = 0; i < threads; i++) {
        pthread_t thread;
        if (pthread_create(&thread, &attributes, on_a_small_stack, (void *)(intptr_t)(i % 40)))
            fail("pthread_create");
        pthread_join(thread, NULL);
    }
}

static void handler(int number) {
    (void)number;
    at_depth(3);
}

/* A handler on a stack of its own, of the least size that is recommended, below a page that
 * nobody may touch. */
static void handler_stack(void) {
    char *pages = mmap(NULL, 16384, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    size_t size = 8192;
    if (pages == MAP_FAILED || mprotect(pages + 4096, size, PROT_READ | PROT_WRITE)) fail("mmap");
    stack_t stack = {.ss_sp = pages + 4096, .ss_size = size};
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
    if (sigaltstack(&stack, NULL) || sigaction(SIGUSR1, &action, NULL)) fail("sigaltstack");
    for (int i = 0; i < 50; i++) raise(SIGUSR1);
}

#define ALLOW(call)                                                                               \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##call, 0, 1),                                        \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

/* From now on whatever is not on the list is death: what malloc needs is on it. */
static void filtered(void) {
    work(10);
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        ALLOW(read), ALLOW(write), ALLOW(exit), ALLOW(exit_group), ALLOW(brk), ALLOW(mmap),
        ALLOW(munmap), ALLOW(mremap), ALLOW(rt_sigreturn),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) fail("no new privileges");
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program)) fail("seccomp");
}

/* Only read, write and exit are left; the memory has to be there already. */
static void strict(void) {
    static void *held[3000];
    for (int i = 0; i < 3000; i++) held[i] = malloc(SMALL);
    /* It stays, or the C library would give the memory back, which it may not by then. */
    if (!malloc(SMALL)) fail("malloc");
    for (int i = 0; i < 3000; i++) free(held[i]);
    truth.allocations += 3001, truth.frees += 3000;
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0)) fail("seccomp");
    far_down(20);
    for (int i = 0; i < 1000; i++) held[i] = malloc(SMALL);
    for (int i = 0; i < 1000; i++) free(held[i]);
    truth.allocations += 1000, truth.frees += 1000;
    truth_say(&truth, 0);
    syscall(SYS_exit, 0);
}

static int is_in_peace(pid_t child) {
    int status;
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

/* A folder with nothing in it is all there is, for this process and its child. */
static void nowhere(const char *folder) {
    if (mkdir(folder, 0700) || chroot(folder) || chdir("/")) fail("chroot");
    work(5000);
    at_depth(10);
    pid_t child = fork();
    if (child == 0) {
        pair(LARGE);
        _exit(0);
    }
    if (!is_in_peace(child)) fail("child");
    small_stacks(4);
}

/* Its children are number 1 and 2 in a world of their own, and one lives for a while. */
static void in_a_world_of_its_own(useconds_t while_ms) {
    if (unshare(CLONE_NEWPID | CLONE_NEWNS)) fail("unshare");
    pid_t child = fork();
    if (child == 0) {
        if (getpid() != 1) fail("not the first");
        work(50);
        usleep(while_ms * 1000);
        work(50);
        pid_t second = fork();
        if (second == 0) {
            pair(LARGE);
            _exit(0);
        }
        _exit(!is_in_peace(second));
    }
    if (!is_in_peace(child)) fail("child");
    work(100);
}

/* The process executes its own program again, so often. */
static void again(char **arguments, int times) {
    work(100 * times);
    if (times == 0) return;
    char left[16];
    snprintf(left, sizeof left, "%d", times - 1);
    execl("/proc/self/exe", arguments[0], "again", left, (char *)NULL);
    fail("exec");
}

/* As programs do that show what they are at in `ps`: over the arguments and the environment. */
static void titled(char **arguments) {
    extern char **environ;
    char *last = environ[0];
    for (char **one = environ; *one; one++) last = *one + strlen(*one);
    char *first = arguments[0];
    memset(first, 0, (size_t)(last - first));
    snprintf(first, (size_t)(last - first), "hard_places: idle");
    static char *none[] = {NULL};
    environ = none;
    work(1000);
    pid_t child = fork();
    if (child == 0) {
        work(100);
        _exit(0);
    }
    if (!is_in_peace(child)) fail("child");
}

/* A daemon: no terminal, no parent, no descriptors. It says in a file that it is done. */
static void daemonised(const char *file) {
    work(100);
    pid_t child = fork();
    if (child < 0) fail("fork");
    if (child > 0) _exit(is_in_peace(child) ? 0 : 1);
    if (setsid() < 0) fail("setsid");
    child = fork();
    if (child) _exit(child < 0);
    if (chdir("/")) fail("chdir");
    for (int fd = 0; fd < 1024; fd++) close(fd);
    usleep(300000);
    work(5000);
    int out = open(file, O_WRONLY | O_CREAT, 0600);
    if (out != 0 || write(out, "done\n", 5) != 5) _exit(1);
    _exit(0);
}

/* So many children, each with ten blocks of its own, as fast as they can be made. */
static void storm(int children) {
    for (int i = 0; i < children; i++) {
        pid_t child = fork();
        if (child == 0) {
            for (int j = 0; j < 10; j++) pair((size_t)(SMALL + j));
            _exit(0);
        }
        if (!is_in_peace(child)) fail("child");
    }
}

int main(int count, char **arguments) {
    const char *place = count > 1 ? arguments[1] : "";
    const char *more = count > 2 ? arguments[2] : "";
    if (!strcmp(place, "closed")) closed();
    else if (!strcmp(place, "file_size")) limited(RLIMIT_FSIZE, 0), work(20000);
    else if (!strcmp(place, "no_files")) limited(RLIMIT_NOFILE, 0), work(20000);
    else if (!strcmp(place, "little_space")) little_space();
    else if (!strcmp(place, "small_stacks")) small_stacks(atoi(more));
    else if (!strcmp(place, "handler_stack")) handler_stack();
    else if (!strcmp(place, "filtered")) filtered(), work(20000), grow(), far_down(50);
    else if (!strcmp(place, "strict")) strict();
    else if (!strcmp(place, "nowhere")) nowhere(more);
    else if (!strcmp(place, "world")) in_a_world_of_its_own((useconds_t)atoi(more));
    else if (!strcmp(place, "again")) again(arguments, atoi(more));
    else if (!strcmp(place, "titled")) titled(arguments);
    else if (!strcmp(place, "daemon")) daemonised(more);
    else if (!strcmp(place, "storm")) storm(atoi(more));
    else work(1000);
    truth_say(&truth, 0);
    return 0;
}
