import { Link, type LinkProps, Outlet, useRouterState } from '@tanstack/react-router';
import {
  Activity,
  CalendarClock,
  Database,
  HardDrive,
  Layers,
  LayoutDashboard,
  type LucideIcon,
  Menu,
  Settings,
} from 'lucide-react';
import { createContext, type ReactNode, useContext, useState } from 'react';
import { createPortal } from 'react-dom';
import { clockTime } from '../components/time.tsx';
import { texts } from '../texts/en.ts';
import { LiveProvider, useLive } from './live.tsx';
import { Logo, ThemeButton } from './logo.tsx';
import { SessionGate, useSession } from './session.tsx';

interface Page {
  to: LinkProps['to'] & string;
  name: keyof typeof texts.pages;
  icon: LucideIcon;
}

const overview: Page = { to: '/', name: 'overview', icon: LayoutDashboard };
const protect: Page[] = [
  { to: '/sources', name: 'sources', icon: Database },
  { to: '/plans', name: 'plans', icon: CalendarClock },
  { to: '/snapshots', name: 'snapshots', icon: Layers },
  { to: '/jobs', name: 'jobs', icon: Activity },
  { to: '/storage', name: 'storage', icon: HardDrive },
];
const settings: Page = { to: '/settings', name: 'settings', icon: Settings };
const onPhone = [overview, protect[1]!, protect[2]!, protect[3]!];

const TopbarSlot = createContext<HTMLElement | null>(null);

/** Every page of somebody who is signed in, kept up to date. */
export function Shell() {
  return (
    <SessionGate>
      <LiveProvider>
        <Frame />
      </LiveProvider>
    </SessionGate>
  );
}

/** Rail, top bar and tab bar around the page. */
function Frame() {
  const [slot, setSlot] = useState<HTMLElement | null>(null);
  return (
    <>
      <a className="skip" href="#main">
        {texts.shell.skip}
      </a>
      <div className="app">
        <nav className="rail" aria-label={texts.shell.pages}>
          <Link className="brand" to="/" aria-label={`Holdfast, ${texts.pages.overview}`}>
            <Logo />
            <span>Holdfast</span>
          </Link>
          <RailItem page={overview} />
          <div className="group">{texts.shell.protect}</div>
          {protect.map((page) => (
            <RailItem key={page.to} page={page} />
          ))}
          <div className="rail-gap" />
          <RailItem page={settings} />
          <Who />
        </nav>
        <div>
          <header className="topbar">
            <div className="crumbs" ref={setSlot} />
            <div className="end">
              <LiveMark />
              <ThemeButton />
            </div>
          </header>
          <TopbarSlot value={slot}>
            <main className="main" id="main">
              <Outlet />
            </main>
          </TopbarSlot>
        </div>
      </div>
      <nav className="tabbar" aria-label={texts.shell.pagesShort}>
        {onPhone.map((page) => (
          <TabItem key={page.to} page={page} />
        ))}
        <Link to="/settings" activeProps={{ 'aria-current': 'page' }}>
          <Menu className="i" aria-hidden />
          {texts.shell.more}
        </Link>
      </nav>
    </>
  );
}

/** Where one is, in the top bar: names from the outside in, the last one being this page. */
export function Crumbs({ children }: { children: ReactNode }) {
  const slot = useContext(TopbarSlot);
  if (!slot) return null;
  return createPortal(
    <nav aria-label={texts.shell.where}>
      <ol>{children}</ol>
    </nav>,
    slot,
  );
}

function useIsHere(to: string): boolean {
  const path = useRouterState({ select: ({ location }) => location.pathname });
  return to === '/' ? path === '/' : path === to || path.startsWith(`${to}/`);
}

function RailItem({ page: { to, name, icon: Icon } }: { page: Page }) {
  const isHere = useIsHere(to);
  return (
    <Link className="item" to={to} title={texts.pages[name]} aria-current={isHere ? 'page' : undefined}>
      <Icon className="i" aria-hidden />
      <span>{texts.pages[name]}</span>
    </Link>
  );
}

function TabItem({ page: { to, name, icon: Icon } }: { page: Page }) {
  const isHere = useIsHere(to);
  return (
    <Link to={to} aria-current={isHere ? 'page' : undefined}>
      <Icon className="i" aria-hidden />
      {texts.pages[name]}
    </Link>
  );
}

function Who() {
  const { user } = useSession();
  const name = user.displayName ?? user.username;
  return (
    <div className="who">
      <span className="avatar" aria-hidden>
        {name.slice(0, 2).toUpperCase()}
      </span>
      <span className="grow ellipsis">{name}</span>
    </div>
  );
}

function LiveMark() {
  const live = useLive();
  return (
    <span className={live.isLive ? 'live' : 'live off'} role="status">
      {live.isLive ? texts.shell.live : texts.shell.offlineSince(clockTime(live.sinceMs))}
    </span>
  );
}
