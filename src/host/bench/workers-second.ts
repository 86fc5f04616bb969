/** The second thread of `workers-bed.ts`. */
import { workerData } from 'node:worker_threads';
import { runSecond, type SecondData } from './workers-bed.ts';

runSecond(workerData as SecondData);
