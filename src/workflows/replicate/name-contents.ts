import type { FileVersion } from '#storage';

/** All that both sides have under one name, oldest first. Without versions that is at most one on each side. */
export interface NameContents {
  name: string;
  from: FileVersion[];
  to: FileVersion[];
}
