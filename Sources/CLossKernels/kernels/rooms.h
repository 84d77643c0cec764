// How a call's scratch is divided: into rooms, some of them a thread's own.
#ifndef CLOSS_KERNELS_ROOMS_H
#define CLOSS_KERNELS_ROOMS_H

#include <stddef.h>
#include <stdint.h>

// Rooms begin at whole pairs of cache lines, which a core fetches together. Scratch may begin anywhere: it is larger by
// this than its rooms.
enum { ROOM_ALIGNMENT = 128 };

static inline size_t room_bytes(size_t bytes) { return (bytes + ROOM_ALIGNMENT - 1) / ROOM_ALIGNMENT * ROOM_ALIGNMENT; }

static inline char *first_room(void *scratch) { return (char *)room_bytes((uintptr_t)scratch); }

// How many of so many rooms a scratch holds, `fixed` bytes of which are for something else; it holds one at least. A
// scratch may be from a time when OpenMP's default was another.
static inline int rooms_held(int rooms, size_t bytes, size_t fixed, size_t room) {
    const size_t held = (bytes - fixed) / room;
    return held < (size_t)rooms ? (int)held : rooms;
}

#endif
