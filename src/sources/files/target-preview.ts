import { type FileAttributes, type Posix, systemPosix } from '#base';
import { type ByteText, upperPath } from './names.ts';
import { type Decision, decideOverwrite, type OverwritePolicy } from './overwrite.ts';
import { mayExist } from './start-paths.ts';
import { TargetTree, targetPath } from './target-tree.ts';

export interface TargetPreviewOptions {
  /** The folder that the snapshot's root would become. */
  path: string;
  /** Default: 'if-changed'. */
  overwrite?: OverwritePolicy | undefined;
  posix?: Posix | undefined;
}

/** Tells what a `FolderTarget` would do, and does nothing. Folders come before what is in them. */
export class TargetPreview {
  readonly #policy: OverwritePolicy;
  readonly #tree: TargetTree | undefined;
  /** Folders that are not there yet. */
  readonly #newFolders = new Set<ByteText>();

  constructor({ path, overwrite = 'if-changed', posix = systemPosix() }: TargetPreviewOptions) {
    this.#policy = overwrite;
    if (mayExist(path)) this.#tree = new TargetTree(path, { posix, overwrite, resumeKey: '' });
  }

  /** @throws Error for what could not be restored: a name that leads elsewhere, a folder or a link in the way */
  decide(names: readonly Uint8Array[], wanted: FileAttributes): Decision {
    const path = targetPath(names);
    const { decision, existing } = this.#look(path, wanted);
    if (decision === 'replace' && existing?.type === 'dir' && !this.#tree!.isEmptyFolder(path))
      throw new Error('a folder that is not empty is in the way');
    if (wanted.type === 'dir' && existing?.type !== 'dir') {
      if (decision === 'leave') throw new Error(`a ${existing?.type} is in the way`);
      this.#newFolders.add(path);
    }
    return decision;
  }

  close(): void {
    this.#tree?.close();
  }

  #look(
    path: ByteText,
    wanted: FileAttributes,
  ): { decision: Decision; existing: FileAttributes | undefined } {
    if (this.#tree && !this.#newFolders.has(upperPath(path))) return this.#tree.look(path, wanted);
    const nothing = { policy: this.#policy, existing: undefined, wanted, toleranceNs: 0n };
    return { decision: decideOverwrite(nothing), existing: undefined };
  }
}
