/**
 * Interrupts as eventfds that the client has handed over, one per vector. Handlers return an
 * errno, 0 when done.
 */
import type { Interrupts } from '../pci/function.ts';
import { EINVAL } from '../sys/errno.ts';
import { signalEventFd } from '../sys/eventfd.ts';
import { closeFd, isEventFd, setNonBlocking } from '../sys/fd.ts';
import type { Exchange } from './exchange.ts';
import * as p from './protocol.ts';

const setBytes = p.vfio_irq_set.sizeBytes;
const maskAction = p.VFIO_IRQ_SET_ACTION_MASK >>> 3;
const unmaskAction = p.VFIO_IRQ_SET_ACTION_UNMASK >>> 3;
const triggerAction = p.VFIO_IRQ_SET_ACTION_TRIGGER >>> 3;

/** The interrupts of one kind. */
class Lines {
  readonly count: number;
  /** Eventfds by vector, -1 for none: for the interrupt, and for the client's own (un)masking. */
  readonly trigger: Int32Array;
  readonly onMask: Int32Array;
  readonly onUnmask: Int32Array;
  readonly masked: Uint8Array;
  readonly pending: Uint8Array;

  constructor(count: number) {
    this.count = count;
    this.trigger = new Int32Array(count).fill(-1);
    this.onMask = new Int32Array(count).fill(-1);
    this.onUnmask = new Int32Array(count).fill(-1);
    this.masked = new Uint8Array(count);
    this.pending = new Uint8Array(count);
  }

  of(action: number): Int32Array {
    if (action === triggerAction) return this.trigger;
    return action === maskAction ? this.onMask : this.onUnmask;
  }

  raise(vector: number): boolean {
    const fd = this.trigger[vector];
    if (fd === undefined || fd < 0) return false;
    if (this.masked[vector] === 0) return signalEventFd(fd);
    this.pending[vector] = 1;
    return true;
  }

  mask(vector: number): void {
    if (this.masked[vector] === 1) return;
    this.masked[vector] = 1;
    signal(this.onMask[vector] as number);
  }

  unmask(vector: number): void {
    if (this.masked[vector] === 0) return;
    this.masked[vector] = 0;
    signal(this.onUnmask[vector] as number);
    if (this.pending[vector] === 0) return;
    this.pending[vector] = 0;
    this.raise(vector);
  }

  replace(fds: Int32Array, vector: number, fd: number): void {
    closeFd(fds[vector] as number);
    fds[vector] = fd;
  }

  /** Closes all eventfds; nothing is masked or pending any more. */
  clear(): void {
    for (const fds of [this.trigger, this.onMask, this.onUnmask]) {
      for (const fd of fds) closeFd(fd);
      fds.fill(-1);
    }
    this.masked.fill(0);
    this.pending.fill(0);
  }
}

function signal(fd: number): void {
  if (fd >= 0) signalEventFd(fd);
}

export class Irqs implements Interrupts {
  /** Interrupts that nobody has asked for: the guest had not set the vector up. */
  dropped = 0;
  #kinds: Lines[] = kindsFor(0);
  #msix = this.#kinds[p.VFIO_PCI_MSIX_IRQ_INDEX] as Lines;
  readonly #info = p.vfio_irq_info.create();
  readonly #set = p.vfio_irq_set.create();

  /** How many MSI-X vectors the function has: known once the function is. */
  setVectors(vectors: number): void {
    this.clear();
    this.#kinds = kindsFor(vectors);
    this.#msix = this.#kinds[p.VFIO_PCI_MSIX_IRQ_INDEX] as Lines;
  }

  /** One write to an eventfd, or nothing. */
  raise(vector: number): void {
    if (!this.#msix.raise(vector)) this.dropped++;
  }

  /** Asks the client to let go of the device, as a hot unplug does; false when it cannot. */
  requestRelease(): boolean {
    return (this.#kinds[p.VFIO_PCI_REQ_IRQ_INDEX] as Lines).raise(0);
  }

  /** The client has gone: all its eventfds are closed. */
  clear(): void {
    for (const lines of this.#kinds) lines.clear();
  }

  /** DEVICE_GET_IRQ_INFO */
  getInfo(x: Exchange): number {
    const info = this.#info;
    const { sizeBytes } = p.vfio_irq_info;
    if (!x.load(p.vfio_irq_info, info) || info.argsz < sizeBytes) return EINVAL;
    const lines = this.#kinds[info.index];
    if (lines === undefined) return EINVAL;
    info.argsz = sizeBytes;
    info.flags = p.VFIO_IRQ_INFO_EVENTFD;
    info.count = lines.count;
    x.append(p.vfio_irq_info, info);
    return 0;
  }

  /** DEVICE_SET_IRQS */
  setIrqs(x: Exchange): number {
    const set = this.#set;
    if (!x.load(p.vfio_irq_set, set) || set.argsz < setBytes) return EINVAL;
    const lines = this.#kinds[set.index];
    if (lines === undefined || !this.#isValid(x, lines)) return EINVAL;
    const { data, action, start, count } = set;
    if (data === p.VFIO_IRQ_SET_DATA_EVENTFD) return assign(x, lines, action, start, count);
    if (count === 0) {
      lines.clear();
      return 0;
    }
    const bools = data === p.VFIO_IRQ_SET_DATA_BOOL;
    for (let i = 0; i < count; i++) {
      if (bools && x.bytes[x.at + setBytes + i] === 0) continue;
      if (action === triggerAction) lines.raise(start + i);
      else if (action === maskAction) lines.mask(start + i);
      else lines.unmask(start + i);
    }
    return 0;
  }

  /** The combinations that make sense; libvfio-user's tests name the same ones. */
  #isValid(x: Exchange, lines: Lines): boolean {
    const { data, action, rest, index, start, count } = this.#set;
    const none = data === p.VFIO_IRQ_SET_DATA_NONE;
    const bools = data === p.VFIO_IRQ_SET_DATA_BOOL;
    const eventfd = data === p.VFIO_IRQ_SET_DATA_EVENTFD;
    const knownAction =
      action === triggerAction || action === maskAction || action === unmaskAction;
    if (rest !== 0 || !knownAction || !(none || bools || eventfd)) return false;
    if (start >= lines.count || start + count > lines.count) return false;
    if (bools && x.sizeBytes - setBytes !== count) return false;
    if (index >= p.VFIO_PCI_ERR_IRQ_INDEX && action !== triggerAction) return false;
    if (count === 0 && !(start === 0 && action === triggerAction && none)) return false;
    const sent = x.fds.length;
    return sent === 0 || (eventfd && sent === count);
  }
}

/** Takes the eventfds over; without any, the vectors lose theirs. */
function assign(x: Exchange, lines: Lines, action: number, start: number, count: number): number {
  const fds = lines.of(action);
  if (x.fds.length === 0) {
    for (let i = 0; i < count; i++) lines.replace(fds, start + i, -1);
    return 0;
  }
  // A pipe or a file in place of an eventfd could block the thread, or fill up.
  if (!x.fds.every(isEventFd)) return EINVAL;
  for (let i = 0; i < count; i++) {
    const fd = x.takeFd(i);
    setNonBlocking(fd);
    lines.replace(fds, start + i, fd);
  }
  return 0;
}

/** No INTx and no MSI; one error and one release notification, which QEMU expects. */
const kindsFor = (vectors: number): Lines[] => [0, 0, vectors, 1, 1].map((n) => new Lines(n));
