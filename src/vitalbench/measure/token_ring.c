/* A token that goes round a ring of threads, each of which waits for it on the same cache line. core_to_core.py calls this by ctypes and
 * reads the clock: how long a handover takes is how far apart the processors are that the threads have been given.
 */
#include <pthread.h>
#include <sched.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stddef.h>

#define MOST 512      /* threads */
#define PATIENCE 4096 /* looks at the line, some microseconds: then another thread has to be let run for the token to come */

struct ring {
    alignas(128) atomic_long turn; /* handovers so far: a thread's turn is each of its own number, and so many threads on */
    alignas(128) atomic_int given_up;
    long threads, turns;
};

struct place {
    struct ring *ring;
    long number;
};

static int await(struct ring *ring, long turn)
{
    for (long looks = 0; atomic_load_explicit(&ring->turn, memory_order_acquire) != turn; looks++)
        if (looks == PATIENCE) {
            if (atomic_load(&ring->given_up))
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
        if (!await(ring, turn))
            break;
        atomic_store_explicit(&ring->turn, turn + 1, memory_order_release);
    }
    return NULL;
}

/* threads: 2 to MOST of them, the caller's own included. rounds: of the token in a burst.
 * lap: called at the start, and after each burst; not at all where the threads cannot be had.
 */
void token_ring(ptrdiff_t threads, ptrdiff_t rounds, ptrdiff_t bursts, void (*lap)(void))
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
    if (others < threads - 1)
        atomic_store(&ring.given_up, 1);
    else {
        lap();
        for (long burst = 0, turn = 0; burst < bursts; burst++) {
            for (long n = 0; n < rounds; n++) {
                atomic_store_explicit(&ring.turn, turn + 1, memory_order_release);
                turn += threads;
                await(&ring, turn);
            }
            lap();
        }
    }
    for (ptrdiff_t n = 0; n < others; n++)
        pthread_join(started[n], NULL);
}
