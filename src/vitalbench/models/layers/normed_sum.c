/* Layer norm of a sum, a row at a time: what torch does in a pass over memory an operation stays in the processor's nearest cache.
 * Compiled for as many lanes as a vector of AVX2 holds, and of AVX-512; normed_sum.py calls these by ctypes.
 */
#include <math.h>
#include <stddef.h>

#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#define WIDEST __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define WIDEST
#endif
#define INLINED static inline __attribute__((always_inline))

#define NAME_OF(lanes) normed_sum_##lanes
#define NAME(lanes) NAME_OF(lanes)

typedef float vec __attribute__((vector_size(LANES * sizeof(float)), aligned(sizeof(float)), may_alias));
typedef unsigned int words __attribute__((vector_size(LANES * sizeof(unsigned int))));
typedef unsigned short halves __attribute__((vector_size(LANES * sizeof(unsigned short)), aligned(2), may_alias));

/* bf16 is the upper half of fp32. */
INLINED vec widened(const unsigned short *from)
{
    return (vec)(__builtin_convertvector(*(const halves *)from, words) << 16);
}

INLINED float total(vec lanes)
{
    float sum = 0;
    for (int lane = 0; lane < LANES; lane++)
        sum += lanes[lane];
    return sum;
}

/* x: (rows, features), which becomes the norm of x + added + bias; added: (rows, features) of bf16; features a multiple of LANES.
 * bias, weight, shift: (features,), the last two the norm's own.
 */
WIDEST void NAME(LANES)(float *restrict x, const unsigned short *restrict added, const float *restrict bias,
                        const float *restrict weight, const float *restrict shift, ptrdiff_t rows, ptrdiff_t features, double epsilon)
{
    for (ptrdiff_t row = 0; row < rows; row++, x += features, added += features) {
        vec sums = {0}, squares = {0};
        for (ptrdiff_t f = 0; f < features; f += LANES) {
            vec sum = *(const vec *)(x + f) + widened(added + f) + *(const vec *)(bias + f);
            *(vec *)(x + f) = sum;
            sums += sum;
        }
        float mean = total(sums) / (float)features;
        for (ptrdiff_t f = 0; f < features; f += LANES) {
            vec from_mean = *(const vec *)(x + f) - mean;
            squares += from_mean * from_mean;
        }
        float scale = 1 / sqrtf(total(squares) / (float)features + (float)epsilon);
        for (ptrdiff_t f = 0; f < features; f += LANES)
            *(vec *)(x + f) = (*(const vec *)(x + f) - mean) * scale * *(const vec *)(weight + f) + *(const vec *)(shift + f);
    }
}
