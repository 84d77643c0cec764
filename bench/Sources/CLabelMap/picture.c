#include "picture.h"

#include <png.h>
#include <string.h>

size_t picture_png(const uint8_t *indices, size_t height, size_t width, const uint8_t palette[3 * PICTURE_COLOURS],
                   uint8_t *to, size_t room) {
    png_image image;
    memset(&image, 0, sizeof image);
    image.version = PNG_IMAGE_VERSION;
    image.width = (png_uint_32)width;
    image.height = (png_uint_32)height;
    image.format = PNG_FORMAT_RGB_COLORMAP;
    image.colormap_entries = PICTURE_COLOURS;
    png_alloc_size_t bytes = room;
    int written = png_image_write_to_memory(&image, to, &bytes, 0, indices, (png_int_32)width, palette);
    png_image_free(&image);
    return written ? bytes : 0;
}
