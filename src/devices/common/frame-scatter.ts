/** Frames into the buffers that a guest posted, straight from where they lie. */
import { copyWords, shortBytes } from '../../net/copy.ts';
import type { Frame } from '../../net/frame.ts';
import type { GuestMemory } from '../../pci/guest-memory.ts';

/** Copies `length` bytes of the frame from `from` on to a DMA address; false: it cannot be. */
export function scatter(
  memory: GuestMemory,
  iova: number,
  frame: Frame,
  from: number,
  length: number,
): boolean {
  const window = memory.locate(iova, length);
  if (window === null) return false;
  const bytes = window.toWrite;
  if (bytes !== null) {
    const at = (iova - window.iova) | 0; // windows are small enough
    if (from === 0 && length === frame.headLength && length < shortBytes)
      copyWords(frame.headView, 0, window.view, at, length);
    else frame.copyPart(from, length, bytes, at);
    return true;
  }
  const copy = new Uint8Array(length); // only for clients that share no memory
  frame.copyPart(from, length, copy, 0);
  return memory.write(iova, copy, 0, length);
}
