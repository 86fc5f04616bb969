/** The stock ena driver of two kernels, in two guests, on functions that virtfn serves. */
import { test } from 'node:test';
import { kernels, Pair, toolsOrSkip } from './pair.ts';
import { stockDriver } from './stock-driver.ts';

for (const kernel of kernels)
  test(`stock ena of Linux ${kernel}`, { timeout: 400_000 }, async (t) => {
    const tools = await toolsOrSkip(t, kernel);
    if (tools === null) return;
    const pair = await Pair.start({ kernel }, tools);
    try {
      await stockDriver(t, pair, kernel);
    } finally {
      await pair.close();
    }
  });
