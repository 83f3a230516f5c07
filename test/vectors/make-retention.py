"""Lets restic decide what to forget. Usage: make-retention.py RESTIC OUTPUT (makes a repository in a temporary folder)"""
import json, os, random, shutil, subprocess, sys, tempfile, time

restic, output = sys.argv[1:]
folder = tempfile.mkdtemp()
os.environ.update(RESTIC_REPOSITORY=folder + '/repo', RESTIC_PASSWORD='holdfast', RESTIC_CACHE_DIR=folder + '/cache')


def run(*arguments, zone='UTC'):
    done = subprocess.run([restic, *arguments], env={**os.environ, 'TZ': zone}, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, (arguments, done.stderr)
    return done.stdout


os.makedirs(folder + '/data')
open(folder + '/data/file', 'w').write('x')
run('init')
random.seed(1)
times = [
    # the turns of years, ISO weeks 53 and 1, leap day, both changes of summer time
    '2020-12-31 23:30:00', '2021-01-01 00:30:00', '2021-01-03 12:00:00', '2021-01-04 12:00:00', '2023-12-31 01:00:00',
    '2024-01-01 01:00:00', '2024-02-28 10:00:00', '2024-02-29 10:00:00', '2024-03-01 10:00:00', '2024-03-31 01:30:00',
    '2024-03-31 03:30:00', '2024-10-27 01:30:00', '2024-10-27 03:30:00', '2024-12-30 10:00:00',
]
times += ['2025-05-%02d %02d:15:00' % (day, hour) for day in (1, 2, 3, 4, 5, 6) for hour in (0, 6, 6, 23)]
times += ['2025-%02d-15 08:00:00' % month for month in range(6, 13)]
times += ['2025-12-31 %02d:%02d:00' % (hour, minute) for hour in (20, 21, 22, 23) for minute in (0, 30)]
zones = ['UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kolkata']
for i, instant in enumerate(times):
    tags = [['--tag', 'pinned'], ['--tag', 'pinned,year'], ['--tag', 'name=shop'], [], [], []][random.randrange(6)]
    host = 'beta' if i % 5 == 0 else 'alpha'
    # no two at the same instant: restic would order them by chance
    instant = '%s:%02d' % (instant[:-3], i)
    run('backup', '--host', host, '--time', instant, *tags, 'data', zone=zones[random.randrange(4)])
run('backup', '--host', 'beta', '--time', '2099-01-01 00:00:00', 'data')

policies = [
    ['--keep-last', '1'], ['--keep-last', '5'], ['--keep-hourly', '3'], ['--keep-daily', '4'], ['--keep-daily', '100'],
    ['--keep-weekly', '5'], ['--keep-weekly', '100'], ['--keep-monthly', '3'], ['--keep-monthly', '100'],
    ['--keep-yearly', '2'], ['--keep-yearly', '100'], ['--keep-last', '2', '--keep-daily', '3', '--keep-yearly', '3'],
    ['--keep-within', '1h'], ['--keep-within', '2d3h'], ['--keep-within', '1y1m'], ['--keep-within', '10m'],
    ['--keep-within-hourly', '1d'], ['--keep-within-daily', '7m'], ['--keep-within-weekly', '8m'],
    ['--keep-within-monthly', '2y'], ['--keep-within-yearly', '9y'],
    ['--keep-within', '1d', '--keep-within-daily', '1m', '--keep-within-monthly', '1y', '--keep-yearly', '10'],
    ['--keep-tag', 'pinned', '--keep-last', '1'], ['--keep-tag', 'pinned,year', '--keep-last', '1'],
    ['--keep-last', '3', '--group-by', 'host'], ['--keep-daily', '2', '--group-by', ''],
    ['--keep-last', '2', '--group-by', 'host,tags'], ['--keep-hourly', '1000', '--group-by', 'paths'],
]
if '0.14' not in run('version'):
    policies += [['--keep-daily', 'unlimited', '--group-by', 'host'], ['--keep-last', 'unlimited']]

snapshots = json.loads(run('snapshots', '--json'))
number = {snapshot['id']: i for i, snapshot in enumerate(snapshots)}
cases = []
for policy in policies:
    groups = json.loads(run('forget', '--dry-run', '--json', *policy))
    cases.append({'policy': ' '.join(policy), 'groups': [{
        'keep': [[number[kept['id']], *reason['matches']] for kept, reason in zip(group['keep'] or [], group['reasons'] or [])],
        'forget': [number[snapshot['id']] for snapshot in group['remove'] or []],
    } for group in groups]})


def line_each(items):
    return '[\n' + ',\n'.join(json.dumps(item) for item in items) + '\n]'


brief = [[one['time'], one['hostname'], one.get('tags', [])] for one in snapshots]
with open(output, 'w') as file:
    file.write('{"restic": %s, "now": %d,\n"snapshots": %s,\n"cases": %s}\n' % (
        json.dumps(run('version').strip()), time.time(), line_each(brief), line_each(cases)))
shutil.rmtree(folder)
