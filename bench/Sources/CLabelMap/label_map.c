#include "label_map.h"

#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void set_message(char *message, const char *text) {
    snprintf(message, LABEL_MAP_MESSAGE_BYTES, "%s", text);
}

/* libpng leaves a failed read by a jump; what must be freed after it lives here, out of the registers. */
typedef struct {
    png_structp png;
    png_infop info;
    png_bytep *rows;
    label_map map;
    char *message;
} reading;

static void on_error(png_structp png, png_const_charp text) {
    reading *self = png_get_error_ptr(png);
    set_message(self->message, text);
    longjmp(png_jmpbuf(png), 1);
}

static void on_warning(png_structp png, png_const_charp text) { (void)png, (void)text; }

static int holds_indices(png_structp png, png_infop info) {
    int color = png_get_color_type(png, info);
    return (color == PNG_COLOR_TYPE_GRAY || color == PNG_COLOR_TYPE_PALETTE) && png_get_bit_depth(png, info) <= 8;
}

static label_map_status read_pixels(reading *self) {
    if (setjmp(png_jmpbuf(self->png))) return LABEL_MAP_UNREADABLE;
    png_read_info(self->png, self->info);
    if (!holds_indices(self->png, self->info)) return LABEL_MAP_IS_AN_IMAGE;
    png_set_packing(self->png); /* 1, 2 or 4 bits: one index per byte, not scaled */
    png_set_interlace_handling(self->png);
    png_read_update_info(self->png, self->info);
    self->map.height = png_get_image_height(self->png, self->info);
    self->map.width = png_get_image_width(self->png, self->info);
    self->map.indices = malloc(self->map.height * self->map.width);
    self->rows = malloc(self->map.height * sizeof *self->rows);
    if (!self->map.indices || !self->rows) png_error(self->png, "out of memory");
    for (size_t y = 0; y < self->map.height; y++) self->rows[y] = self->map.indices + y * self->map.width;
    png_read_image(self->png, self->rows);
    return LABEL_MAP_OK;
}

static label_map_status read_file(FILE *file, label_map *map, char *message) {
    reading self = {.message = message};
    self.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &self, on_error, on_warning);
    if (self.png) self.info = png_create_info_struct(self.png);
    label_map_status status = LABEL_MAP_UNREADABLE;
    set_message(message, "out of memory");
    if (self.info) {
        png_init_io(self.png, file);
        status = read_pixels(&self);
    }
    png_destroy_read_struct(&self.png, &self.info, NULL);
    free(self.rows);
    if (status == LABEL_MAP_OK) *map = self.map;
    else free(self.map.indices);
    return status;
}

label_map_status label_map_read(const char *path, label_map *map, char message[LABEL_MAP_MESSAGE_BYTES]) {
    *map = (label_map){0};
    FILE *file = fopen(path, "rb");
    if (!file) {
        set_message(message, "cannot be opened");
        return LABEL_MAP_UNREADABLE;
    }
    label_map_status status = read_file(file, map, message);
    fclose(file);
    return status;
}

void label_map_free(label_map *map) {
    free(map->indices);
    map->indices = NULL;
}
