/** What lies outside of a region's VPCs, as the control plane tells the data plane. */

export type OutsideConfig =
  /** A program that speaks QEMU's stream protocol at a UNIX socket: passt. */
  | { readonly kind: 'stream'; readonly socket: string }
  /** A TUN device of the host's, by name. */
  | { readonly kind: 'tun'; readonly name: string };
