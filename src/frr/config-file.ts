// Writes frr.conf so that a restarted FRR starts from the newest text: whole or not at all, and a
// moment after the change, never in its way.

import { chown, open, rename, stat, unlink } from "node:fs/promises";
import { dirname } from "node:path";

const DELAY_MS = 500;

export type ConfigFileOptions = {
  readonly path: string;
  /** The text to write, asked for when it is time. */
  readonly text: () => string;
  /** After each attempt: why it failed; undefined: it did not. */
  readonly onWritten: (problem: string | undefined) => void;
};

export class ConfigFile {
  readonly #options: ConfigFileOptions;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  #written = "";

  constructor(options: ConfigFileOptions) {
    this.#options = options;
  }

  /** The text may have changed. */
  schedule(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#writing = this.#writing.then(() => this.#write());
    }, DELAY_MS);
  }

  /** Writes what waits for its moment, and resolves when that is done. */
  async close(): Promise<void> {
    if (this.#timer !== undefined) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#writing = this.#writing.then(() => this.#write());
    }
    await this.#writing;
  }

  async #write(): Promise<void> {
    const { path, text: newest, onWritten } = this.#options;
    const text = newest();
    if (text === this.#written) return;
    try {
      await replaceFile(path, text);
      this.#written = text;
      onWritten(undefined);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      onWritten(`Cannot write ${path}: ${why}`);
    }
  }
}

/**
 * Replaces a file by way of a temporary one beside it. It holds passwords: readable by owner and
 * by the folder's group, which is FRR's.
 */
async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.new`;
  const file = await open(temporary, "w", 0o640);
  try {
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    const folder = await stat(dirname(path));
    // Not allowed outside a container that runs as root; the owner then is FRR's user already.
    await chown(temporary, -1, folder.gid).catch(() => undefined);
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
}
