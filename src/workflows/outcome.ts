/** How a job ended, as every surface of the product names it. */
export type FinalState = 'succeeded' | 'warning' | 'partial' | 'failed';

/** Something that was not done as it should have been; its gravity decides the state. */
export interface Problem {
  /** For people: a path or a name. */
  path: string;
  error: Error;
  /** 'lost': it is not there (*partial*); 'odd': it is there, but not as one would wish (*warning*). */
  gravity: 'lost' | 'odd';
}

/** The worst problem decides. */
export function stateOf(problems: readonly Problem[]): FinalState {
  if (problems.some((problem) => problem.gravity === 'lost')) return 'partial';
  return problems.length > 0 ? 'warning' : 'succeeded';
}
