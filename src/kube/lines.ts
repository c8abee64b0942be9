// Cuts a stream of bytes into lines. Knows nothing of what is in them.

const NEWLINE = 0x0a;

/** Lines of a byte stream that arrives in pieces; each byte is looked at and copied once. */
export class Lines {
  #pieces: Uint8Array[] = [];

  /** The lines that this piece completes, without their line ends. */
  *add(piece: Uint8Array): Generator<string> {
    let start = 0;
    for (;;) {
      const end = piece.indexOf(NEWLINE, start);
      if (end < 0) break;
      this.#pieces.push(piece.subarray(start, end));
      start = end + 1;
      yield this.#take();
    }
    if (start < piece.length) this.#pieces.push(piece.subarray(start));
  }

  /** What came after the last line end. */
  rest(): string {
    return this.#take();
  }

  #take(): string {
    const [first] = this.#pieces;
    const line =
      this.#pieces.length === 1 && first !== undefined
        ? Buffer.from(first.buffer, first.byteOffset, first.length)
        : Buffer.concat(this.#pieces);
    this.#pieces = [];
    return line.toString("utf8");
  }
}
