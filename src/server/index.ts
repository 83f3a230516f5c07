// HTTP: routes, live events, start and stop. Routes stay thin: parse, allow, call, present.
export { defineDoctor } from './commands/doctor.ts';
export { defineJob } from './commands/job.ts';
export { definePlan } from './commands/plan.ts';
export { type CommandSurroundings, defineServe } from './commands/serve.ts';
export { defineSetupLink } from './commands/setup-link.ts';
export { defineUser } from './commands/user.ts';
export { ServerError } from './errors.ts';
export { type Service, type ServiceOptions, startService } from './service.ts';
