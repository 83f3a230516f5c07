import { findElement } from './bson-bytes.ts';
import { isTrue } from './bson-values.ts';

export function isCapped(options: Uint8Array | undefined): boolean {
  return options !== undefined && isTrue(options, 'capped');
}

export function optionsHas(options: Uint8Array | undefined, name: string): boolean {
  return options !== undefined && findElement(options, name) !== undefined;
}
