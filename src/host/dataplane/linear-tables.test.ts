import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FLOW_RECORD_BYTES } from '../../fastpath/layout.ts';
import type { Arena } from '../../lib/arena.ts';
import { field } from '../../switch/vpc/flow-table.ts';
import { bit, hot } from '../../switch/vpc/tracker.ts';
import { LinearMemory } from '../../sys/linear-memory.ts';
import { everything, nic, testModel } from '../../vpc/testing-model.ts';
import { RegionLab } from '../../vpc/testing-region.ts';

/** Of a flow of IPv4. */
const recordWords = FLOW_RECORD_BYTES / 4;

/** Words of linear memory from an array's address on. */
const wordsAt = (linear: LinearMemory, { byteOffset, length }: Int32Array): Int32Array =>
  new Int32Array(linear.memory.buffer, byteOffset, length);

test('flows, connections and their counts are found in linear memory by their addresses', () => {
  const linear = new LinearMemory();
  const arena: Arena = linear;
  // Of a group that is open to some only, connections are tracked.
  const peers = { id: 'sgr-1', protocol: -1, peer: { cidr: '10.0.0.0/16' } };
  const group = { ...everything('sg-1'), inbound: [peers], outbound: [peers] };
  const interfaces = [nic('a', 0), nic('c', 1)];
  const lab = new RegionLab(testModel({ interfaces, securityGroups: [group] }), { arena });
  const { router } = lab.region;
  const { burstRoutes } = router;
  assert.equal(lab.send('a', 'c', { protocol: 'udp' }), 'delivered');
  assert.equal(lab.send('a', 'c', { protocol: 'udp' }), 'delivered');
  const { tables } = burstRoutes;
  const flows = wordsAt(linear, tables.flows);
  const [at, ...others] = [...flows.keys()].filter(
    (word) => word % recordWords === 0 && flows[word + field.epoch] === tables.epoch,
  );
  assert.ok(at !== undefined && others.length === 0);
  const slot = flows[at + field.slotA] ?? -1;
  const mark = flows[at + field.markA];
  assert.ok(slot >= 0);
  const record = wordsAt(linear, tables.connections).subarray(
    slot * hot.words,
    (slot + 1) * hot.words,
  );
  assert.equal(record[hot.generation], mark);
  assert.notEqual((record[hot.state] ?? 0) & bit.alive, 0);
  const times = new Float64Array(linear.memory.buffer, record.byteOffset, 4);
  assert.equal(times[hot.idleEnd / 2], lab.clock.now() + (times[hot.idleLength / 2] ?? 0));
  const [sender] = lab.region.network.ports;
  assert.ok(sender);
  assert.equal(wordsAt(linear, tables.marks)[burstRoutes.keyOf(sender)], 1);
});
