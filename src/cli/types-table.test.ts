import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InstanceTypes } from '../vpc/instance-types.ts';
import { paintFor } from './terminal.ts';
import { isSortKey, renderTypes, sorted, sortKeys } from './types-table.ts';

const types = InstanceTypes.load().all();
const paint = paintFor({ write: () => true, isTTY: false });

test('in a narrow terminal columns go, and the name, the bandwidth and the queues stay', () => {
  for (const width of [72, 80, 100, 120]) {
    const lines = renderTypes(types, width, paint);
    assert.equal(lines.length, types.length + 1, `${width}`);
    for (const line of lines) assert.ok(line.length <= width, `${width}: ${line}`);
    for (const title of ['type', 'vCPUs', 'network', 'baseline', 'peak Gbps', 'queues'])
      assert.ok(lines[0]?.includes(title), `${width} ${title}`);
  }
  assert.match(renderTypes(types, 200, paint)[0] ?? '', /Express/);
});

test('each column sorts, both ways, and by name where it says nothing', () => {
  for (const key of sortKeys) {
    assert.ok(isSortKey(key) && isSortKey(`-${key}`));
    assert.equal(sorted(types, key).length, types.length);
  }
  const peaks = sorted(types, '-gbps').map(({ peakGbps }) => peakGbps);
  assert.deepEqual(
    peaks,
    [...peaks].sort((a, b) => b - a),
  );
  assert.equal(sorted(types, 'gbps')[0]?.name, 't1.micro');
  assert.deepEqual(
    sorted(types, 'name')
      .filter(({ name }) => name.startsWith('c5n.'))
      .map(({ name }) => name)
      .slice(0, 3),
    ['c5n.large', 'c5n.xlarge', 'c5n.2xlarge'],
  );
});
