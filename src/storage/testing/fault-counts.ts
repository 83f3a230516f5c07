import type { Operation } from '../wrappers/around.ts';
import { type FaultKind, faultKindsOf } from './fault-plan.ts';

/** How often each operation met each fault. One may be shared by many storages, to add up a whole simulation. */
export class FaultCounts {
  readonly #counts = new Map<string, number>();

  add(operation: Operation, kind: FaultKind): void {
    this.#counts.set(`${operation} × ${kind}`, this.of(operation, kind) + 1);
  }

  of(operation: Operation, kind: FaultKind): number {
    return this.#counts.get(`${operation} × ${kind}`) ?? 0;
  }

  /** A line for each pair of these operations and the kinds that they can meet: `write × fail: 12`. */
  lines(operations: readonly Operation[]): string[] {
    return this.#pairs(operations).map(([pair, count]) => `${pair}: ${count}`);
  }

  /** The pairs that were met less often than `floor` times. */
  under(floor: number, operations: readonly Operation[], kinds?: readonly FaultKind[]): string[] {
    return this.#pairs(operations, kinds).flatMap(([pair, count]) =>
      count < floor ? [`${pair}: ${count}`] : [],
    );
  }

  #pairs(operations: readonly Operation[], kinds?: readonly FaultKind[]): [string, number][] {
    return operations.flatMap((operation) =>
      faultKindsOf[operation]
        .filter((kind) => kinds?.includes(kind) ?? true)
        .map((kind): [string, number] => [`${operation} × ${kind}`, this.of(operation, kind)]),
    );
  }
}
