import type { ReactNode } from 'react';
import { Crumbs } from '../app/shell.tsx';

interface PageHeadProps {
  title: string;
  /** What stands above it in the top bar, from the outside in. */
  above?: ReactNode;
  lead?: ReactNode;
  actions?: ReactNode;
}

export function PageHead({ title, above, lead, actions }: PageHeadProps) {
  return (
    <>
      <title>{`${title} · Holdfast`}</title>
      <Crumbs>
        {above}
        <li aria-current="page">{title}</li>
      </Crumbs>
      <div className="page-head">
        <div>
          <h1>{title}</h1>
          {lead && <p>{lead}</p>}
        </div>
        {actions && <div className="end">{actions}</div>}
      </div>
    </>
  );
}
