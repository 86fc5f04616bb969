/**
 * What was offered and what passed, over time: a bounded number of equal pieces. When time goes on
 * beyond the last one, pairs become one and pieces are twice as long.
 */

/** One piece of one direction. */
export type Piece = {
  offeredBytes: number;
  passedBytes: number;
  offeredPackets: number;
  passedPackets: number;
  queuedPackets: number;
  /** The longest that a packet waited, in ns. */
  delayNs: number;
  /** Of a full bucket, at the end of the piece: 0..1; -1 where nothing was sent yet. */
  credits: number;
};

const most = 400;

export class Series {
  pieceNs: number;
  readonly pieces: Piece[] = [];

  constructor(pieceNs: number) {
    this.pieceNs = pieceNs;
  }

  /** The piece of a time. */
  at(ns: number): Piece {
    while (ns >= this.pieceNs * most) this.join();
    const index = Math.floor(ns / this.pieceNs);
    while (this.pieces.length <= index) this.pieces.push(newPiece());
    return this.pieces[index] as Piece;
  }

  /** Pieces twice as long. */
  join(): void {
    const { pieces } = this;
    for (let i = 0; i < pieces.length; i += 2)
      pieces[i / 2] = joined(pieces[i] as Piece, pieces[i + 1] ?? newPiece());
    pieces.length = Math.ceil(pieces.length / 2);
    this.pieceNs *= 2;
  }
}

const newPiece = (): Piece => ({
  ...{ offeredBytes: 0, passedBytes: 0, offeredPackets: 0, passedPackets: 0 },
  ...{ queuedPackets: 0, delayNs: 0, credits: -1 },
});

const joined = (a: Piece, b: Piece): Piece => ({
  offeredBytes: a.offeredBytes + b.offeredBytes,
  passedBytes: a.passedBytes + b.passedBytes,
  offeredPackets: a.offeredPackets + b.offeredPackets,
  passedPackets: a.passedPackets + b.passedPackets,
  queuedPackets: a.queuedPackets + b.queuedPackets,
  delayNs: Math.max(a.delayNs, b.delayNs),
  credits: b.credits < 0 ? a.credits : b.credits,
});
