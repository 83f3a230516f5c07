const units = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'];
const space = '\u00a0';

/** "4.86 GB": decimal, three digits. Unknown is said, never 0. */
export function size(bytes: number | undefined | null): string {
  if (bytes === undefined || bytes === null) return 'unknown';
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return `${value.toFixed(digits)}${space}${units[unit]}`;
}

const numbers = new Intl.NumberFormat('en-GB');

/** "1,951" */
function count(value: number): string {
  return numbers.format(value);
}

/** "3 files", "1 file" */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${count(value)}${space}${value === 1 ? one : many}`;
}
