import { openPosix, type Posix } from '#base';

/** The real calls, with `before` told of each: the moment for a test to change the files. */
export function hookedPosix(
  before: (call: keyof Posix, args: readonly unknown[]) => void,
  real: Posix = openPosix(),
): Posix {
  return new Proxy(real, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        before(key as keyof Posix, args);
        return value.apply(target, args);
      };
    },
  });
}
