#!/usr/bin/env node
/** The program `virtfn`. */
import { run } from './run.ts';

/** A reader that has seen enough (`virtfn ... | head`) is no failure. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

process.exitCode = await run(process.argv.slice(2));
