/* Decode and compress with libjpeg-turbo, with the settings of flowerexp.workload.images: for codec_floor.py.
   A file that libjpeg refuses ends the process. */

#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>

/* Decodes a JPEG to RGB, of height * width * 3 bytes. */
void decode(const unsigned char *data, unsigned long size, unsigned char *pixels)
{
    struct jpeg_decompress_struct info;
    struct jpeg_error_mgr errors;
    info.err = jpeg_std_error(&errors);
    jpeg_create_decompress(&info);
    jpeg_mem_src(&info, data, size);
    jpeg_read_header(&info, TRUE);
    info.out_color_space = JCS_RGB;
    info.dct_method = JDCT_IFAST;
    jpeg_start_decompress(&info);
    while (info.output_scanline < info.output_height) {
        JSAMPROW row = pixels + (size_t)info.output_scanline * info.output_width * 3;
        jpeg_read_scanlines(&info, &row, 1);
    }
    jpeg_finish_decompress(&info);
    jpeg_destroy_decompress(&info);
}

/* Compresses RGB with full chroma and optimised Huffman tables; returns the size, at most `room`. */
unsigned long encode(unsigned char *pixels, int height, int width, int quality, unsigned char *content,
                     unsigned long room)
{
    struct jpeg_compress_struct info;
    struct jpeg_error_mgr errors;
    unsigned long size = room;
    info.err = jpeg_std_error(&errors);
    jpeg_create_compress(&info);
    jpeg_mem_dest(&info, &content, &size);
    info.image_width = width;
    info.image_height = height;
    info.input_components = 3;
    info.in_color_space = JCS_RGB;
    jpeg_set_defaults(&info);
    jpeg_set_quality(&info, quality, TRUE);
    info.comp_info[0].h_samp_factor = info.comp_info[0].v_samp_factor = 1;
    info.optimize_coding = TRUE;
    info.density_unit = 1;
    info.X_density = info.Y_density = 300;
    jpeg_start_compress(&info, TRUE);
    while (info.next_scanline < info.image_height) {
        JSAMPROW row = pixels + (size_t)info.next_scanline * width * 3;
        jpeg_write_scanlines(&info, &row, 1);
    }
    jpeg_finish_compress(&info);
    jpeg_destroy_compress(&info);
    return size;
}
