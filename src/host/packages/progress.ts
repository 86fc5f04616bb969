/** How work that takes over a second tells of itself. */

/**
 * @param step what is being done, stable over its calls ('qemu', 'kernel-6.12', ...)
 * @param fraction 0..1, or undefined where it cannot be told
 * @param text one line for a person
 */
export type Progress = (step: string, fraction: number | undefined, text: string) => void;

export const noProgress: Progress = () => {};
