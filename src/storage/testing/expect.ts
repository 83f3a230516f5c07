/** The same expectations for tests that stand outside of this module. */
export { expectContent, expectError, itemsOf, listedNames } from '../checks/expect.ts';
