/*
 * What the C programs of the bench have in common: on descriptor 3 they are asked for a slice of so
 * many milliseconds, a line each, and answer with what they did and how long it took them.
 */
#ifndef SLICES_H
#define SLICES_H
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { CHANNEL = 3 };

static inline uint64_t now_ns(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* CPU time of this process. */
static inline uint64_t cpu_ns(void) { return now_ns(CLOCK_PROCESS_CPUTIME_ID); }

/* What one slice has done: a count, and the nanoseconds for it. */
struct slice {
  uint64_t count;
  uint64_t ns;
};

typedef struct slice (*work)(uint64_t ns);

/* Serves until whoever asks has gone. */
static inline int serve(work run) {
  FILE *in = fdopen(CHANNEL, "r");
  char line[64];
  if (in == NULL) return 1;
  dprintf(CHANNEL, "{\"ready\":true}\n");
  while (fgets(line, sizeof line, in) != NULL) {
    struct slice s = run((uint64_t)strtoul(line, NULL, 10) * 1000000u);
    dprintf(CHANNEL, "{\"frames\":%llu,\"ns\":%llu}\n", (unsigned long long)s.count,
            (unsigned long long)s.ns);
  }
  return 0;
}

static inline void *pages(size_t bytes) {
  void *p = NULL;
  if (posix_memalign(&p, 4096, bytes) != 0) abort();
  memset(p, 0, bytes);
  return p;
}
#endif
