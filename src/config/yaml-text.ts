import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { messageOf } from '#base';
import type { Fault } from '#contract';

export type Path = readonly (string | number)[];

export interface Position {
  line: number;
  column: number;
}

/** How often aliases may be followed, so that a few lines cannot become gigabytes. */
const aliasesMax = 100;

/** A YAML text as values, and where each of them stands. */
export class YamlText {
  readonly document: Document;
  /** Undefined when there are faults. */
  readonly value: unknown;
  readonly faults: readonly Fault[];
  readonly #lines = new LineCounter();

  constructor(text: string) {
    this.document = parseDocument(text, {
      lineCounter: this.#lines,
      merge: true,
      prettyErrors: false,
      // What is written anew is quoted where older readers of YAML would see a number: "02:30".
      compat: 'yaml-1.1',
    });
    const faults = [...this.document.errors, ...this.document.warnings].map(({ code, message, pos }) =>
      faultOf(message, { hint: hints[code], ...this.#position(pos[0]) }),
    );
    if (faults.length === 0) {
      try {
        this.value = this.document.toJS({ maxAliasCount: aliasesMax });
      } catch (error) {
        faults.push(faultOf(messageOf(error), { line: 1, column: 1 }));
      }
    }
    this.faults = faults;
  }

  /** Where the key at the end of a path stands, or of what is above it and is there. */
  placeOfKey(path: Path): Position {
    return this.#find(path).key;
  }

  /** Where a single value stands; of a list or map, its key. */
  placeOf(path: Path): Position {
    const { key, node, isWhole } = this.#find(path);
    return isWhole && isScalar(node) && node.range ? this.#position(node.range[0]) : key;
  }

  #find(path: Path): { key: Position; node: Node | null; isWhole: boolean } {
    let node = this.document.contents as Node | null;
    let key = this.#position(node?.range?.[0] ?? 0);
    for (const step of path) {
      const inner = isAlias(node) ? node.resolve(this.document) : node;
      const pair = isMap(inner)
        ? inner.items.find(({ key }) => isScalar(key) && String(key.value) === String(step))
        : undefined;
      const item = isSeq(inner) ? (inner.items[Number(step)] as Node | undefined) : undefined;
      const place = (pair?.key as Node | undefined) ?? item;
      if (!place) return { key, node: null, isWhole: false };
      node = pair ? (pair.value as Node | null) : item!;
      if (place.range) key = this.#position(place.range[0]);
    }
    return { key, node, isWhole: true };
  }

  #position(offset: number): Position {
    const { line, col } = this.#lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  }
}

const hints: Record<string, string | undefined> = {
  TAB_AS_INDENT: 'Indent with spaces.',
  BAD_INDENT: 'Look at the indentation of this line and of the one before.',
  DUPLICATE_KEY: 'Give each key once; the second would hide the first.',
  MULTIPLE_DOCS: 'Write one document, without --- in the middle.',
  BLOCK_AS_IMPLICIT_KEY: 'Look for a missing quote, or a colon inside of a text without quotes.',
};

function faultOf(message: string, place: { hint?: string | undefined } & Position): Fault {
  const { hint, line, column } = place;
  const text = message.charAt(0).toLowerCase() + message.slice(1);
  return { path: '', message: text, ...(hint && { hint }), line, column };
}
