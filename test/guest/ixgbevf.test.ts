/** The stock ixgbevf driver of two kernels, in two guests; and next to a guest with ena. */
import { test } from 'node:test';
import { kernels, Pair, toolsOrSkip } from './pair.ts';
import { stockDriver } from './stock-driver.ts';

for (const kernel of kernels)
  test(`stock ixgbevf of Linux ${kernel}`, { timeout: 400_000 }, async (t) => {
    const tools = await toolsOrSkip(t, kernel);
    if (tools === null) return;
    const pair = await Pair.start({ kernel, model: '82599vf' }, tools);
    try {
      await stockDriver(t, pair, kernel);
    } finally {
      await pair.close();
    }
  });
