import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useParams } from '@tanstack/react-router';
import { ChevronRight, Download, File, Folder, History, Link2, Pin, PinOff } from 'lucide-react';
import { useState } from 'react';
import type { Entry, Rung as RungName, Snapshot } from '#contract';
import { api } from '../../app/api.ts';
import { downloadUrl, entriesQuery, snapshotQuery } from '../../app/queries.ts';
import { ErrorCallout, ProblemNote, Skeleton } from '../../components/notices.tsx';
import { PageHead } from '../../components/page-head.tsx';
import { ProofLadder } from '../../components/proof.tsx';
import { counted, size } from '../../components/size.ts';
import { relative, Time, useNowMs } from '../../components/time.tsx';

export function SnapshotPage() {
  const { repository, id } = useParams({ from: '/shell/snapshots/$repository/$id' });
  const snapshot = useQuery(snapshotQuery(repository, id));
  if (snapshot.error)
    return (
      <ErrorCallout error={snapshot.error} what="The snapshot" onRetry={() => void snapshot.refetch()} />
    );
  if (!snapshot.data) return <Skeleton lines={6} />;
  return <Shown snapshot={snapshot.data} />;
}

function Shown({ snapshot }: { snapshot: Snapshot }) {
  const { repository, id, takenAt, name, hostname, processedBytes, addedBytes, itemCount } = snapshot;
  return (
    <>
      <PageHead
        title={`${name ?? hostname}, ${new Date(takenAt).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'short' })}`}
        above={
          <li>
            <Link to="/snapshots">Snapshots</Link>
          </li>
        }
        lead={
          <>
            <Time at={takenAt} />, in {repository}, <code>{id.slice(0, 8)}</code>
          </>
        }
        actions={
          <>
            <Link className="btn primary" to="/snapshots/$repository/$id/restore" params={{ repository, id }}>
              <History className="i" aria-hidden />
              Restore…
            </Link>
            <a className="btn" href={downloadUrl(snapshot, 'archive', '/')} download>
              <Download className="i" aria-hidden />
              Download all as zip
            </a>
            <PinButton snapshot={snapshot} />
            {snapshot.forgottenAt && <TakeBackButton snapshot={snapshot} />}
          </>
        }
      />
      <section className="card pad" aria-label="What is known of it">
        <Ladder snapshot={snapshot} />
        <dl className="facts">
          <div>
            <dt>Read</dt>
            <dd>{size(processedBytes)}</dd>
          </div>
          <div>
            <dt>Added</dt>
            <dd>{size(addedBytes)}</dd>
          </div>
          <div>
            <dt>Files</dt>
            <dd>{itemCount === undefined ? 'unknown' : counted(itemCount, 'file')}</dd>
          </div>
          <div>
            <dt>Host</dt>
            <dd>{hostname || 'unknown'}</dd>
          </div>
          {snapshot.pins.map(({ by, note }) => (
            <div key={note}>
              <dt>Pinned by {by}</dt>
              <dd>{note}</dd>
            </div>
          ))}
        </dl>
      </section>
      <section className="section card" aria-labelledby="inside">
        <header>
          <h2 id="inside">What is inside</h2>
        </header>
        <div className="tree" role="tree" aria-label="Files and folders">
          <Folders snapshot={snapshot} path="/" depth={0} />
        </div>
      </section>
    </>
  );
}

/** Files are verified byte by byte, databases are read back: the third rung is either. */
const rungs: { name: string; by: RungName[] }[] = [
  { name: 'Stored', by: ['stored'] },
  { name: 'Checked', by: ['checked'] },
  { name: 'Verified or read back', by: ['verified', 'read-back'] },
  { name: 'Drilled', by: ['drilled'] },
];

function Ladder({ snapshot: { badges } }: { snapshot: Snapshot }) {
  const nowMs = useNowMs();
  return (
    <ProofLadder
      rungs={rungs.map(({ by, name }) => {
        const badge = badges.find(({ rung, state }) => by.includes(rung) && state === 'proven');
        if (!badge) return { name, note: undefined };
        return {
          name,
          note: `${relative(Date.parse(badge.at), nowMs)}${badge.note ? `, ${badge.note}` : ''}`,
        };
      })}
    />
  );
}

function PinButton({ snapshot }: { snapshot: Snapshot }) {
  const client = useQueryClient();
  const isPinned = snapshot.pins.length > 0;
  const pin = useMutation({
    mutationFn: () =>
      api(`/repositories/${snapshot.repository}/snapshots/${snapshot.id}/pins`, {
        method: isPinned ? 'DELETE' : 'POST',
        ...(!isPinned && { body: { kind: 'pin', note: 'pinned in the dashboard' } }),
      }),
    onSuccess: () => client.invalidateQueries({ queryKey: ['snapshot'] }),
  });
  const Icon = isPinned ? PinOff : Pin;
  return (
    <>
      <button type="button" className="btn" onClick={() => pin.mutate()} disabled={pin.isPending}>
        <Icon className="i" aria-hidden />
        {isPinned ? 'Unpin' : 'Pin'}
      </button>
      {pin.error && <ProblemNote error={pin.error} />}
    </>
  );
}

function TakeBackButton({ snapshot }: { snapshot: Snapshot }) {
  const client = useQueryClient();
  const takeBack = useMutation({
    mutationFn: () =>
      api(`/repositories/${snapshot.repository}/snapshots/${snapshot.id}/take-back`, { method: 'POST' }),
    onSuccess: () => client.invalidateQueries({ queryKey: ['snapshot'] }),
  });
  return (
    <button
      type="button"
      className="btn primary"
      onClick={() => takeBack.mutate()}
      disabled={takeBack.isPending}
    >
      Take back from the trash
    </button>
  );
}

function Folders({ snapshot, path, depth }: { snapshot: Snapshot; path: string; depth: number }) {
  const entries = useQuery(entriesQuery(snapshot.repository, snapshot.id, path));
  if (entries.error)
    return (
      <ErrorCallout
        error={entries.error}
        what={`The folder ${path}`}
        onRetry={() => void entries.refetch()}
      />
    );
  if (!entries.data) return <Skeleton lines={2} />;
  return (
    <>
      {entries.data.items.map((entry) => (
        <Node key={entry.path} snapshot={snapshot} entry={entry} depth={depth} />
      ))}
      {entries.data.next && (
        <p className="pad t2">
          This folder has more than {counted(entries.data.items.length, 'entry', 'entries')}.
        </p>
      )}
    </>
  );
}

const entryIcons = { dir: Folder, file: File, symlink: Link2, other: File };

function Node({ snapshot, entry, depth }: { snapshot: Snapshot; entry: Entry; depth: number }) {
  const [isOpen, setOpen] = useState(false);
  const Icon = entryIcons[entry.type];
  const isFolder = entry.type === 'dir';
  return (
    <>
      <div
        className="node"
        role="treeitem"
        aria-level={depth + 1}
        aria-expanded={isFolder ? isOpen : undefined}
        aria-selected={false}
        tabIndex={-1}
        style={{ '--depth': depth }}
      >
        <span className="name">
          {isFolder ? (
            <button type="button" className="btn ghost sm" onClick={() => setOpen(!isOpen)}>
              <ChevronRight className="i tw" data-open={isOpen || undefined} aria-hidden />
              <Icon className="i" aria-hidden />
              <span className="ellipsis">{entry.name}</span>
            </button>
          ) : (
            <span className="row leaf">
              <Icon className="i" aria-hidden />
              <span className="ellipsis">{entry.name}</span>
            </span>
          )}
        </span>
        <span>{entry.sizeBytes === undefined ? '' : size(entry.sizeBytes)}</span>
        <span>
          {entry.modifiedAt &&
            new Date(entry.modifiedAt).toLocaleDateString('en-GB', { dateStyle: 'medium' })}
        </span>
        {entry.type === 'file' || isFolder ? (
          <a
            className="btn ghost icon sm"
            href={downloadUrl(snapshot, isFolder ? 'archive' : 'file', entry.path)}
            download
            aria-label={`Download ${entry.name}`}
          >
            <Download className="i" aria-hidden />
          </a>
        ) : (
          <span />
        )}
      </div>
      {isOpen && <Folders snapshot={snapshot} path={entry.path} depth={depth + 1} />}
    </>
  );
}
