/* A token that goes round a ring of threads, each of which waits for it on the same cache line. core_to_core.py calls this by ctypes and
 * reads the clock: how long a handover takes is how far apart the processors are that the threads have been given.
 */
#include <pthread.h>
#include <sched.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stddef.h>

#define MOST 512      /* threads */
#define PATIENCE 4096 /* looks at the line, some microseconds: then another thread may have to be let run for the token to come */

struct ring {
    alignas(128) atomic_long turn; /* handovers so far: a thread's turn is each of its own number, and so many threads on */
    alignas(128) atomic_int given_up;
    long threads, turns;
};

struct place {
    struct ring *ring;
    long number;
};

/* ends: of the caller, asked while it waits; without it a thread waits until the ring is given up. Whether the token came. */
static int await(struct ring *ring, long turn, int (*ends)(int))
{
    for (long looks = 0; atomic_load_explicit(&ring->turn, memory_order_acquire) != turn; looks++)
        if (looks == PATIENCE) {
            if (ends ? ends(0) : atomic_load(&ring->given_up))
                return 0;
            sched_yield();
            looks = 0;
        }
    return 1;
}

static void *hand_over(void *given)
{
    struct place *place = given;
    struct ring *ring = place->ring;
    for (long n = 0, turn = place->number; n < ring->turns; n++, turn += ring->threads) {
        if (!await(ring, turn, NULL))
            break;
        atomic_store_explicit(&ring->turn, turn + 1, memory_order_release);
    }
    return NULL;
}

/* threads: 2 to MOST of them, the caller's own included. rounds: of the token in a burst.
 * ends: is told 1 at the start and after each burst, and 0 now and then while the token is waited for; the ring ends where it returns
 * other than 0. It is not called where the threads cannot be had.
 */
void token_ring(ptrdiff_t threads, ptrdiff_t rounds, ptrdiff_t bursts, int (*ends)(int))
{
    struct ring ring = {0, 0, threads, rounds * bursts};
    struct place places[MOST];
    pthread_t started[MOST];
    ptrdiff_t others = 0;
    if (threads < 2 || threads > MOST)
        return;
    while (others < threads - 1) {
        places[others] = (struct place){&ring, others + 1};
        if (pthread_create(&started[others], NULL, hand_over, &places[others]))
            break;
        others++;
    }
    int holds = others == threads - 1 && !ends(1);
    for (long burst = 0, turn = 0; holds && burst < bursts; burst++) {
        for (long n = 0; holds && n < rounds; n++) {
            atomic_store_explicit(&ring.turn, turn + 1, memory_order_release);
            turn += threads;
            holds = await(&ring, turn, ends);
        }
        holds = holds && !ends(1);
    }
    if (!holds)
        atomic_store(&ring.given_up, 1);
    for (ptrdiff_t n = 0; n < others; n++)
        pthread_join(started[n], NULL);
}
