/* AUROC and average precision of a ranking under many weightings at once: what ranking.py's numpy does in a pass an operation, in one
 * pass over the records. The weightings lie side by side, so that each addition is one of whole vectors. ranking.py calls this by ctypes.
 */
#include <stddef.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#define WIDEST __attribute__((target_clones("avx2", "default")))
#else
#define WIDEST
#endif

#define AT_ONCE 64 /* weightings: their running sums stay in the processor's nearest cache */

/* weights: (records, weightings), contiguous, at most AT_ONCE weightings.
 * order, n: positions of records from the highest score down. cuts, segments: where each segment of them begins.
 * group, groups: which segments hold a positive. positive, positives: the positives' positions; positive_cuts: where each group's begin.
 * auroc, auprc: (weightings,), without meaning where a truth has no weight.
 * More than AT_ONCE weightings are left alone.
 */
WIDEST void rank_areas(const double *restrict weights, ptrdiff_t weightings, const ptrdiff_t *restrict order, ptrdiff_t n,
                       const ptrdiff_t *restrict cuts, ptrdiff_t segments, const ptrdiff_t *restrict group, ptrdiff_t groups,
                       const ptrdiff_t *restrict positive, ptrdiff_t positives, const ptrdiff_t *restrict positive_cuts,
                       double *restrict auroc, double *restrict auprc)
{
    double upto[AT_ONCE] = {0}, gained[AT_ONCE] = {0};      /* the weight, and the positives' weight, of what is ranked so far */
    double crossed[AT_ONCE] = {0}, precision[AT_ONCE] = {0}; /* twice the negatives above each positive; the precision at each */
    double before[AT_ONCE], own[AT_ONCE];
    ptrdiff_t g = 0;
    if (weightings > AT_ONCE)
        return;
    for (ptrdiff_t s = 0; s < segments; s++) {
        int held = g < groups && group[g] == s;
        if (held)
            memcpy(before, upto, sizeof before);
        ptrdiff_t end = s + 1 < segments ? cuts[s + 1] : n;
        for (ptrdiff_t i = cuts[s]; i < end; i++) {
            const double *row = weights + order[i] * weightings;
            for (ptrdiff_t k = 0; k < weightings; k++)
                upto[k] += row[k];
        }
        if (!held)
            continue;
        memset(own, 0, sizeof own);
        ptrdiff_t last = g + 1 < groups ? positive_cuts[g + 1] : positives;
        for (ptrdiff_t i = positive_cuts[g]; i < last; i++) {
            const double *row = weights + positive[i] * weightings;
            for (ptrdiff_t k = 0; k < weightings; k++)
                own[k] += row[k];
        }
        for (ptrdiff_t k = 0; k < weightings; k++) {
            double negatives_before = before[k] - gained[k];
            gained[k] += own[k];
            crossed[k] += own[k] * (negatives_before + (upto[k] - gained[k]));
            precision[k] += own[k] * (gained[k] / (upto[k] > 0 ? upto[k] : 1));
        }
        g++;
    }
    for (ptrdiff_t k = 0; k < weightings; k++) {
        double negatives = upto[k] - gained[k];
        auroc[k] = 1 - crossed[k] / (2 * gained[k] * negatives);
        auprc[k] = precision[k] / gained[k];
    }
}
