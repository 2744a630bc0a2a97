/* Builds blocks, then replaces each by one of the same size, then ends: when it may.
 *
 *     late GATE SAID COUNT SIZE STATUS
 *
 * Before each step it reads a byte from GATE; after each it appends a word and the time
 * (CLOCK_MONOTONIC, nanoseconds) to SAID. It allocates nothing but those blocks: all else is
 * static, and no stdio is used. A STATUS above 128 is a signal that it sends itself. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MOST 1000000

static void *volatile blocks[MOST];
static int gate, said;

static void say(const char *word) {
    char line[64];
    size_t at = sizeof line;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    unsigned long long ns = now.tv_sec * 1000000000ull + now.tv_nsec;
    line[--at] = '\n';
    line[--at] = '.';
    do line[--at] = '0' + ns % 10; while (ns /= 10);
    line[--at] = ' ';
    size_t length = strlen(word);
    memcpy(line + (at -= length), word, length);
    if (write(said, line + at, sizeof line - at) < 0) _exit(99);
}

static void wait_for_go(void) {
    char byte;
    if (read(gate, &byte, 1) != 1) _exit(98);
}

static void *block(size_t size) {
    void *block = malloc(size);
    memset(block, 1, size);
    return block;
}

int main(int argc, char **argv) {
    if (argc != 6) return 97;
    said = open(argv[2], O_WRONLY | O_CREAT | O_APPEND, 0600);
    say("begun");
    gate = open(argv[1], O_RDONLY);
    size_t count = strtoul(argv[3], 0, 10), size = strtoul(argv[4], 0, 10);
    if (count > MOST) return 96;
    wait_for_go();
    for (size_t i = 0; i < count; i++) blocks[i] = block(size);
    say("built");
    wait_for_go();
    for (size_t i = 0; i < count; i++) {
        void *old = blocks[i];
        blocks[i] = block(size);
        free(old);
    }
    say("replaced");
    wait_for_go();
    int status = atoi(argv[5]);
    say("ending");
    if (status > 128) kill(getpid(), status - 128);
    return status;
}
