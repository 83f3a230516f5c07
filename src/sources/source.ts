import type { FileAttributes } from '#base';

/** Where the bytes of a file come from: a local file that the engine may read itself, or a stream opened on demand. */
export type EntryContent = { localPath: Uint8Array } | StreamContent;

export interface StreamContent {
  open(signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** When the stream fails, there is to be no snapshot; otherwise only that file is lost. */
  isVital?: boolean;
  /**
   * Says whether the parent snapshot's file, of the same size, has this very content: then its attributes as they are
   * to be now, and nothing is read. Without it, times and inode tell, as for local files; without an inode it is read.
   */
  recognize?(before: FileAttributes): FileAttributes | undefined;
  /** What is known once the stream has ended: attributes in place of those announced, and what is odd about it. */
  describe?(): { attributes: FileAttributes; oddities: readonly Error[] };
}

/** Something that was not read as it should have been; its gravity decides the job's state. */
export interface SourceProblem {
  /** For people: the path or name, with bytes that are not UTF-8 escaped. */
  path: string;
  error: Error;
  /** 'lost': it should be in the snapshot and is not (state *partial*); 'odd': saved, but not as one would wish (*warning*). */
  gravity: 'lost' | 'odd';
}

/**
 * What a source yields, depth first, names of one folder in any order and each once:
 * a folder's `entry`, what is in it, then its `leave`. Upper folders of a path come as entries too.
 */
export type SourceEvent =
  | { kind: 'entry'; path: readonly Uint8Array[]; attributes: FileAttributes; content?: EntryContent }
  | { kind: 'leave'; path: readonly Uint8Array[] }
  | { kind: 'problem'; problem: SourceProblem };

/** What is protected. A source yields named streams and metadata; it knows no repository. */
export interface Source {
  /** What stands in the snapshot's `paths`: absolute paths, or `/name` of a stream. */
  readonly paths: readonly string[];
  /** How many entries with `content.open` may be read at once. */
  readonly streamConcurrency: number;
  /** Tags of the snapshot that are known when everything was read. */
  lateTags?(): readonly string[];
  /** Walks the source once. */
  read(signal: AbortSignal): AsyncIterable<SourceEvent>;
  close(): Promise<void>;
}
