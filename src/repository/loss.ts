import { StorageError } from '#storage';
import { RepositoryError } from './errors.ts';

/**
 * Whether the error says that bytes are gone or are other bytes than were written. A storage that does not answer
 * says nothing of the kind, and a fault of ours neither.
 */
export function isLoss(error: unknown): error is RepositoryError | StorageError {
  if (error instanceof RepositoryError)
    return error.code === 'repository.damaged' || error.code === 'repository.incomplete';
  return (
    error instanceof StorageError && (error.code === 'storage.not-found' || error.code === 'storage.range')
  );
}
