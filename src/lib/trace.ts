/**
 * What a model tells about itself while somebody watches: one line per event, made only when it
 * is wanted. A model that is not watched has `null` instead and spends nothing.
 */
export type Trace = (line: () => string) => void;
