import { Catalog, type OpenCatalogOptions } from '#catalog';
import { ChannelSpec, PlanSpec, RepositorySpec, SourceSpec } from '#contract';

interface Specs {
  repository: RepositorySpec;
  source: SourceSpec;
  plan: PlanSpec;
  channel: ChannelSpec;
}

/** The catalog, with what people may configure. */
export type Records = Catalog<Specs>;

/** @throws CatalogError, see `Catalog.open` */
export function openRecords(options: Omit<OpenCatalogOptions<Specs>, 'parse'>): Promise<Records> {
  return Catalog.open<Specs>({
    ...options,
    parse: {
      repository: (spec) => RepositorySpec.parse(spec),
      source: (spec) => SourceSpec.parse(spec),
      plan: (spec) => PlanSpec.parse(spec),
      channel: (spec) => ChannelSpec.parse(spec),
    },
  });
}
