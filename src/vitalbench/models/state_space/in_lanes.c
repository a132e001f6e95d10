/* Convolution of features that lie side by side with kernels as long as the signal: LANES of them pass through each operation
 * together, so that each is one of whole vectors and no value changes its lane. It is compiled for as many as a vector of AVX2
 * holds, and of AVX-512; in_lanes.py calls these by ctypes.
 *
 * A signal of at most half a circle is a polynomial modulo z^size - 1, which is (z^(size/2) + 1) (z^(size/4) + 1) ... (z + 1) (z - 1).
 * Modulo z^(2n) + 1 a real polynomial is a complex one modulo w^n - i, whose imaginary part is its second half, and such a ring
 * parts into others, w^n - e^(i a) into w^(n/2) - e^(i a/2) and w^(n/2) + e^(i a/2), until only numbers are left to multiply. The
 * same steps turned round join them; what these multiply by, the spectra make good.
 */
#include <stddef.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#define WIDEST __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define WIDEST
#endif
#define INLINED static inline __attribute__((always_inline))

#define NAME_OF(lanes) in_lanes_##lanes
#define NAME(lanes) NAME_OF(lanes)

#define NEAR 128 /* complex vectors that stay in the processor's nearest cache */

typedef float vec __attribute__((vector_size(LANES * sizeof(float)), aligned(sizeof(float)), may_alias));
typedef unsigned int words __attribute__((vector_size(LANES * sizeof(unsigned int))));
typedef unsigned short halves __attribute__((vector_size(LANES * sizeof(unsigned short)), aligned(2), may_alias));

typedef struct {
    float half[2], quarter[2], three[2]; /* e^(i a/2), e^(i a/4), e^(i 3a/4) of a ring w^n - e^(i a) */
} angle;

/* A ring of n complex numbers into four of n / 4, in its place. */
INLINED void part(vec *restrict re, vec *restrict im, ptrdiff_t n, angle at)
{
    ptrdiff_t q = n / 4;
    for (ptrdiff_t k = 0; k < q; k++) {
        vec *r = re + k, *i = im + k;
        vec br = r[q] * at.quarter[0] - i[q] * at.quarter[1], bi = r[q] * at.quarter[1] + i[q] * at.quarter[0];
        vec cr = r[2 * q] * at.half[0] - i[2 * q] * at.half[1], ci = r[2 * q] * at.half[1] + i[2 * q] * at.half[0];
        vec dr = r[3 * q] * at.three[0] - i[3 * q] * at.three[1], di = r[3 * q] * at.three[1] + i[3 * q] * at.three[0];
        vec pr = r[0] + cr, pi = i[0] + ci, mr = r[0] - cr, mi = i[0] - ci;
        vec sr = br + dr, si = bi + di, tr = br - dr, ti = bi - di;
        r[0] = pr + sr, i[0] = pi + si;
        r[q] = pr - sr, i[q] = pi - si;
        r[2 * q] = mr - ti, i[2 * q] = mi + tr;
        r[3 * q] = mr + ti, i[3 * q] = mi - tr;
    }
}

/* What `part` took apart, four times as large. */
INLINED void join(vec *restrict re, vec *restrict im, ptrdiff_t n, angle at)
{
    ptrdiff_t q = n / 4;
    for (ptrdiff_t k = 0; k < q; k++) {
        vec *r = re + k, *i = im + k;
        vec pr = r[0] + r[q], pi = i[0] + i[q], sr = r[0] - r[q], si = i[0] - i[q];
        vec mr = r[2 * q] + r[3 * q], mi = i[2 * q] + i[3 * q], tr = i[2 * q] - i[3 * q], ti = r[3 * q] - r[2 * q];
        vec br = sr + tr, bi = si + ti, cr = pr - mr, ci = pi - mi, dr = sr - tr, di = si - ti;
        r[0] = pr + mr, i[0] = pi + mi;
        r[q] = br * at.quarter[0] + bi * at.quarter[1], i[q] = bi * at.quarter[0] - br * at.quarter[1];
        r[2 * q] = cr * at.half[0] + ci * at.half[1], i[2 * q] = ci * at.half[0] - cr * at.half[1];
        r[3 * q] = dr * at.three[0] + di * at.three[1], i[3 * q] = di * at.three[0] - dr * at.three[1];
    }
}

INLINED void multiply(vec *restrict re, vec *restrict im, const vec *restrict by)
{
    vec r = *re, i = *im;
    *re = r * by[0] - i * by[1], *im = r * by[1] + i * by[0];
}

/* Two complex numbers modulo w^2 - e^(i a), times those whose spectrum is `by`: twice the product. */
INLINED void multiply_pair(vec *restrict re, vec *restrict im, const vec *restrict by, angle at)
{
    vec tr = re[1] * at.half[0] - im[1] * at.half[1], ti = re[1] * at.half[1] + im[1] * at.half[0];
    vec pr = re[0] + tr, pi = im[0] + ti, mr = re[0] - tr, mi = im[0] - ti;
    multiply(&pr, &pi, by);
    multiply(&mr, &mi, by + 2);
    vec dr = pr - mr, di = pi - mi;
    re[0] = pr + mr, im[0] = pi + mi;
    re[1] = dr * at.half[0] + di * at.half[1], im[1] = di * at.half[0] - dr * at.half[1];
}

/* n complex numbers modulo w^n - e^(i a), times those whose spectrum is `by`: n times the product.
 * angles: generation after generation of the rings that w^n - i parts into; this one is ring `number` of one of `rings`.
 */
INLINED void multiply_ring(vec *restrict re, vec *restrict im, ptrdiff_t n, const vec *restrict by, const angle *restrict angles,
                           ptrdiff_t rings, ptrdiff_t number)
{
    ptrdiff_t size = n, parts = 1;
    for (; size >= 4; size /= 4, parts *= 4)
        for (ptrdiff_t j = 0; j < parts; j++)
            part(re + j * size, im + j * size, size, angles[rings * parts - 1 + number * parts + j]);
    for (ptrdiff_t j = 0; j < parts; j++)
        if (size == 2)
            multiply_pair(re + 2 * j, im + 2 * j, by + 4 * j, angles[rings * parts - 1 + number * parts + j]);
        else
            multiply(re + j, im + j, by + 2 * j);
    while (parts > 1) {
        size *= 4, parts /= 4;
        for (ptrdiff_t j = 0; j < parts; j++)
            join(re + j * size, im + j * size, size, angles[rings * parts - 1 + number * parts + j]);
    }
}

/* The same of a ring w^n - i, through parts that stay near. */
INLINED void multiply_whole(vec *restrict re, vec *restrict im, ptrdiff_t n, const vec *restrict by, const angle *restrict angles)
{
    ptrdiff_t size = n, parts = 1;
    for (; size > NEAR; size /= 4, parts *= 4)
        for (ptrdiff_t j = 0; j < parts; j++)
            part(re + j * size, im + j * size, size, angles[parts - 1 + j]);
    for (ptrdiff_t j = 0; j < parts; j++)
        multiply_ring(re + j * size, im + j * size, size, by + 2 * j * size, angles, parts, j);
    while (parts > 1) {
        size *= 4, parts /= 4;
        for (ptrdiff_t j = 0; j < parts; j++)
            join(re + j * size, im + j * size, size, angles[parts - 1 + j]);
    }
}

/* Real numbers modulo z^(2n) - 1 into those modulo z^n - 1 and z^n + 1; and, twice as large, the way back. */
INLINED void sum_and_difference(vec *restrict x, ptrdiff_t n)
{
    for (ptrdiff_t k = 0; k < n; k++) {
        vec sum = x[k] + x[k + n];
        x[k + n] = x[k] - x[k + n];
        x[k] = sum;
    }
}

/* The upper half of each number, rounded to the nearest, of two as near to the even one: bf16. What is no number stays none. */
INLINED halves rounded(vec x)
{
    words bits = (words)x, none = (words)(x != x);
    words upper = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    return __builtin_convertvector((upper & ~none) | (((bits >> 16) | 0x40) & none), halves);
}

/* One vector of features of one record: u and y are numbers `features` apart. The rest is told below. */
INLINED void convolve(const float *restrict u, const vec *restrict by, const angle *restrict angles, void *restrict y,
                      vec *restrict scratch, ptrdiff_t samples, ptrdiff_t features, ptrdiff_t size, int half)
{
    ptrdiff_t arc = size / 2;
    vec *minus = scratch, *plus = scratch + arc; /* modulo z^arc - 1, and modulo z^arc + 1: the same, of a signal so short */
    for (ptrdiff_t n = 0; n < samples; n++)
        minus[n] = *(const vec *)(u + n * features);
    memset(minus + samples, 0, (arc - samples) * sizeof(vec));
    memcpy(plus, minus, arc * sizeof(vec));
    multiply_whole(plus, plus + arc / 2, arc / 2, by, angles);
    by += arc;
    for (ptrdiff_t n = arc / 2; n >= 1; n /= 2) {
        sum_and_difference(minus, n);
        if (n == 1)
            minus[1] *= *by++;
        else {
            multiply_whole(minus + n, minus + n + n / 2, n / 2, by, angles);
            by += n;
        }
    }
    minus[0] *= *by;
    for (ptrdiff_t n = 1; n < arc; n *= 2)
        sum_and_difference(minus, n);
    for (ptrdiff_t n = 0; n < samples; n++) {
        vec sum = minus[n] + plus[n];
        if (half)
            *(halves *)((unsigned short *)y + n * features) = rounded(sum);
        else
            *(vec *)((float *)y + n * features) = sum;
    }
}

/* u, y: (records, samples, features), u of fp32, y too, or of bf16 where `half` says so; features a multiple of LANES, samples at
 * most half of size, a power of two from 4 on. Each spectrum is read once for all records.
 * spectra: (features / LANES, size, LANES), the kernels' as in_lanes.py orders and scales them.
 * angles: of 1, 2, 4, ... rings, to size / 8 of them. scratch: (size, LANES).
 */
WIDEST void NAME(LANES)(const float *restrict u, const vec *restrict spectra, const angle *restrict angles, void *restrict y,
                        vec *restrict scratch, ptrdiff_t records, ptrdiff_t samples, ptrdiff_t features, ptrdiff_t size, int half)
{
    for (ptrdiff_t f = 0; f < features; f += LANES, spectra += size)
        for (ptrdiff_t r = 0; r < records; r++) {
            ptrdiff_t at = r * samples * features + f;
            void *into = half ? (void *)((unsigned short *)y + at) : (void *)((float *)y + at);
            convolve(u + at, spectra, angles, into, scratch, samples, features, size, half);
        }
}
