/* Small pictures as PNG in memory: one byte for each pixel, and a palette. */
#ifndef BENCH_PICTURE_H
#define BENCH_PICTURE_H

#include <stddef.h>
#include <stdint.h>

enum { PICTURE_COLOURS = 256 };

/* Writes a PNG of indices[height][width] into `to`, which has room for `room` bytes, and gives back how many it has; 0
 * where it has no room or libpng refuses. */
size_t picture_png(const uint8_t *indices, size_t height, size_t width, const uint8_t palette[3 * PICTURE_COLOURS],
                   uint8_t *to, size_t room);

#endif
