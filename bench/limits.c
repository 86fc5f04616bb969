/*
 * What this machine can do at best, whoever programs it: copies of a frame's size, a cache line that
 * goes to another core and back, and round trips by what an idle receiver can be woken with.
 *
 *     limits copy BYTES | line | eventfd | socket | spin-socket
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "slices.h"
#include "wanted.h"

enum { LOOK_EVERY = 64 };

static size_t bytes, slots, stride;
static uint8_t *from, *into;
static int near_fd, far_fd, is_spinning;

/* Two lines, one writer each, far from anything else. */
static struct {
  uint8_t before[4096];
  uint32_t there __attribute__((aligned(4096)));
  uint32_t back __attribute__((aligned(4096)));
  uint8_t after[4096];
} lines;

/* The same slots as the frames that the bench sends. */
static struct slice copies(uint64_t ns) {
  uint64_t begin = cpu_ns(), count = 0, now;
  do {
    for (int i = 0; i < 2048; i++, count++) {
      size_t at = (count & (slots - 1)) * stride;
      memcpy(into + at, from + at, bytes);
      __asm__ volatile("" ::: "memory");
    }
    now = cpu_ns();
  } while (now - begin < ns);
  return (struct slice){count, now - begin};
}

static void on_core(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  sched_setaffinity(0, sizeof set, &set);
}

static void *line_peer(void *unused) {
  (void)unused;
  on_core(1);
  for (;;) {
    sleep_until_wanted();
    uint32_t seen = lines.back;
    while (is_wanted) {
      uint32_t there = __atomic_load_n(&lines.there, __ATOMIC_ACQUIRE);
      if (there != seen) __atomic_store_n(&lines.back, seen = there, __ATOMIC_RELEASE);
    }
  }
  return NULL;
}

static struct slice line_trips(uint64_t ns) {
  want();
  uint64_t begin = now_ns(CLOCK_MONOTONIC), count = 0, now;
  do {
    for (int i = 0; i < LOOK_EVERY; i++, count++) {
      uint32_t next = lines.there + 1;
      __atomic_store_n(&lines.there, next, __ATOMIC_RELEASE);
      while (__atomic_load_n(&lines.back, __ATOMIC_ACQUIRE) != next) continue;
    }
    now = now_ns(CLOCK_MONOTONIC);
  } while (now - begin < ns);
  is_wanted = 0;
  return (struct slice){count, now - begin};
}

static void transfer(int fd, int is_write, size_t size) {
  uint8_t buffer[64] = {1};
  ssize_t done;
  do done = is_write ? write(fd, buffer, size) : read(fd, buffer, size);
  while (done < 0 && is_spinning);
  if (done != (ssize_t)size) abort();
}

/* Two eventfds, or the two ends of a socket pair. */
static int answer_fd, question_fd;
static size_t message = 64;

static void *echo_peer(void *unused) {
  (void)unused;
  on_core(1);
  for (;;) {
    if (is_spinning) sleep_until_wanted();
    uint8_t buffer[64];
    ssize_t got = read(question_fd, buffer, message);
    if (got == (ssize_t)message) transfer(answer_fd, 1, message);
  }
  return NULL;
}

static struct slice echo_trips(uint64_t ns) {
  want();
  uint64_t begin = now_ns(CLOCK_MONOTONIC), count = 0, now;
  do {
    for (int i = 0; i < LOOK_EVERY; i++, count++) {
      transfer(near_fd, 1, message);
      transfer(far_fd, 0, message);
    }
    now = now_ns(CLOCK_MONOTONIC);
  } while (now - begin < ns);
  is_wanted = 0;
  return (struct slice){count, now - begin};
}

static int with_peer(void *(*peer)(void *), work run) {
  pthread_t thread;
  if (sysconf(_SC_NPROCESSORS_ONLN) < 2) return 3;
  nobody_is_wanted();
  on_core(0);
  if (pthread_create(&thread, NULL, peer, NULL) != 0) return 1;
  return serve(run);
}

int main(int argc, char **argv) {
  const char *what = argc > 1 ? argv[1] : "";
  if (strcmp(what, "copy") == 0 && argc == 3) {
    bytes = strtoul(argv[2], NULL, 10);
    slots = bytes > 16384 ? 16 : 256;
    stride = (bytes + 63) & ~(size_t)63;
    from = pages(slots * stride);
    into = pages(slots * stride);
    return serve(copies);
  }
  if (strcmp(what, "line") == 0) return with_peer(line_peer, line_trips);
  if (strcmp(what, "eventfd") == 0) {
    near_fd = question_fd = eventfd(0, 0);
    far_fd = answer_fd = eventfd(0, 0);
    message = 8;
    return with_peer(echo_peer, echo_trips);
  }
  is_spinning = strcmp(what, "spin-socket") == 0;
  if (!is_spinning && strcmp(what, "socket") != 0) return 2;
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | (is_spinning ? SOCK_NONBLOCK : 0), 0, pair) != 0) return 1;
  near_fd = far_fd = pair[0];
  question_fd = answer_fd = pair[1];
  return with_peer(echo_peer, echo_trips);
}
