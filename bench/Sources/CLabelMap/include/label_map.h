/* Label maps as data sets store them: PNG, one byte of class index per pixel. */
#ifndef BENCH_LABEL_MAP_H
#define BENCH_LABEL_MAP_H

#include <stddef.h>
#include <stdint.h>

typedef struct label_map {
    uint8_t *indices; /* [height][width]; to be freed with label_map_free */
    size_t height, width;
} label_map;

typedef enum label_map_status {
    LABEL_MAP_OK = 0,
    LABEL_MAP_IS_AN_IMAGE = 1, /* colour, alpha or 16 bits: a picture, not a label map */
    LABEL_MAP_UNREADABLE = 2   /* no file, no PNG, or a damaged one: `message` says what libpng said */
} label_map_status;

enum { LABEL_MAP_MESSAGE_BYTES = 160 };

/* Reads grey values or palette indices as they are stored: no gamma, no colours. */
label_map_status label_map_read(const char *path, label_map *map, char message[LABEL_MAP_MESSAGE_BYTES]);
void label_map_free(label_map *map);

#endif
