/** How bad a finding is: data is or may be lost, or only space and time. */
type Gravity = 'error' | 'hint';

export type FindingCode =
  | 'config-damaged'
  | 'key-damaged'
  | 'index-damaged'
  | 'index-duplicate'
  | 'pack-missing'
  | 'pack-size'
  | 'pack-mixed'
  | 'pack-unknown'
  | 'pack-damaged'
  | 'blob-damaged'
  | 'snapshot-damaged'
  | 'tree-damaged'
  | 'blob-missing'
  | 'node-invalid'
  | 'size-differs'
  | 'unreadable';

/** One thing that a check found. */
export interface Finding {
  gravity: Gravity;
  code: FindingCode;
  /** A sentence without final point: what is wrong with what. */
  message: string;
  /** Where: ids in full and paths, as far as they apply. */
  pack?: string;
  blob?: string;
  index?: string;
  key?: string;
  snapshot?: string;
  path?: string;
}
