/**
 * Our MPI program, in C, compiled against the distribution's Open MPI: checks that point-to-point and
 * collective operations give the right results, and measures latency and bandwidth between ranks 0 and 1.
 * It prints one line of JSON. `virtfn-mpi stream` is for those who want to see a peer end.
 */
export const MPI_SOURCE = String.raw`#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int rank, size, wrong;

static void expect(int right) { if (!right) wrong++; }

/* A token goes round; each rank adds itself. */
static void ring(void) {
  long token = 0;
  if (size == 1) return;
  for (int lap = 0; lap < 3; lap++) {
    if (rank == 0) {
      token += 1;
      MPI_Send(&token, 1, MPI_LONG, 1, 1, MPI_COMM_WORLD);
      MPI_Recv(&token, 1, MPI_LONG, size - 1, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    } else {
      MPI_Recv(&token, 1, MPI_LONG, rank - 1, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
      token += rank + 1;
      MPI_Send(&token, 1, MPI_LONG, (rank + 1) % size, 1, MPI_COMM_WORLD);
    }
  }
  if (rank == 0) expect(token == 3L * size * (size + 1) / 2);
}

static void allreduce(int count) {
  double *mine = malloc(count * sizeof(double)), *sum = malloc(count * sizeof(double));
  for (int i = 0; i < count; i++) mine[i] = i + rank;
  MPI_Allreduce(mine, sum, count, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
  for (int i = 0; i < count; i++)
    expect(sum[i] == (double)i * size + size * (size - 1) / 2);
  free(mine);
  free(sum);
}

static void alltoall(int count) {
  int *out = malloc(size * count * sizeof(int)), *in = malloc(size * count * sizeof(int));
  for (int to = 0; to < size; to++)
    for (int i = 0; i < count; i++) out[to * count + i] = rank * 1000003 + to * 101 + i;
  MPI_Alltoall(out, count, MPI_INT, in, count, MPI_INT, MPI_COMM_WORLD);
  for (int from = 0; from < size; from++)
    for (int i = 0; i < count; i++)
      expect(in[from * count + i] == from * 1000003 + rank * 101 + i);
  free(out);
  free(in);
}

static double latency(int bytes, int rounds) {
  char *buffer = calloc(1, bytes + 1);
  double start = 0;
  for (int i = -rounds / 10 - 1; i < rounds; i++) {
    if (i == 0) start = MPI_Wtime();
    if (rank == 0) {
      MPI_Send(buffer, bytes, MPI_CHAR, 1, 2, MPI_COMM_WORLD);
      MPI_Recv(buffer, bytes, MPI_CHAR, 1, 2, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    } else if (rank == 1) {
      MPI_Recv(buffer, bytes, MPI_CHAR, 0, 2, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
      MPI_Send(buffer, bytes, MPI_CHAR, 0, 2, MPI_COMM_WORLD);
    }
  }
  double us = (MPI_Wtime() - start) / rounds / 2 * 1e6;
  free(buffer);
  return us;
}

static double bandwidth(int bytes, int rounds) {
  enum { window = 8 };
  MPI_Request requests[window];
  char *buffers[window], ack = 0;
  for (int i = 0; i < window; i++) {
    buffers[i] = malloc(bytes);
    memset(buffers[i], i + 1, bytes);
  }
  double start = MPI_Wtime();
  for (int round = 0; round < rounds; round++) {
    for (int i = 0; i < window; i++)
      if (rank == 0) MPI_Isend(buffers[i], bytes, MPI_CHAR, 1, 3 + i, MPI_COMM_WORLD, &requests[i]);
      else if (rank == 1)
        MPI_Irecv(buffers[i], bytes, MPI_CHAR, 0, 3 + i, MPI_COMM_WORLD, &requests[i]);
    if (rank < 2) MPI_Waitall(window, requests, MPI_STATUSES_IGNORE);
    if (rank == 1) MPI_Send(&ack, 1, MPI_CHAR, 0, 99, MPI_COMM_WORLD);
    if (rank == 0) MPI_Recv(&ack, 1, MPI_CHAR, 1, 99, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
  }
  double seconds = MPI_Wtime() - start;
  for (int i = 0; i < window; i++) {
    if (rank == 1) for (int b = 0; b < bytes; b += 997) expect(buffers[i][b] == i + 1);
    free(buffers[i]);
  }
  return (double)bytes * window * rounds / seconds / 1e6;
}

/* How many machines the ranks are on. */
static int distinct_hosts(void) {
  char mine[MPI_MAX_PROCESSOR_NAME] = {0};
  int length, count = 0;
  char *all = calloc(size, sizeof mine);
  MPI_Get_processor_name(mine, &length);
  MPI_Allgather(mine, sizeof mine, MPI_CHAR, all, sizeof mine, MPI_CHAR, MPI_COMM_WORLD);
  for (int i = 0; i < size; i++) {
    int first = 1;
    for (int j = 0; j < i; j++)
      if (strcmp(all + i * sizeof mine, all + j * sizeof mine) == 0) first = 0;
    count += first;
  }
  free(all);
  return count;
}

/*
 * Sends to rank 1 until that fails, as somebody is about to end rank 1: who waits for a message would
 * wait for ever. Says when it begins, and how the last message ended, how long after it was sent.
 */
static void stream(void) {
  enum { bytes = 32768 };
  char *buffer = calloc(1, bytes), text[MPI_MAX_ERROR_STRING];
  int error = MPI_SUCCESS, length;
  long sent = 0;
  double start = 0;
  if (rank > 1) pause();
  if (rank == 1)
    for (;;) MPI_Recv(buffer, bytes, MPI_CHAR, 0, 4, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  for (; error == MPI_SUCCESS; sent++) {
    if (sent == 100) {
      printf("streaming\n");
      fflush(stdout);
    }
    start = MPI_Wtime();
    error = MPI_Send(buffer, bytes, MPI_CHAR, 1, 4, MPI_COMM_WORLD);
  }
  MPI_Error_string(error, text, &length);
  printf("{\"sent\":%ld,\"error\":\"%s\",\"afterMs\":%.0f}\n", sent, text,
         (MPI_Wtime() - start) * 1e3);
  fflush(stdout);
  _exit(3);
}

int main(int argc, char **argv) {
  int rounds = argc > 1 ? atoi(argv[1]) : 200, total = 0, hosts;
  double lat = 0, bw = 0;
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  if (argc > 1 && strcmp(argv[1], "stream") == 0) stream();
  hosts = distinct_hosts();
  ring();
  allreduce(1);
  allreduce(20000);
  alltoall(1);
  alltoall(5000);
  MPI_Barrier(MPI_COMM_WORLD);
  if (size > 1) {
    lat = latency(8, rounds);
    bw = bandwidth(1 << 20, rounds / 20 + 1);
  }
  MPI_Reduce(&wrong, &total, 1, MPI_INT, MPI_SUM, 0, MPI_COMM_WORLD);
  if (rank == 0)
    printf("{\"ranks\":%d,\"hosts\":%d,\"wrong\":%d,\"latencyUs\":%.2f,\"bandwidthMBs\":%.1f}\n", size,
           hosts, total, lat, bw);
  MPI_Finalize();
  return total != 0;
}
`;
