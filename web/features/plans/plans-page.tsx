import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { plansQuery, sourcesQuery } from '../../app/queries.ts';
import { Empty, ErrorCallout, Skeleton } from '../../components/notices.tsx';
import { PageHead } from '../../components/page-head.tsx';
import { PlanCard } from './plan-card.tsx';

export function PlansPage() {
  const plans = useQuery(plansQuery);
  const sources = useQuery(sourcesQuery);
  const newPlan = (
    <Link className="btn primary" to="/plans/new">
      New plan
    </Link>
  );
  return (
    <>
      <PageHead
        title="Plans"
        lead="What is backed up, where to, when, how long it is kept, and how it is proven."
        actions={newPlan}
      />
      {plans.error && (
        <ErrorCallout error={plans.error} what="The plans" onRetry={() => void plans.refetch()} />
      )}
      {plans.isPending && <Skeleton lines={6} />}
      {plans.data?.items.length === 0 && (
        <Empty title="No plan yet" action={newPlan}>
          A plan says what is backed up, where to, when, and how it is proven.
        </Empty>
      )}
      <h2 className="vh">All plans</h2>
      <ul className="plans">
        {plans.data?.items.map((plan) => (
          <PlanCard key={plan.id} plan={plan} sources={sources.data?.items ?? []} />
        ))}
      </ul>
    </>
  );
}
