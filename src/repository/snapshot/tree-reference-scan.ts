/** Receives what a tree needs. */
export interface ReferenceVisitor {
  /** 32 bytes, written before each call. */
  readonly id: Uint8Array;
  /** A blob of a file. */
  content(): void;
  subtree(): void;
}

const text = (literal: string): Uint8Array => Buffer.from(literal, 'latin1');
const literals = {
  begin: text('{"nodes":['),
  end: text(']}'),
  content: text('"content":'),
  subtree: text('"subtree":'),
  null: text('null'),
};
const comma = 0x2c;
const colon = 0x3a;
const quote = 0x22;
const backslash = 0x5c;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const space = 0x20;

/** Value of each hex digit; above 15 for everything else. */
const hexValue = new Uint8Array(256).fill(0xff);
for (let value = 0; value < 16; value++) hexValue[value.toString(16).charCodeAt(0)] = value;

/**
 * Reads the references of a tree without building objects: a prune reads millions of nodes for them.
 * @returns false when the JSON is written in another way than restic and we do it; some calls may have been made then
 */
export function scanTreeReferences(json: Uint8Array, visitor: ReferenceVisitor): boolean {
  return new Scanner(json, visitor).scanTree();
}

/** A cursor over the bytes. Every method returns whether it found what it looks for, and moves behind it. */
class Scanner {
  readonly #json: Uint8Array;
  readonly #visitor: ReferenceVisitor;
  #at = 0;

  constructor(json: Uint8Array, visitor: ReferenceVisitor) {
    this.#json = json;
    this.#visitor = visitor;
  }

  scanTree(): boolean {
    if (!this.#skip(literals.begin)) return false;
    if (!this.#isNext(closeBracket)) {
      do if (!this.#scanNode()) return false;
      while (this.#skipByte(comma));
    }
    return this.#skip(literals.end) && this.#onlySpaceFollows();
  }

  #scanNode(): boolean {
    if (!this.#skipByte(openBrace)) return false;
    if (this.#skipByte(closeBrace)) return true;
    do if (!this.#scanMember()) return false;
    while (this.#skipByte(comma));
    return this.#skipByte(closeBrace);
  }

  #scanMember(): boolean {
    if (this.#skip(literals.content)) return this.#skip(literals.null) || this.#scanContent();
    if (this.#skip(literals.subtree)) {
      if (this.#skip(literals.null)) return true;
      if (!this.#scanId()) return false;
      this.#visitor.subtree();
      return true;
    }
    const from = this.#at;
    // A name with an escape could be one of the two in disguise.
    if (!this.#skipText() || this.#json.subarray(from, this.#at).includes(backslash)) return false;
    return this.#skipByte(colon) && this.#skipValue();
  }

  #scanContent(): boolean {
    if (!this.#skipByte(openBracket)) return false;
    if (this.#skipByte(closeBracket)) return true;
    do {
      if (!this.#scanId()) return false;
      this.#visitor.content();
    } while (this.#skipByte(comma));
    return this.#skipByte(closeBracket);
  }

  #scanId(): boolean {
    const json = this.#json;
    const { id } = this.#visitor;
    let at = this.#at;
    if (json[at++] !== quote) return false;
    let wrong = 0;
    for (let i = 0; i < 32; i++) {
      const high = hexValue[json[at++]!] ?? 0xff;
      const low = hexValue[json[at++]!] ?? 0xff;
      wrong |= high | low;
      id[i] = (high << 4) | low;
    }
    this.#at = at;
    return wrong <= 15 && this.#skipByte(quote);
  }

  /** Any value; only texts are looked at closely, so that a bracket in one is none. */
  #skipValue(): boolean {
    let depth = 0;
    const from = this.#at;
    for (;;) {
      const byte = this.#json[this.#at];
      if (byte === undefined) return false;
      if (byte === quote) {
        if (!this.#skipText()) return false;
        continue;
      }
      const isEnd = byte === closeBrace || byte === closeBracket;
      if (depth === 0 && (isEnd || byte === comma)) return this.#at > from;
      if (isEnd) depth--;
      else if (byte === openBrace || byte === openBracket) depth++;
      else if (byte <= space) return false;
      this.#at++;
    }
  }

  #skipText(): boolean {
    const json = this.#json;
    let at = this.#at;
    if (json[at++] !== quote) return false;
    for (;;) {
      const byte = json[at++];
      if (byte === undefined) return false;
      if (byte === backslash) at++;
      else if (byte === quote) break;
    }
    this.#at = at;
    return true;
  }

  #skip(literal: Uint8Array): boolean {
    const at = this.#at;
    for (let i = 0; i < literal.length; i++) if (this.#json[at + i] !== literal[i]) return false;
    this.#at = at + literal.length;
    return true;
  }

  #isNext(byte: number): boolean {
    return this.#json[this.#at] === byte;
  }

  #skipByte(byte: number): boolean {
    if (!this.#isNext(byte)) return false;
    this.#at++;
    return true;
  }

  #onlySpaceFollows(): boolean {
    while (this.#at < this.#json.length) if (this.#json[this.#at++]! > space) return false;
    return true;
  }
}
