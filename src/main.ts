// Reads the arguments and starts what they ask for.
import { type CommandEntry, commandSurroundings, main } from '#cli';

/** Commands of the server: the command line does not know it, so they are handed over here. */
const serverCommands: Record<string, CommandEntry> = {
  serve: {
    summary: 'run the server: dashboard, API, scheduler, worker',
    load: async () => {
      const { defineServe } = await import('#server');
      return { define: (command) => defineServe(command, commandSurroundings) };
    },
  },
  'setup-link': {
    summary: 'print a new link for the first administrator',
    load: async () => {
      const { defineSetupLink } = await import('#server');
      return { define: (command) => defineSetupLink(command, commandSurroundings) };
    },
  },
  plan: {
    summary: 'list, show, run, add and remove plans',
    load: async () => {
      const { definePlan } = await import('#server');
      return { define: (command) => definePlan(command, commandSurroundings) };
    },
  },
  job: {
    summary: 'list and show jobs, print their logs, cancel them',
    load: async () => {
      const { defineJob } = await import('#server');
      return { define: (command) => defineJob(command, commandSurroundings) };
    },
  },
  user: {
    summary: 'list and add users, set passwords',
    load: async () => {
      const { defineUser } = await import('#server');
      return { define: (command) => defineUser(command, commandSurroundings) };
    },
  },
  doctor: {
    summary: 'tell what is well and what is not',
    load: async () => {
      const { defineDoctor } = await import('#server');
      return { define: (command) => defineDoctor(command, commandSurroundings) };
    },
  },
};

await main(process.argv.slice(2), serverCommands);
