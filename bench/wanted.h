/*
 * For a thread that works during slices only. Between two of them it sleeps: even a look now and then
 * would stop who is being measured meanwhile.
 */
#ifndef WANTED_H
#define WANTED_H
#include <semaphore.h>

static volatile int is_wanted;
static sem_t wanted;

/* Once, before that thread starts. */
static inline void nobody_is_wanted(void) { sem_init(&wanted, 0, 0); }

static inline void want(void) {
  is_wanted = 1;
  sem_post(&wanted);
}

static inline void sleep_until_wanted(void) {
  while (!is_wanted) sem_wait(&wanted);
}
#endif
