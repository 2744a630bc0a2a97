/* A library that allocates, with frames of a size of its own: built several times, with
 * different PLUGIN_ROOM. */
#include <stdlib.h>
#ifndef PLUGIN_ROOM
#define PLUGIN_ROOM 16
#endif

__attribute__((noinline)) void *plugin_inner(size_t size) {
    volatile char room[PLUGIN_ROOM];
    room[0] = 1;
    void *block = malloc(size);
    room[PLUGIN_ROOM - 1] = room[0];
    return block;
}

void *plugin_allocate(size_t size) {
    volatile char room[PLUGIN_ROOM * 2];
    room[0] = 1;
    void *block = plugin_inner(size);
    room[PLUGIN_ROOM] = room[0];
    return block;
}
