// holdfast.yaml: text to objects and back, what differs, what is wrong and where. Resolves no secret and changes nothing.
export {
  type Change,
  type Changes,
  type Configured,
  changesBetween,
  configurationOfItems,
  describeChanges,
  type Existing,
  type FieldChange,
  faultsBetween,
  itemsOf,
} from './changes.ts';
export type { Configuration, Section } from './configuration.ts';
export { ConfigError, type ConfigErrorCode } from './errors.ts';
export { exportConfig } from './export-config.ts';
export { configJsonSchema } from './known-keys.ts';
export { outlineOf, type PlanOutline } from './outline.ts';
export { type Reading, readConfig } from './read-config.ts';
export { readConfigFile, type WatchOptions, watchConfig } from './watch-config.ts';
