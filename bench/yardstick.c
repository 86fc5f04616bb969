/*
 * The data path once more, in C and as short as it can be: what the machine can do with the same
 * descriptors, checks and tables when the language costs nothing. A sender posts frames, the switch
 * checks and judges them, looks their flow up, takes tokens, copies them into buffers that the
 * receiver has posted, and completes both. One thread, bursts of 32, every 1009th frame compared.
 *
 *     yardstick BYTES FLOWS
 */
#include "slices.h"

enum {
  DEPTH = 1024,
  MASK = DEPTH - 1,
  TEMPLATES = 256,
  BURST = 32,
  HEAD = 128,
  CHECK_EVERY = 1009,
  PHASE = 1,
  MEMORY = 16 << 20
};

/* 16 bytes each, like ENA's; the word with the phase is written last. */
struct desc {
  uint32_t control, id, low, high;
};
struct done {
  uint32_t control, id, length, hash;
};

/* One guest: its memory, and the rings in it. */
struct guest {
  uint8_t *memory;
  size_t used;
  struct desc *sq;
  struct done *cq;
  uint32_t sq_tail, sq_head, cq_tail, cq_head;
};

struct flow {
  uint32_t key[4];
  uint64_t frames, bytes;
  uint32_t to, epoch;
  uint8_t pad[24];
};

static struct guest sender, receiver;
static struct flow *flows;
static uint32_t flow_mask, flow_count;
static uint8_t head[HEAD];
static double tokens = 1e9, rate = 1e3; /* bytes, and bytes per nanosecond: a rate above the load */
static uint64_t last_ns, sent, arrived;
static size_t frame_bytes, stride, templates_at, buffers_at;

static size_t take(struct guest *g, size_t bytes) {
  size_t at = g->used;
  g->used += (bytes + 4095) & ~(size_t)4095;
  if (g->used > MEMORY) abort();
  return at;
}

static uint32_t phase_of(uint32_t index) { return ((index / DEPTH) & 1) ^ 1; }

static void start(struct guest *g) {
  g->memory = pages(MEMORY);
  g->sq = (struct desc *)(g->memory + take(g, DEPTH * sizeof(struct desc)));
  g->cq = (struct done *)(g->memory + take(g, DEPTH * sizeof(struct done)));
}

/* The switch's look at a descriptor's buffer: inside of the guest's memory, or nowhere. */
static uint8_t *locate(struct guest *g, const struct desc *d, uint32_t length) {
  uint64_t at = (uint64_t)d->high << 32 | d->low;
  if (length == 0 || at > MEMORY || length > MEMORY - at) return NULL;
  return g->memory + at;
}

static uint32_t mix(const uint32_t *k) {
  uint32_t h = k[0] * 0x85ebca6bu;
  h = (h ^ h >> 15 ^ k[1]) * 0xc2b2ae35u;
  h = (h ^ h >> 13 ^ k[2]) * 0x27d4eb2fu;
  h = (h ^ h >> 16 ^ k[3]) * 0x165667b1u;
  return h ^ h >> 15;
}

static struct flow *find(const uint32_t *key) {
  for (uint32_t i = mix(key);; i++) {
    struct flow *f = &flows[i & flow_mask];
    if (f->epoch == 0) {
      memcpy(f->key, key, sizeof f->key);
      f->epoch = 1;
      f->to = 1;
      return f;
    }
    if (memcmp(f->key, key, sizeof f->key) == 0) return f;
  }
}

/* One frame from the sender's descriptor into the receiver's next buffer; false: none is posted. */
static int carry(const struct desc *d) {
  uint32_t length = d->control >> 16;
  const uint8_t *from = locate(&sender, d, length);
  if (from == NULL || length < 42) abort();
  size_t in_head = length < HEAD ? length : HEAD;
  memcpy(head, from, in_head);
  if (head[12] != 8 || head[13] != 0 || head[14] != 0x45 || head[23] != 17) abort();
  uint32_t key[4] = {0, 0, 0, (uint32_t)head[23] << 8 | 1};
  memcpy(key, head + 26, 12);
  struct flow *f = find(key);
  if (f->to != 1) abort();
  f->frames++;
  f->bytes += length;
  if (tokens < length) return 0;
  tokens -= length;
  struct desc *to = &receiver.sq[receiver.sq_head & MASK];
  if ((to->control & PHASE) != phase_of(receiver.sq_head)) return 0;
  uint32_t room = to->control >> 16, id = to->id;
  uint8_t *into = locate(&receiver, to, room);
  if (into == NULL || room < length) abort();
  receiver.sq_head++;
  memcpy(into, head, in_head);
  if (length > in_head) memcpy(into + in_head, from + in_head, length - in_head);
  struct done *c = &receiver.cq[receiver.cq_tail & MASK];
  c->id = id;
  c->length = length;
  c->hash = key[0];
  __atomic_store_n(&c->control, phase_of(receiver.cq_tail), __ATOMIC_RELEASE);
  receiver.cq_tail++;
  return 1;
}

static void doorbell(void) {
  uint64_t now = now_ns(CLOCK_MONOTONIC);
  tokens += (double)(now - last_ns) * rate;
  if (tokens > 1e9) tokens = 1e9;
  last_ns = now;
  for (;;) {
    struct desc d = sender.sq[sender.sq_head & MASK];
    if ((d.control & PHASE) != phase_of(sender.sq_head) || !carry(&d)) return;
    sender.sq_head++;
    struct done *c = &sender.cq[sender.cq_tail & MASK];
    c->id = d.id;
    __atomic_store_n(&c->control, phase_of(sender.cq_tail), __ATOMIC_RELEASE);
    sender.cq_tail++;
  }
}

static void send_burst(void) {
  static uint32_t flow;
  for (int i = 0; i < BURST; i++, sent++) {
    uint32_t slot = sent % TEMPLATES;
    size_t at = templates_at + slot * stride;
    uint8_t *frame = sender.memory + at;
    frame[34] = flow >> 8;
    frame[35] = (uint8_t)flow;
    frame[36] = 4 + (flow >> 24);
    frame[37] = flow >> 16;
    flow = flow + 1 == flow_count ? 0 : flow + 1;
    struct desc *d = &sender.sq[sender.sq_tail & MASK];
    d->id = sender.sq_tail & MASK;
    d->low = (uint32_t)at;
    d->high = 0;
    d->control = (uint32_t)frame_bytes << 16 | phase_of(sender.sq_tail);
    sender.sq_tail++;
  }
  doorbell();
  while ((sender.cq[sender.cq_head & MASK].control & PHASE) == phase_of(sender.cq_head))
    sender.cq_head++;
}

static void post(uint32_t id) {
  size_t at = buffers_at + id * 2048;
  struct desc *d = &receiver.sq[receiver.sq_tail & MASK];
  d->id = id;
  d->low = (uint32_t)at;
  d->high = 0;
  d->control = 2048u << 16 | phase_of(receiver.sq_tail);
  receiver.sq_tail++;
}

static void receive(void) {
  for (;;) {
    struct done *c = &receiver.cq[receiver.cq_head & MASK];
    if ((c->control & PHASE) != phase_of(receiver.cq_head)) return;
    if (arrived % CHECK_EVERY == 0) {
      size_t from = templates_at + (arrived % TEMPLATES) * stride;
      if (c->length != frame_bytes ||
          memcmp(receiver.memory + buffers_at + c->id * 2048, sender.memory + from, frame_bytes))
        abort();
    }
    arrived++;
    receiver.cq_head++;
    post(c->id);
  }
}

static struct slice run(uint64_t ns) {
  uint64_t before = arrived, begin = cpu_ns(), now;
  do {
    for (int i = 0; i < 64; i++) {
      send_burst();
      receive();
    }
    now = cpu_ns();
  } while (now - begin < ns);
  if (arrived != sent) abort();
  return (struct slice){arrived - before, now - begin};
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  frame_bytes = strtoul(argv[1], NULL, 10);
  flow_count = (uint32_t)strtoul(argv[2], NULL, 10);
  if (frame_bytes < 42 || frame_bytes > 2048 || flow_count < 1) return 2;
  for (flow_mask = 65536; flow_mask < 2 * flow_count; flow_mask *= 2) continue;
  flows = pages(flow_mask * sizeof *flows);
  flow_mask--;
  start(&sender);
  start(&receiver);
  stride = (frame_bytes + 63) & ~(size_t)63;
  templates_at = take(&sender, TEMPLATES * stride);
  buffers_at = take(&receiver, DEPTH * 2048);
  static const uint8_t headers[] = {2, 0, 0, 0, 1, 1,  2,  0, 0, 0, 0,  1, 8, 0, 0x45, 0, 0,
                                    0, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10,   0, 1, 1};
  for (uint32_t i = 0; i < TEMPLATES; i++) {
    uint8_t *frame = sender.memory + templates_at + i * stride;
    for (size_t j = 0; j < frame_bytes; j++) frame[j] = (uint8_t)(i * 37 + j * 11);
    memcpy(frame, headers, sizeof headers);
  }
  for (uint32_t id = 0; id < DEPTH - 1; id++) post(id);
  last_ns = now_ns(CLOCK_MONOTONIC);
  return serve(run);
}
