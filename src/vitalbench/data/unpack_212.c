/* WFDB format 212, as signal(5) gives it: three bytes hold two 12-bit two's complement values, the middle byte the high bits of both,
 * those of the first value in its low half. No header of Python's is needed: unpack.py calls this by ctypes.
 */
#include <stddef.h>
#include <stdint.h>

/* A shuffle of bytes is what this loop wants, and what the x86 of twenty years ago lacks. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#define WIDEST __attribute__((target_clones("avx2", "default")))
#else
#define WIDEST
#endif

/* The twelve bits at the top of sixteen; shifting them back extends the sign. */
static inline int16_t first_of(const uint8_t *pair) { return (int16_t)(pair[0] << 4 | pair[1] << 12) >> 4; }
static inline int16_t second_of(const uint8_t *pair) { return (int16_t)(pair[2] << 4 | (pair[1] & 0xf0) << 8) >> 4; }

WIDEST static void one_lead(const uint8_t *restrict packed, size_t values, int16_t *restrict out)
{
    size_t pairs = values / 2;
    for (size_t i = 0; i < pairs; i++) {
        out[2 * i] = first_of(packed + 3 * i);
        out[2 * i + 1] = second_of(packed + 3 * i);
    }
    if (values % 2)
        out[values - 1] = first_of(packed + 3 * pairs); /* its last byte may not be there */
}

WIDEST static void two_leads(const uint8_t *restrict packed, size_t samples, int16_t *restrict out, int16_t *restrict other)
{
    for (size_t i = 0; i < samples; i++) {
        out[i] = first_of(packed + 3 * i);
        other[i] = second_of(packed + 3 * i);
    }
}

/* packed: at least ceil(1.5 x leads x samples) bytes, the leads' samples taking turns; out: (leads, samples). */
void unpack_212(const uint8_t *packed, size_t leads, size_t samples, int16_t *out)
{
    if (leads == 1) {
        one_lead(packed, samples, out);
    } else if (leads == 2) {
        two_leads(packed, samples, out, out + samples);
    } else {
        for (size_t lead = 0; lead < leads; lead++)
            for (size_t i = 0; i < samples; i++) {
                size_t value = i * leads + lead;
                const uint8_t *pair = packed + value / 2 * 3;
                out[lead * samples + i] = value % 2 ? second_of(pair) : first_of(pair);
            }
    }
}
