/**
 * Counters that outgrow 31 bits while frames flow. The engine keeps a field in which it has seen small
 * integers only as one; when such a field outgrows them, all code that knows the object is thrown
 * away and compiled again, in the middle of the traffic: after 2 GiB the whole data path crawled
 * for half a second. A field that has once held a fraction is a floating-point number for good.
 *
 *     class Stats {
 *       bytes: number = bigCount;
 *       constructor() { this.bytes = 0; }
 */
export const bigCount = 0.5;
