import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HpcError } from './hpc-cluster.ts';
import { column } from './hpc-perftest.ts';

test("perftest's tables are read by their columns", () => {
  const latency = `
 #bytes #iterations    t_min[usec]    t_max[usec]  t_typical[usec]    t_avg[usec]    t_stdev[usec]
 64      300          105.30         900.12       151.20             160.01          20.30
---`;
  assert.equal(column(latency, 4), 151.2);
  const bandwidth = `
 #bytes     #iterations    BW peak[MiB/sec]    BW average[MiB/sec]   MsgRate[Mpps]
 65536      500             512.10             410.66               0.006571
---`;
  assert.equal(column(bandwidth, 3), 410.66);
  assert.throws(() => column('Unable to open device', 3), HpcError);
});
