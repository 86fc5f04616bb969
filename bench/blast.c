/*
 * Datagrams or a stream from one network namespace into another one, by the kernel: what Linux
 * itself makes of the same job. Two threads, one in each; 64 messages per system call.
 *
 *     blast FROM-NAMESPACE TO-NAMESPACE ADDRESS udp BYTES | tcp
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>

#include "slices.h"
#include "wanted.h"

enum { PORT = 5201, BATCH = 64, CHUNK = 128 << 10 };

static const char *from_space, *to_space;
static struct sockaddr_in address = {.sin_family = AF_INET};
static size_t payload;
static int is_tcp;
static volatile int is_listening;
static volatile uint64_t arrived;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static int enter(const char *space) {
  int fd = open(space, O_RDONLY);
  if (fd < 0 || setns(fd, CLONE_NEWNET) != 0) fail(space);
  close(fd);
  int s = socket(AF_INET, is_tcp ? SOCK_STREAM : SOCK_DGRAM, 0);
  if (s < 0) fail("socket");
  int bytes = 8 << 20;
  if (!is_tcp) setsockopt(s, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  return s;
}

static void prepare(struct mmsghdr *messages, struct iovec *parts, uint8_t *buffer) {
  memset(messages, 0, BATCH * sizeof *messages);
  for (int i = 0; i < BATCH; i++) {
    parts[i] = (struct iovec){buffer + i * 2048, payload};
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
}

static void *receiver(void *unused) {
  static uint8_t buffer[BATCH * 2048];
  struct mmsghdr messages[BATCH];
  struct iovec parts[BATCH];
  int s = enter(to_space);
  if (bind(s, (struct sockaddr *)&address, sizeof address) != 0) fail("bind");
  if (is_tcp && listen(s, 1) != 0) fail("listen");
  is_listening = 1;
  if (is_tcp && (s = accept(s, NULL, NULL)) < 0) fail("accept");
  prepare(messages, parts, buffer);
  for (;;) {
    ssize_t got = is_tcp ? read(s, buffer, sizeof buffer) : recvmmsg(s, messages, BATCH, MSG_WAITFORONE, NULL);
    if (got <= 0) break;
    arrived += (uint64_t)got;
  }
  return unused;
}

static void *sender(void *unused) {
  static uint8_t buffer[BATCH * 2048];
  struct mmsghdr messages[BATCH];
  struct iovec parts[BATCH];
  int s = enter(from_space);
  while (!is_listening) usleep(1000);
  if (connect(s, (struct sockaddr *)&address, sizeof address) != 0) fail("connect");
  prepare(messages, parts, buffer);
  for (;;) {
    sleep_until_wanted();
    ssize_t sent = is_tcp ? write(s, buffer, CHUNK) : sendmmsg(s, messages, BATCH, 0);
    if (sent < 0 && is_tcp) break;
  }
  return unused;
}

/* Messages that arrived; of a stream, bytes. */
static struct slice run(uint64_t ns) {
  want();
  usleep(20000);
  uint64_t before = arrived, begin = now_ns(CLOCK_MONOTONIC);
  usleep((useconds_t)(ns / 1000));
  struct slice s = {arrived - before, now_ns(CLOCK_MONOTONIC) - begin};
  is_wanted = 0;
  usleep(20000);
  return s;
}

int main(int argc, char **argv) {
  pthread_t threads[2];
  if (argc < 5) return 2;
  from_space = argv[1];
  to_space = argv[2];
  address.sin_port = htons(PORT);
  if (inet_pton(AF_INET, argv[3], &address.sin_addr) != 1) return 2;
  is_tcp = strcmp(argv[4], "tcp") == 0;
  payload = argc > 5 ? strtoul(argv[5], NULL, 10) : 0;
  if (payload > 2048) return 2;
  nobody_is_wanted();
  if (pthread_create(&threads[0], NULL, receiver, NULL) != 0) return 1;
  if (pthread_create(&threads[1], NULL, sender, NULL) != 0) return 1;
  while (!is_listening) usleep(1000);
  return serve(run);
}
