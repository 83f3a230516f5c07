import { Link } from '@tanstack/react-router';
import type { Snapshot } from '#contract';
import { Proof, type ProofLevel } from '../../components/proof.tsx';
import { size } from '../../components/size.ts';

/** How far up the ladder, for the mark with four rungs. */
function proofOf({ badges }: Pick<Snapshot, 'badges'>): ProofLevel {
  const proven = new Set(badges.filter(({ state }) => state === 'proven').map(({ rung }) => rung));
  if (proven.has('drilled')) return 4;
  if (proven.has('read-back') || proven.has('verified')) return 3;
  return proven.has('checked') ? 2 : 1;
}

/** Snapshots by day, newest first. */
export function SnapshotRows({ snapshots }: { snapshots: readonly Snapshot[] }) {
  const days = Map.groupBy(snapshots, ({ takenAt }) =>
    new Date(takenAt).toLocaleDateString('en-GB', {
      weekday: 'long',
      day: 'numeric',
      month: 'long',
      year: 'numeric',
    }),
  );
  return (
    <>
      {[...days].map(([day, ofDay]) => (
        <section key={day} aria-label={day}>
          <h3 className="dayhead">{day}</h3>
          <ul>
            {ofDay.map((snapshot) => (
              <Row key={`${snapshot.repository}/${snapshot.id}`} snapshot={snapshot} />
            ))}
          </ul>
        </section>
      ))}
    </>
  );
}

function Row({ snapshot }: { snapshot: Snapshot }) {
  const { repository, id, takenAt, name, hostname, addedBytes, pins, forgottenAt } = snapshot;
  return (
    <li className="snap">
      <Link to="/snapshots/$repository/$id" params={{ repository, id }}>
        <time className="t num" dateTime={takenAt} title={new Date(takenAt).toLocaleString('en-GB')}>
          {new Date(takenAt).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' })}
        </time>
        <span className="grow ellipsis">
          {name ?? hostname}
          <span className="t3"> in {repository}</span>
        </span>
        {forgottenAt && <span className="badge outline">in the trash</span>}
        {pins.length > 0 && <span className="badge outline">pinned</span>}
        <span className="add t2 hide-sm">{addedBytes === undefined ? '' : `+${size(addedBytes)}`}</span>
        <Proof level={proofOf(snapshot)} />
      </Link>
    </li>
  );
}
