import { texts } from '../texts/en.ts';

/** Rungs of the ladder: stored → checked → verified → drilled. */
export type ProofLevel = 1 | 2 | 3 | 4;

/** The only sign for proof, everywhere the same, always with the word. */
export function Proof({ level, note }: { level: ProofLevel; note?: string }) {
  return (
    <span className="proof" data-level={level}>
      <Rungs />
      {texts.proof[level]}
      {note && <span className="t3"> {note}</span>}
    </span>
  );
}

function Rungs() {
  return (
    <span className="rungs" aria-hidden>
      <i />
      <i />
      <i />
      <i />
    </span>
  );
}

export interface Rung {
  name: string;
  /** When, and by what evidence; undefined when it has not been climbed. */
  note?: string | undefined;
}

/** The mark unfolded. */
export function ProofLadder({ rungs }: { rungs: readonly Rung[] }) {
  return (
    <ol className="ladder">
      {rungs.map(({ name, note }) => (
        <li key={name} data-on={note ? '' : undefined}>
          <span className="rung" />
          <b>{name}</b>
          <small>{note ?? 'not yet'}</small>
        </li>
      ))}
    </ol>
  );
}
