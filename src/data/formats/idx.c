/* data/formats/idx.c - the idx format of MNIST: big-endian, a type byte, an axis count, the axes,
 * the data. Source: Y. LeCun, "The MNIST database of handwritten digits", file formats section. */
#include "data/formats/format.h"

#include <string.h>

static int64_t big_endian32(const unsigned char *p)
{
    return (int64_t)p[0] << 24 | (int64_t)p[1] << 16 | (int64_t)p[2] << 8 | (int64_t)p[3];
}

static orr_status set_type(orr_array *a, int type)
{
    static const struct {
        int type;
        orr_elem elem;
        size_t bytes;
    } known[] = { { 0x08, ORR_ELEM_U1, 1 }, { 0x09, ORR_ELEM_I1, 1 }, { 0x0b, ORR_ELEM_I2, 2 },
                  { 0x0c, ORR_ELEM_I4, 4 }, { 0x0d, ORR_ELEM_F4, 4 }, { 0x0e, ORR_ELEM_F8, 8 } };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].type == type) {
            a->elem = known[i].elem;
            a->elem_bytes = known[i].bytes;
            a->swap = known[i].bytes > 1 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
            return ORR_OK;
        }
    return orr_fail(ORR_ERR_FORMAT, "%s: not an idx file (type byte 0x%02x)", a->what,
                    (unsigned)type);
}

static orr_status read_header(orr_array *a)
{
    const unsigned char *b = (const unsigned char *)a->bytes.p;
    size_t start;

    if (a->bytes.n < 4 || b[0] || b[1])
        return orr_fail(ORR_ERR_FORMAT,
                        "%s: not an idx file (it does not begin with two zero bytes)", a->what);
    ORR_TRY(set_type(a, b[2]));
    if (b[3] < 1 || b[3] > ORR_ARRAY_DIMS)
        return orr_fail(ORR_ERR_FORMAT, "%s: %d axes; 1 to %d are read", a->what, b[3],
                        ORR_ARRAY_DIMS);
    start = 4 + 4 * (size_t)b[3];
    if (a->bytes.n < start)
        return orr_fail(ORR_ERR_FORMAT, "%s: truncated within the header", a->what);
    for (a->n_dims = 0; a->n_dims < b[3]; a->n_dims++)
        a->dims[a->n_dims] = big_endian32(b + 4 + 4 * (size_t)a->n_dims);
    a->data = a->bytes.p + start;
    return orr_array_layout(a, 0, a->bytes.n - start);
}

static orr_status open_array(orr_array *a, const char *path, const char *name,
                             const orr_trust *trust)
{
    (void)name;
    return orr_array_open_file(a, path, trust, read_header);
}

/* Zero bytes, a type and up to 8 axes. */
static int sniff(const orr_bytes *b)
{
    return b->n >= 4 && !b->p[0] && !b->p[1] && b->p[2] && strchr("\x8\x9\xb\xc\xd\xe", b->p[2]) &&
           b->p[3] >= 1 && b->p[3] <= ORR_ARRAY_DIMS;
}

const orr_format orr_format_idx = {
    .name = "idx",
    .endings = (const char *const[]){ ".idx", "-ubyte", NULL },
    .help = ".idx, -ubyte: an array as MNIST has it; of three axes, images of one channel",
    .sniff = sniff,
    .open_array = open_array,
    .is_images = 1,
};
