// Schedules as times: next runs, what is due, what was missed, what is late. Pure: the time always comes in.
export { describeSchedule } from './describe.ts';
export { ScheduleError, type ScheduleErrorCode } from './errors.ts';
export { type Lateness, latenessOf } from './objective.ts';
export { type Due, type Timetable, type TimetableOptions, timetableOf } from './timetable.ts';
